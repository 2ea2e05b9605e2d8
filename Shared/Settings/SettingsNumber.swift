// Numbers of a configuration with their units: integers, durations, sizes, exact decimals. No floating point.

extension SettingsValue {
    /// A whole number, decimal or `0x…`, in `range`.
    package func int<Number: FixedWidthInteger & Sendable>(
        in range: ClosedRange<Number>
    ) throws(SettingsError) -> Number {
        let allowed = "\(range.lowerBound) … \(range.upperBound)"
        guard let number: Number = Self.integer(try plain(allowed)) else {
            throw error("is not a whole number", allowed: allowed)
        }
        guard range.contains(number) else { throw error("is out of range", allowed: allowed) }
        return number
    }

    /// A duration in milliseconds: `250ms`, `10s`, `15m`, `1h`, `14d`, or ISO 8601 `PT15M`, `P7D`, `P1DT12H`.
    package func milliseconds(in range: ClosedRange<Int64>) throws(SettingsError) -> Int64 {
        let allowed = "\(Self.duration(range.lowerBound)) … \(Self.duration(range.upperBound))"
        let text = try plain(allowed)
        guard let milliseconds = Self.isoDuration(text) ?? Self.scaled(text, Self.durationUnits) else {
            throw error("is not a duration such as 10s, 15m or PT15M", allowed: allowed)
        }
        guard range.contains(milliseconds) else { throw error("is out of range", allowed: allowed) }
        return milliseconds
    }

    /// A number of bytes with its unit: `512B`, `64KiB`, `64MiB`, `2GiB`.
    package func byteCount(in range: ClosedRange<Int64>) throws(SettingsError) -> Int64 {
        let allowed = "\(Self.size(range.lowerBound)) … \(Self.size(range.upperBound))"
        guard let count = Self.scaled(try plain(allowed), Self.sizeUnits) else {
            throw error("is not a size such as 64MiB", allowed: allowed)
        }
        guard range.contains(count) else { throw error("is out of range", allowed: allowed) }
        return count
    }

    /// An exact decimal, `-0.001`, as its integer in units of 10^-`digits`: 3 digits make `0.5` 500.
    /// More digits than `digits` are refused, never rounded.
    package func decimal(digits: Int, in range: ClosedRange<Int64>) throws(SettingsError) -> Int64 {
        let allowed = "\(range.lowerBound) … \(range.upperBound) in units of 10^-\(digits), at most \(digits) decimals"
        guard let number = Self.fixed(try plain(allowed), digits: digits) else {
            throw error("is not such a decimal", allowed: allowed)
        }
        guard range.contains(number) else { throw error("is out of range", allowed: allowed) }
        return number
    }

    /// `10m`, `250ms`: the shortest exact spelling, for texts and generated files.
    package static func duration(_ milliseconds: Int64) -> String { spelled(milliseconds, durationUnits) }

    /// `64MiB`: the shortest exact spelling.
    package static func size(_ bytes: Int64) -> String { spelled(bytes, sizeUnits) }

    private static let durationUnits: [(name: String, factor: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]
    private static let sizeUnits: [(name: String, factor: Int64)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    private static func spelled(_ value: Int64, _ units: [(name: String, factor: Int64)]) -> String {
        let unit = units.first { value != 0 && value.isMultiple(of: $0.factor) } ?? units[units.count - 1]
        return "\(value / unit.factor)\(unit.name)"
    }

    /// Nil for signs in front of a plus, leading zeros (octal elsewhere), separators, and what does not fit.
    private static func integer<Number: FixedWidthInteger>(_ text: String) -> Number? {
        let isNegative = text.hasPrefix("-")
        let digits = isNegative ? String(text.dropFirst()) : text
        if digits.hasPrefix("0x") {
            let hex = digits.dropFirst(2)
            guard !hex.isEmpty, hex.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }) else { return nil }
            return Number((isNegative ? "-" : "") + hex, radix: 16)
        }
        guard isDigits(digits[...]), digits == "0" || !digits.hasPrefix("0") else { return nil }
        return Number((isNegative ? "-" : "") + digits)
    }

    private static func isDigits(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
    }

    private static func scaled(_ text: String, _ units: [(name: String, factor: Int64)]) -> Int64? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let name = text.dropFirst(digits.count)
        guard let number: Int64 = integer(String(digits)), let unit = units.first(where: { $0.name == name }) else {
            return nil
        }
        let (product, overflowed) = number.multipliedReportingOverflow(by: unit.factor)
        return overflowed ? nil : product
    }

    /// ISO 8601 without years, months and fractions, whose length is not one number of milliseconds.
    private static func isoDuration(_ text: String) -> Int64? {
        guard text.hasPrefix("P") else { return nil }
        let halves = text.dropFirst().split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        guard let date = halves.first, halves.count == 1 ? !date.isEmpty : !halves[1].isEmpty else { return nil }
        let dateUnits: [(Character, Int64)] = [("W", 604_800_000), ("D", 86_400_000)]
        let timeUnits: [(Character, Int64)] = [("H", 3_600_000), ("M", 60_000), ("S", 1000)]
        guard let days = isoPart(date, dateUnits), let time = halves.count == 1 ? 0 : isoPart(halves[1], timeUnits)
        else {
            return nil
        }
        let (sum, overflowed) = days.addingReportingOverflow(time)
        return overflowed ? nil : sum
    }

    private static func isoPart(_ part: Substring, _ units: [(Character, Int64)]) -> Int64? {
        var rest = part
        var sum: Int64 = 0
        for (name, factor) in units {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard let end = rest.dropFirst(digits.count).first, end == name else { continue }
            guard let number = Int64(digits) else { return nil }
            let (product, tooLarge) = number.multipliedReportingOverflow(by: factor)
            let (next, overflowed) = sum.addingReportingOverflow(product)
            guard !tooLarge, !overflowed else { return nil }
            sum = next
            rest = rest.dropFirst(digits.count + 1)
        }
        return rest.isEmpty ? sum : nil
    }

    private static func fixed(_ text: String, digits: Int) -> Int64? {
        let isNegative = text.hasPrefix("-")
        let parts = (isNegative ? text.dropFirst() : text[...]).split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, isDigits(whole), whole == "0" || !whole.hasPrefix("0") else { return nil }
        let fraction = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || isDigits(fraction[...]), fraction.utf8.count <= digits else { return nil }
        let padding = String(repeating: "0", count: digits - fraction.utf8.count)
        return Int64((isNegative ? "-" : "") + whole + fraction + padding)
    }
}
