// The name of a window. Where windows lie is WindowGrid's.

package import CBOR
internal import Quantities

/// `W-2016-07-07-1`: UTC date of the start, n-th window that starts on that UTC day.
package struct WindowID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(date: String, ordinal: Int64) { text = "W-\(date)-\(ordinal)" }

    /// Nil unless `W-yyyy-mm-dd-n` with a real date and n ≥ 1 without leading zeros.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 14, bytes.count <= 24, text.hasPrefix("W-"), bytes[12] == UInt8(ascii: "-") else {
            return nil
        }
        let date = String(decoding: bytes[2..<12], as: UTF8.self)
        guard UTCInstant(date + "T00:00:00Z") != nil, bytes[13] != UInt8(ascii: "0"),
            bytes[13...].allSatisfy({ (48...57).contains($0) })
        else { return nil }
        self.text = text
    }

    package init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        guard let id = Self(try value.text(path)) else {
            throw ShapeError(path, expected: "a window id W-yyyy-mm-dd-n")
        }
        self = id
    }

    package var description: String { text }
}
