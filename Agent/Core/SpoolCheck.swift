// Whether stored records are what was signed: place, chain, size, clock of each row, stream by stream. The signature is
// checked by whoever has the key and told here.

package import Evidence
package import Proofs
package import Quantities

/// Walks the rows of one spool in their order.
package struct SpoolCheck: Sendable {
    package struct Finding: Hashable, Sendable, CustomStringConvertible {
        package let stream: StreamID?
        package let sequence: UInt64
        package let words: String

        package var description: String { "stream \(stream.map(\.description) ?? "?"), record \(sequence): \(words)" }
    }

    /// A row as the spool has it.
    package struct Row: Sendable {
        package let stream: StreamID
        package let first: UInt64
        package let through: UInt64
        package let kind: RecordKind
        package let link: Digest
        package let envelope: [UInt8]?

        package init(
            stream: StreamID, first: UInt64, through: UInt64, kind: RecordKind, link: Digest, envelope: [UInt8]?
        ) {
            self.stream = stream
            self.first = first
            self.through = through
            self.kind = kind
            self.link = link
            self.envelope = envelope
        }
    }

    /// Findings kept; more are counted.
    package static let findingsMax = 1_000

    private let gateway: Identifier?
    private var last: (stream: StreamID, through: UInt64, link: Digest)?
    /// In force in the stream of `last`; nil: no record told yet.
    private var kid: [UInt8]?
    package private(set) var records = 0
    package private(set) var ranges = 0
    package private(set) var bytes = 0
    package private(set) var findings: [Finding] = []
    package private(set) var found = 0

    /// - Parameter gateway: whose records they must be; nil: whoever's, all the same.
    package init(gateway: Identifier?) { self.gateway = gateway }

    package mutating func damaged(stream: StreamID?, sequence: UInt64, _ words: String) {
        found += 1
        if findings.count < Self.findingsMax {
            findings.append(Finding(stream: stream, sequence: sequence, words: words))
        }
    }

    /// - Parameter isSigned: whether the gateway's key signed the message.
    package mutating func take(_ row: Row, isSigned: (SignedMessage) -> Bool) {
        if last?.stream != row.stream { kid = nil }
        let isNext = last.map { $0.stream == row.stream && $0.through + 1 == row.first }
        if let last, last.stream == row.stream, isNext == false {
            damaged(
                stream: row.stream, sequence: row.first, "follows \(last.through): records between them are missing")
        }
        guard let envelope = row.envelope else {
            ranges += 1
            last = (row.stream, row.through, row.link)
            return
        }
        records += 1
        bytes += envelope.count
        if let words = fault(row, envelope, isNext == true, isSigned) {
            damaged(stream: row.stream, sequence: row.first, words)
        }
        last = (row.stream, row.through, row.link)
    }

    /// Everything that must hold of one row, in the order of the checks.
    private mutating func fault(
        _ row: Row, _ envelope: [UInt8], _ isNext: Bool, _ isSigned: (SignedMessage) -> Bool
    ) -> String? {
        let message: SignedMessage
        do { message = try SignedMessage(parsing: envelope, as: .record) } catch {
            return "is no signed record: \(error)"
        }
        guard isSigned(message) else { return "is not signed by the gateway's key" }
        guard message.kid == kid ?? message.kid else { return "is signed by another key than the one in force" }
        kid = message.kid
        let record: Record
        do { record = try Record(decoding: message.payload) } catch { return "cannot be read: \(error)" }
        guard record.place.stream == row.stream, record.place.sequence == row.first else {
            return "says it is record \(record.place.sequence) of stream \(record.place.stream)"
        }
        if let gateway, record.place.gateway != gateway { return "is gateway \(record.place.gateway)'s" }
        if case .key(let spki) = record.body { kid = Array(Digest(of: spki).bytes.prefix(8)) }
        guard record.body.kind == row.kind else { return "is of another kind than its row says" }
        if case .skip(let skip) = record.body {
            guard skip.to == row.through, skip.identity == row.link else {
                return "stands for another range than its row"
            }
        } else {
            guard row.through == row.first, message.identity == row.link else { return "has another hash than its row" }
        }
        if row.first == 1, record.place.previous != .zero { return "is the first and names one before it" }
        if isNext, let last, record.place.previous != last.link { return "does not name the record before it" }
        return nil
    }
}
