// A gateway's stream made up for intake's tests: chains, skips, key changes, and signatures that only these tests believe.

import CBOR
import CollectorCore
import Evidence
import Proofs
import Quantities

/// A "key" whose signature is a digest: enough to tell who signed what.
struct TestKey: Hashable, Sendable {
    let spki: [UInt8]

    init(_ name: String) { spki = Array("spki of \(name)".utf8) }

    func sign(_ bytes: [UInt8]) -> [UInt8] {
        let digest = Digest(of: spki, bytes).bytes
        return digest + digest
    }

    static func isSigned(_ message: SignedMessage, _ spki: [UInt8]) -> Bool {
        let digest = Digest(of: spki, message.signatureInput).bytes
        return message.signature == digest + digest
    }
}

/// One stream and its one true history, built on demand. What is not said to be something else is a readings record.
struct TestStream {
    static let start = UTCInstant("2026-03-01T12:00:00Z")!

    let gateway: Identifier
    let id: StreamID
    var key: TestKey
    /// By number − 1.
    private(set) var records: [SignedMessage] = []
    /// The key that signs from a number on.
    private var keys: [(from: UInt64, key: TestKey)]

    init(_ gateway: Identifier, _ stream: UInt8, key: TestKey) {
        self.gateway = gateway
        id = StreamID([UInt8](repeating: stream, count: 8))!
        self.key = key
        keys = [(1, key)]
    }

    static func clock(_ utc: UTCInstant = start) -> RecordClock {
        RecordClock(
            sync: 2, errorMilliseconds: 5, boot: [UInt8](repeating: 1, count: 16), uptimeMilliseconds: 9, utc: utc)
    }

    static func birth(
        serial: String = "1", replay: (start: UTCInstant, speed: Int64)? = nil, after: Birth.Predecessor? = nil
    ) -> RecordBody {
        .birth(
            Birth(
                agentVersion: "1", predecessor: after,
                meters: [
                    Birth.Meter(
                        index: 0, id: Identifier("meter-1")!, profileName: "p", profileDigest: .zero, model: "m",
                        serial: serial, firmware: "f", unit: 1, endpoint: "tcp://x:502")
                ],
                reads: [], replay: replay))
    }

    /// The true record at `sequence`; a birth at 1.
    mutating func record(_ sequence: UInt64, _ body: RecordBody? = nil) -> SignedMessage {
        while UInt64(records.count) < sequence {
            let next = UInt64(records.count) + 1
            let given = next == sequence ? body : nil
            let content = given ?? (next == 1 ? Self.birth() : .readings(Readings(base: next, samples: [])))
            records.append(sign(next, content, previous: identity(next - 1)))
            if case .key(let spki) = content, let name = spki.split(separator: UInt8(ascii: " ")).last {
                keys.append((next + 1, TestKey(String(decoding: name, as: UTF8.self))))
            }
        }
        return records[Int(sequence) - 1]
    }

    func identity(_ sequence: UInt64) -> Digest {
        sequence == 0 ? .zero : records[Int(sequence) - 1].identity
    }

    /// Another record at `sequence` than the true one.
    mutating func other(_ sequence: UInt64) -> SignedMessage {
        if sequence > 1 { _ = record(sequence - 1) }
        return sign(sequence, .readings(Readings(base: 77, samples: [])), previous: identity(sequence - 1))
    }

    /// Names another identity for the record before it than the true one.
    func unchained(_ sequence: UInt64) -> SignedMessage {
        sign(sequence, .readings(Readings(base: sequence, samples: [])), previous: Digest(of: [9]))
    }

    /// Stands for the records `from` through `to`.
    mutating func skip(_ from: UInt64, _ to: UInt64) -> SignedMessage {
        _ = record(to)
        let skip = Skip(
            to: to, identity: identity(to), reason: "full", firstClock: Self.clock(), lastClock: Self.clock(),
            losses: [])
        return sign(from, .skip(skip), previous: identity(from - 1))
    }

    func sign(
        _ sequence: UInt64, _ body: RecordBody, previous: Digest, by signer: TestKey? = nil, utc: UTCInstant = start
    ) -> SignedMessage {
        let record = Record(
            place: RecordPlace(gateway: gateway, stream: id, sequence: sequence, previous: previous),
            clock: Self.clock(utc), completeThrough: sequence, body: body)
        return sign(payload: record.encoded, by: signer ?? key(at: sequence))
    }

    func sign(payload: [UInt8], by signer: TestKey) -> SignedMessage {
        SignedMessage.signing(
            payload, as: .record, algorithm: .eddsa, kid: KeyID.kid(ofSPKI: signer.spki), with: signer.sign)
    }

    func key(at sequence: UInt64) -> TestKey { keys.last { $0.from <= sequence }?.key ?? key }
}

/// Evidence log, Journal and intake of a collector in memory; every restart refolds both logs.
struct TestCollector {
    private(set) var state: IntakeState
    private(set) var evidence: [(message: SignedMessage, receivedAt: UTCInstant)] = []
    private(set) var journal: [JournalDraft] = []
    private var identities: [StreamID: [UInt64: Digest]] = [:]
    var keys: GatewayKeys
    let clock: HouseClock
    var now = TestStream.start

    init(_ keys: [TestKey], clock: HouseClock = .real) {
        self.init(GatewayKeys(keys.map { GatewayKeys.Key(spki: $0.spki) }), clock: clock)
    }

    init(_ keys: GatewayKeys, clock: HouseClock = .real) {
        self.keys = keys
        self.clock = clock
        state = IntakeState(clock: clock)
    }

    mutating func deliver(_ gateway: Identifier, _ message: SignedMessage) -> IntakeOutcome {
        let delivery = Delivery(gateway: gateway, envelope: message.encoded, receivedAt: now)
        let identities = identities
        let outcome = state.decide(
            delivery, keys: keys, held: { identities[$0]?[$1] }, isSigned: TestKey.isSigned)
        switch outcome {
        case .append(let record, let first):
            keep(record, first)
            note(state.apply(record, position: LogPosition(epoch: 1, index: UInt64(evidence.count - 1))))
        case .forked(_, let fork):
            note([Event.streamForked(fork).draft(commandID: message.identity)])
            state.apply(.streamForked(fork))
        case .duplicate, .notNext, .refuse: break
        }
        return outcome
    }

    private mutating func keep(_ record: TakenRecord, _ first: UInt64) {
        evidence.append((record.message, record.receivedAt))
        identities[record.place.stream, default: [:]][first] = record.identity
    }

    /// An id is accepted once.
    mutating func note(_ drafts: [JournalDraft]) {
        for draft in drafts where !journal.contains(where: { $0.eventID == draft.eventID }) { journal.append(draft) }
    }

    /// Appends to the evidence log and crashes before anything else happens.
    mutating func crashAfterAppending(_ gateway: Identifier, _ message: SignedMessage) throws {
        let before = state
        let delivery = Delivery(gateway: gateway, envelope: message.encoded, receivedAt: now)
        let identities = identities
        let outcome = before.decide(delivery, keys: keys, held: { identities[$0]?[$1] }, isSigned: TestKey.isSigned)
        if case .append(let record, let first) = outcome { keep(record, first) }
        try restart()
    }

    mutating func restart() throws {
        state = IntakeState(clock: clock)
        for (index, entry) in evidence.enumerated() {
            guard let record = TakenRecord(entry.message, receivedAt: entry.receivedAt) else { continue }
            note(state.apply(record, position: LogPosition(epoch: 1, index: UInt64(index))))
        }
        for draft in journal { state.apply(try Event(kind: draft.kind, body: draft.payload.body)) }
    }

    var context: ReceiptContext { ReceiptContext(originBase: "house.example", epoch: 1, devicesSynced: 1, now: now) }
}
