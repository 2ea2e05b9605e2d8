// Reads the production file (CSV text) into exact rows. Not a general CSV reader: no quotes, no guesses, no I/O.

internal import Quantities

/// Why a production file was refused, in the order the checks run; the first that applies is reported.
package enum ProductionFileRefusal: UInt16, Error, CaseIterable, Sendable {
    case empty = 1  // no header line
    case columnMissing = 2  // the header lacks time_utc or ac_power_w, or names one twice
    case tooManyRows = 3  // more than rowsMax
    case fieldCount = 4  // a row has not as many fields as the header
    case badTime = 5  // not RFC 3339 with Z
    case unevenRows = 6  // a row does not start 15 minutes after the one before
    case badPower = 7  // not a plain decimal of at most five fraction digits within ±10 GW
    case noRows = 8  // a header and nothing else

    /// What to do about it.
    package var advice: String {
        switch self {
        case .empty: "the file is empty; its first line must name the columns"
        case .columnMissing: "the first line must name the columns time_utc and ac_power_w once each"
        case .tooManyRows: "more than \(ProductionFile.rowsMax) rows; split the file"
        case .fieldCount: "a row must have as many fields as the first line"
        case .badTime: "time_utc must look like 2016-07-01T07:00:00Z"
        case .unevenRows: "each row must start exactly 15 minutes after the one before; fill or remove the gap"
        case .badPower: "ac_power_w must be a plain decimal of at most five fraction digits within ±10 GW"
        case .noRows: "there is no row below the first line"
        }
    }
}

/// A refusal and where it is.
package struct ProductionFileError: Error, Hashable, Sendable {
    package let refusal: ProductionFileRefusal
    /// Counted from 1, the header being line 1.
    package let line: Int

    package init(refusal: ProductionFileRefusal, line: Int) {
        self.refusal = refusal
        self.line = line
    }
}

/// The columns `time_utc` (RFC 3339, start of a 15-minute row) and `ac_power_w` (W, exact) of a CSV text; others are
/// ignored. Lines end in LF or CRLF.
package enum ProductionFile {
    /// More than 28 years of 15-minute rows.
    package static let rowsMax = 1_000_000

    package static func parse(_ bytes: [UInt8]) throws(ProductionFileError) -> ProductionSeries {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if let last = lines.last, last.isEmpty { lines.removeLast() }
        guard let header = lines.first else { throw ProductionFileError(refusal: .empty, line: 1) }
        let names = fields(header)
        let times = names.indices.filter { names[$0].elementsEqual("time_utc".utf8) }
        let powers = names.indices.filter { names[$0].elementsEqual("ac_power_w".utf8) }
        guard times.count == 1, powers.count == 1 else { throw ProductionFileError(refusal: .columnMissing, line: 1) }
        guard lines.count - 1 <= rowsMax else { throw ProductionFileError(refusal: .tooManyRows, line: rowsMax + 2) }

        var first: UTCInstant?
        var rows: [Power] = []
        rows.reserveCapacity(lines.count)
        for (index, line) in lines.enumerated().dropFirst() {
            func refused(_ refusal: ProductionFileRefusal) -> ProductionFileError {
                ProductionFileError(refusal: refusal, line: index + 1)
            }
            let values = fields(line)
            guard values.count == names.count else { throw refused(.fieldCount) }
            guard let time = UTCInstant(String(decoding: values[times[0]], as: UTF8.self)) else {
                throw refused(.badTime)
            }
            let start = first ?? time
            guard time - start == Int64(rows.count) * ProductionSeries.rowMilliseconds else {
                throw refused(.unevenRows)
            }
            guard let power = Power(watts: values[powers[0]]) else { throw refused(.badPower) }
            first = start
            rows.append(power)
        }
        guard let first else { throw ProductionFileError(refusal: .noRows, line: 2) }
        return ProductionSeries(first: first, powers: rows)
    }

    private static func fields(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        return text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    }
}
