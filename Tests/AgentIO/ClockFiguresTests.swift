// What status says of the clock: for people, for programs, and what the kernel says right now.

internal import AgentCore
@testable internal import AgentIO
internal import Evidence
internal import Foundation
internal import Quantities
internal import Testing

struct ClockFiguresTests {
    private func status(_ clock: ClockFigures) throws -> (line: String?, json: [String: Any]) {
        let board = StatusBoard(recorder: Recorder(clock: try MachineClock(house: .real), meters: []), buses: [])
        var figures = AgentFigures()
        figures.clock = clock
        board.set(figures)
        let object = try JSONSerialization.jsonObject(with: Data(board.json.utf8)) as? [String: Any]
        let lines = board.text.split(separator: "\n").filter { $0.hasPrefix("clock ") }
        #expect(lines.count == 1)
        return (lines.first.map(String.init), try #require(object?["clock"] as? [String: Any]))
    }

    @Test(
        arguments: [
            (.synchronised, 12, "synchronised", 12, "synchronised, wrong by at most 12 ms"),
            (
                .unsynchronised, 16_000, "unsynchronised", 16_000,
                "NOT SYNCHRONISED, may be wrong by 16000 ms or more"
            ),
            (.unknown("not \"permitted\""), 0, "unknown", nil, "UNKNOWN whether it is synchronised: not \"permitted\""),
            (nil, 0, "replayed", nil, "replays the past"),
        ] as [(ClockFacts.Quality?, Int64, String, Int?, String)])
    func eachStateIsSaid(kernel: ClockFacts.Quality?, error: Int64, state: String, json: Int?, text: String) throws {
        let said = try status(ClockFigures(kernel: kernel, errorMilliseconds: error))
        #expect(said.line == "clock      " + text)
        #expect(said.json["state"] as? String == state && said.json["error_ms"] as? Int == json)
        #expect(said.json["steps"] as? Int == 0 && said.json["largest_step_ms"] as? Int == 0)
    }

    /// The clock is set between the moment that a record is of and the look at its quality.
    @Test(
        arguments: [(Int64(0), 2), (50, 2), (-46 * 365 * 86_400_000, 1), (3_600_000, 1), (-101, 1)] as [(Int64, Int)])
    func aMomentFromBeforeTheClockWasSetGivesNoTime(off: Int64, sync: Int) throws {
        let clock = try MachineClock(house: .real)
        let now = clock.now()
        let moment = Moment(uptime: now.uptime, utc: now.utc + off, monotonic: now.monotonic)
        #expect(clock.recordClock(moment, (.synchronised, 3)).sync == sync)
        #expect(clock.recordClock(moment, (.unknown("why"), 0)).sync == 0)
        // Whoever replays the past has no clock that is set.
        let past = try MachineClock(
            house: .replayed(start: UTCInstant(milliseconds: 0), speed: 1_000, zero: UTCInstant(milliseconds: 0)))
        #expect(past.recordClock(past.now()).sync == 2)
    }

    @Test func stepsAreCounted() throws {
        let said = try status(ClockFigures(kernel: .synchronised, errorMilliseconds: 1, steps: 2, stepMax: -5_000))
        #expect(said.line == "clock      synchronised, wrong by at most 1 ms; 2 steps, the largest by -5000 ms")
        #expect(said.json["steps"] as? Int == 2 && said.json["largest_step_ms"] as? Int == -5_000)
    }

    @Test func theKernelIsAsked() throws {
        let figures = try MachineClock(house: .real).figures(steps: (3, 7))
        #expect(figures.kernel == MachineFactsReader.clockQuality.quality)
        #expect((figures.steps, figures.stepMax) == (3, 7))
        let zero = UTCInstant(milliseconds: 0)
        let replay = try MachineClock(house: .replayed(start: zero, speed: 60, zero: zero)).figures(steps: (0, 0))
        #expect(replay == ClockFigures(kernel: nil))
    }
}
