// The operator's key list: which keys may sign receipts, commands and checkpoints, signed by the operator's root.

internal import CBOR
internal import Proofs
package import Quantities

/// What a key may sign. Numbers are signed: never renumber.
package enum KeyRole: UInt64, Hashable, Sendable, CaseIterable {
    /// Signs registrations, manifests, key lists.
    case root = 1
    case receipt = 2
    case command = 3
    /// Signs checkpoints of both logs (Ed25519).
    case log = 4
    /// Signs seals, attestations and gate decisions.
    case seal = 5
    case gateway = 6
    /// Reads check meters, orders transfers for its entity.
    case owner = 7
    /// ACK proofs.
    case financeVerifier = 8
    /// CT proofs.
    case complianceVerifier = 9
    /// A statements.
    case auditor = 10
    /// D statements.
    case gridOperator = 11
    /// S statements.
    case satellite = 12
    /// A person who reviews and takes part in dual control.
    case person = 13
}

/// The list as understood.
package struct KeyList: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package let spki: [UInt8]
        package let role: KeyRole
        package let validFrom: UTCInstant
        /// Exclusive.
        package let validTo: UTCInstant

        package init(spki: [UInt8], role: KeyRole, validFrom: UTCInstant, validTo: UTCInstant) {
            self.spki = spki
            self.role = role
            self.validFrom = validFrom
            self.validTo = validTo
        }
    }

    /// Rises with every list; a lower one is never believed again.
    package let number: UInt64
    package let issuedAt: UTCInstant
    package let entries: [Entry]

    package init(number: UInt64, issuedAt: UTCInstant, entries: [Entry]) {
        self.number = number
        self.issuedAt = issuedAt
        self.entries = entries
    }

    /// The next list: another command key from an instant on, until year 9999; former ones end there.
    package func authorizing(command spki: [UInt8], from instant: UTCInstant) -> KeyList {
        let kept = entries.compactMap { entry -> Entry? in
            guard entry.role == .command, entry.validTo > instant else { return entry }
            guard entry.validFrom < instant, entry.spki != spki else { return nil }
            return Entry(spki: entry.spki, role: entry.role, validFrom: entry.validFrom, validTo: instant)
        }
        let forever = UTCInstant(milliseconds: 253_402_300_799_999)
        let new = Entry(spki: spki, role: .command, validFrom: instant, validTo: forever)
        return KeyList(number: number + 1, issuedAt: instant, entries: kept + [new])
    }

    package var encoded: [UInt8] {
        CBORValue.fields([
            (1, .unsigned(1)), (2, .unsigned(number)), (3, .int(issuedAt.milliseconds)),
            (
                4,
                .array(
                    entries.map {
                        .array([
                            .bytes($0.spki), .unsigned($0.role.rawValue), .int($0.validFrom.milliseconds),
                            .int($0.validTo.milliseconds),
                        ])
                    })
            ),
        ]).encoded()
    }

    package init(decoding payload: [UInt8]) throws(RecordError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: payload) } catch { throw .notCBOR(error) }
        do throws(ShapeError) {
            let fields = try item.fields(1...4, extensible: true, "key list")
            guard try fields.uint(1) == 1 else { throw ShapeError("key list.1", expected: "version 1") }
            var entries: [Entry] = []
            for item in try fields.array(4) {
                let parts = try item.array(count: 4, "key list.4[]")
                guard let role = KeyRole(rawValue: try parts[1].uint("key list.4[][1]")) else { continue }
                entries.append(
                    Entry(
                        spki: try parts[0].bytes("key list.4[][0]"), role: role,
                        validFrom: UTCInstant(milliseconds: try parts[2].int("key list.4[][2]")),
                        validTo: UTCInstant(milliseconds: try parts[3].int("key list.4[][3]"))))
            }
            self.init(
                number: try fields.uint(2), issuedAt: UTCInstant(milliseconds: try fields.int(3)), entries: entries)
        } catch { throw .notUnderstood(error) }
    }
}

/// MQTT topics of a gateway. `p` is the partition: first byte of SHA-256(gateway id) in hex.
package struct GatewayTopics: Hashable, Sendable {
    package let gateway: Identifier

    package init(_ gateway: Identifier) { self.gateway = gateway }

    /// Two lower-case hexadecimal digits.
    package var partition: String { String(Digest(of: Array(gateway.text.utf8)).description.prefix(2)) }

    private var prefix: String { "km/1/\(partition)/\(gateway.text)/" }
    package var evidence: String { prefix + "evidence" }
    /// Retained.
    package var receipt: String { prefix + "receipt" }
    package var command: String { prefix + "command" }
    /// Retained; the will sets it offline.
    package var status: String { prefix + "status" }
    /// QoS 0, unsigned, never stored, never money.
    package var live: String { prefix + "live" }
    /// Retained copy for lookers only.
    package var birth: String { prefix + "birth" }

    /// The gateway of a topic `km/1/{p}/{gateway}/{leaf}`; nil unless well formed and p fits the gateway.
    package static func gateway(ofTopic topic: String, leaf: String) -> Identifier? {
        let parts = topic.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "km", parts[1] == "1", parts[4] == leaf,
            let gateway = Identifier(String(parts[3])),
            GatewayTopics(gateway).partition == parts[2]
        else { return nil }
        return gateway
    }
}
