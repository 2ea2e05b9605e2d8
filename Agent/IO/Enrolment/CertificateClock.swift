// At which instant this gateway judges certificates: its clock's, or, where that cannot be, the floor's.

internal import AgentCore
internal import Glibc
package import Keys
package import Quantities

/// What the machine knows of the time.
package struct CertificateClock: Sendable {
    package let time: TLSClient.Time
    /// What a person should be told; empty when the clock is believed.
    package let advice: String

    /// - Parameters:
    ///   - clock: real UTC as the machine has it.
    ///   - isSynchronised: what the kernel says of it.
    package init(
        _ settings: AgentSettings, clock: UTCInstant = Self.realTime(), isSynchronised: Bool = Self.isSynchronised
    ) {
        let folder = EnrolledFolder(settings.enrolled)
        // Not readable, not there: then it proves nothing.
        let words = [folder.ownCertificate?.notBefore, ReceiptFloor(folder: settings.spool.path).instant]
            .compactMap { $0 }.filter { TimeFloor.takes($0, clock: clock, isSynchronised: isSynchronised) }
        let proven = words + [Self.written("/proc/self/exe")].compactMap { $0 }
        let hints = [Spool.file(settings.spool.path), Spool.file(settings.spool.path) + "-wal", folder.path]
        let floor = TimeFloor(proven: proven, hints: hints.compactMap(Self.written))
        guard let instead = floor.instead(of: clock) else {
            (time, advice) = (.clock(clock), "")
            return
        }
        time = .atLeast(instead)
        advice =
            "The clock shows \(clock), which is before this program was made: certificates were judged as if it were "
            + "\(instead) or later. Set the clock, or give the gateway NTP."
    }

    /// The instant for what has to name one.
    package var instant: UTCInstant { time.instant }

    package static func realTime() -> UTCInstant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UTCInstant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// False also where the process may not ask.
    package static var isSynchronised: Bool { MachineFactsReader.clockQuality.quality == .synchronised }

    /// When a file was last written. Packages keep the time of the build.
    private static func written(_ path: String) -> UTCInstant? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return UTCInstant(milliseconds: Int64(status.st_mtim.tv_sec) * 1000)
    }
}

/// The newest time that a signed receipt gave, kept beside the spool: written by the keeper at most once a day.
struct ReceiptFloor {
    static let writeEvery: Int64 = 86_400_000
    let path: String

    init(folder: String) { path = folder + "/floor" }

    /// Nil when there is none yet, or it cannot be understood.
    var instant: UTCInstant? {
        do { return UTCInstant(try SmallFile.text(path)) } catch { return nil }  // A floor less.
    }

    /// Not synced: a power cut leaves the former one, or an unreadable one, and the next day another.
    func write(_ instant: UTCInstant) {
        let bytes = Array("\(instant)\n".utf8)
        let descriptor = open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let isWritten = Glibc.write(descriptor, bytes, bytes.count) == bytes.count
        close(descriptor)
        if isWritten { rename(path + ".new", path) }
    }
}
