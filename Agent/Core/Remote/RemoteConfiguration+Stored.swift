// The state of remote configuration as bytes: deterministic CBOR in a file of the agent's own. Not signed, for nobody else.

internal import CBOR
package import Evidence
internal import Proofs

extension RemoteConfiguration {
    /// Bytes of the file: two versions' texts, 2 000 meters with their serial numbers, and room.
    package static let bytesMax = 1_048_576

    package var encoded: [UInt8] {
        let trial = self.trial.map { trial in
            CBORValue.array([
                Self.cbor(trial.version), .unsigned(trial.starts),
                .array(trial.expected.map { .array([.text($0.meter), .text($0.serial)]) }),
            ])
        }
        return CBORValue.fields([
            (1, .unsigned(1)), (2, .unsigned(highest)), (3, .bytes(latest.bytes)), (4, accepted.map(Self.cbor)),
            (5, trial), (6, .array(outcomes.map(Self.cbor))), (7, last.map(Self.cbor)),
        ]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(RecordError) {
        self.init()
        let item: CBORValue
        do { item = try CBORValue(decoding: bytes) } catch { throw .notCBOR(error) }
        do throws(ShapeError) { try read(item) } catch { throw .notUnderstood(error) }
    }

    private mutating func read(_ item: CBORValue) throws(ShapeError) {
        let fields = try item.fields(1...7, "remote")
        guard try fields.uint(1) == 1 else { throw ShapeError("remote.1", expected: "version 1") }
        highest = try fields.uint(2)
        latest = try Self.digest(try fields.value(3), "remote.3")
        if let value = fields.optional(4) { accepted = try Self.version(value, "remote.4") }
        if let value = fields.optional(5) { trial = try Self.trial(value, "remote.5") }
        for value in try fields.array(6) { outcomes.append(try Self.outcome(value, "remote.6[]")) }
        if let value = fields.optional(7) { last = try Self.outcome(value, "remote.7") }
        guard outcomes.count <= Self.outcomesMax else {
            throw ShapeError("remote.6", expected: "at most \(Self.outcomesMax) outcomes")
        }
    }

    private static func cbor(_ version: Version) -> CBORValue {
        .array([.unsigned(version.number), .bytes(version.identity.bytes), .text(version.text)])
    }

    private static func cbor(_ outcome: CommandOutcome) -> CBORValue {
        .array([
            .unsigned(outcome.number), .bytes(outcome.identity.bytes), .text(outcome.word.rawValue),
            .text(outcome.reason),
        ])
    }

    private static func version(_ value: CBORValue, _ place: String) throws(ShapeError) -> Version {
        let parts = try value.array(count: 3, place)
        let text = try parts[2].text(place)
        guard text.utf8.count <= Command.textBytesMax else { throw ShapeError(place, expected: "a shorter text") }
        return Version(number: try parts[0].uint(place), identity: try digest(parts[1], place), text: text)
    }

    private static func trial(_ value: CBORValue, _ place: String) throws(ShapeError) -> Trial {
        let parts = try value.array(count: 3, place)
        var expected: [Expected] = []
        for item in try parts[2].array(place) {
            let pair = try item.array(count: 2, place)
            expected.append(Expected(meter: try pair[0].text(place), serial: try pair[1].text(place)))
        }
        guard expected.count <= expectedMax else { throw ShapeError(place, expected: "at most \(expectedMax) meters") }
        return Trial(version: try version(parts[0], place), starts: try parts[1].uint(place), expected: expected)
    }

    private static func outcome(_ value: CBORValue, _ place: String) throws(ShapeError) -> CommandOutcome {
        let parts = try value.array(count: 4, place)
        guard let word = CommandOutcome.Word(rawValue: try parts[2].text(place)) else {
            throw ShapeError(place, expected: "an outcome")
        }
        return CommandOutcome(
            identity: try digest(parts[1], place), word: word, number: try parts[0].uint(place),
            reason: try parts[3].text(place))
    }

    private static func digest(_ value: CBORValue, _ place: String) throws(ShapeError) -> Digest {
        guard let digest = Digest(try value.bytes(count: 32, place)) else {
            throw ShapeError(place, expected: "32 bytes")
        }
        return digest
    }
}
