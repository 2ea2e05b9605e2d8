// What a command means for this gateway, after its signature was checked: whether it is ours, new, in time, and of a kind
// that is known here. Whether the site allows what it asks for is asked later.

package import Evidence
package import Proofs
package import Quantities

/// What to do about a command that a key of role command signed.
package enum CommandVerdict: Hashable, Sendable {
    /// The one taken last, once more: the broker retains it. Nothing to say.
    case repeated
    /// Another gateway's, or one at or below a number taken before: somebody plays with the topic.
    case unbelieved(String)
    /// Ours and new, and not to be followed.
    case refuse(String)
    case configure(RemoteConfiguration.Version)
}

extension RemoteConfiguration {
    /// - Parameters:
    ///   - identity: of the command's envelope.
    ///   - now: the latest instant known to have passed.
    package func judged(_ command: Command, identity: Digest, gateway: Identifier, now: UTCInstant) -> CommandVerdict {
        guard command.gateway == gateway else { return .unbelieved("it is for \(command.gateway)") }
        guard command.number > highest else {
            return identity == latest
                ? .repeated : .unbelieved("number \(command.number) is not above \(highest), which was taken before")
        }
        guard now < command.expiresAt else { return .refuse("it expired at \(command.expiresAt)") }
        switch command.body {
        case .configuration(let text):
            return .configure(Version(number: command.number, identity: identity, text: text))
        case .unknown(let kind, _): return .refuse("kind \(kind) is not known to this version of the agent")
        }
    }
}

extension KeyList {
    /// Keys that may sign commands at `now`.
    package func commandKeys(at now: UTCInstant) -> [[UInt8]] {
        entries.filter { $0.role == .command && $0.validFrom <= now && now < $0.validTo }.map(\.spki)
    }
}
