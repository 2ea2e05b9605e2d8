// What could not be looked at is said, with the reason, and is not said where it was looked at.

internal import AgentCore
internal import Metering
internal import Quantities
internal import Testing

private func text(_ rest: [NotLookedAt]) -> [String] { rest.map { "\($0.what) — because \($0.why)" } }

struct NotLookedAtTests {
    private static func machine() -> MachineFacts {
        var facts = MachineFacts()
        var tty = TTYFacts(device: "/dev/ttyUSB0", resolved: "/dev/ttyUSB0")
        tty.latencyMilliseconds = 1
        facts.ttys = [tty]
        facts.disk = DiskFacts(path: "/var/lib/k", fileSystem: "ext4", freeBytes: 1 << 32, wantedBytes: 1)
        facts.disk?.syncMilliseconds = 3
        let now = UTCInstant(milliseconds: 1_800_000_000_000)
        facts.clock = ClockFacts(quality: .synchronised, errorMilliseconds: 1, now: now)
        facts.certificates = [CertificateFacts(path: "/c", content: .unreadable("x"), wantedName: nil)]
        return facts
    }

    private static let machines: [(@Sendable (inout MachineFacts) -> Void, [String])] = [
        ({ _ in }, []), ({ $0.ttys = [] }, ["serial lines — because no bus is one"]),
        (
            {
                $0.ttys[0].hidesHolders = true
                $0.ttys[0].user = "ann"
            }, ["who holds /dev/ttyUSB0 — because user ann may not see what others have open; root may"]
        ),
        (
            { $0.ttys[0].latencyMilliseconds = nil },
            ["the latency timer of /dev/ttyUSB0 — because its driver shows none: no FTDI adapter"]
        ),
        // Of a device that is not there its absence is the finding.
        (
            {
                $0.ttys[0].latencyMilliseconds = nil
                $0.ttys[0].isThere = false
            }, []
        ),
        ({ $0.disk = nil }, ["the spool's disk — because its folder and the one above it are not there"]),
        (
            { $0.disk?.syncMilliseconds = nil },
            ["how fast the spool's disk is — because nothing could be written in /var/lib/k"]
        ),
        ({ $0.disk?.isReadOnly = true }, []),
        ({ $0.clock = nil }, ["the machine's clock — because `clock` is replayed"]),
    ]

    @Test(arguments: machines.indices)
    func ofTheMachine(number: Int) {
        var facts = Self.machine()
        Self.machines[number].0(&facts)
        #expect(text(facts.notLookedAt) == Self.machines[number].1)
    }

    @Test func ofCertificates() {
        var facts = Self.machine()
        #expect(facts.certificatesNotLookedAt(hidden: nil) == [])
        #expect(
            text(facts.certificatesNotLookedAt(hidden: "/c")) == ["certificates — because this user may not read /c"])
        facts.certificates = []
        #expect(
            text(facts.certificatesNotLookedAt(hidden: nil)) == [
                "certificates — because the gateway is not enrolled, and `mqtt` names none"
            ])
    }

    @Test func ofTheWayToTheBroker() {
        var facts = UplinkFacts()
        #expect(
            text(facts.notLookedAt(hidden: nil)) == [
                "the way to the broker — because the gateway is not enrolled, and there is no `mqtt`"
            ])
        #expect(
            text(facts.notLookedAt(hidden: "/e")) == [
                "the way to the broker — because this user may not read /e, and no agent tells who it is"
            ])
        facts.brokers = [
            .init(host: "a", port: 1, probe: .failed("refused")),
            .init(
                host: "b", port: 2, probe: .connected(milliseconds: 1),
                segments: SegmentFacts(full: SegmentTrial(.unknown("the broker closes the connection")))),
            .init(
                host: "c", port: 3, probe: .connected(milliseconds: 1),
                segments: SegmentFacts(full: SegmentTrial(.acknowledged))),
        ]
        #expect(
            text(facts.notLookedAt(hidden: "/e")) == [
                "large packets to a:1 — because there is no connection",
                "large packets to b:2 — because the broker closes the connection",
            ])
        var evidence = UplinkEvidence()
        #expect(text(evidence.notLookedAt(quota: nil, now: 0))[0].hasSuffix("`sim_quota` is not set"))
        #expect(evidence.notLookedAt(quota: 1, now: 0).count == 1)
        evidence.sent(bytes: 1, now: 0)
        #expect(evidence.notLookedAt(quota: 1, now: 600_000) == [])
    }

    @Test func ofALine() {
        let meters = ["m-1", "m-2"].map { LineCase.Meter(id: Identifier($0)!, unit: 1) }
        var figures = BusFigures(meters: 2)
        figures.meters[0].requests = 3
        figures.meters[1].requests = 2
        func rest(_ kind: LineCase.Kind) -> [String] {
            text(LineCase(name: "bus", kind: kind, meters: meters, figures: figures).notLookedAt)
        }
        let few = "how m-2 on bus answers — because fewer than 3 requests were sent lately"
        #expect(rest(.tcp) == [few])
        #expect(rest(.serial) == [few, "broken characters on bus — because the line's driver does not count them"])
        figures.characters = CharacterErrors()
        #expect(rest(.serial) == [few])
        figures.problem = "no such device"
        #expect(rest(.serial) == ["the meters on bus — because the bus is not open"])
    }

    // MARK: Installation

    private static func meter(_ name: String, rounds: Int, _ codes: [ObisCode], every: Int64 = 60_000) -> MeterSeries {
        var series = MeterSeries(id: Identifier(name)!, unit: 1, serial: name)
        series.rounds = (0..<rounds).map { number in
            let energy = Int64(number) * 20_000_000
            let values = codes.map { ($0, $0 == .activeImport ? energy : 1_200_000_000) }
            return MeterSeries.Round(
                instant: Int64(number) * every, hour: 12, values: Dictionary(uniqueKeysWithValues: values))
        }
        return series
    }

    @Test func ofTheInstallation() {
        let all =
            ObisCode.phasePowers + ObisCode.phaseVoltages + ObisCode.phaseCurrents
            + [.activePower, .activeImport, .frequency]
        let whole = Self.meter("whole", rounds: 9, all)
        #expect(InstallationChecks.notLookedAt([whole], of: [whole.id]) == [])
        var few = Self.meter("few", rounds: 2, [.activePower])
        few.serial = ""
        let rest = text(InstallationChecks.notLookedAt([whole, few], of: [whole.id, few.id, Identifier("mute")!]))
        for line in [
            "the installation of mute — because no reading of the last minutes is there",
            "phases against the total of few — because what it needs is not read",
            "the direction of few — because fewer than 3 readings are there yet",
            "values that never change of few — because fewer than 8 readings are there yet",
            "serial numbers that come twice, of few — because the device tells none",
        ] {
            #expect(rest.contains(line), "\(rest)")
        }
        #expect(!rest.contains { $0.contains("whole") })
        // Enough readings, but not enough time for energy.
        let quick = Self.meter("quick", rounds: 9, all, every: 1_000)
        #expect(
            text(InstallationChecks.notLookedAt([quick], of: [quick.id])) == [
                "energy against power of quick — because too little energy flowed in the last minutes"
            ])
    }

    @Test func manyMetersAreOneLine() {
        let ids = (1...9).map { Identifier("m-\($0)")! }
        #expect(
            text(InstallationChecks.notLookedAt([], of: ids)) == [
                "the installation of m-1, m-2, m-3, m-4, m-5, m-6 and 3 more — because no reading of the last minutes is there"
            ])
    }
}
