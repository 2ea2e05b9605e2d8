// kilomint-agent commission, meter replace, report: what is done in front of a meter, and the page that is handed over.

internal import AgentIO

extension Commands {
    static func commission(_ words: [String]) throws {
        let names = ["meter", "serial", "import", "export", "name"]
        let arguments = try Arguments(words, options: ["config", "accept-difference"] + names)
        _ = try arguments.required("meter")
        var values = Tool.values(arguments, names)
        values["accept"] = arguments.optional("accept-difference")
        try Tool.run(
            ControlRequest("commission", values), try Tool.settings(arguments, isNeeded: true), onlyRunning: true
        ) { print($0) }
    }

    static func meter(_ words: [String]) throws {
        guard words.first == "replace" else { throw Arguments.Wrong(description: "meter needs one of: replace") }
        let names = ["meter", "serial", "import", "export", "name"]
        let arguments = try Arguments(Array(words.dropFirst()), options: ["config"] + names, flags: ["old", "new"])
        _ = try arguments.required("meter")
        guard arguments.has("old") != arguments.has("new") else {
            throw Arguments.Wrong(description: "meter replace needs --old (before the exchange) or --new (after it)")
        }
        var values = Tool.values(arguments, names)
        values["step"] = arguments.has("old") ? "old" : "new"
        try Tool.run(
            ControlRequest("replace", values), try Tool.settings(arguments, isNeeded: true), onlyRunning: true
        ) { print($0) }
    }

    /// The page to hand over: what the agent knows, what the doctor finds, and room for two signatures.
    static func report(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config"])
        guard let settings = try Tool.settings(arguments, isNeeded: true) else { return }
        try Tool.run(ControlRequest("report"), settings, onlyRunning: true) { print($0) }
        print("\n## Doctor\n")
        let doctor = try DoctorTool.report(settings).text
        for line in doctor.split(separator: "\n", omittingEmptySubsequences: false) { print("    \(line)") }
        print("\n## Signatures\n")
        for who in ["installer", "operator"] {
            print("\(who)  name ______________________  date __________  signature ______________________\n")
        }
    }
}
