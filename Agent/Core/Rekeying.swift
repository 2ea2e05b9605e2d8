// In which order a gateway changes its key, and how it goes on after a crash between any two steps. Decides from what is there,
// remembers nothing itself: keys in the store, key record in the stream, receipt, certificate.
//
// 1 make     a second key in the same store.            Crash after it: two keys, the stream knows one; it is vouched for next.
// 2 vouch    a key record, signed by the key in force,  Crash before it is durable: as after 1. After: the next start signs with
//            the last thing that key ever signs there.  the new key, for the stream says so.
// 3 receipt  the collector holds the key record.        Crash: the record is sent again like any other.
// 4 certify  a certificate for the new key, asked for   Crash before the folder is exchanged: asked for again, the former
//            with the former one's.                     certificate and key still open every door. After: taken up at the start.
// 5 keep     what may still have to be signed for the   Crash: nothing was begun.
//            former key's time (skips) is signed.
// 6 remove   the former key.                            Crash in it: the store has one or both keys; removed again.

/// Where a change of keys stands.
package enum RekeyStep: String, Hashable, Sendable, CaseIterable {
    /// One key, and nobody asked for another.
    case rest
    case make
    case vouch
    case awaitReceipt = "await-receipt"
    case certify
    case keepFormer = "keep-former"
    case removeFormer = "remove-former"

    /// What a person is told; empty at rest.
    package var words: String {
        switch self {
        case .rest: ""
        case .make: "a new key is to be made"
        case .vouch: "a new key is made, and not yet named in the stream"
        case .awaitReceipt: "the new key signs; waiting for the collector's receipt for its key record"
        case .certify: "the new key signs; its certificate is to be asked for (kilomint-agent renew)"
        case .keepFormer: "done; the former key stays while readings of its time are kept"
        case .removeFormer: "done; the former key is to be removed"
        }
    }

    /// Real milliseconds after which the step does not end by itself any more; nil: it may take its time. A certificate is
    /// asked for by a timer that runs once a day.
    package var hangsAfter: Int64? {
        switch self {
        case .rest, .make, .keepFormer: nil
        case .vouch, .awaitReceipt, .removeFormer: Self.day
        case .certify: 2 * Self.day
        }
    }

    private static let day: Int64 = 86_400_000
}

/// A change of keys, as far as a person must know of it.
package struct RekeyProgress: Hashable, Sendable {
    package var step = RekeyStep.rest
    /// Real milliseconds that it has stood there, as far as this process and the key's age tell.
    package var milliseconds: Int64 = 0
    /// First 8 bytes of SHA-256 over the SPKI of the key in force, hexadecimal.
    package var kid = ""

    package init() {}

    package var hangs: Bool { step.hangsAfter.map { milliseconds >= $0 } ?? false }

    package var findings: [Finding] {
        guard hangs else { return [] }
        return [
            Finding(
                .keyChangeHangs, "",
                "for \(milliseconds / 86_400_000) days \(milliseconds / 3_600_000 % 24) hours: \(step.words); the key in "
                    + "force is \(kid)", remedy: remedy)
        ]
    }

    private var remedy: String? {
        switch step {
        case .vouch:
            "Call kilomint-agent renew --rekey again: it goes on from there. If it does not, the log says why."
        case .awaitReceipt:
            "Nothing is lost. Where no receipts come at all, the way to the broker is the fault; where others come, ask the "
                + "operator whether the collector refused this gateway's key record."
        case .certify:
            "Call kilomint-agent renew: it says why the enrolment server refuses. Then look at its timer: systemctl "
                + "status kilomint-agent-renew.timer. Until then the former key's certificate is shown: mind its end."
        case .removeFormer: "The key's store does not let go of the former key: the log says why."
        case .rest, .make, .keepFormer: nil
        }
    }
}

/// What is there.
package struct RekeyFacts: Hashable, Sendable {
    /// A second key beside the one in force.
    package enum Other: Hashable, Sendable {
        case none
        /// Made to take over; no key record names it.
        case candidate
        /// It signed the key record that named the one in force.
        case former
    }

    /// Whose the certificate is that brokers and the enrolment server are shown.
    package enum Certificate: Hashable, Sendable {
        /// None is used: then none is waited for.
        case none
        case inForce
        case former
    }

    package var other: Other
    /// The collector holds the record that named the key in force.
    package var isReceipted: Bool
    package var certificate: Certificate
    /// Records are kept that only the former key could stand in for.
    package var isFormerNeeded: Bool

    package init(other: Other, isReceipted: Bool, certificate: Certificate, isFormerNeeded: Bool) {
        self.other = other
        self.isReceipted = isReceipted
        self.certificate = certificate
        self.isFormerNeeded = isFormerNeeded
    }

    /// What is to be done next.
    ///
    /// - Parameter isWanted: somebody asks for a new key. What was begun is finished in any case.
    package func next(isWanted: Bool) -> RekeyStep {
        switch other {
        case .none: isWanted ? .make : .rest
        case .candidate: .vouch
        case .former where !isReceipted: .awaitReceipt
        case .former where certificate == .former: .certify
        case .former where isFormerNeeded: .keepFormer
        case .former: .removeFormer
        }
    }
}

/// When a key is changed without anybody asking.
package enum RekeySchedule {
    private static let millisecondsOfDay: Int64 = 86_400_000

    /// - Parameters:
    ///   - age: house milliseconds since the key came in force.
    ///   - days: after so many; nil: never.
    package static func isDue(age: Int64, days: Int64?) -> Bool {
        days.map { age >= $0 * millisecondsOfDay } ?? false
    }
}
