// Instants in UTC and their text form. Reading a clock is the shell's; waiting uses a monotonic clock.

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
package struct UTCInstant: Hashable, Comparable, Sendable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (a: UTCInstant, b: UTCInstant) -> Bool { a.milliseconds < b.milliseconds }

    /// Saturates at the ends of Int64, 292 million years away: a signed record may claim any time, and an absurd
    /// one becomes a finding, never the end of the process that reads it.
    package static func + (instant: UTCInstant, milliseconds: Int64) -> UTCInstant {
        let (sum, overflowed) = instant.milliseconds.addingReportingOverflow(milliseconds)
        return UTCInstant(milliseconds: overflowed ? (milliseconds < 0 ? .min : .max) : sum)
    }

    /// Milliseconds from `b` to `a`. Saturates like `+`.
    package static func - (a: UTCInstant, b: UTCInstant) -> Int64 {
        let (difference, overflowed) = a.milliseconds.subtractingReportingOverflow(b.milliseconds)
        return overflowed ? (a < b ? .min : .max) : difference
    }
}

extension UTCInstant: CustomStringConvertible {
    /// RFC 3339 with `Z`; milliseconds only where they are not zero: `2016-07-07T06:00:00Z`, `…00.250Z`. Years outside
    /// 0000 … 9999, which RFC 3339 has no form for, get a sign or more digits and cannot be parsed again.
    package var description: String {
        let (date, time) = dateAndTime
        let fraction = time % 1000
        let seconds = time / 1000
        let clock = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { Self.padded($0, 2) }.joined(separator: ":")
        return date + "T" + clock + (fraction == 0 ? "" : "." + Self.padded(fraction, 3)) + "Z"
    }

    /// `2016-07-07`.
    package var date: String { dateAndTime.date }

    private var dateAndTime: (date: String, time: Int64) {
        var day = milliseconds / 86_400_000
        var time = milliseconds % 86_400_000
        if time < 0 { (day, time) = (day - 1, time + 86_400_000) }
        let (year, month, dayOfMonth) = Self.civil(day)
        return (Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(dayOfMonth, 2), time)
    }

    /// Parses RFC 3339 with `Z` (`2016-07-07T06:00:00Z`, up to three fraction digits). Nil for anything else,
    /// offsets and leap seconds included: one instant, one spelling.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 24, bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        for (index, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")] where bytes[index] != mark.utf8.first
        {
            return nil
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var fraction: Int64 = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 21, let digits = number(20..<bytes.count - 1) else {
                return nil
            }
            fraction = digits * [0, 100, 10, 1][bytes.count - 21]
        }
        let days = Self.days(year, month, day)
        guard day >= 1, Self.civil(days) == (year, month, day) else { return nil }
        milliseconds = days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction
    }

    // Days since 1970-01-01 of a proleptic Gregorian date and back: Howard Hinnant, "chrono-Compatible Low-Level
    // Date Algorithms", days_from_civil and civil_from_days. Years are counted from March in 400-year eras.

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value.magnitude)
        return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
