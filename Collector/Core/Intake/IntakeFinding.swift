// What intake notices about records it takes, and why readings are kept out of windows. Taking is decided in Intake.

internal import CBOR
package import Evidence
package import Quantities

/// What a person should know of a record that was taken; all but ``tailMissing`` keep it, or its stream, from counting.
/// Numbers stand in the Journal: never renumber.
package enum IntakeFinding: UInt64, Hashable, Sendable, CaseIterable {
    /// The payload is not the one deterministic encoding of its content.
    case notDeterministic = 1
    /// A record version this program does not know.
    case unknownVersion = 2
    /// A shape or kind this program does not know.
    case notUnderstood = 3
    /// A synchronised clock that shows a time after the record's receipt, or before the year 2000.
    case timeAbsurd = 4
    /// Received more than ``lateMax`` after a synchronised clock says it was made.
    case late = 5
    /// A birth whose clock is not the house's: replayed in a real house, or another replay. Holds the whole stream.
    case otherClock = 6
    /// A stream's birth names more records of the stream before it than ever came. Only told: this stream's own readings
    /// are whole, and what is missing of the other is no reason to hold them.
    case tailMissing = 7

    /// Whether the record itself is kept out of windows.
    var holdsRecord: Bool { self != .otherClock && self != .tailMissing }

    /// How far a gateway's clock may be ahead of the collector's, ms: the largest error a registration may declare.
    package static let aheadMax: Int64 = 300_000
    /// 90 days, ms: longer than any spool keeps.
    package static let lateMax: Int64 = 7_776_000_000
    /// 2000-01-01T00:00:00Z.
    package static let earliest = UTCInstant(milliseconds: 946_684_800_000)
}

/// The end of a former stream that was not there when the next one was born.
package struct MissingTail: Hashable, Sendable, CustomStringConvertible {
    package let stream: StreamID
    /// The last number that the gateway knew of it.
    package let last: UInt64
    /// The last one held, or named as lost by a skip, when the birth came; 0 for a stream of which nothing ever came.
    package let held: UInt64

    package var description: String {
        "names \(last) as the last record of stream \(stream), of which \(held) are held"
    }
}

/// Why readings are kept out of windows, by the name that people and interfaces see.
package enum IntakeHold: String, Hashable, Sendable, CaseIterable {
    case cloned = "GATEWAY_CLONED"
    case forked = "STREAM_FORKED"
    case otherClock = "OTHER_CLOCK"
    case finding = "RECORD_FINDING"
}

extension IntakeFinding {
    /// What is to be noticed about a record. A pure function of the record, when it came and the house's clock.
    static func findings(of record: TakenRecord, clock: HouseClock) -> [(finding: IntakeFinding, text: String)] {
        let understood: Record
        switch record.content {
        case .failure(.notCBOR(let error)): return [(.notDeterministic, "not deterministic CBOR: \(error)")]
        case .failure(.notUnderstood(let error)):
            return [(error.path == "record.1" ? .unknownVersion : .notUnderstood, error.description)]
        case .success(let content): understood = content
        }
        var found: [(IntakeFinding, String)] = []
        if understood.clock.sync == 2 { found += timeFindings(understood.clock.utc, record.receivedAt) }
        if case .birth(let birth) = understood.body, !birth.runs(on: clock) {
            found.append(
                (.otherClock, "the gateway's clock is not the house's: set both to the same mode, start and speed"))
        }
        return found
    }

    private static func timeFindings(_ utc: UTCInstant, _ receivedAt: UTCInstant) -> [(IntakeFinding, String)] {
        // Subtraction could overflow on a hostile time; comparing with shifted receipt times cannot.
        if utc < earliest || utc > receivedAt + aheadMax {
            return [(.timeAbsurd, "utc \(utc.milliseconds) ms, received at \(receivedAt.milliseconds) ms")]
        }
        if utc < receivedAt + -lateMax {
            return [(.late, "made \(utc.milliseconds) ms, received \(receivedAt.milliseconds) ms")]
        }
        return []
    }
}

extension Birth {
    fileprivate func runs(on clock: HouseClock) -> Bool {
        switch (clock, replay) {
        case (.real, nil): true
        case (.replayed(let start, let speed, _), let own?): own.start == start && own.speed == speed
        default: false
        }
    }
}
