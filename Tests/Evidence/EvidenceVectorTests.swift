// Our messages against bytes that Python built from docs/formats alone, and envelopes that pycose takes from us.

import CBOR
import Evidence
import Foundation
import Keys
import Kit
import Proofs
import Quantities
import Testing

/// One entry of evidence.json.
struct EvidenceVector: Decodable, Sendable {
    struct Envelope: Decodable, Sendable {
        let hex: String
        let identity: String
        let spki: String
    }

    let payload: String
    let type: String?
    let eddsa: Envelope?
    let es256: Envelope?

    static func all() throws -> [String: EvidenceVector] { try vectors("evidence.json") }

    /// The payload as it is signed.
    var payloadBytes: [UInt8] {
        get throws { try bytes(payload) }
    }
}

/// The bytes of a hexadecimal text.
func bytes(_ hex: String?) throws -> [UInt8] {
    guard let hex, let bytes = [UInt8](hex: hex) else { throw KitError("a vector is missing or not hexadecimal") }
    return bytes
}

/// The values that vectors.py writes down, built with our types.
enum Golden {
    static let stream = StreamID([1, 2, 3, 4, 5, 6, 7, 8])!
    static let gateway = Identifier("gw-1")!
    static let profile = Digest(of: Array("profile".utf8))
    static let firstRead = Birth.Read(
        index: 0, meter: 0, function: 3, address: 20_480, count: 4, intervalMilliseconds: 60_000)
    static let reads = [
        firstRead,
        Birth.Read(index: 1, meter: 0, function: 4, address: 35_072, count: 2, intervalMilliseconds: 86_400_000),
        Birth.Read(index: 2, meter: 1, function: 43, address: 0, count: 0, intervalMilliseconds: 86_400_000),
    ]
    static let meter = Birth.Meter(
        index: 0, id: Identifier("meter-1")!, profileName: "abb/b23", profileDigest: profile, model: "B23 112-100",
        serial: "12345678", firmware: "1.2", unit: 1, endpoint: "tcp://127.0.0.1:1502",
        chain: [.init(id: 1, address: 40_002, length: 66), .init(id: 103, address: 40_070, length: 50)],
        identityReads: [1])
    static let plain = Birth.Meter(
        index: 1, id: Identifier("meter-2")!, profileName: "sunspec/inverter", profileDigest: profile, model: "",
        serial: "",
        firmware: "", unit: 247, endpoint: "/dev/ttyUSB0")

    static func clock(_ uptime: UInt64, _ utc: Int64) -> RecordClock {
        RecordClock(
            sync: 2, errorMilliseconds: 5, boot: Array(0..<16), uptimeMilliseconds: uptime,
            utc: UTCInstant(milliseconds: utc))
    }

    static func record(_ sequence: UInt64, _ body: RecordBody) -> Record {
        Record(
            place: RecordPlace(
                gateway: gateway, stream: stream, sequence: sequence, previous: sequence == 1 ? .zero : profile),
            clock: clock(60_500, 1_467_871_260_500), completeThrough: 60_400, body: body)
    }

    static func records(spki: [UInt8]) -> [String: Record] {
        let second = Birth.Meter(
            index: 1, id: plain.id, profileName: plain.profileName, profileDigest: profile, model: "", serial: "",
            firmware: "",
            unit: 247, endpoint: plain.endpoint)
        let note = Note(
            uptimeMilliseconds: 61_000, code: .identityChanged,
            details: [
                (1, .unsigned(0)), (2, .array(["a", "b", "c"].map { .text($0) })),
                (3, .array(["a", "d", "c"].map { .text($0) })),
            ])
        return [
            "birth": record(
                1,
                .birth(
                    Birth(agentVersion: "0.1.0", predecessor: nil, meters: [meter, second], reads: reads, replay: nil))),
            "birth-after": record(
                71,
                .birth(
                    Birth(
                        agentVersion: "0.1.0",
                        predecessor: .init(
                            stream: StreamID([UInt8](repeating: 0, count: 8))!, lastSequence: 41, reason: "damaged"),
                        meters: [second], reads: Array(reads[2...]),
                        replay: (UTCInstant(milliseconds: 1_467_871_200_000), 3600)))),
            "readings": record(
                72,
                .readings(
                    Readings(
                        base: 60_000,
                        samples: [
                            .init(read: 0, dt: 12, took: 12, status: 0, words: [0, 0, 0, 0, 0, 0x0F, 0x42, 0x40]),
                            .init(read: 1, dt: 12, took: 9, status: 2, words: []),
                            .init(read: 0, dt: 60_012, took: 400, status: SampleStatus.timeout, words: []),
                        ]))),
            "readings-none": record(73, .readings(Readings(base: 0, samples: []))),
            "note": record(74, .note(note)),
            "skip": record(
                75,
                .skip(
                    Skip(
                        to: 90, identity: profile, reason: "spool full", firstClock: clock(1, 2),
                        lastClock: clock(3, -4),
                        losses: [.init(read: 0, samples: 1440), .init(read: 1, samples: 1)]))),
            "key": record(76, .key(spki)),
            "note-command": record(77, .note(outcome.note(uptime: 61_000))),
        ]
    }

    private static let outcome = CommandOutcome(
        identity: profile, word: .rolledBack, number: 7, reason: "no longer answering: meter-1")

    static var command: Command {
        Command(
            gateway: gateway, number: 7, issuedAt: UTCInstant(milliseconds: 1_467_871_300_000),
            expiresAt: UTCInstant(milliseconds: 1_467_957_700_000),
            body: .configuration("interval: 10s\nmeters:\n  - {id: meter-1, unit: 3}\n"))
    }

    static var receipt: Receipt {
        Receipt(
            gateway: gateway, stream: stream, durableThrough: 76, identity: Digest(of: Array("record".utf8)),
            receivedAt: UTCInstant(milliseconds: 1_467_871_300_000), logOrigin: "kilomint.example/demo/evidence/1",
            leafIndex: 75,
            devicesSynced: 1, versionsAccepted: [1])
    }

    static var fullReceipt: Receipt {
        var receipt = receipt
        receipt.resendFrom = 12
        receipt.refusals = [.init(sequence: 77, code: RefusalCode.malformed.rawValue), .init(sequence: 78, code: 9)]
        receipt.checkpoint = (Array("note\n".utf8), [receipt.identity, .zero])
        receipt.ended = (76, "a newer stream was born")
        return receipt
    }
}

struct EvidenceVectorTests {
    @Test func recordsAreTheBytesOfTheDocument() throws {
        let all = try EvidenceVector.all()
        let spki = try bytes(all["key"]?.es256?.spki)
        let records = Golden.records(spki: spki)
        #expect(records.count == 8)
        for (name, record) in records {
            let payload = try #require(all[name]).payload
            #expect(record.encoded.hex == payload, "\(name)")
            #expect(try Record(decoding: record.encoded) == record, "\(name)")
            let lenient = try #require(RecordPlace.lenient(record.encoded))
            #expect(lenient.place == record.place && lenient.through == (name == "skip" ? 90 : record.place.sequence))
        }
    }

    @Test func receiptsAreTheBytesOfTheDocument() throws {
        let all = try EvidenceVector.all()
        for (name, receipt) in [("receipt", Golden.receipt), ("receipt-full", Golden.fullReceipt)] {
            #expect(receipt.encoded.hex == all[name]?.payload, "\(name)")
            #expect(try Receipt(decoding: receipt.encoded) == receipt, "\(name)")
        }
        #expect(Golden.receipt != Golden.fullReceipt)
    }

    @Test func commandsAreTheBytesOfTheDocument() throws {
        let all = try EvidenceVector.all()
        let none = Command(
            gateway: Golden.gateway, number: UInt64(Int64.max), issuedAt: UTCInstant(milliseconds: -2),
            expiresAt: UTCInstant(milliseconds: -1), body: .configuration(""))
        for (name, command) in [("command", Golden.command), ("command-none", none)] {
            #expect(command.encoded.hex == all[name]?.payload, "\(name)")
            #expect(try Command(decoding: command.encoded) == command, "\(name)")
        }
    }

    @Test func keyListAndStatusAreTheBytesOfTheDocument() throws {
        let all = try EvidenceVector.all()
        let list = try KeyList(decoding: bytes(all["key-list"]?.payload))
        #expect(list.number == 3 && list.entries.map(\.role) == [.log, .receipt])
        #expect(list.entries[1].validFrom.milliseconds == -1)
        #expect(list.encoded.hex == all["key-list"]?.payload)
        for (name, isOnline, session) in [("status", true, 9), ("status-new", false, 0)] as [(String, Bool, UInt64)] {
            let status = try GatewayStatus(decoding: bytes(all[name]?.payload))
            #expect(
                status.isOnline == isOnline && status.session == session && status.encoded.hex == all[name]?.payload)
        }
    }

    @Test func foreignEnvelopesParseAndHold() throws {
        var count = 0
        for (name, vector) in try EvidenceVector.all() {
            guard let type = vector.type.flatMap({ ContentType(rawValue: "application/vnd.kilomint.\($0)+cbor") })
            else { continue }
            for envelope in [vector.eddsa, vector.es256].compactMap(\.self) {
                let encoded = try bytes(envelope.hex)
                let message = try SignedMessage(parsing: encoded, as: type)
                let key = try PublicKey(spki: try bytes(envelope.spki))
                #expect(message.isSigned(by: key), "\(name)")
                #expect(message.payload.hex == vector.payload, "\(name)")
                #expect(message.identity.description == envelope.identity, "\(name)")
                #expect(message.encoded == encoded, "\(name)")
                count += 1
            }
        }
        #expect(count == 26)
    }

    @Test(
        .enabled(if: ForeignLibraries.areExpected, "`make venv` installs pycose"),
        arguments: [SignatureAlgorithm.es256, .eddsa])
    func pycoseVerifiesOurs(algorithm: SignatureAlgorithm) async throws {
        let key = try PrivateKey.generate(algorithm)
        let message = try SignedMessage.signing(Golden.receipt.encoded, as: .receipt, with: key)
        let arguments = [message.encoded.hex, key.publicKey.spki.hex]
        let accepted = try await ForeignLibraries.run("verify_envelope.py", arguments)
        #expect(accepted.status == .exited(0), "\(accepted.output)")
        #expect(accepted.output.contains(message.identity.description))
        let other = try await ForeignLibraries.run(
            "verify_envelope.py", [arguments[0], try PrivateKey.generate(algorithm).publicKey.spki.hex])
        #expect(other.status == .exited(1), "\(other.output)")
    }
}
