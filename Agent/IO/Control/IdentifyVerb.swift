// The verb `identify`: asks one device who it is and ranks the profiles of the folder that fit it.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities
internal import Settings

extension ControlVerb {
    static let identify = ControlVerb(
        "identify", keys: ToolEndpoint.keys.union(["meter", "unit", "timeout", "profiles"]), isLong: true
    ) { request, caller, context in
        try DeviceLook(request, context).run(caller)
    }
}

/// One device under the profiles of a folder.
struct DeviceLook {
    /// Candidates that are shown.
    private static let shownMax = 5

    let unit: UInt8
    let line: ToolLine
    private let patience: Int64
    private let library: ProfileLibrary

    init(_ request: ControlRequest, _ context: ControlContext) throws {
        library = try Self.library(request, context)
        patience = try request.number("timeout", in: 50...60_000) ?? 1_000
        if let id = request.optional("meter") {
            let (_, buses) = try AgentParts.buses(try context.configured())
            guard let bus = buses.first(where: { $0.meters.contains { $0.id.text == id } }),
                let meter = bus.meters.first(where: { $0.id.text == id })
            else { throw ControlRefusal("meter \(id) is not in the configuration") }
            unit = meter.unit
            line = context.desk.line(to: bus)
        } else {
            unit = UInt8(try request.number("unit", in: 0...255) ?? 1)
            line = context.desk.line(to: try ToolEndpoint.parse(request))
        }
    }

    init(unit: UInt8, line: ToolLine, patience: Int64, library: ProfileLibrary) {
        self.unit = unit
        self.line = line
        self.patience = patience
        self.library = library
    }

    /// Where the packages put them: for whoever has no configuration yet.
    static let profilesUsual = "/usr/share/kilomint/firmware-profiles"

    /// The folder of the configuration. Another one only where no agent runs: it reads files with its own rights.
    static func library(_ request: ControlRequest, _ context: ControlContext) throws -> ProfileLibrary {
        if let folder = request.optional("profiles") {
            guard context.board == nil else { throw ControlRefusal("profiles: the running agent uses its own folder") }
            return try ProfileLibrary(folder: folder)
        }
        if let settings = context.settings { return try ProfileLibrary(folder: settings.profiles) }
        guard SmallFile.isThere(profilesUsual) else {
            throw ControlRefusal(
                "which profiles? There is no configuration and no \(profilesUsual): --config FILE or --profiles FOLDER")
        }
        return try ProfileLibrary(folder: profilesUsual)
    }

    func run(_ caller: ControlCaller) throws {
        defer { line.close() }
        try caller.line("\(line.text), unit \(unit)")
        for problem in library.broken { try caller.line("left out: \(problem)") }
        let search = try search(caller)
        for text in Self.told(search) { try caller.line("  " + text) }
        let candidates = search.candidates
        guard search.answered > 0 else {
            throw ControlRefusal("no device answers: address, unit, wiring; on a serial line baud rate and parity")
        }
        guard let best = candidates.first else {
            throw ControlRefusal(
                "none of the \(library.profiles.count) profiles fits: see firmware-profiles/README.md for writing one")
        }
        try caller.line("")
        for candidate in candidates.prefix(Self.shownMax) {
            try caller.line("  \(candidate.words): \(candidate.profile.name), level \(candidate.profile.level.name)")
            for reason in candidate.reasons { try caller.line("      \(reason)") }
        }
        if candidates.count > Self.shownMax {
            try caller.line("  and \(candidates.count - Self.shownMax) more that nothing speaks against")
        }
        try caller.line("")
        let snippet = ConfigurationSnippet.Meter(unit: unit, profile: best.profile.name, doubt: Self.doubt(candidates))
        for text in ConfigurationSnippet.buses([(line.endpoint, [snippet])]) { try caller.line(text) }
    }

    /// Asks everything there is to ask. Progress stands in lines that begin with `…`.
    func search(_ caller: ControlCaller, isQuiet: Bool = false) throws -> DeviceSearch {
        var search = DeviceSearch(unit: unit, profiles: library.profiles)
        while let request = search.next {
            guard !caller.isGone else { throw ControlGone() }
            let answer = line.ask(request, patience: patience) { caller.isGone }
            if let problem = answer.problem { throw ControlRefusal(problem) }
            search.answer(answer.answer)
            if !isQuiet, search.asked % 10 == 0, search.questionsLeft > 0 {
                try caller.line("… \(search.asked) questions asked, at most \(search.questionsLeft) to come")
            }
        }
        return search
    }

    /// What is to be said beside the best profile, should it be the wrong one; nil: nothing speaks for another.
    static func doubt(_ candidates: [DeviceSearch.Candidate]) -> String? {
        guard let best = candidates.first else { return nil }
        let others = candidates.dropFirst().filter { $0.score == best.score }.map(\.profile.name)
        guard !others.isEmpty || !best.isPlausible else { return nil }
        let named = others.isEmpty ? "" : ", or \(others.prefix(shownMax).joined(separator: ", "))"
        return "Not sure\(named): compare the values with the display (kilomint-agent read)."
    }

    /// What the device said of itself.
    private static func told(_ search: DeviceSearch) -> [String] {
        var lines = ["\(search.asked) questions, \(search.answered) answered"]
        lines += search.said.map { "\(DeviceIdentification.name($0.id)): \($0.text)" }
        if !search.serverID.isEmpty { lines.append("server id: \(DeviceIdentification.printable(search.serverID))") }
        if !search.chain.isEmpty {
            lines.append("SunSpec models: " + search.chain.map { "\($0.id) (\($0.length))" }.joined(separator: ", "))
        }
        if let best = search.candidates.first {
            for role in Identity.Role.allCases {
                if let text = best.texts[role] { lines.append("\(role.name): \(text)") }
            }
        }
        return lines
    }
}
