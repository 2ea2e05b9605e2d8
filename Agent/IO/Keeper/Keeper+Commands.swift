// What the keeper does about a command: who signed it, whether it is ours and new. What it asks for is the reloader's matter.
// Whoever can only publish on the topic costs a note an hour and a line in the log.

internal import AgentCore
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities

/// A command that a key of role command signed for this gateway, with a number above all before.
struct TakenCommand: Hashable, Sendable {
    let number: UInt64
    let identity: Digest
    let expiresAt: UTCInstant
    let verdict: CommandVerdict
}

extension Keeper {
    func receive(command bytes: [UInt8]) {
        // A retained message that was deleted.
        guard !bytes.isEmpty else { return }
        guard bytes.count <= Command.envelopeBytesMax else {
            return disbelieve(
                Digest(of: bytes), 0, "oversized", "\(bytes.count) bytes; at most \(Command.envelopeBytesMax)")
        }
        guard let trust else { return }
        let instant = provenTime
        let message: SignedMessage
        let command: Command
        do {
            message = try SignedMessage(parsing: bytes, as: .command)
            guard trust.isCommand(message, at: instant, monotonic: clock.now().monotonic) else {
                return disbelieve(message.identity, 0, "forged", "no key of role command of the key list signed it")
            }
            command = try Command(decoding: message.payload)
        } catch {
            return disbelieve(Digest(of: bytes), 0, "malformed", "it is no command that is understood: \(error)")
        }
        let verdict = board.remote.configuration.judged(
            command, identity: message.identity, gateway: settings.gateway, now: instant)
        switch verdict {
        case .repeated: return
        case .unbelieved(let reason):
            let subject = command.gateway == settings.gateway ? "replayed" : "other gateway"
            return disbelieve(message.identity, command.number, subject, reason)
        case .refuse, .configure: break
        }
        log.line(.info, "command received", [("number", String(command.number))])
        let taken = TakenCommand(
            number: command.number, identity: message.identity, expiresAt: command.expiresAt, verdict: verdict)
        // Full: the broker retains it and gives it again with the next connection.
        settings.reading?.reloads.post(.command(taken))
    }

    /// - Parameter subject: one of few words: notes and lines are limited by it.
    private func disbelieve(_ identity: Digest, _ number: UInt64, _ subject: String, _ reason: String) {
        unbelieved.commandsUnbelieved += 1
        log.line(.warning, "a command is not believed", [("because", reason)], limit: subject)
        let now = clock.now()
        let outcome = CommandOutcome(identity: identity, word: .unbelieved, number: number, reason: reason)
        planner.note(outcome.note(uptime: now.uptime), subject: "command \(subject)", monotonic: now.monotonic)
    }
}
