// Typed reading of decoded items: every wrong shape becomes a ShapeError that says where.

/// A decoded item does not have the shape its format prescribes. `path` names the place: `record.6[0]`.
package struct ShapeError: Error, Hashable, Sendable, CustomStringConvertible {
    package let path: String
    package let expected: String

    package init(_ path: String, expected: String) {
        self.path = path
        self.expected = expected
    }

    package var description: String { "\(path): expected \(expected)" }
}

extension CBORValue {
    package func uint(_ path: @autoclosure () -> String) throws(ShapeError) -> UInt64 {
        guard case .unsigned(let value) = self else { throw ShapeError(path(), expected: "an unsigned integer") }
        return value
    }

    /// An integer of either sign that fits in 64 bits.
    package func int(_ path: @autoclosure () -> String) throws(ShapeError) -> Int64 {
        switch self {
        case .unsigned(let value): if let exact = Int64(exactly: value) { return exact }
        case .negative(let value): if value <= UInt64(Int64.max) { return ~Int64(value) }
        default: break
        }
        throw ShapeError(path(), expected: "an integer of 64 bits")
    }

    /// An unsigned integer in `range`.
    package func int(in range: ClosedRange<Int>, _ path: @autoclosure () -> String) throws(ShapeError) -> Int {
        guard case .unsigned(let value) = self, let exact = Int(exactly: value), range.contains(exact) else {
            throw ShapeError(path(), expected: "an integer \(range.lowerBound) … \(range.upperBound)")
        }
        return exact
    }

    package func bytes(count: Int? = nil, _ path: @autoclosure () -> String) throws(ShapeError) -> [UInt8] {
        guard case .bytes(let value) = self, count == nil || value.count == count else {
            throw ShapeError(path(), expected: count.map { "a byte string of \($0)" } ?? "a byte string")
        }
        return value
    }

    package func text(_ path: @autoclosure () -> String) throws(ShapeError) -> String {
        guard case .text(let value) = self else { throw ShapeError(path(), expected: "a text string") }
        return value
    }

    package func bool(_ path: @autoclosure () -> String) throws(ShapeError) -> Bool {
        guard case .bool(let value) = self else { throw ShapeError(path(), expected: "true or false") }
        return value
    }

    package func array(count: Int? = nil, _ path: @autoclosure () -> String) throws(ShapeError) -> [CBORValue] {
        guard case .array(let value) = self, count == nil || value.count == count else {
            throw ShapeError(path(), expected: count.map { "an array of \($0)" } ?? "an array")
        }
        return value
    }

    /// A map with integer keys. Keys outside `known` are refused unless negative and `extensible`.
    package func fields(
        _ known: ClosedRange<Int64>, extensible: Bool = false, _ path: @autoclosure () -> String
    ) throws(ShapeError) -> CBORFields {
        guard case .map(let pairs) = self else { throw ShapeError(path(), expected: "a map") }
        var values: [Int64: CBORValue] = [:]
        for pair in pairs {
            let key = try pair.key.int(path() + ".key")
            guard known.contains(key) || (extensible && key < 0) else {
                throw ShapeError(path() + ".\(key)", expected: "a key in \(known.lowerBound) … \(known.upperBound)")
            }
            values[key] = pair.value
        }
        return CBORFields(path: path(), values: values)
    }

    package var isNull: Bool { self == .null }
}

/// The fields of a map by integer key.
package struct CBORFields: Sendable {
    package let path: String
    private let values: [Int64: CBORValue]

    fileprivate init(path: String, values: [Int64: CBORValue]) {
        self.path = path
        self.values = values
    }

    /// Nil when the key is absent.
    package func optional(_ key: Int64) -> CBORValue? { values[key] }

    package func value(_ key: Int64) throws(ShapeError) -> CBORValue {
        guard let value = values[key] else { throw ShapeError("\(path).\(key)", expected: "to be present") }
        return value
    }

    package func uint(_ key: Int64) throws(ShapeError) -> UInt64 { try value(key).uint("\(path).\(key)") }
    package func int(_ key: Int64) throws(ShapeError) -> Int64 { try value(key).int("\(path).\(key)") }
    package func int(in range: ClosedRange<Int>, _ key: Int64) throws(ShapeError) -> Int {
        try value(key).int(in: range, "\(path).\(key)")
    }
    package func bytes(count: Int? = nil, _ key: Int64) throws(ShapeError) -> [UInt8] {
        try value(key).bytes(count: count, "\(path).\(key)")
    }
    package func text(_ key: Int64) throws(ShapeError) -> String { try value(key).text("\(path).\(key)") }
    package func array(count: Int? = nil, _ key: Int64) throws(ShapeError) -> [CBORValue] {
        try value(key).array(count: count, "\(path).\(key)")
    }
}
