// What goes when space or age asks: receipted readings first, then the oldest unreceipted; never births, notes, keys.

internal import AgentCore
internal import Evidence
internal import Quantities
internal import Testing

struct SpoolPolicyTests {
    private let policy = SpoolPolicy(bytesMax: 1_000, ageMax: 100)

    /// B birth, R readings of 100 bytes, N note, S sent skip, g a range without envelope that stands for one number.
    private func rows(_ spelling: String, utc: Int64 = 1_000) -> [SpoolPolicy.Row] {
        spelling.enumerated().map { index, letter in
            let kind: RecordKind =
                switch letter {
                case "B": .birth
                case "N": .note
                case "R": .readings
                default: .skip
                }
            return SpoolPolicy.Row(
                sequence: UInt64(index + 1), through: UInt64(index + 1), kind: kind,
                bytes: letter == "g" ? 0 : letter == "R" ? 100 : 50, utc: UTCInstant(milliseconds: utc))
        }
    }

    /// Runs as `first-through`, a sacrifice with `!`.
    private func spelled(_ runs: [SpoolPolicy.Run]) -> String {
        runs.map { "\($0.first)-\($0.through)" + ($0.isSacrifice ? "!" : "") }.joined(separator: " ")
    }

    @Test(arguments: [
        // rows, receipted, used, full, runs
        ("BRRRRRRRR", UInt64(0), 500, false, ""),  // nothing asks
        ("BRRRRRRRR", 9, 500, false, ""),  // half is not above half
        ("BRRRRRRRR", 9, 501, false, "2-2"),
        ("BRRRRRRRR", 4, 900, false, "2-4"),  // receipted only, while below nine tenths
        ("BRRRRRRRR", 0, 900, false, ""),
        ("BRRRRRRRR", 0, 901, false, "2-3!"),  // down to eight tenths
        ("BRRRRRRRR", 2, 1_000, false, "2-2"),  // the receipted one is enough
        ("BRRRRRRRR", 2, 1_100, false, "2-2 3-4!"),
        ("BRNRBRRRR", 9, 801, false, "2-2 4-4 6-7"),  // births and notes stay and part the runs
        ("BgRRRRRRR", 0, 901, false, "2-4!"),  // a range that is gone joins its neighbour
        ("BggNRRRRR", 0, 901, false, "5-6!"),  // but is no run by itself
        ("BSRRRRRRR", 0, 901, false, "3-4!"),  // a skip that was sent stays
        ("BSRRRRRRR", 3, 601, false, "2-3"),  // receipted, it goes like readings
        ("BRRRRRRRR", 0, 100, true, "2-2!"),  // a full disk asks whatever the bound says
        ("BRRRRRRRR", 3, 100, true, "2-2"),
        ("BNNN", 0, 5_000, true, ""),
        ("", 0, 5_000, true, ""),
    ])
    func spaceAsks(_ spelling: String, _ receipted: UInt64, _ used: Int, _ isFull: Bool, _ runs: String) {
        let found = policy.runs(
            rows(spelling), receipted: receipted, used: used, now: UTCInstant(milliseconds: 1_050), isFull: isFull)
        #expect(spelled(found) == runs)
    }

    @Test(arguments: [(Int64(1_100), ""), (1_101, "2-3")])
    func ageAsksOfReceiptedOnesOnly(_ now: Int64, _ runs: String) {
        let found = policy.runs(rows("BRRRR"), receipted: 3, used: 0, now: UTCInstant(milliseconds: now))
        #expect(spelled(found) == runs)
    }
}
