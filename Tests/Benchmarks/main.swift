// The measurements' command line: which sections to run. Each section runs in a process of its own, so that one's memory
// is not the next one's peak; what they print comes together in one table. Measures; asserts nothing.

internal import Glibc
internal import Kit

private let usage = """
    usage: kilomint-bench [SECTION …]     agent, rivals, line, flash, intake, ledger, window, sizes; default: all
           kilomint-bench --memory METERS …       the agent's memory alone, with so many meters at each of 20 endpoints
    KILOMINT_AGENT_STATIC names a statically linked agent for `sizes`.

    """

private let agentSections: [(name: String, measure: () throws -> [Row])] = [
    ("agent", AgentFigures.measure), ("rivals", RivalFigures.measure), ("line", LineFigures.measure),
    ("flash", FlashFigures.measure), ("sizes", SizeFigures.measure),
]
#if KILOMINT_AGENT_ONLY
    private let sections = agentSections
#else
    private let sections =
        agentSections + [
            ("intake", IntakeFigures.measure), ("ledger", LedgerFigures.measure), ("window", WindowFigures.measure),
        ]
#endif

/// Runs sections one after the other, each as a child of this process that prints rows.
private func runAll(_ names: [String]) throws {
    print(Machine.description + "\n")
    var rows: [Row] = []
    for name in names {
        let place = try TemporaryDirectory()
        let child = try ChildProcess("/proc/self/exe", ["--rows", name], outputPath: place.file("rows"))
        while child.poll() == nil { usleep(100_000) }
        let lines = try child.output.split(separator: "\n").map(String.init)
        let own = lines.compactMap(Row.init(line:))
        rows += own
        print(own.isEmpty ? "" : "\(name):\n\(Row.table(own))\n")
        fflush(nil)
        guard child.poll() == .exited(0) else { throw KitError("\(name) failed:\n" + lines.joined(separator: "\n")) }
    }
    print("all:\n" + Row.table(rows))
}

private let words = Array(CommandLine.arguments.dropFirst())
do {
    switch words.first {
    case "--rows"?:
        guard words.count == 2, let section = sections.first(where: { $0.name == words[1] }) else {
            throw KitError(usage)
        }
        for row in try section.measure() { print(row.line) }
    case "--memory"?: print(Row.table(try RivalFigures.memoryAlone(words.dropFirst().compactMap { Int($0) })))
    case "--float-plant"?: try FloatPlant.run(Array(words.dropFirst()))
    case "--modbus-loop"?: try ModbusLoop.run(Array(words.dropFirst()))
    case let word? where !sections.contains(where: { $0.name == word }): throw KitError(usage)
    default: try runAll(words.isEmpty ? sections.map(\.name) : words)
    }
} catch {
    print("kilomint-bench: \(error)")
    exit(1)
}
