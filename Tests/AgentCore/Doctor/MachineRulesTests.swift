// Machine and uplink: each finding by a fact, and gone when the fact is as it should be.

internal import AgentCore
internal import Quantities
internal import Testing

private let now = UTCInstant(milliseconds: 1_800_000_000_000)
private let day: Int64 = 86_400_000

private func tty(_ change: (inout TTYFacts) -> Void) -> MachineFacts {
    var facts = MachineFacts()
    var tty = TTYFacts(device: "/dev/serial/by-id/a", resolved: "/dev/ttyUSB0")
    change(&tty)
    facts.ttys = [tty]
    return facts
}

private func disk(_ change: (inout DiskFacts) -> Void) -> MachineFacts {
    var facts = MachineFacts()
    var disk = DiskFacts(path: "/var/lib/k", fileSystem: "ext4", freeBytes: 1 << 32, wantedBytes: 1 << 28)
    change(&disk)
    facts.disk = disk
    return facts
}

private func clock(_ change: (inout ClockFacts) -> Void) -> MachineFacts {
    var facts = MachineFacts()
    var clock = ClockFacts(quality: .synchronised, errorMilliseconds: 20, now: now)
    change(&clock)
    facts.clock = clock
    return facts
}

private func certificate(
    name: String = "gw-1", from: Int64 = -day, to: Int64 = 60 * day, wanted: String? = "gw-1"
) -> MachineFacts {
    var facts = clock { _ in }
    let content = CertificateFacts.Content.sound(name: name, from: now + from, to: now + to)
    facts.certificates = [CertificateFacts(path: "/c.pem", content: content, wantedName: wanted)]
    return facts
}

private func rival(_ pid: Int, hasLine: Bool) -> MachineFacts {
    var facts = tty { $0.holders = hasLine ? [LineHolder(pid: pid, command: "ModemManager")] : [] }
    facts.rivals = [LineHolder(pid: 7, command: "ModemManager")]
    return facts
}

private func missing() -> MachineFacts {
    var facts = MachineFacts()
    facts.certificates = [CertificateFacts(path: "/c.pem", content: .unreadable("no such file"), wantedName: nil)]
    return facts
}

struct MachineRulesTests {
    /// Facts, what is found, a word that the evidence or the remedy must have.
    private static let cases: [(MachineFacts, [FindingID], String)] = [
        (tty { _ in }, [], ""), (tty { $0.isThere = false }, [.ttyMissing], "/dev/serial/by-id/a"),
        (
            tty { $0.holders = [LineHolder(pid: 812, command: "brltty")] }, [.ttyHeld],
            "systemctl mask --now brltty-udev"
        ),
        (tty { $0.holders = [LineHolder(pid: 812, command: "minicom")] }, [.ttyHeld], "kill 812"),
        (tty { $0.holders = [LineHolder(pid: 812, command: "agetty")] }, [.ttyHeld], "serial-getty@ttyUSB0"),
        (
            tty { $0.holders = [LineHolder(pid: 812, command: "cu", isByLockFile: true)] }, [.ttyHeld],
            "a lock file names process 812 (cu)"
        ),
        (tty { $0.holders = [LineHolder(pid: 3, command: "kilomint-agent")] }, [], ""),
        (tty { $0.isConsole = true }, [.ttyHeld], "console=ttyUSB0"),
        (
            tty {
                $0.isPermitted = false
                $0.user = "ann"
            }, [.ttyPermission], "usermod -aG dialout ann"
        ),
        (
            tty {
                $0.isPermitted = false
                $0.group = "root"
            }, [.ttyPermission], "KERNEL==\"ttyUSB0\", GROUP=\"dialout\""
        ),
        (tty { $0.latencyMilliseconds = 16 }, [.adapterLatency], "16 ms"), (tty { $0.latencyMilliseconds = 1 }, [], ""),
        (rival(7, hasLine: false), [.ttyRival], "systemctl disable --now ModemManager"),
        (rival(7, hasLine: true), [.ttyHeld], "process 7"),
        (disk { _ in }, [], ""), (disk { $0.fileSystem = "tmpfs" }, [.spoolVolatile], "tmpfs"),
        (disk { $0.fileSystem = "overlay" }, [.spoolVolatile], "overlay"),
        (disk { $0.isReadOnly = true }, [.diskReadOnly], "ext4"),
        (disk { $0.freeBytes = 1 << 20 }, [.diskFull], "1 MiB are free"),
        (disk { $0.freeBytes = 1 << 27 }, [.diskFull], "128 MiB are free, but the spool may grow by 256 MiB"),
        (disk { $0.syncMilliseconds = 2_001 }, [.diskSlow], "2001 ms"), (disk { $0.syncMilliseconds = 2_000 }, [], ""),
        (clock { _ in }, [], ""), (clock { $0.quality = .unsynchronised }, [.clockUnsynchronised], "20 ms"),
        (
            clock { $0.quality = .unknown("Operation not permitted") }, [.clockUnknown],
            "adjtimex: Operation not permitted"
        ),
        (clock { $0.steps = 1 }, [], ""),
        (
            clock {
                $0.steps = 3
                $0.stepMillisecondsMax = 9_000
            }, [.clockStepped], "3 steps"
        ),
        (certificate(), [], ""), (certificate(to: 29 * day), [.certificateExpiring], "in 29 days"),
        (certificate(to: 0), [.certificateExpired], "for 0 days"),
        (certificate(from: day), [.certificateExpired], "valid from"),
        (certificate(name: "gw-2"), [.certificateName], "it says gw-2, the configuration gw-1"),
        (certificate(name: "CA", wanted: nil), [], ""), (missing(), [.certificateMissing], "no such file"),
    ]

    @Test(arguments: cases.indices)
    func factsAndFindings(number: Int) {
        let (facts, ids, word) = Self.cases[number]
        let found = facts.findings
        #expect(found.map(\.id) == ids, "\(found)")
        #expect(ids.isEmpty || found.contains { ($0.evidence + $0.remedy).contains(word) }, "\(found)")
    }

    // MARK: Uplink

    private static func broker(_ probe: UplinkFacts.Probe, _ sockets: [SocketFacts] = []) -> UplinkFacts {
        var facts = UplinkFacts()
        facts.brokers = [.init(host: "b.example", port: 8883, probe: probe, sockets: sockets)]
        return facts
    }

    private static let uplinks: [(UplinkFacts, [FindingID])] = [
        (UplinkFacts(), []), (broker(.connected(milliseconds: 40)), [.ports]),
        (broker(.failed("refused")), [.brokerUnreachable, .ports]),
        (
            broker(.connected(milliseconds: 40), [SocketFacts(unsentBytes: 1_400, retransmits: 3)]),
            [.packetsTooLarge, .ports]
        ),
        (broker(.connected(milliseconds: 40), [SocketFacts(unsentBytes: 1_400, retransmits: 2)]), [.ports]),
        (broker(.connected(milliseconds: 40), [SocketFacts(unsentBytes: 200, retransmits: 9)]), [.ports]),
    ]

    @Test(arguments: uplinks.indices)
    func wayToTheBroker(number: Int) {
        #expect(Self.uplinks[number].0.findings.map(\.id) == Self.uplinks[number].1)
    }

    /// Idle seconds of each session until it died, and whether that is a rule of the network.
    @Test(arguments: [
        ([120, 124, 118], true), ([120, 124], false), ([120, 300, 40], false), ([2, 3, 2], false),
        ([120, 124, 118, 3], true), ([1_200, 1_240, 1_190], false),
    ])
    func connectionsThatDieAlike(idles: [Int64], isCut: Bool) {
        var evidence = UplinkEvidence()
        var now: Int64 = 0
        for idle in idles {
            evidence.connected(now: now)
            evidence.heard(now: now + 5_000)
            now += 5_000 + idle * 1_000
            evidence.disconnected("lost", now: now)
        }
        let found = evidence.findings(broker: "b:8883", keepAlive: 300_000, quota: nil, now: now)
        #expect(found.map(\.id) == (isCut ? [.idleCut] : []), "\(found)")
    }

    @Test func whoMayHaveNoTopicAndWhoHasARival() {
        var evidence = UplinkEvidence()
        let ids = { evidence.findings(broker: "b", keepAlive: 30_000, quota: nil, now: 0).map(\.id) }
        evidence.connected(now: 0)
        evidence.subscribed(refused: "not authorised")
        #expect(ids() == [.notAdmitted])
        // Thrown out and back: what was refused stands until the broker says otherwise.
        evidence.disconnected("closed", now: 1)
        evidence.connected(now: 2)
        #expect(ids() == [.notAdmitted])
        evidence.subscribed(refused: nil)
        #expect(ids() == [])
        evidence.isRivalled = true
        #expect(ids() == [.clientRival])
        evidence.isRivalled = false
        evidence.key(refused: 14)
        let found = evidence.findings(broker: "b", keepAlive: 30_000, quota: nil, now: 0)
        #expect(found.map(\.id) == [.keyRefused])
        #expect(found[0].evidence.contains("put back from a copy") && found[0].remedy.contains("enroll --replace"))
        evidence.key(refused: nil)
        #expect(ids() == [])
    }

    @Test func failuresAndVolume() {
        var evidence = UplinkEvidence()
        for _ in 0..<2 { evidence.disconnected("no route", now: 0) }
        #expect(evidence.findings(broker: "b", keepAlive: 30_000, quota: nil, now: 0).isEmpty)
        evidence.disconnected("no route", now: 0)
        let found = evidence.findings(broker: "b", keepAlive: 30_000, quota: nil, now: 0)
        #expect(found.map(\.evidence) == ["the agent failed 3 times in a row: no route"])
        evidence.disconnected("TLS: unknown CA", now: 0)
        let distrusted = evidence.findings(broker: "b", keepAlive: 30_000, quota: nil, now: 0)
        #expect(distrusted.map(\.id) == [.brokerUnreachable])
        #expect(distrusted[0].remedy.contains("does not believe") && !found[0].remedy.contains("does not believe"))
        evidence.connected(now: 0)
        for _ in 0..<10 { evidence.sent(bytes: 99_920, now: 0) }
        #expect(evidence.bytesAMonth(now: 599_999) == nil)
        // A million bytes in an hour are 720 million a month.
        #expect(evidence.bytesAMonth(now: 3_600_000) == 720_000_000)
        let quota = { (limit: Int64) in
            evidence.findings(broker: "b", keepAlive: 30_000, quota: limit, now: 3_600_000).map(\.id)
        }
        #expect(quota(719_999_999) == [.simQuota] && quota(720_000_000) == [])
    }
}
