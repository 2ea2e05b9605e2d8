// The end of a verification, for people: what was checked, what stands, what must still be believed. At most 100 columns.

internal import CollectorCore
internal import Proofs
internal import Quantities

struct SummaryTable {
    let text: String

    init(_ summary: AuditSummary, of name: String) {
        var lines = ["✓ Every check held: \(name)", ""]
        func row(_ label: String, _ value: String) {
            lines.append("  " + label + String(repeating: " ", count: max(1, 14 - label.count)) + value)
        }
        for head in summary.heads {
            row("head", "\(head.origin) at \(head.size)")
            row("", "root \(head.root.bytes.base64)")
        }
        row(
            "journal",
            "\(summary.events) events, \(summary.registrations) registrations, \(summary.statements) statements, \(summary.sources) raw inputs"
        )
        row(
            "evidence",
            "\(summary.records) records with \(summary.readings) readings, \(summary.streams) streams of \(summary.gateways) gateways"
        )
        row("signatures", "\(summary.signatures) verified")
        row(
            "windows",
            "\(summary.windowsCut) cut, \(summary.windowsSealed) sealed and replayed, \(summary.inputReadings) readings found in evidence"
        )
        row("energy", "\(summary.verifiedWattHours) Wh verified")
        row("gate", "\(summary.proofs) proofs, \(summary.decisions) decisions, \(summary.issuances) issuances")
        row("ledger", "\(summary.accounts) accounts, \(summary.transfers) transfers, sum of balances 0")
        row(
            "supply",
            "\(Self.money(summary.supply)) \(summary.asset) = issued \(Self.money(summary.issued)) − destroyed \(Self.money(summary.destroyed))"
        )
        lines += ["", "What must still be believed:"]
        for belief in summary.beliefs { lines += Self.wrapped(belief, width: 94) }
        text = lines.joined(separator: "\n")
    }

    /// Six decimals; machines read the Journal.
    static func money(_ minorUnits: Int128) -> String {
        let digits = String(minorUnits.magnitude % 1_000_000)
        return (minorUnits < 0 ? "−" : "") + String(minorUnits.magnitude / 1_000_000) + "."
            + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// A bullet broken at spaces.
    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines = ["  •"]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + 1 + word.count > width { lines.append("   ") }
            lines[lines.count - 1] += " " + word
        }
        return lines
    }
}
