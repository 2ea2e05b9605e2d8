// What a person types against what a meter answers: from right over just right to wrong.

internal import AgentCore
internal import Evidence
internal import Proofs
internal import Quantities
internal import Testing

struct DisplayCheckTests {
    @Test(
        arguments: [
            ("12345.678", 12_345_678, 1), ("12345,6", 12_345_600, 100), ("12 345", 12_345_000, 1_000),
            ("0", 0, 1_000), ("0.05", 50, 10), ("999999999.999", 999_999_999_999, 1), ("12'345.6", 12_345_600, 100),
        ] as [(String, UInt64, UInt64)])
    func displayedEnergy(text: String, wattHours: UInt64, step: UInt64) {
        let energy = DisplayedEnergy(kilowattHours: text)
        #expect(energy?.wattHours == wattHours && energy?.step == step)
    }

    @Test(arguments: ["", ".5", "5.", "1.2345", "-1", "1e3", "1.2.3", "kWh", "1234567890", "１２", "1,2,3"])
    func noEnergy(text: String) { #expect(DisplayedEnergy(kilowattHours: text) == nil) }

    private func check(
        typed: String = "100.0", read: UInt64? = 100_000, serial: (String, String) = ("12345678", "12345678"),
        resolution: UInt64 = 10, power: UInt64 = 0, accepted: String? = nil
    ) -> DisplayCheck {
        let answer = read.map { RegisterSeen.Read(wattHours: $0, uptime: 1, function: 3, address: 1, words: [0, 0]) }
        return DisplayCheck(
            meter: "m-1", serialTyped: serial.0, serialRead: serial.1,
            registers: [
                .init(
                    obis: "1-0:2.8.0", displayed: DisplayedEnergy(kilowattHours: typed)!, read: answer,
                    resolution: resolution)
            ], power: power, accepted: accepted)
    }

    /// Typed, read (Wh), resolution of the register (Wh), power (W), whether it is taken.
    @Test(
        arguments: [
            ("100.0", 100_000, 10, 0, true), ("100.0", 100_110, 10, 0, true), ("100.0", 100_111, 10, 0, false),
            ("100.0", 99_890, 10, 0, true), ("100.0", 99_889, 10, 0, false), ("100", 101_001, 1, 0, true),
            ("100", 101_002, 1, 0, false), ("100.000", 100_002, 1, 0, true), ("100.000", 100_003, 1, 0, false),
            // 30 kW for two minutes are a kilowatt-hour.
            ("100.0", 101_110, 10, 30_000, true), ("100.0", 101_111, 10, 30_000, false),
            ("100.0", 1_000_000, 10, 0, false),
        ] as [(String, UInt64, UInt64, UInt64, Bool)])
    func energyWithinItsSteps(typed: String, read: UInt64, resolution: UInt64, power: UInt64, isTaken: Bool) {
        let check = check(typed: typed, read: read, resolution: resolution, power: power)
        #expect((check.refusal == nil) == isTaken, "\(check.refusal ?? "")")
        #expect(check.differs != isTaken)
    }

    @Test(arguments: [
        ("12345678", "12345678", true), ("00123", "123", true), ("123", "00123", true), ("AB-12 34", "ab1234", true),
        ("123", "", true), ("", "", false), ("123", "124", false), ("000", "000", true), ("0", "1", false),
    ])
    func serials(typed: String, read: String, isTaken: Bool) {
        #expect((check(serial: (typed, read)).refusal == nil) == isTaken)
        // Nobody's reason makes another device the right one.
        #expect((check(serial: (typed, read), accepted: "I say so").refusal == nil) == isTaken)
    }

    @Test func reasonsAreForEnergyOnly() {
        #expect(check(read: 1_000_000).refusal?.contains("100.000 kWh, the meter answers 1000.000 kWh") == true)
        #expect(check(read: 1_000_000).refusal?.contains("a factor of about 10") == true)
        #expect(check(read: 1_000_000, accepted: "display in MWh").refusal == nil)
        #expect(check(read: nil, accepted: "broken").refusal?.contains("no value for 1-0:2.8.0") == true)
    }

    @Test func extremesDoNotTrap() {
        for (read, power, resolution) in [(UInt64.max, UInt64.max, UInt64.max), (0, 0, 0)] as [(UInt64, UInt64, UInt64)]
        {
            _ = check(typed: "999999999.999", read: read, resolution: resolution, power: power).refusal
        }
    }
}

struct CommissioningBookTests {
    private let meter = Identifier("m-1")!
    private let profile = Digest(of: [1])

    private func book(_ serial: String = "123") -> CommissioningBook {
        var book = CommissioningBook()
        book.record(
            CommissioningBook.Entry(
                meter: meter, serial: serial, profile: profile, by: Signatory(user: "ann", name: "Ann"),
                at: UTCInstant(milliseconds: 5), registers: [], accepted: nil))
        return book
    }

    @Test func whatChangesTakesItAway() {
        let book = book()
        #expect(book.standing(of: meter, profile: profile, serial: "00123").isDone)
        // Not heard yet after a start: what was said stands.
        #expect(book.standing(of: meter, profile: profile, serial: "").isDone)
        #expect(!book.standing(of: meter, profile: profile, serial: "124").isDone)
        #expect(!book.standing(of: meter, profile: Digest(of: [2]), serial: "123").isDone)
        #expect(book.standing(of: Identifier("m-2")!, profile: profile, serial: "123") == .never)
        #expect(CommissioningBook().standing(of: meter, profile: profile, serial: "") == .never)
    }

    @Test func anExchangeEndsWhatWasSaid() {
        var book = book()
        let last = [RegisterSeen(obis: "1-0:2.8.0", typedWattHours: 5, read: nil)]
        book.record(
            CommissioningBook.Farewell(meter: meter, serial: "123", last: last, at: UTCInstant(milliseconds: 6)))
        #expect(book.farewell(meter)?.last == last)
        book.exchanged(meter)
        #expect(book.farewell(meter) == nil && book.entry(meter) == nil)
    }
}
