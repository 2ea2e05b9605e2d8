// Both implementations of both logs, made the same way, with the faults the suite needs. No test in here.

import CBOR
import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import Keys
import Kit
import Proofs
import Quantities
import Synchronization

enum Backend: String, CaseIterable, Sendable {
    case sqlite
    case memory
}

/// The error of an injected fault.
struct InjectedFault: Error {}

/// Volumes that outlive the logs on them. Opening again is what a restart does.
final class LogRig: Sendable {
    static let base = "kilomint.example/test"

    let backend: Backend
    let place: TemporaryDirectory
    let key: LogKey
    /// The step that fails next, once.
    private let fault = Mutex<LogStep?>(nil)
    private let salts = Mutex(SeededGenerator(seed: 16))
    private let evidenceDisk = MemoryDisk(LogOrigin(base: base, log: .evidence, epoch: 1))
    private let journalDisk = MemoryDisk(LogOrigin(base: base, log: .journal, epoch: 1))
    private let copies = Mutex<[LogName: MemoryVolume]>([:])

    init(_ backend: Backend, key: LogKey? = nil) throws {
        self.backend = backend
        place = try TemporaryDirectory()
        self.key = try key ?? LogKey(PrivateKey.generate(.eddsa))
    }

    func path(_ log: LogName) -> String { place.file("\(log.rawValue).sqlite") }
    func witness(_ log: LogName) -> String { place.file("\(log.rawValue).witness") }

    func configuration(_ log: LogName) -> LogConfiguration {
        LogConfiguration(path: path(log), base: Self.base, witnesses: [witness(log)])
    }

    func fail(at step: LogStep) { fault.withLock { $0 = step } }

    /// Whether the planned fault has not happened.
    var isFaultPending: Bool { fault.withLock { $0 != nil } }

    private var step: @Sendable (LogStep) throws -> Void {
        { [self] step in
            let isNow = fault.withLock { planned in
                guard planned == step else { return false }
                planned = nil
                return true
            }
            if isNow { throw InjectedFault() }
        }
    }

    func evidence() throws -> any EvidenceLog {
        switch backend {
        case .sqlite: try SQLiteEvidenceLog(configuration(.evidence), key: key, step: step)
        case .memory: try MemoryEvidenceLog(disk: evidenceDisk, key: key, base: Self.base, step: step).opened()
        }
    }

    func journal() throws -> any Journal {
        let salt: @Sendable () -> [UInt8] = { [self] in salts.withLock { $0.bytes(16) } }
        switch backend {
        case .sqlite: return try SQLiteJournal(configuration(.journal), key: key, salt: salt, step: step)
        case .memory:
            return try MemoryJournal(disk: journalDisk, key: key, base: Self.base, step: step, salt: salt).opened()
        }
    }

    func log(_ name: LogName) throws -> any TransparencyLog {
        switch name {
        case .evidence: try evidence()
        case .journal: try journal()
        }
    }

    /// Appends `count` entries to either log, going on where it stands; the content depends on the seed and the place.
    func fill(_ log: any TransparencyLog, _ count: Int, seed: UInt8 = 0) throws {
        if let evidence = log as? any EvidenceLog {
            let head = try evidence.head(gateway: .test("gate"), stream: .test(1))
            let first = (head?.through ?? 0) + 1
            _ = try evidence.append((0..<UInt64(count)).map { .test(sequence: first + $0, seed: seed) })
        } else if let journal = log as? any Journal {
            let after = try journal.sequence(of: .settlement)
            let drafts = (0..<UInt64(count)).map { JournalDraft.test(after + 1 + $0, seed: seed) }
            _ = try journal.append(JournalBatch(stage: .settlement, after: after, drafts: drafts), now: .test)
        }
    }

    /// Copies the log's own volume, not the witness's: what a backup or a crash leaves. Nothing may be writing.
    func copy(_ log: LogName) throws {
        switch backend {
        case .sqlite: try Self.copyFile(path(log), to: place.file("copy-\(log.rawValue)"))
        case .memory: copies.withLock { $0[log] = disk(log).volume.withLock { $0 } }
        }
    }

    /// Puts the copy back. The log must not be open.
    func restore(_ log: LogName) throws {
        switch backend {
        case .sqlite: try Self.copyFile(place.file("copy-\(log.rawValue)"), to: path(log))
        case .memory:
            let copy = copies.withLock { $0[log] }
            disk(log).volume.withLock { volume in if let copy { volume = copy } }
        }
    }

    private func disk(_ log: LogName) -> MemoryDisk { log == .evidence ? evidenceDisk : journalDisk }

    /// A database with its write-ahead log.
    static func copyFile(_ path: String, to other: String) throws {
        for suffix in ["", "-wal", "-shm"] {
            if FileManager.default.fileExists(atPath: other + suffix) {
                try FileManager.default.removeItem(atPath: other + suffix)
            }
            if suffix != "-shm", FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: other + suffix)
            }
        }
    }

    /// A note of `checkpoint` as the log itself would sign it.
    static func signed(_ checkpoint: Checkpoint, by key: LogKey) throws -> [UInt8] {
        guard let verifier = NoteVerifierKey(name: checkpoint.origin, ed25519: key.publicKey.rawEd25519 ?? []) else {
            throw KitError("\(checkpoint.origin) is no name of a note")
        }
        let signature = SignedNote.Signature(
            name: checkpoint.origin, keyID: verifier.keyID, signature: try key.sign(Array(checkpoint.text.utf8)))
        return Array(SignedNote(text: checkpoint.text, signatures: [signature]).encoded.utf8)
    }
}

extension UTCInstant {
    static let test = UTCInstant(milliseconds: 1_467_871_200_000)
}

extension Identifier {
    static func test(_ text: String) -> Identifier {
        guard let identifier = Identifier(text) else { preconditionFailure("\(text) is a test's own mistake") }
        return identifier
    }
}

extension StreamID {
    static func test(_ number: UInt8) -> StreamID {
        guard let stream = StreamID([UInt8](repeating: number, count: 8)) else { preconditionFailure("eight bytes") }
        return stream
    }
}

extension EvidenceDraft {
    /// A record whose envelope is well formed, though signed by nobody.
    static func test(
        gateway: String = "gate", stream: UInt8 = 1, sequence: UInt64, through: UInt64? = nil, seed: UInt8 = 0
    ) -> EvidenceDraft {
        let payload = CBORValue.array([
            .text(gateway), .unsigned(UInt64(stream)), .unsigned(sequence), .unsigned(UInt64(seed)),
        ])
        let message = SignedMessage.signing(
            payload.encoded(), as: .record, algorithm: .eddsa, kid: [UInt8](repeating: 1, count: 8)
        ) { _ in [UInt8](repeating: seed, count: 64) }
        return EvidenceDraft(
            gateway: .test(gateway), stream: .test(stream), sequence: sequence, through: through,
            identity: message.identity, throughIdentity: through.map { Digest(of: [UInt8(truncatingIfNeeded: $0)]) },
            envelope: message.encoded, receivedAt: .test + Int64(sequence % 100_000))
    }
}

extension JournalDraft {
    static func test(_ number: UInt64, seed: UInt8 = 0, stage: Stage = .settlement, kind: String = "TransferPosted")
        -> JournalDraft
    {
        JournalDraft(
            kind: kind, stage: stage, commandID: Digest(of: Array("\(stage)/\(number)/\(seed)".utf8)), ordinal: 0,
            body: .array([.unsigned(number), .unsigned(UInt64(seed))]))
    }
}

extension LogRig {
    /// The same log after a restart; the old one is closed.
    func reopened(_ log: any EvidenceLog) throws -> any EvidenceLog {
        try log.close()
        return try evidence()
    }

    func reopened(_ log: any Journal) throws -> any Journal {
        try log.close()
        return try journal()
    }

    func reopened(_ log: any TransparencyLog) throws -> any TransparencyLog {
        try log.close()
        return try self.log(log.name)
    }
}
