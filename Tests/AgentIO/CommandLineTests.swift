// What somebody meets who types a command for the first time: each has a page, and what is missing is said with what to do.

internal import Kit
internal import Testing

struct CommandLineTests {
    /// Every command that the overview names is explained, and no explanation is wider than a terminal.
    @Test func everyCommandExplainsItself() async throws {
        let program = try Workplace.program("kilomint-agent")
        let overview = try await run(program, ["--help"]).output
        let lines = overview.split(separator: "\n").prefix { !$0.contains("First steps") }
        let prefix = "          kilomint-agent "
        let commands = Set(
            lines.filter { $0.hasPrefix(prefix.dropFirst(8)) }.compactMap { line in
                line.dropFirst(prefix.count - 8).split(separator: " ").first.map(String.init)
            })
        #expect(commands.isSuperset(of: ["run", "enroll", "renew", "scan", "meter", "profile"]), "\(commands)")
        for command in commands.sorted() {
            for words in [[command, "--help"], ["help", command]] {
                let (status, output) = try await run(program, words)
                #expect(status == .exited(0), "\(words): \(output)")
                guard !["run", "version", "help"].contains(command) else { continue }
                #expect(output.contains("kilomint-agent \(command)"), "\(words): \(output)")
                #expect(output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(output)")
            }
        }
    }

    @Test(arguments: [
        (["config"], "check, show, rollback"), (["key"], "create"), (["identify"], "--meter ID or --endpoint"),
        (["commission"], "--meter is missing"), (["meter", "replace", "--old"], "--meter is missing"),
        (["fly"], "fly is not a command"),
    ])
    func whatIsMissingIsNamed(_ words: [String], _ named: String) async throws {
        let (status, output) = try await run(try Workplace.program("kilomint-agent"), words)
        #expect(status == .exited(2) && output.contains(named), "\(output)")
    }

    /// The guide has the file checked before there is a key.
    @Test func aConfigurationIsCheckedBeforeItsKeyIsMade() async throws {
        let place = try TemporaryDirectory()
        let program = try Workplace.program("kilomint-agent")
        let key = place.file("gateway.pem")
        func write(profile: String) throws {
            let text = """
                gateway: gw-east-1
                key: \(key)
                spool: {path: \(place.file("spool"))}
                profiles: \(Workplace.root)/firmware-profiles
                buses: [{tcp: 192.0.2.1, meters: [{id: m, profile: \(profile)}]}]

                """
            try Workplace.write(text, to: place.file("agent.yaml"))
        }
        let check = ["config", "check", "--config", place.file("agent.yaml")]
        try write(profile: "abb/none")
        #expect(try await run(program, check).status == .exited(78))
        try write(profile: "abb/b23")
        let (status, output) = try await run(program, check)
        #expect(status == .exited(0), "\(output)")
        #expect(output.contains("2 requests a cycle") && output.contains("kilomint-agent init --config"))
        // Whoever needs the key says who makes it.
        let needed = try await run(program, ["run", "--config", place.file("agent.yaml")])
        #expect(needed.status == .exited(78) && needed.output.contains("kilomint-agent init --config"))
        // One that is there and no key is looked at by a person, not passed over.
        try Workplace.write("no key\n", to: key)
        #expect(try await run(program, check).status == .exited(78))
    }
}
