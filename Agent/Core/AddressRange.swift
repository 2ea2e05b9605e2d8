// The addresses that a person names for a search on the network: CIDR, from-to, or single ones. Nobody else's are asked.

/// IPv4 addresses in order, at most ``countMax``.
package struct AddressRange: Hashable, Sendable {
    /// Of one search: a /20.
    package static let countMax = 4_096

    /// Host byte order, each once.
    package private(set) var addresses: [UInt32] = []

    /// - Parameter text: `192.168.1.0/24`, `192.168.1.10-192.168.1.20`, `192.168.1.10-20`, `192.168.1.7`, joined by commas.
    ///   Network and broadcast address of a CIDR with more than two addresses are left out.
    /// - Returns: nil for anything else, and for more than ``countMax`` addresses.
    package init?(_ text: String) {
        var seen: Set<UInt32> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let range = Self.range(part), range.count <= Self.countMax else { return nil }
            for address in range where seen.insert(address).inserted { addresses.append(address) }
            guard addresses.count <= Self.countMax else { return nil }
        }
    }

    private static func range(_ text: Substring) -> ClosedRange<UInt32>? {
        if let slash = text.firstIndex(of: "/") {
            guard let address = address(text[..<slash]), let bits = UInt32(text[text.index(after: slash)...]),
                (20...32).contains(bits)
            else { return nil }
            let mask: UInt32 = bits == 32 ? 0 : .max >> bits
            let (first, last) = (address & ~mask, address | mask)
            return bits < 31 ? first + 1...last - 1 : first...last
        }
        guard let hyphen = text.firstIndex(of: "-") else { return address(text).map { $0...$0 } }
        guard let first = address(text[..<hyphen]) else { return nil }
        let end = text[text.index(after: hyphen)...]
        // Of the last number alone the others are those of the first address.
        let last = UInt8(end).map { first & 0xFFFF_FF00 | UInt32($0) } ?? address(end)
        guard let last, first <= last else { return nil }
        return first...last
    }

    private static func address(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard let value = UInt8(part), String(value) == part else { return nil }
            address = address << 8 | UInt32(value)
        }
        return address
    }

    package static func text(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { String(address >> $0 & 0xFF) }.joined(separator: ".")
    }
}
