// kilomint-audit: what anybody can check about a house, by themselves. Only takes arguments apart and shows what came out.

internal import ArgumentParser

@main
struct KilomintAudit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kilomint-audit",
        abstract: "Checks a Kilomint house without believing it.",
        discussion: """
            From any K$ in any account back to the register words a meter answered, every step computed again here from what \
            the house publishes: two transparency logs, the gateways' signed records, the transcripts of its windows.

            The house is named by --url, or by the directory that `kilomint-collector export` wrote; both have the same \
            layout (docs/formats/logs.md).

              kilomint-audit verify --url http://127.0.0.1:8080 --token-file auditor.token
              kilomint-audit trace 6f1f3a0c… --url http://127.0.0.1:8080 --token-file auditor.token
              kilomint-audit verify ./export

            Exit status: 0 all held · 64 wrong usage · 69 the house cannot be reached or read · 70 a check failed.
            """,
        subcommands: [
            VerifyCommand.self, TraceCommand.self, ReplayCommand.self, ProveCommand.self, StateCommand.self,
        ])
}
