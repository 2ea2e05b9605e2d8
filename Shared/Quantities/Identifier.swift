// Names that travel in records, topics and file names.

/// A name of 1 … 40 characters out of `a-z 0-9 -`: gateway, entity, meter, metering point, principal, organisation.
///
/// ASCII by construction, so that equal names have equal bytes (String compares by canonical equivalence).
package struct Identifier: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    /// Nil when a character or the length is not allowed.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard (1...40).contains(bytes.count), bytes.allSatisfy(Self.isAllowed) else { return nil }
        self.text = text
    }

    package var description: String { text }

    /// Byte order, the order of every fold.
    package static func < (a: Identifier, b: Identifier) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
