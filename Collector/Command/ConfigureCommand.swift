// `device configure`: lays a version of the remote part over a gateway's own file. The house numbers and signs it; the gateway
// says what became of it.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorIO
internal import Evidence
internal import Foundation
internal import Quantities

struct ConfigureDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "configure", abstract: "Changes a gateway's configuration from afar, as far as its site allows.",
        discussion: """
            FILE is YAML: interval, identity_interval, resend_after, resend_after_max, window: {bytes_per_second_max}, and
            meters: [{id, interval, unit, profile, …}]. It is the whole remote part; an empty file takes the former one back.
            The gateway tries it and rolls it back by itself when meters or uplink do not work with it.
            Without FILE: the last command and what became of it.
            """)

    /// Real seconds between two looks.
    private static let lookEvery: UInt64 = 1

    @Argument(help: "gateway id") var gateway: String
    @Argument(help: "the remote part") var file: String?
    @OptionGroup var options: HouseOptions
    @Option(help: "hours until it expires, in the house's time; default 168") var hours: Int64?
    @Option(help: "seconds to wait for the gateway's verdict; then exit status 0 means applied") var wait: Int?

    private struct Answer: Decodable {
        struct Outcome: Decodable { let number: Int64, word: String, reason: String, at: String }
        let number: Int64?
        let expires_at: String?
        let outcome: Outcome?
    }

    func validate() throws {
        guard Identifier(gateway) != nil else { throw ValidationError("GATEWAY: 1 … 40 characters a-z 0-9 -") }
        guard hours.map({ (1...8784).contains($0) }) ?? true else { throw ValidationError("--hours: 1 … 8784") }
        guard wait.map({ (1...86_400).contains($0) }) ?? true else { throw ValidationError("--wait: 1 … 86400") }
    }

    func run() async throws {
        let client = try options.client()
        guard let file else { return print(Self.line(try await standing(client))) }
        let text = try Data(contentsOf: URL(fileURLWithPath: file))
        let query = hours.map { "?hours=\($0)" } ?? ""
        let bytes = try await client.post(
            "/v1/devices/\(gateway)/configuration\(query)", Array(text), type: "application/yaml")
        let given = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        print("command \(given.number ?? 0) for \(gateway), until \(given.expires_at ?? "")")
        guard let wait else { return }
        for _ in 0..<wait {
            try await Task.sleep(nanoseconds: Self.lookEvery * 1_000_000_000)
            let now = try await standing(client)
            guard let outcome = now.outcome, outcome.number == given.number, outcome.word != "tried" else { continue }
            print(Self.line(now))
            if outcome.word == CommandOutcome.Word.applied.rawValue { return }
            throw ExitCode(1)
        }
        print("no verdict of the gateway within \(wait) s; it gets the command when it connects")
        throw ExitCode(1)
    }

    private func standing(_ client: HouseClient) async throws -> Answer {
        guard let bytes = try await client.get("/v1/devices/\(gateway)/configuration") else {
            throw ValidationError("this house does not know \(gateway)")
        }
        return try JSONDecoder().decode(Answer.self, from: Data(bytes))
    }

    private static func line(_ answer: Answer) -> String {
        let given = answer.number.map { "command \($0), until \(answer.expires_at ?? "")" } ?? "no command was given"
        guard let outcome = answer.outcome else { return given + "; the gateway has not said anything" }
        return given + "; the gateway at \(outcome.at): command \(outcome.number) \(outcome.word)"
            + (outcome.reason.isEmpty ? "" : ": \(outcome.reason)")
    }
}
