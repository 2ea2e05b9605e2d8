// kilomint-agent profile lint, show, test: meters as data, looked at without a meter and without a configuration.

internal import AgentIO

extension Commands {
    static func profile(_ words: [String]) throws {
        let rest = Array(words.dropFirst())
        let report: ProfileTools.Report
        switch words.first {
        case "lint": report = try ProfileTools.lint(try Arguments(rest, options: [], places: 1...1000).places)
        case "show": report = try ProfileTools.show(try Arguments(rest, options: [], places: 1...1).places[0])
        case "test": report = try ProfileTools.test(try Arguments(rest, options: [], places: 1...1000).places)
        case let word?: throw Arguments.Wrong(description: "profile \(word) is not known; known: lint, show, test")
        case nil: throw Arguments.Wrong(description: "profile needs one of: lint, show, test")
        }
        print(report.text)
        guard report.failures == 0 else { throw Arguments.Failed(description: "\(report.failures) things are wrong") }
    }
}
