// kilomint-agent doctor: what is wrong with lines, meters, machine and uplink, and what to do about it.

internal import AgentIO
internal import Settings

extension Commands {
    static func doctor(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config"], flags: ["json"])
        guard let settings = try Tool.settings(arguments, isNeeded: true) else { return }
        let report = try DoctorTool.report(settings)
        print(arguments.has("json") ? report.json : report.text)
        guard report.faults == 0 else { throw Arguments.Failed(description: "") }
    }
}
