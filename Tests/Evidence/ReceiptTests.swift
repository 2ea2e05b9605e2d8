// Receipts, key lists and topics: round trips, refusals, and numbers that must never change.

import CBOR
import Evidence
import Proofs
import Quantities
import Testing

struct ReceiptTests {
    @Test func aReceiptOfNothingComesBack() throws {
        let receipt = Receipt(
            gateway: Golden.gateway, stream: Golden.stream, durableThrough: 0, identity: .zero,
            receivedAt: UTCInstant(milliseconds: 0),
            logOrigin: "o", leafIndex: 0, devicesSynced: 0, versionsAccepted: [])
        #expect(try Receipt(decoding: receipt.encoded) == receipt)
    }

    static let notUnderstood: [(Int64, CBORValue?, String)] = [
        (1, .unsigned(2), "receipt.1"), (2, .text(""), "receipt.2"), (3, .bytes([]), "receipt.3"),
        (4, .int(-1), "receipt.4"),
        (5, .bytes([1]), "receipt.5"), (6, .null, "receipt.6"), (7, nil, "receipt.7"), (8, nil, "receipt.8"),
        (10, .null, "receipt.10"),
        (10, .array([.null]), "receipt.10[]"), (11, .text(""), "receipt.11"), (12, .array([.null]), "receipt.12[]"),
        (13, .array([.bytes([]), .array([.bytes([1])])]), "receipt.13[1][]"), (13, .null, "receipt.13"),
        (14, .array([.unsigned(1), .unsigned(2)]), "receipt.14[1]"), (15, .null, "receipt.15"),
    ]

    @Test(arguments: notUnderstood)
    func isNotUnderstood(key: Int64, value: CBORValue?, path: String) throws {
        guard case .map(let pairs) = try CBORValue(decoding: Golden.receipt.encoded) else { return }
        let kept = pairs.filter { $0.key != .int(key) } + (value.map { [.init(.int(key), $0)] } ?? [])
        let payload = CBORValue.map(kept).encoded()
        let error = try #require(throws: RecordError.self) { try Receipt(decoding: payload) }
        guard case .notUnderstood(let shape) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(shape.path == path)
    }

    /// Numbers travel in receipts for ever; their order is the order of the checks.
    @Test func refusalNumbersAreFixed() {
        #expect(RefusalCode.allCases.map(\.rawValue) == Array(1...14))
        let names: [RefusalCode] = [
            .oversized, .malformed, .unprotectedHeader, .wrongContentType, .wrongTopic, .unknownGateway, .unknownKey,
            .revokedKey,
            .badSignature, .forked, .streamEnded, .notNext, .notBorn, .supersededKey,
        ]
        #expect(names == RefusalCode.allCases)
    }
}

struct KeyListTests {
    private let entry = KeyList.Entry(
        spki: [1], role: .receipt, validFrom: UTCInstant(milliseconds: 0), validTo: UTCInstant(milliseconds: 1))

    @Test(arguments: [0, 1, 3])
    func comesBack(count: Int) throws {
        let list = KeyList(
            number: 7, issuedAt: UTCInstant(milliseconds: 5), entries: [KeyList.Entry](repeating: entry, count: count))
        #expect(try KeyList(decoding: list.encoded) == list)
    }

    @Test func rolesOfALaterVersionAreLeftOut() throws {
        let later = CBORValue.array([.bytes([1]), .unsigned(99), .int(0), .int(1)])
        let mine = CBORValue.array([.bytes([1]), .unsigned(KeyRole.receipt.rawValue), .int(0), .int(1)])
        let payload = CBORValue.fields([
            (1, .unsigned(1)), (2, .unsigned(1)), (3, .int(0)), (4, .array([later, mine])),
        ])
        #expect(try KeyList(decoding: payload.encoded()).entries == [entry])
    }

    /// Version 2 may mean something else by the same fields.
    @Test func otherVersionsAreRefused() {
        let payload = CBORValue.fields([(1, .unsigned(2)), (2, .unsigned(1)), (3, .int(0)), (4, .array([]))])
        #expect(throws: RecordError.self) { try KeyList(decoding: payload.encoded()) }
        let status = CBORValue.fields([(1, .unsigned(2)), (2, .text("gw-1")), (3, .bool(true)), (4, .unsigned(1))])
        #expect(throws: RecordError.self) { try GatewayStatus(decoding: status.encoded()) }
    }

    @Test func roleNumbersAreFixed() {
        #expect(KeyRole.allCases.map(\.rawValue) == Array(1...13))
        #expect(KeyRole.log.rawValue == 4 && KeyRole.gateway.rawValue == 6 && KeyRole.person.rawValue == 13)
    }
}

struct TopicTests {
    /// SHA-256("gw-1") begins with this byte: Python's hashlib.
    @Test func topicsCarryThePartition() {
        let topics = GatewayTopics(Golden.gateway)
        #expect(topics.partition == "f5")
        #expect(topics.evidence == "km/1/f5/gw-1/evidence")
        #expect(
            [topics.receipt, topics.command, topics.status, topics.live, topics.birth].allSatisfy {
                $0.hasPrefix("km/1/f5/gw-1/")
            })
        #expect(GatewayTopics.gateway(ofTopic: topics.evidence, leaf: "evidence") == Golden.gateway)
    }

    @Test(arguments: [
        "", "km/1/f5/gw-1", "km/1/f5/gw-1/receipt", "km/1/00/gw-1/evidence", "km/2/f5/gw-1/evidence",
        "xx/1/f5/gw-1/evidence",
        "km/1/f5/gw-1/evidence/", "/km/1/f5/gw-1/evidence", "km/1/f5/GW-1/evidence", "km/1/f5/gw-2/evidence",
        "km/1/F5x/gw-1/evidence",
    ])
    func otherTopicsAreNobodys(topic: String) {
        #expect(GatewayTopics.gateway(ofTopic: topic, leaf: "evidence") == nil)
    }
}
