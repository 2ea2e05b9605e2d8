// The part of CBOR (RFC 8949) that Kilomint signs and hashes, in its one deterministic form (section 4.2.1).
// Floats, undefined, simple values and indefinite lengths are not in it: nothing we sign needs them.

/// One CBOR data item: integers, strings, arrays, maps, tags, booleans, null.
package indirect enum CBORValue: Hashable, Sendable {
    case unsigned(UInt64)
    /// −1 − n.
    case negative(UInt64)
    case bytes([UInt8])
    case text(String)
    case array([CBORValue])
    /// Pairs in any order; encoding sorts them by the bytes of their keys.
    case map([Pair])
    case tagged(UInt64, CBORValue)
    case bool(Bool)
    case null

    package struct Pair: Hashable, Sendable {
        package let key: CBORValue
        package let value: CBORValue

        package init(_ key: CBORValue, _ value: CBORValue) {
            self.key = key
            self.value = value
        }
    }
}

extension CBORValue {
    package static func int(_ value: Int64) -> CBORValue {
        value >= 0 ? .unsigned(UInt64(value)) : .negative(UInt64(bitPattern: ~value))
    }

    /// A map whose keys are the small integers of our formats. Nil values are left out: absent, not null.
    package static func fields(_ fields: [(Int64, CBORValue?)]) -> CBORValue {
        .map(fields.compactMap { key, value in value.map { Pair(.int(key), $0) } })
    }
}
