// Energy as a person reads it from a display: digits and how fine they are.

/// A value in kWh as typed, exactly.
package struct DisplayedEnergy: Hashable, Sendable {
    /// No meter's display has more.
    package static let wattHoursMax: UInt64 = 999_999_999_999

    package let wattHours: UInt64
    /// What one step of the last digit typed is worth, Wh: the display cuts what is finer.
    package let step: UInt64

    /// From `12345.678`, `12345,6` or `12 345`: at most three decimals. Nil for anything else.
    package init?(kilowattHours text: String) {
        let plain = text.filter { $0 != " " && $0 != "'" && $0 != "\u{A0}" }
        let parts = plain.split(omittingEmptySubsequences: false) { $0 == "." || $0 == "," }
        guard (1...2).contains(parts.count), !parts[0].isEmpty,
            parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } })
        else { return nil }
        let decimals = parts.count == 2 ? parts[1] : ""
        guard parts.count == 1 || (1...3).contains(decimals.utf8.count), parts[0].utf8.count <= 9 else { return nil }
        let digits = parts[0] + decimals + String(repeating: "0", count: 3 - decimals.utf8.count)
        guard let value = UInt64(digits), value <= Self.wattHoursMax else { return nil }
        wattHours = value
        step = [1_000, 100, 10, 1][decimals.utf8.count]
    }

    /// `12345.678`.
    package static func kilowattHours(_ wattHours: UInt64) -> String {
        let (whole, rest) = wattHours.quotientAndRemainder(dividingBy: 1_000)
        return "\(whole).\(String(1_000 + rest).dropFirst())"
    }
}
