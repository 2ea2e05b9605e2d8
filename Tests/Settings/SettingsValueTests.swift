// Every accessor from valid through boundary to refused, with the words of the refusal.

import Settings
import Testing

struct SettingsValueTests {
    /// The result of reading `v: TEXT` by `read`, or the error's text after "a.yaml:1: ".
    private func outcome<Value>(
        _ text: String, _ read: (SettingsValue) throws(SettingsError) -> Value
    ) -> String {
        do throws(SettingsError) {
            let map = try SettingsFile.parse(Array("v: \(text)\n".utf8), file: "a.yaml")
            return "\(try read(try map.value("v")))"
        } catch { return String(error.description.dropFirst("a.yaml:1: ".count)) }
    }

    @Test(arguments: [
        ("1200", "1200"), ("115200", "115200"), ("0x4B0", "1200"),
        ("1199", "`v: 1199` is out of range; allowed: 1200 … 115200"),
        ("115201", "`v: 115201` is out of range; allowed: 1200 … 115200"),
        ("96OO", "`v: 96OO` is not a whole number; allowed: 1200 … 115200"),
        ("09600", "`v: 09600` is not a whole number; allowed: 1200 … 115200"),
        ("+9600", "`v: +9600` is not a whole number; allowed: 1200 … 115200"),
        ("9_600", "`v: 9_600` is not a whole number; allowed: 1200 … 115200"),
        ("9600.0", "`v: 9600.0` is not a whole number; allowed: 1200 … 115200"),
        ("0x", "`v: 0x` is not a whole number; allowed: 1200 … 115200"),
        ("0x-4B0", "`v: 0x-4B0` is not a whole number; allowed: 1200 … 115200"),
        ("99999999999999999999", "`v: 99999999999999999999` is not a whole number; allowed: 1200 … 115200"),
        ("'9600'", "`v: 9600` is text in quotes; remove the quotes; allowed: 1200 … 115200"),
        ("", "`v: ` has no value; fill it in or remove the key; allowed: 1200 … 115200"),
        ("[1]", "`v` is a list; allowed: 1200 … 115200"), ("{a: 1}", "`v` is a map; allowed: 1200 … 115200"),
    ])
    func int(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.int(in: 1200...115_200) } == expected)
    }

    @Test func intOfEveryWidth() {
        #expect(outcome("-128") { value throws(SettingsError) in try value.int(in: Int8.min...Int8.max) } == "-128")
        #expect(
            outcome("18446744073709551615") { value throws(SettingsError) in
                try value.int(in: 0...UInt64.max)
            } == "18446744073709551615")
        #expect(outcome("-0x10") { value throws(SettingsError) in try value.int(in: -16...0) } == "-16")
    }

    @Test(arguments: [
        ("10s", "10000"), ("250ms", "250"), ("15m", "900000"), ("PT15M", "900000"), ("PT1H30M", "5400000"),
        ("P7D", "604800000"), ("P1W", "604800000"), ("P1DT12H", "129600000"), ("7d", "604800000"),
        ("8d", "`v: 8d` is out of range; allowed: 250ms … 7d"),
        ("249ms", "`v: 249ms` is out of range; allowed: 250ms … 7d"),
        ("10", "`v: 10` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("10 s", "`v: 10 s` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("1.5s", "`v: 1.5s` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("P", "`v: P` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("PT", "`v: PT` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("P1DT", "`v: P1DT` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("P15M", "`v: P15M` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        ("PT15M1H", "`v: PT15M1H` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"),
        (
            "99999999999999999d",
            "`v: 99999999999999999d` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"
        ),
        (
            "P99999999999999999D",
            "`v: P99999999999999999D` is not a duration such as 10s, 15m or PT15M; allowed: 250ms … 7d"
        ),
    ])
    func duration(text: String, expected: String) {
        let week: Int64 = 604_800_000
        #expect(outcome(text) { value throws(SettingsError) in try value.milliseconds(in: 250...week) } == expected)
    }

    @Test(arguments: [
        ("64MiB", "67108864"), ("1KiB", "1024"), ("512B", "512"), ("1GiB", "1073741824"),
        ("2GiB", "`v: 2GiB` is out of range; allowed: 512B … 1GiB"),
        ("64MB", "`v: 64MB` is not a size such as 64MiB; allowed: 512B … 1GiB"),
        ("64", "`v: 64` is not a size such as 64MiB; allowed: 512B … 1GiB"),
        ("9999999999GiB", "`v: 9999999999GiB` is not a size such as 64MiB; allowed: 512B … 1GiB"),
    ])
    func size(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.byteCount(in: 512...1 << 30) } == expected)
    }

    @Test(arguments: [
        ("0.5", "500"), ("-0.001", "-1"), ("12", "12000"), ("-1", "-1000"),
        ("0.0005", "`v: 0.0005` is not such a decimal; allowed: -1000 … 12000 in units of 10^-3, at most 3 decimals"),
        (".5", "`v: .5` is not such a decimal; allowed: -1000 … 12000 in units of 10^-3, at most 3 decimals"),
        ("1.", "`v: 1.` is not such a decimal; allowed: -1000 … 12000 in units of 10^-3, at most 3 decimals"),
        ("1e3", "`v: 1e3` is not such a decimal; allowed: -1000 … 12000 in units of 10^-3, at most 3 decimals"),
        ("12.001", "`v: 12.001` is out of range; allowed: -1000 … 12000 in units of 10^-3, at most 3 decimals"),
    ])
    func decimal(text: String, expected: String) {
        let read = { (value: SettingsValue) throws(SettingsError) in try value.decimal(digits: 3, in: -1000...12000) }
        #expect(outcome(text, read) == expected)
    }

    @Test(arguments: [
        ("serf-east-1", "serf-east-1"), ("\"07\"", "07"),
        ("Serf", "`v: Serf` is not such a name; allowed: 1 … 40 characters out of a-z 0-9 -"),
        ("a_b", "`v: a_b` is not such a name; allowed: 1 … 40 characters out of a-z 0-9 -"),
        ("''", "`v: ` is not such a name; allowed: 1 … 40 characters out of a-z 0-9 -"),
    ])
    func identifier(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.identifier() } == expected)
    }

    private static let textAllowed = "text of 1 … 10 bytes without control characters"

    @Test(arguments: [
        ("two words", "two words"), ("9600", "9600"),
        ("''", "`v: ` has 0 bytes; allowed: \(Self.textAllowed)"),
        ("'12345678901'", "`v: 12345678901` has 11 bytes; allowed: \(Self.textAllowed)"),
        ("\"a\\tb\"", "`v: a\u{FFFD}b` contains a control character; allowed: \(Self.textAllowed)"),
    ])
    func text(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.text(1...10) } == expected)
    }

    @Test func secretsAreNeverShown() {
        let problem = "`v` is not a usable secret; allowed: text of 8 … 1024 bytes without control characters"
        #expect(outcome("hunter2") { value throws(SettingsError) in try value.secret() } == problem)
        #expect(outcome("hunter22") { value throws(SettingsError) in try value.secret() } == "hunter22")
    }

    @Test(arguments: [
        ("/var/lib/kilomint", "/var/lib/kilomint"),
        ("spool.db", "`v: spool.db` is not such a path; allowed: an absolute path, /…"),
        ("/$HOME/x", "`v: /$HOME/x` is not such a path; allowed: an absolute path, /…"),
    ])
    func path(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.path(absolute: true) } == expected)
    }

    @Test func relativePathsWhereAllowed() {
        #expect(outcome("keys/a.pem") { value throws(SettingsError) in try value.path() } == "keys/a.pem")
        #expect(
            outcome("\"~/a.pem\"") { value throws(SettingsError) in try value.path() }
                == "`v: ~/a.pem` is not such a path; allowed: a path without ~ and $")
    }

    private enum Parity: String, CaseIterable { case none, even, odd }

    @Test(arguments: [
        ("even", "even"), ("Even", "`v: Even` is none of the choices; allowed: none, even, odd"),
        ("[even]", "`v` is a list; allowed: none, even, odd"),
    ])
    func choice(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.choice(Parity.self) } == expected)
    }

    @Test(arguments: [
        ("true", "true"), ("false", "false"), ("yes", "`v: yes` is neither; allowed: true, false"),
        ("'true'", "`v: true` is text in quotes; remove the quotes; allowed: true, false"),
    ])
    func bool(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.bool() } == expected)
    }

    @Test(arguments: [
        ("00fF", "[0, 255]"), ("000", "`v: 000` is not that; allowed: 2 bytes as hexadecimal digit pairs"),
        ("00", "`v: 00` is not that; allowed: 2 bytes as hexadecimal digit pairs"),
        ("00g0", "`v: 00g0` is not that; allowed: 2 bytes as hexadecimal digit pairs"),
        ("''", "`v: ` is not that; allowed: 2 bytes as hexadecimal digit pairs"),
    ])
    func hexBytes(text: String, expected: String) {
        #expect(outcome(text) { value throws(SettingsError) in try value.hexBytes(count: 2...2) } == expected)
    }

    @Test(arguments: [
        ("2016-07-07T06:00:00Z", true), ("2016-07-07T06:00:00.250Z", true), ("2016-07-07T06:00:00.Z", false),
        ("2016-07-07T06:00:00", false), ("2016-07-07T06:00:00+00:00", false), ("2016-07-07 06:00:00Z", false),
        ("2016-07-07", false), ("2016-07-07T06:00:00.2500Z", false), ("soon", false), ("Z", false),
    ])
    func instantText(text: String, isAccepted: Bool) {
        let refusal = "`v: \(text)` is not an instant; allowed: an instant in UTC such as 2016-07-07T06:00:00Z"
        let result = outcome(text) { value throws(SettingsError) in try value.instantText() }
        #expect(result == (isAccepted ? text : refusal))
    }

    @Test func longValuesAreShortenedInErrors() {
        let long = String(repeating: "x", count: 500)
        let shown = outcome(long) { value throws(SettingsError) in try value.bool() }
        #expect(shown == "`v: \(long.prefix(60))…` is neither; allowed: true, false")
    }
}
