// Power from decimal text: exact or refused.

import PlantModel
import Testing

struct PowerTests {
    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.0", 0), ("1", 100_000), ("-1", -100_000), ("82.137", 8_213_700),
            ("-2.8601", -286_010),
            ("0.00001", 1), ("-0.00001", -1), ("1315.5", 131_550_000), ("0001.50000", 150_000),
            ("10000000000", 1_000_000_000_000_000), ("-10000000000.00000", -1_000_000_000_000_000),
        ] as [(String, Int64)])
    func reads(text: String, tenMicrowatts: Int64) {
        #expect(Power(watts: text.utf8)?.tenMicrowatts == tenMicrowatts)
    }

    @Test(arguments: [
        "", "-", ".", "-.", ".5", "5.", "+1", " 1", "1 ", "1e3", "1E3", "nan", "inf", "--1", "1-", "1.2.3", "1,5",
        "0x10",
        "0.000001", "1.000000", "10000000000.00001", "10000000001", "99999999999999999999999999", "1.", "٣",
    ])
    func refuses(text: String) {
        #expect(Power(watts: text.utf8) == nil)
    }

    @Test(arguments: [
        (-1_000_000_000_000_000 as Int64), -1, 0, 1, 42, 99_999, 100_000, 123_456_789, 1_000_000_000_000_000,
    ])
    func readsWhatAnIndependentSpellingWrites(value: Int64) {
        let digits = String(value.magnitude % 100_000)
        let fraction = String(repeating: "0", count: 5 - digits.count) + digits
        let text = (value < 0 ? "-" : "") + String(value.magnitude / 100_000) + "." + fraction
        #expect(Power(watts: text.utf8)?.tenMicrowatts == value)
    }
}
