// Remote configuration: a version for a gateway is numbered, signed with the command key, kept, and published. Whether the
// gateway follows it is the gateway's to say, in its stream.

internal import CollectorCore
internal import Evidence
internal import HTTPTypes
internal import Keys
internal import Logging
internal import Proofs
internal import Quantities

/// What a gateway said last of a command.
struct SaidOutcome: Hashable, Sendable {
    let outcome: CommandOutcome
    /// The record's clock.
    let at: UTCInstant
}

extension House {
    /// A command that no gateway follows for longer than this is a mistake, ms.
    static let commandLifetimeMax: Int64 = 366 * 86_400_000
    static let commandLifetime: Int64 = 7 * 86_400_000

    /// - Parameters:
    ///   - text: YAML; empty: the site's file alone.
    ///   - lifetime: house ms until it expires.
    /// - Throws: ``Problem``.
    func configure(_ gateway: Identifier, _ text: String, lifetime: Int64) throws -> JSON {
        guard let key = keys.command else {
            throw Problem(
                .conflict, "no-command-key", "This collector gives no commands",
                detail: "write keys.command into its configuration, and the key into the key list: docs/collector.md")
        }
        try catchUp()
        let instant = decisionTime()
        guard state.registry.gateway(gateway, at: instant) != nil else {
            throw Problem.notFound("such gateway", hint: "register it first: GET /v1/gateways lists what is known")
        }
        guard text.utf8.count <= Command.textBytesMax else { throw Problem.tooLarge(Command.textBytesMax) }
        // Above what was given and above what the gateway says it took: also after the house was restored from a copy.
        let highest = max(commands.last(gateway)?.command.number ?? 0, gateways.gateway(gateway)?.commandsSeen ?? 0)
        guard highest < UInt64(Int64.max) else {
            throw Problem(.conflict, "numbers-used-up", "No number is left", detail: "enrol the gateway anew")
        }
        let command = Command(
            gateway: gateway, number: highest + 1, issuedAt: instant, expiresAt: instant + lifetime,
            body: .configuration(text))
        let message = try SignedMessage.signing(command.encoded, as: .command, with: key)
        // A crash after this line: the command is published at the next start, and whoever asked finds it in `device list`.
        try commands.give(try GivenCommand(parsing: message.encoded))
        logger.info("a command was given", metadata: ["gateway": "\(gateway)", "number": "\(command.number)"])
        return commandJSON(gateway)
    }

    func isRegistered(_ gateway: Identifier) -> Bool { state.registry.gateway(gateway, at: decisionTime()) != nil }

    /// The last command and what became of it.
    func commandJSON(_ gateway: Identifier) -> JSON {
        let given = commands.last(gateway)
        let said = gateways.gateway(gateway)?.outcome
        return .object([
            ("gateway", .string(gateway.text)), ("number", .optional(given.map { Int64($0.command.number) })),
            ("identity", .optional(given?.identity.description)), ("signed_by", .optional(given?.kid.hex)),
            ("kind", .optional(given.map { Int64(clamping: $0.command.body.kind) })),
            ("text", .optional(given?.configuration)),
            ("issued_at", .optional(given?.command.issuedAt.description)),
            ("expires_at", .optional(given?.command.expiresAt.description)),
            (
                "outcome",
                said.map { said in
                    .object([
                        ("number", .count(said.outcome.number)), ("word", .string(said.outcome.word.rawValue)),
                        ("reason", .string(said.outcome.reason)), ("at", .string(said.at.description)),
                    ])
                } ?? .null
            ),
        ])
    }

    /// One line for people; nil where nothing was ever said or asked.
    func commandLine(_ gateway: Identifier) -> String? {
        if let said = gateways.gateway(gateway)?.outcome {
            let given = commands.last(gateway)?.command.number ?? 0
            let waiting = given > said.outcome.number ? "; command \(given) waits" : ""
            return "command \(said.outcome.number) \(said.outcome.word.rawValue), \(said.at.toTheMinute)"
                + (said.outcome.reason.isEmpty ? "" : ": \(said.outcome.reason)") + waiting
        }
        return commands.last(gateway).map { "command \($0.command.number) waits for the gateway" }
    }

    /// Nil where nothing was ever said or asked.
    func lastCommand(_ gateway: Identifier) -> JSON {
        commandLine(gateway) == nil ? .null : commandJSON(gateway)
    }

    func dueCommands(_ share: PartitionShare) -> [OutgoingMessage] { commands.take(now: now(), of: share.holds) }

    func wantAllCommands() { commands.wantAll() }

    func loadCommands() throws {
        for broken in try commands.load() { logger.error("a command's file is not understood: \(broken)") }
    }
}

extension GivenCommand {
    /// The remote part it lays over the site's file; nil: a command of another kind.
    fileprivate var configuration: String? {
        guard case .configuration(let text) = command.body else { return nil }
        return text
    }
}
