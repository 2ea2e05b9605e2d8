// Commands to gateways: the last one of each, its number and when it expires, kept beside the logs. What became of a command is
// the gateway's signed note in the Evidence log; decision 0018 says why the command itself is no event.

internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Glibc
internal import Proofs
internal import Quantities

/// A command as it was signed.
struct GivenCommand: Hashable, Sendable {
    let command: Command
    let identity: Digest
    let envelope: [UInt8]
    /// Of the command key that signed it.
    let kid: [UInt8]

    init(parsing bytes: [UInt8]) throws {
        let message = try SignedMessage(parsing: bytes, as: .command)
        command = try Command(decoding: message.payload)
        identity = message.identity
        envelope = bytes
        kid = message.kid
    }
}

/// One folder, one file a gateway, replaced as a whole.
struct CommandDesk {
    /// Each about to be done; what a crash there leaves is said beside it.
    enum Step: Hashable, CaseIterable {
        /// The former command.
        case write
        /// The former command, and a `.new` whose bytes may not be on the medium.
        case sync
        /// The former command and a whole `.new`.
        case rename
        /// The new command; after a power cut perhaps the former one, and nothing was published.
        case syncFolder
    }

    private let folder: String
    /// In tests: what it throws counts as that step's failure.
    var before: (Step) throws -> Void = { _ in }
    private var given: [Identifier: GivenCommand] = [:]
    /// Those that are to be published now.
    private var due: Set<Identifier> = []

    init(data: String) { folder = data + "/commands" }

    /// Everything that is there. A file that is not understood is passed over: the next command's number comes from the
    /// gateway's notes then, and its envelope lies retained at the broker.
    mutating func load() throws -> [String] {
        var broken: [String] = []
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
            guard name.hasSuffix(".command"), let gateway = Identifier(String(name.dropLast(8))) else { continue }
            do {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
                let found = try GivenCommand(parsing: Array(bytes))
                guard found.command.gateway == gateway else {
                    throw HouseFileError(description: "it is for \(found.command.gateway)")
                }
                given[gateway] = found
                due.insert(gateway)
            } catch { broken.append("\(folder)/\(name): \(error)") }
        }
        return broken
    }

    func last(_ gateway: Identifier) -> GivenCommand? { given[gateway] }

    /// Durable before it is published: a number is never used for two commands. A crash after the write publishes it at the
    /// next start.
    mutating func give(_ new: GivenCommand) throws {
        let gateway = new.command.gateway
        let path = "\(folder)/\(gateway).command"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try before(.write)
        try Data(new.envelope).write(to: URL(fileURLWithPath: path + ".new"))
        try before(.sync)
        try Self.sync(path + ".new", O_RDONLY)
        try before(.rename)
        guard rename(path + ".new", path) == 0 else { throw HouseFileError(description: "cannot name \(path)") }
        try before(.syncFolder)
        try Self.sync(folder, O_RDONLY | O_DIRECTORY)
        given[gateway] = new
        due.insert(gateway)
    }

    private static func sync(_ path: String, _ flags: Int32) throws {
        let descriptor = open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw HouseFileError(description: "cannot open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw HouseFileError(description: "cannot sync \(path)") }
    }

    /// The broker may have lost what it retained.
    mutating func wantAll() { due = Set(given.keys) }

    /// What is to be published now. What has expired is not: a gateway would refuse it, and say so for ever.
    mutating func take(now: UTCInstant, of holds: (Identifier) -> Bool) -> [OutgoingMessage] {
        let wanted = due.filter(holds).sorted()
        due.subtract(wanted)
        return wanted.compactMap { gateway in
            guard let command = given[gateway], now < command.command.expiresAt else { return nil }
            return OutgoingMessage(topic: GatewayTopics(gateway).command, payload: command.envelope, retain: true)
        }
    }
}
