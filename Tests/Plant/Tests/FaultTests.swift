// Fault specifications and draws: what is understood, what is refused, and that a seed repeats a run.

import PlantModel
import Quantities
import Testing

struct FaultTests {
    private static let start = UTCInstant("2016-07-08T00:00:00Z")!

    @Test(arguments: FaultKind.allCases)
    func everyKindIsUnderstood(kind: FaultKind) throws {
        #expect(try FaultSpecification.parse("kind=\(kind.rawValue)") == FaultSpecification(kind: kind))
    }

    @Test func everyKeyIsUnderstood() throws {
        var late = FaultSpecification(kind: .late)
        late.milliseconds = 3000
        late.ratePpm = 250_000
        late.from = Self.start
        late.to = Self.start + 3_600_000
        late.target = .meters
        let text = "meter=b23,ms=3000,rate=250000,from=2016-07-08T00:00:00Z,to=2016-07-08T01:00:00Z,kind=late"
        #expect(try FaultSpecification.parse(text) == late)
        #expect(try FaultSpecification.parse("kind=exception,code=11").code == 11)
        #expect(try FaultSpecification.parse("kind=zero,seconds=86400").seconds == 86_400)
    }

    @Test(arguments: [
        ("", ""), ("kind", "kind"), ("rate=1", "kind"), ("kind=slow", "kind"), ("kind=timeout,", ""),
        ("kind=timeout,rate=1000001", "rate"), ("kind=timeout,rate=-1", "rate"), ("kind=timeout,rate=1.5", "rate"),
        ("kind=timeout,rate=1,rate=2", "rate"), ("kind=timeout,ms=5", "ms"), ("kind=timeout,code=5", "code"),
        ("kind=exception,code=0", "code"), ("kind=exception,code=256", "code"), ("kind=late,ms=0", "ms"),
        ("kind=late,ms=60001", "ms"), ("kind=zero,seconds=0", "seconds"), ("kind=zero,seconds=86401", "seconds"),
        ("kind=timeout,from=yesterday", "from"), ("kind=timeout,meter=sdm630", "meter"),
        ("kind=timeout,colour=1", "colour"),
        ("kind=timeout,from=2016-07-08T00:00:00Z,to=2016-07-08T00:00:00Z", "to"),
    ])
    func refused(text: String, key: String) {
        let error = #expect(throws: FaultSyntaxError.self) { try FaultSpecification.parse(text) }
        #expect(error?.key == key)
        #expect(error?.allowed.isEmpty == false)
    }

    private func faults(_ text: String, seed: UInt64 = 1, device: UInt64 = 0, inverter: Bool = false) throws
        -> DeviceFaults
    {
        DeviceFaults([try FaultSpecification.parse(text)], seed: seed, device: device, isInverter: inverter)
    }

    @Test func aSeedRepeatsARun() throws {
        func run(seed: UInt64, device: UInt64) throws -> [DeviceFaults.Outcome] {
            var faults = try faults("kind=garbage,rate=100000", seed: seed, device: device)
            return (0..<1000).map { _ in faults.next(at: Self.start) }
        }
        #expect(try run(seed: 1, device: 0) == run(seed: 1, device: 0))
        #expect(try run(seed: 1, device: 0) != run(seed: 2, device: 0))
        #expect(try run(seed: 1, device: 0) != run(seed: 1, device: 1))
    }

    @Test(arguments: [(0, 0...0), (1_000_000, 20_000...20_000), (100_000, 1800...2200)] as [(Int, ClosedRange<Int>)])
    func rateIsKept(ppm: Int, hits: ClosedRange<Int>) throws {
        var faults = try faults("kind=timeout,rate=\(ppm)")
        let drawn = (0..<20_000).count { _ in faults.next(at: Self.start).fault != nil }
        #expect(hits.contains(drawn), "\(drawn)")
    }

    @Test(arguments: [(-1, false), (0, true), (999, true), (1000, false)] as [(Int64, Bool)])
    func timeIsHalfOpen(offset: Int64, isFaulty: Bool) throws {
        var faults = try faults("kind=timeout,from=2016-07-08T00:00:00Z,to=2016-07-08T00:00:01Z")
        #expect((faults.next(at: Self.start + offset).fault != nil) == isFaulty)
    }

    @Test(arguments: [("all", true, true), ("b23", true, false), ("inverter", false, true)])
    func target(meter: String, touchesMeter: Bool, touchesInverter: Bool) throws {
        var own = try faults("kind=timeout,meter=\(meter)")
        var check = try faults("kind=timeout,meter=\(meter)", inverter: true)
        #expect((own.next(at: Self.start).fault != nil) == touchesMeter)
        #expect((check.next(at: Self.start).fault != nil) == touchesInverter)
    }

    /// A reboot at a stated time: zero for exactly its seconds, however often it is asked and if first asked late.
    @Test func rebootAtAStatedTime() throws {
        var faults = try faults("kind=zero,from=2016-07-08T00:00:00Z,seconds=60")
        let zeroed = [-1, 0, 59_999, 60_000, 61_000, 3_600_000].map { faults.next(at: Self.start + $0).countersZeroed }
        #expect(zeroed == [false, true, true, false, false, false])
        var late = try self.faults("kind=zero,from=2016-07-08T00:00:00Z,seconds=60")
        #expect(!late.next(at: Self.start + 60_000).countersZeroed)
    }

    /// A drawn reboot lasts its seconds from the request that drew it and is not prolonged by draws meanwhile.
    @Test func drawnReboot() throws {
        var faults = try faults("kind=zero,rate=999999,seconds=10")
        #expect(faults.next(at: Self.start).countersZeroed)
        #expect(faults.next(at: Self.start + 9_999).countersZeroed)
        var rare = try self.faults("kind=zero,rate=1000,seconds=10")
        let zeroed = (0..<100_000).count { rare.next(at: Self.start + Int64($0) * 1000).countersZeroed }
        // 100 reboots of 10 requests each, less what overlaps.
        #expect((600...1300).contains(zeroed), "\(zeroed)")
    }

    @Test func zeroAddsToAnotherFaultAndTheFirstOtherWins() throws {
        let specifications = try ["kind=zero", "kind=late", "kind=timeout"].map { try FaultSpecification.parse($0) }
        var faults = DeviceFaults(specifications, seed: 1, device: 0, isInverter: false)
        let outcome = faults.next(at: Self.start)
        #expect(outcome.countersZeroed)
        #expect(outcome.fault?.kind == .late)
    }

    @Test func garbageIsBoundedAndDiffers() {
        let all = (0..<64 as Range<UInt64>).map { Fault.garbage(DeviceFaults.mix($0)) }
        #expect(all.allSatisfy { (1...32).contains($0.count) })
        #expect(Set(all).count > 50)
    }
}
