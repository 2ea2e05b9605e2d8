// Which version of a profile is for a device, by what it says in the words of each: firmware that one names, that none
// names, that cannot be read.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Testing

struct VersionSearchTests {
    /// Firmware in register `at`; `more` are further lines.
    static func profile(_ name: String, at address: Int, _ range: String, model: String = "") throws -> Profile {
        let yaml = """
            profile: test/\(name)
            revision: 1
            vendor: test
            models: [one]
            level: document
            source: {document: none, revision: none, place: none}
            limits: {registers-max: 60, gap-max: 0, pause: 0ms, timeout: 1s}
            \(range.isEmpty ? "" : "firmware: [{\(range)}]")
            identity:
              model: {function: 3, address: 0, type: u16\(model)}
              firmware: {function: 3, address: \(address), type: u16, optional: true}
            quantities:
              - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 10, type: u64, scale: 1}

            """
        return try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "test.yaml"))
    }

    private static func versions() throws -> [Profile] {
        [
            try profile("one", at: 1, "below: \"2\""), try profile("one-2", at: 1, "from: \"2\", below: \"4\""),
            try profile("one-4", at: 2, "from: \"4\"", model: ", expected: [\"7\"]"),
        ]
    }

    static func meter(_ versions: [Profile]) -> ConfiguredMeter {
        var meter = ConfiguredMeter(
            index: 0, id: Identifier("meter-0")!, profile: versions[0], unit: 1, endpoint: "tcp://x:502",
            quantities: [.activeExport], interval: 60_000, identityInterval: 3_600_000)
        meter.versions = versions
        return meter
    }

    /// Registers of the device → the version chosen; nil: the fallback.
    @Test(
        arguments: [
            ([0: 1, 1: 1], "test/one"), ([0: 1, 1: 3], "test/one-2"), ([0: 7, 2: 4], "test/one-4"),
            // Not the model that version 4 is for, firmware that nobody names, firmware that is not there.
            ([0: 1, 2: 4], nil), ([0: 1, 1: 9], nil), ([0: 1], nil), ([:], nil),
            // Two speak of it: the one that expects more.
            ([0: 7, 1: 3, 2: 5], "test/one-4"),
        ] as [([UInt16: UInt8], String?)])
    func theDeviceChooses(registers: [UInt16: UInt8], name: String?) throws {
        var search = VersionSearch(Self.meter(try Self.versions()), chain: [])
        var asked: [ReadRequest] = []
        while case .read(let request) = search.step {
            #expect(!asked.contains(request))
            asked.append(request)
            let words = (request.address..<request.address + request.count).map { registers[$0] }
            search.answer(words.contains(nil) ? nil : words.flatMap { [0, $0 ?? 0] })
        }
        // Each register once, whichever versions want it.
        #expect(asked.map(\.address).sorted() == [0, 1, 2])
        guard case .chosen(let choice) = search.step else { return }
        #expect(choice.isFallback == (name == nil))
        #expect(choice.profile.name == name ?? "test/one")
    }

    @Test func aVersionThatTheChainDoesNotHaveIsNoCandidate() throws {
        let file = Workplace.root + "/firmware-profiles/sunspec/inverter-103.yaml"
        let profile = try Profile(try SettingsFile.load(path: file))
        let search = VersionSearch(Self.meter([profile, profile]), chain: [])
        #expect(search.step == .chosen(VersionChoice(profile: profile, isFallback: true)))
    }

    @Test func whatWasChosenIsKnownAfterARestartAndAReload() throws {
        let versions = try Self.versions()
        let meter = Self.meter(versions)
        var register = MeterRegister([meter])
        register.planned(
            try MeterPlan(meter.read(with: VersionChoice(profile: versions[1], isFallback: false)), chain: []))
        let birth = register.birth(agentVersion: "test", predecessor: nil, replay: nil)
        #expect(birth.meters[0].profileName == "test/one-2" && birth.meters[0].profileDigest == versions[1].digest)
        // A birth before the device was asked again names no other profile.
        var later = MeterRegister([meter])
        later.recall(birth)
        #expect(later.meters[0].profile == versions[1])
        #expect(register.exchanged(for: [meter], kept: []).meters[0].profile == versions[1])
        // The version is gone: the fallback.
        #expect(register.exchanged(for: [Self.meter([versions[0]])], kept: []).meters[0].profile == versions[0])
        register.planned(
            try MeterPlan(meter.read(with: VersionChoice(profile: versions[0], isFallback: true)), chain: []))
        let said = register.doubts(isReplay: false).map(\.description)
        #expect(said.count == 1 && said[0].contains("none of test/one, test/one-2, test/one-4 is for"), "\(said)")
    }
}
