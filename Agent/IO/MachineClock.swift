// The only place of the agent that reads a clock. House time goes into records, real time into waiting.

internal import AgentCore
package import Evidence
internal import Glibc
internal import Keys
package import Quantities

/// Uptime and UTC read together, and the real clock that never steps.
package struct Moment: Hashable, Sendable {
    /// House milliseconds since boot, in replay mode since the replayed start.
    package let uptime: UInt64
    /// House time.
    package let utc: UTCInstant
    /// Real milliseconds since boot.
    package let monotonic: Int64
}

/// The machine's clock as the house lives in it.
package struct MachineClock: Sendable {
    package let house: HouseClock
    /// 16 bytes of this boot; in replay mode of this process.
    package let boot: [UInt8]
    /// Real UTC minus CLOCK_BOOTTIME in nanoseconds when the process started; replay runs on it, so a stepped clock
    /// cannot turn replayed uptime back.
    private let anchor: Int64

    /// - Throws: ``SystemError`` when the kernel does not name its boot.
    package init(house: HouseClock) throws(SystemError) {
        self.house = house
        anchor = Self.nanoseconds(CLOCK_REALTIME) - Self.nanoseconds(CLOCK_BOOTTIME)
        switch house {
        case .real: boot = try Self.bootID()
        case .replayed: boot = secureRandom(count: 16)
        }
    }

    package func now() -> Moment {
        switch house {
        case .real:
            let (boottime, realtime) = Self.pair()
            return Moment(
                uptime: UInt64(max(0, boottime / 1_000_000)), utc: UTCInstant(milliseconds: realtime / 1_000_000),
                monotonic: boottime / 1_000_000)
        case .replayed(let start, let speed, let zero):
            let boottime = Self.nanoseconds(CLOCK_BOOTTIME)
            let real = max(0, anchor + boottime - zero.milliseconds * 1_000_000)
            let wide = real.multipliedFullWidth(by: speed)
            // Never beyond year 9999: no format of ours can write more.
            let room = max(0, UTCInstant(milliseconds: 253_402_300_799_999) - start)
            let elapsed = min(Int64(1_000_000).dividingFullWidth(wide).quotient, room)
            return Moment(uptime: UInt64(elapsed), utc: start + elapsed, monotonic: boottime / 1_000_000)
        }
    }

    /// Real nanoseconds to sleep at once at most: a stepped clock must not be slept through.
    package static let sleepMax: Int64 = 1_000_000_000

    /// Real nanoseconds until the house shows `instant`, as its clock goes now.
    package func nanoseconds(until instant: UTCInstant) -> Int64 {
        let ahead: Int64
        switch house {
        case .real:
            let (nanoseconds, overflow) = (instant - now().utc).multipliedReportingOverflow(by: 1_000_000)
            ahead = overflow ? .max / 4 : nanoseconds
        case .replayed(let start, let speed, let zero):
            let (scaled, overflow) = (instant - start).multipliedReportingOverflow(by: 1_000_000)
            // Rounded up, or a wait could end a nanosecond early and spin.
            let elapsed = overflow ? .max / 4 : scaled / speed + 1
            ahead = elapsed - (anchor + Self.nanoseconds(CLOCK_BOOTTIME) - zero.milliseconds * 1_000_000)
        }
        return max(0, ahead)
    }

    /// Real milliseconds for which a replayed clock still stands at its start; 0 in a real house.
    package var standstill: Int64 {
        guard case .replayed(_, _, let zero) = house else { return 0 }
        return max(0, zero.milliseconds - (anchor + Self.nanoseconds(CLOCK_BOOTTIME)) / 1_000_000)
    }

    /// The record's clock for a moment, with what the kernel knows of its quality.
    ///
    /// Who sets the clock for the first time steps it and calls it synchronised. A moment from before that is not made true
    /// by it, and everything read since the boot would get its time from this record.
    package func recordClock(_ moment: Moment) -> RecordClock {
        recordClock(moment, MachineFactsReader.clockQuality)
    }

    func recordClock(_ moment: Moment, _ kernel: (quality: ClockFacts.Quality, errorMilliseconds: Int64)) -> RecordClock
    {
        var (sync, error) = quality(moment.utc, kernel)
        let later = now()
        let step = later.utc - moment.utc - (Int64(clamping: later.uptime) - Int64(clamping: moment.uptime))
        if abs(step) >= BusSchedule.stepMin { sync = min(sync, 1) }
        return RecordClock(
            sync: sync, errorMilliseconds: error, boot: boot, uptimeMilliseconds: moment.uptime, utc: moment.utc)
    }

    /// Synchronised if the kernel's clock is disciplined; informative if the year at least is believable; unknown too
    /// where the kernel is not let to say.
    private func quality(
        _ utc: UTCInstant, _ kernel: (quality: ClockFacts.Quality, errorMilliseconds: Int64)
    ) -> (sync: Int, errorMilliseconds: UInt64) {
        guard case .real = house else { return (2, 0) }
        let sync =
            switch kernel.quality {
            case .synchronised: 2
            case .unsynchronised: utc.milliseconds > 1_700_000_000_000 ? 1 : 0
            case .unknown: 0
            }
        return (sync, UInt64(kernel.errorMilliseconds))
    }

    /// What this process is let to know of the kernel's clock, where that is nothing.
    var findings: [Finding] {
        guard case .real = house, case .unknown(let reason) = MachineFactsReader.clockQuality.quality else { return [] }
        return [Finding(.clockUnknown, "", "the running agent asks adjtimex: \(reason)")]
    }

    /// CLOCK_BOOTTIME and CLOCK_REALTIME of one moment: read again when something came between.
    private static func pair() -> (boottime: Int64, realtime: Int64) {
        for _ in 0..<3 {
            let before = nanoseconds(CLOCK_BOOTTIME)
            let realtime = nanoseconds(CLOCK_REALTIME)
            let after = nanoseconds(CLOCK_BOOTTIME)
            if after - before < 500_000 { return (before + (after - before) / 2, realtime) }
        }
        return (nanoseconds(CLOCK_BOOTTIME), nanoseconds(CLOCK_REALTIME))
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func bootID() throws(SystemError) -> [UInt8] {
        let path = "/proc/sys/kernel/random/boot_id"
        let text = try SmallFile.text(path).filter { $0 != "-" }
        guard let bytes = [UInt8](hex: text), bytes.count == 16 else {
            throw SystemError("read a boot id from \(path)", code: EINVAL)
        }
        return bytes
    }
}
