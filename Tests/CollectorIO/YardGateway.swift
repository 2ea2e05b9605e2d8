// A gateway for tests: signs the records of one stream. Hourly readings of a revenue meter and an inverter.

@testable import CollectorIO
import CBOR
import CollectorJournal
import Foundation
import HTTPTypes
import Kit
import Settings
import Testing
import CollectorCore
import Evidence
import Keys
import Metering
import Proofs
import Quantities

/// Uptime 0 is the grid's anchor.
struct YardGateway {
    let gateway: Identifier
    let stream: StreamID
    var key: PrivateKey
    let profiles: ProfileShelf
    private(set) var sequence: UInt64 = 0
    private(set) var previous = Digest.zero
    private(set) var days: Int64 = 0

    init(_ yard: HouseYard, stream: UInt8 = 1) {
        gateway = id("gw-east")
        guard let stream = StreamID([UInt8](repeating: stream, count: 8)) else { preconditionFailure("eight bytes") }
        self.stream = stream
        key = yard.key("gateway")
        profiles = yard.profiles
    }

    /// The envelope of the next record.
    mutating func sign(_ body: RecordBody, at time: UTCInstant, by signer: PrivateKey? = nil) throws -> SignedMessage {
        let message = try Self.signed(
            place: RecordPlace(gateway: gateway, stream: stream, sequence: sequence + 1, previous: previous), body,
            at: time,
            by: signer ?? key)
        sequence += 1
        previous = message.identity
        return message
    }

    static func signed(
        place: RecordPlace, _ body: RecordBody, at time: UTCInstant, by key: PrivateKey
    ) throws -> SignedMessage {
        let uptime = UInt64(time - anchor)
        let record = Record(
            place: place,
            clock: RecordClock(
                sync: 2, errorMilliseconds: 1, boot: [UInt8](repeating: 7, count: 16), uptimeMilliseconds: uptime,
                utc: time),
            completeThrough: uptime, body: body)
        return try SignedMessage.signing(record.encoded, as: .record, with: key)
    }

    /// Birth, the reading that opens the counters, and the revenue meter's commissioning.
    mutating func bear(after: Birth.Predecessor? = nil) throws -> [SignedMessage] {
        let birth = Birth(
            agentVersion: "test", predecessor: after,
            meters: try [meter(1, "main", "test/revenue", "1001"), meter(2, "check", "test/inverter", "2001")],
            reads: [read(1, registers: 10), read(2, registers: 2)], replay: (anchor, 3600))
        let seen = RegisterSeen(
            obis: "1-0:2.8.0", typedWattHours: 10_000,
            read: RegisterSeen.Read(wattHours: 10_000, uptime: 0, function: 3, address: 0, words: [0, 1]))
        let told = Commissioning(
            meter: 1, serialTyped: "1001", registers: [seen], by: Signatory(user: "ann", name: "Ann"),
            profile: birth.meters[0].profileDigest, serialRead: "1001")
        return [
            try sign(.birth(birth), at: anchor), try reading(at: anchor, hour: 0, energy: 0),
            try sign(.note(told.note(uptime: 0)), at: anchor),
        ]
    }

    private func meter(_ index: UInt64, _ name: String, _ profile: String, _ serial: String) throws -> Birth.Meter {
        guard let digest = profiles.digest(named: profile) else { throw InjectedFault() }
        return Birth.Meter(
            index: index, id: id(name), profileName: profile, profileDigest: digest, model: "one", serial: serial,
            firmware: "1",
            unit: index, endpoint: "tcp://localhost:502")
    }

    private func read(_ index: UInt64, registers: UInt64) -> Birth.Read {
        Birth.Read(
            index: index, meter: index, function: 3, address: 0, count: registers, intervalMilliseconds: UInt64(hour))
    }

    /// The next day's hourly readings.
    ///
    /// - Parameter energy: Wh of the day, a multiple of 240, so that every hour's count is whole.
    mutating func produceDay(_ energy: UInt64 = 24_000) throws -> [SignedMessage] {
        var messages: [SignedMessage] = []
        for number in 1...24 as ClosedRange<Int64> {
            messages.append(try reading(at: anchor + days * day + number * hour, hour: UInt64(number), energy: energy))
        }
        days += 1
        produced += energy
        return messages
    }

    /// Wh of the days before.
    private var produced: UInt64 = 0

    private mutating func reading(at time: UTCInstant, hour number: UInt64, energy: UInt64) throws -> SignedMessage {
        let wattHours = 10_000 + produced + energy * number / 24
        let power = UInt64(UInt32(bitPattern: Int32(0 - Int64(energy) * 100 / 24)))
        let words = Self.bigEndian(5, 8) + Self.bigEndian(wattHours / 10, 8) + Self.bigEndian(power, 4)
        let samples = [
            Readings.Sample(read: 1, dt: 0, took: 5, status: SampleStatus.good, words: words),
            Readings.Sample(read: 2, dt: 0, took: 5, status: SampleStatus.good, words: Self.bigEndian(wattHours, 4)),
        ]
        return try sign(.readings(Readings(base: UInt64(time - anchor), samples: samples)), at: time)
    }

    private static func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}

extension House {
    /// Hands records over as the broker link does.
    func deliver(_ messages: [SignedMessage]) -> [OutgoingMessage] {
        take(
            messages.map { IncomingMessage(topic: GatewayTopics(id("gw-east")).evidence, payload: $0.encoded) },
            .all)
    }

    /// Does what the driver does, with the replay in this process, until nothing is due.
    func work(stepsMax: Int = 100) async throws {
        var idle = 0
        for _ in 0..<stepsMax where idle < 2 {
            guard let job = nextJob() else {
                idle += 1
                continue
            }
            idle = 0
            switch job {
            case .compute(let window, let segments):
                let (outcome, transcript) = computeWindow(try WindowInputs(segments: segments))
                finish(computed: outcome, transcript: transcript, of: window)
            case .replay(let window, let digests):
                let segments = try digests.map { digest -> [UInt8] in
                    guard let bytes = try stores.objects.get(digest) else { throw InjectedFault() }
                    return bytes
                }
                finish(replayed: try replay(segments: segments).outputDigest, text: "in the test's process", of: window)
            }
        }
    }
}

/// What people and verifiers sign.
struct YardDesk {
    let yard: HouseYard

    func statement(
        _ source: SourceKind = .auditor, day index: Int64 = 0, wattHours: Int64 = 24_000, inputs: [Digest] = [],
        by signer: String = "auditor"
    ) throws -> SignedMessage {
        let statement = SourceStatement(
            source: source, meteringPoint: id("east-1"), from: anchor + index * day, to: anchor + (index + 1) * day,
            wattHours: wattHours, resolutionWattHours: 10, inputs: inputs, issuedAt: anchor + (index + 1) * day,
            method: "test")
        return try SignedMessage.signing(statement.encoded, as: .statement, with: yard.key(signer))
    }

    func proof(
        _ kind: ProofKind, _ window: WindowID, _ digest: Digest, by signer: String, verifier: String? = nil,
        isValid: Bool = true,
        replay: Digest? = nil, issuedAt: UTCInstant? = nil
    ) throws -> SignedMessage {
        let proof = Proof(
            kind: kind, window: window, outputDigest: digest, principal: nil, isValid: isValid,
            issuedAt: issuedAt ?? yard.now,
            expiresAt: (issuedAt ?? yard.now) + day, verifier: id(verifier ?? signer), replayDigest: replay ?? digest)
        return try SignedMessage.signing(proof.encoded, as: .proof, with: yard.key(signer))
    }

    func order(
        _ number: UInt8, from debit: String = "coop", to credit: String = "fund", amount: Int64 = 1000,
        memo: String = "",
        isPending: Bool = false, resolution: Order.Resolution? = nil, by signer: String = "owner"
    ) throws -> SignedMessage {
        let order = Order(
            transfer: Self.transfer(number), debit: id(debit), credit: id(credit), amount: Amount(minorUnits: amount),
            memo: memo,
            issuedAt: yard.now, isPending: isPending, resolution: resolution)
        return try SignedMessage.signing(order.encoded, as: .order, with: yard.key(signer))
    }

    static func transfer(_ number: UInt8) -> TransferID {
        guard let id = TransferID([UInt8](repeating: number, count: 16)) else { preconditionFailure("sixteen bytes") }
        return id
    }

    func review(by signer: String = "person-a", point: String = "east-1") throws -> SignedMessage {
        let review = Review(
            meteringPoint: id(point), day: anchor, isAccepted: true, reason: "seen", issuedAt: yard.now)
        return try SignedMessage.signing(review.encoded, as: .review, with: yard.key(signer))
    }
}
