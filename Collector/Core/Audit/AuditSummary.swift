// What an audit went through and what came out, when everything held. And what no audit can show.

package import Proofs
package import Quantities

package struct AuditSummary: Sendable {
    /// The head of a log.
    package struct Head: Sendable {
        package let origin: String
        package let size: UInt64
        package let root: Digest
    }

    package var genesis = Digest.zero
    package var asset = ""
    package var isReplay = false
    package var heads: [Head] = []
    package var events: UInt64 = 0
    package var registrations = 0
    package var gateways = 0
    package var streams: UInt64 = 0
    package var records: UInt64 = 0
    package var readings: UInt64 = 0
    /// Signatures verified, of envelopes and checkpoints.
    package var signatures: UInt64 = 0
    package var windowsCut = 0
    package var windowsSealed = 0
    /// Readings that stand in transcripts, each found in evidence.
    package var inputReadings: UInt64 = 0
    package var verifiedWattHours: Int128 = 0
    package var statements = 0
    /// Raw inputs of statements that are published, and that are not.
    package var sources = 0
    package var sourcesMissing = 0
    package var proofs = 0
    package var decisions = 0
    package var issuances = 0
    package var transfers = 0
    package var accounts = 0
    package var supply: Int128 = 0
    package var issued: Int128 = 0
    package var destroyed: Int128 = 0
    /// Who was pinned: nothing of what follows is worth more than this.
    package var isPinned = false
    package var meters: [Identifier] = []
    package var verifiers: [Identifier] = []

    package init() {}

    /// What must still be believed when everything held.
    package var beliefs: [String] {
        var lines = [
            "the meters: that \(Self.names(meters)) measured what went past them and stand where they are registered",
            "the key bindings: that each gateway's key is where its registration says, and that the two persons who signed looked",
            "the verifiers: that \(Self.names(verifiers)) are who their organisations say and did not sign blindly",
            isReplay
                ? "the clock: this house runs on a replayed clock and its asset is a test; no time stamp of it is real"
                : "the clock: receive times are the house's own word; no outside time stamp is in this house",
            "one history: no outside witness has signed this house's checkpoints; compare them with copies others hold",
        ]
        if sourcesMissing > 0 {
            lines.append(
                "the sources: \(sourcesMissing) raw inputs of statements are not published here; who signed them vouches"
            )
        }
        if !isPinned {
            lines.insert(
                "the house: that genesis \(genesis.description.prefix(16))… is the one you mean (give --house-key or --root)",
                at: 0)
        }
        return lines
    }

    private static func names(_ ids: [Identifier]) -> String {
        switch ids.count {
        case 0: "nobody yet"
        case 1...6: ids.map(\.text).joined(separator: ", ")
        default: ids.prefix(5).map(\.text).joined(separator: ", ") + " and \(ids.count - 5) more"
        }
    }
}
