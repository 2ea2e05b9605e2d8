// From facts about the machine to findings: who holds the line, what the disk, the clock and the certificates are like.

internal import Quantities

extension MachineFacts {
    package static let latencyMillisecondsMax = 2
    /// A durable write above this makes a commit late.
    package static let syncMillisecondsMax: Int64 = 2_000
    /// Room below which the disk counts as full: the spool's reserve and a commit.
    package static let freeBytesMin: Int64 = 8_388_608
    package static let expiringMilliseconds: Int64 = 30 * 86_400_000
    static let volatileFileSystems: Set<String> = ["tmpfs", "ramfs", "overlay", "aufs", "squashfs", "zram"]
    static let own = "kilomint-agent"

    /// In no order.
    package var findings: [Finding] {
        ttys.flatMap { $0.findings } + rivalFindings + (disk?.findings ?? []) + (clock?.findings ?? [])
            + certificateFindings
    }

    /// Alone: whoever can read them may be another than who looks at the rest.
    package var certificateFindings: [Finding] { certificates.flatMap { $0.findings(now: clock?.now) } }

    /// A program that grabs lines matters where there are lines, and is named once: as holder if it holds one.
    private var rivalFindings: [Finding] {
        guard !ttys.isEmpty else { return [] }
        let holding = Set(ttys.flatMap { $0.holders.map(\.pid) })
        return rivals.filter { !holding.contains($0.pid) }.map { rival in
            Finding(
                .ttyRival, rival.command, "process \(rival.pid) (\(rival.command)) runs and opens new serial lines",
                remedy: rival.stop(tty: nil))
        }
    }
}

extension LineHolder {
    /// The command that ends it, and keeps it ended.
    ///
    /// - Parameter tty: `ttyS0`, where it is known.
    func stop(tty: String?) -> String {
        switch command {
        case "ModemManager":
            "systemctl disable --now ModemManager, or the package's udev rule (ID_MM_PORT_IGNORE) if a modem needs it."
        case "brltty": "systemctl mask --now brltty-udev brltty, or: apt remove brltty."
        case "agetty", "getty", "login": "systemctl mask --now serial-getty@\(tty ?? "ttyS0")."
        case "gpsd": "systemctl disable --now gpsd gpsd.socket, or take this line out of /etc/default/gpsd."
        default: "Look with `ps \(pid)` what it is; end it with `kill \(pid)`, and keep its service from starting."
        }
    }
}

extension TTYFacts {
    private var tty: String { String(resolved.split(separator: "/").last ?? "") }

    var findings: [Finding] {
        guard isThere else { return [Finding(.ttyMissing, device, "no such device: \(device)")] }
        var found: [Finding] = []
        for holder in holders where holder.command != MachineFacts.own {
            let how = holder.isByLockFile ? "a lock file names" : "it is held open by"
            found.append(
                Finding(
                    .ttyHeld, device, "\(how) process \(holder.pid) (\(holder.command)); the device is \(resolved)",
                    remedy: holder.stop(tty: tty)))
        }
        if isConsole {
            found.append(
                Finding(
                    .ttyHeld, device, "the kernel's console is on \(tty)",
                    remedy: "Take console=\(tty) out of the kernel's command line and start the machine anew."))
        }
        if !isPermitted {
            found.append(
                Finding(
                    .ttyPermission, device, "user \(user) may not read and write \(resolved) of group \(group)",
                    remedy: group == "root"
                        ? "Nobody should join root: a udev rule gives the line to dialout, "
                            + "SUBSYSTEM==\"tty\", KERNEL==\"\(tty)\", GROUP=\"dialout\", MODE=\"0660\"."
                        : "usermod -aG \(group) \(user), then log in anew (the service: systemctl restart)."))
        }
        if let latency = latencyMilliseconds, latency > MachineFacts.latencyMillisecondsMax {
            found.append(
                Finding(
                    .adapterLatency, device, "its latency timer is \(latency) ms, and every answer waits for it",
                    remedy:
                        "echo 1 > /sys/bus/usb-serial/devices/\(tty)/latency_timer; the package's udev rule keeps it."))
        }
        return found
    }
}

extension DiskFacts {
    var findings: [Finding] {
        var found: [Finding] = []
        if MachineFacts.volatileFileSystems.contains(fileSystem) {
            found.append(Finding(.spoolVolatile, path, "it lies on \(fileSystem), which a restart empties"))
        }
        if isReadOnly { return found + [Finding(.diskReadOnly, path, "its file system (\(fileSystem)) is read-only")] }
        if freeBytes < MachineFacts.freeBytesMin {
            found.append(Finding(.diskFull, path, "\(Self.mebibytes(freeBytes)) MiB are free on \(fileSystem)"))
        } else if freeBytes < wantedBytes {
            found.append(
                Finding(
                    .diskFull, path,
                    "\(Self.mebibytes(freeBytes)) MiB are free, but the spool may grow by \(Self.mebibytes(wantedBytes)) MiB",
                    remedy: "Make room, or lower `spool.bytes_max`: the disk would be full before the spool is."))
        }
        if let took = syncMilliseconds, took > MachineFacts.syncMillisecondsMax {
            found.append(Finding(.diskSlow, path, "a small durable write took \(took) ms"))
        }
        return found
    }

    private static func mebibytes(_ bytes: Int64) -> Int64 { max(0, bytes) / 1_048_576 }
}

extension ClockFacts {
    /// Steps that are normal: one when the time becomes known.
    static let stepsMax = 1

    var findings: [Finding] {
        var found: [Finding] = []
        switch quality {
        case .synchronised: break
        case .unsynchronised:
            found.append(
                Finding(
                    .clockUnsynchronised, "",
                    "the kernel says so; it shows \(now), and may be wrong by \(errorMilliseconds) ms or more"))
        case .unknown(let reason): found.append(Finding(.clockUnknown, "", "adjtimex: \(reason)"))
        }
        return found + Self.stepFindings(steps, largest: stepMillisecondsMax)
    }

    /// - Parameter largest: milliseconds.
    package static func stepFindings(_ steps: Int, largest: Int64) -> [Finding] {
        guard steps > stepsMax else { return [] }
        return [
            Finding(.clockStepped, "", "\(steps) steps since the agent started, the largest by \(largest) ms")
        ]
    }
}

extension CertificateFacts {
    func findings(now: UTCInstant?) -> [Finding] {
        switch content {
        case .unreadable(let reason): return [Finding(.certificateMissing, path, reason)]
        case .sound(let name, let from, let to):
            var found: [Finding] = []
            if let wanted = wantedName, wanted != name {
                found.append(Finding(.certificateName, path, "it says \(name), the configuration \(wanted)"))
            }
            guard let now else { return found }
            let days = (to - now) / 86_400_000
            if now >= to {
                found.append(
                    Finding(.certificateExpired, path, "since \(to), for \(0 - days) days; the clock shows \(now)"))
            } else if now < from {
                found.append(
                    Finding(
                        .certificateExpired, path, "it is valid from \(from) only, and the clock shows \(now)",
                        remedy: "The clock is wrong, or the certificate was made by a machine whose clock is."))
            } else if to - now < MachineFacts.expiringMilliseconds {
                found.append(Finding(.certificateExpiring, path, "on \(to), in \(days) days"))
            }
            return found
        }
    }
}
