// Which meters nobody has compared with their displays yet: part of the status, and of what the doctor finds.

internal import AgentCore
internal import Quantities

extension StatusBoard {
    struct MeterStanding {
        let meter: ConfiguredMeter
        /// What it says of itself; empty: nothing yet.
        let identity: MeterIdentity
        var serial: String { identity.serial }
        let standing: CommissioningBook.Standing
    }

    /// Every meter that is read, in order.
    var standings: [MeterStanding] {
        let book = commissioning?.now ?? CommissioningBook()
        let known = identified
        return busStatuses.flatMap(\.plan.meters).map { meter in
            let position = known?.meters.firstIndex { $0.id == meter.id }
            let identity = position.flatMap { known?.identities[$0] } ?? MeterIdentity()
            return MeterStanding(
                meter: meter, identity: identity,
                standing: book.standing(of: meter.id, profile: meter.profileDigest, serial: identity.serial))
        }
    }

    var notCommissioned: [MeterStanding] { standings.filter { !$0.standing.isDone } }

    /// For people; nothing when all are.
    var commissioningLines: [String] {
        let missing = notCommissioned
        guard !missing.isEmpty else { return [] }
        let names = missing.prefix(8).map(\.meter.id.text).joined(separator: ", ") + (missing.count > 8 ? " …" : "")
        return [
            "commission \(missing.count) of \(standings.count) meters NOT COMMISSIONED, no billing grade: \(names)",
            "           kilomint-agent commission --meter ID --serial S --export KWH --name YOU",
        ]
    }

    var commissioningFindings: [Finding] {
        notCommissioned.map { standing in
            Finding(
                .notCommissioned, standing.meter.id.text, standing.standing.words,
                remedy:
                    "Read its display: kilomint-agent commission --meter \(standing.meter.id) --serial … --export KWH "
                    + "--name YOU")
        }
    }
}
