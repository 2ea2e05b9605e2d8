// kilomint-agent read, identify, scan: a meter looked at, through the running agent or without one.

internal import AgentIO

extension Commands {
    private static let line = ["endpoint", "baud", "parity", "stop-bits", "echo", "timeout"]

    static func read(_ words: [String]) throws {
        let names = line + ["meter", "unit", "function", "address", "count", "as", "order"]
        let arguments = try Arguments(words, options: ["config"] + names)
        let settings = try Tool.settings(arguments, isNeeded: arguments.optional("endpoint") == nil)
        try Tool.run(ControlRequest("read", Tool.values(arguments, names)), settings) { print($0) }
    }

    static func identify(_ words: [String]) throws {
        let names = line + ["meter", "unit", "profiles"]
        let arguments = try Arguments(words, options: ["config"] + names)
        guard arguments.optional("meter") != nil || arguments.optional("endpoint") != nil else {
            throw Arguments.Wrong(description: "--meter ID or --endpoint PLACE is missing")
        }
        let settings = try Tool.settings(arguments, isNeeded: arguments.optional("meter") != nil)
        try Tool.show(ControlRequest("identify", Tool.values(arguments, names)), settings)
    }

    static func scan(_ words: [String]) throws {
        let names = ["tcp", "port", "unit", "rtu", "baud", "parity", "stop-bits", "echo", "timeout", "profiles"]
        let arguments = try Arguments(words, options: ["config"] + names, flags: ["identify"])
        var values = Tool.values(arguments, names)
        if arguments.has("identify") { values["identify"] = "true" }
        try Tool.show(ControlRequest("scan", values), try Tool.settings(arguments, isNeeded: false))
    }
}
