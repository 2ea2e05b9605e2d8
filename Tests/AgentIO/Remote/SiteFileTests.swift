// A remote version over the site's file: what it may say, what it cannot exceed, and what `config show` makes of it.

internal import AgentCore
@testable internal import AgentIO
internal import Foundation
internal import Kit
internal import Proofs
internal import Quantities
internal import Settings
internal import Testing

struct SiteFileTests {
    private static func site(_ place: TemporaryDirectory, remote: String) throws -> SiteFile {
        let text = """
            gateway: gw-1
            key: /nowhere/key.pem
            interval: 60s
            window: {bytes_per_second_max: 64KiB}
            spool: {path: \(place.path)}
            profiles: \(Workplace.root)/firmware-profiles
            \(remote)
            buses:
              - tcp: 192.0.2.10:502
                meters: [{id: meter-a, profile: abb/b23}, {id: meter-b, unit: 2, profile: abb/b23, interval: 5s}]
              - {tcp: 192.0.2.11:502, meters: [{id: meter-c, profile: abb/b23}]}

            """
        try Workplace.write(text, to: place.file("agent.yaml"))
        return try SiteFile(path: place.file("agent.yaml"))
    }

    private static let all = "remote: {allowed: true, parts: [intervals, meters, uplink], bytes_a_day_max: 64MiB}"

    private static func version(_ text: String) -> RemoteConfiguration.Version {
        RemoteConfiguration.Version(number: 7, identity: Digest(of: [1]), text: text)
    }

    @Test func aVersionLiesOverTheFile() throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place, remote: Self.all)
        let settings = try site.settings(
            over: Self.version(
                """
                interval: 30s
                resend_after: 60s
                window: {bytes_per_second_max: 32KiB}
                meters:
                  - {id: meter-c, unit: 3, quantities: [1-0:2.8.0]}
                  - {id: meter-d, bus: "tcp://192.0.2.11:502", unit: 4, profile: abb/b23, interval: 15m}
                """))
        #expect(settings.buses.map { $0.meters.map(\.id.text) } == [["meter-a", "meter-b"], ["meter-c", "meter-d"]])
        // What a meter's own line says stands, unless the version names the meter.
        #expect(settings.buses[0].meters.map(\.interval) == [30_000, 5_000])
        #expect(settings.buses[1].meters.map(\.interval) == [30_000, 900_000])
        #expect(settings.buses[1].meters.map(\.unit) == [3, 4] && settings.buses[1].meters[0].quantities.count == 1)
        #expect(settings.limits.bytesPerSecondMax == 32_768 && settings.limits.resendAfter == 60_000)
        #expect(settings.limits.recordsMax == 64 && settings.file == site.path)
        #expect(try site.settings(over: nil).buses[1].meters.count == 1)
    }

    @Test(arguments: [
        ("interval: 5s", "interval_min"), ("meters: [{id: meter-a, interval: 9s}]", "at least 10s"),
        ("meters: [{id: meter-b, interval: 1s}]", "interval_min"), ("interval: 7m", "boundary"),
        ("window: {bytes_per_second_max: 65KiB}", "at most 64KiB"), ("window: {records_max: 9}", "window"),
        ("resend_after: 29s", "at least 30s"), ("commit: 1s", "not known"), ("spool: {path: /x}", "not known"),
        ("mqtt: {host: elsewhere}", "not known"), ("remote: {allowed: true}", "not known"),
        ("meters: [{id: nobody, unit: 3}]", "not in the site's file"),
        ("meters: [{id: meter-a, bus: \"tcp://192.0.2.11:502\"}]", "site's to say"),
        ("meters: [{id: meter-x, bus: \"tcp://192.0.2.99:502\", profile: abb/b23}]", "no bus of the site's file"),
        ("meters: [{id: meter-x, bus: \"tcp://192.0.2.11:502\", unit: 1, profile: abb/b23}]", "unit 1"),
        ("meters: [{id: meter-a, unit: 300}]", "255"), ("meters: [{id: meter-a}, {id: meter-a}]", "twice"),
        ("meters: [{id: meter-a, tcp: x}]", "not known"), ("interval: &a 30s", ""), ("interval", ""), ("[1]", ""),
    ])
    func whatIsBeyondTheLimitsIsRefused(text: String, words: String) throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place, remote: Self.all)
        let error = #expect(throws: SettingsError.self) { try site.settings(over: Self.version(text)) }
        let said = try #require(error).description
        #expect((words.isEmpty || said.contains(words)) && said.contains("remote version 7"), "\(said)")
    }

    @Test func identityIsReadNoMoreOftenEither() throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place, remote: "remote: {allowed: true, interval_min: 30m}")
        _ = try site.settings(over: Self.version("identity_interval: 30m"))
        for text in ["identity_interval: 15m", "meters: [{id: meter-a, identity_interval: 5m}]"] {
            let error = #expect(throws: SettingsError.self) { try site.settings(over: Self.version(text)) }
            #expect(try #require(error).description.contains("identity_interval"), "\(String(describing: error))")
        }
    }

    @Test(arguments: [
        ("", "remote.allowed"), ("remote: {allowed: false}", "remote.allowed"),
        ("remote: {allowed: true}", "`remote.parts`"), ("remote: {allowed: true, parts: [uplink]}", "`remote.parts`"),
    ])
    func theSiteSaysWhatMayBeChanged(remote: String, words: String) throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place, remote: remote)
        let error = #expect(throws: SettingsError.self) {
            try site.settings(over: Self.version("meters: [{id: meter-a, unit: 5}]"))
        }
        #expect(try #require(error).description.contains(words), "\(String(describing: error))")
    }

    @Test func bytesADayAreCounted() throws {
        let place = try TemporaryDirectory()
        let remote = "remote: {allowed: true, interval_min: 1s, bytes_a_day_max: 8MiB}"
        let site = try Self.site(place, remote: remote)
        _ = try site.settings(over: Self.version("interval: 30s"))
        let error = #expect(throws: SettingsError.self) {
            try site.settings(
                over: Self.version("interval: 1s\nmeters: [{id: meter-a, interval: 1s}, {id: meter-b, interval: 1s}]"))
        }
        #expect(try #require(error).description.contains("bytes_a_day_max"))
    }

    @Test(arguments: [
        "remote: {}", "remote: {allowed: maybe}", "remote: {allowed: true, parts: [brokers]}",
        "remote: {allowed: true, parts: [meters, meters]}", "remote: {allowed: true, trial: 4s}",
        "remote: {allowed: true, interval_min: 1ms}", "remote: {allowed: true, key: x}",
    ])
    func theSectionIsStrict(remote: String) throws {
        let place = try TemporaryDirectory()
        #expect(throws: SettingsError.self) { try Self.site(place, remote: remote) }
    }

    @Test func theSheetNamesTheVersion() throws {
        let place = try TemporaryDirectory()
        _ = try Self.site(place, remote: Self.all)
        var state = RemoteConfiguration()
        let text = """
            interval: 30s
            meters: [{id: meter-c, unit: 3}, {id: meter-d, bus: "tcp://192.0.2.11:502", unit: 4, profile: abb/b23}]
            """
        state.begin(Self.version(text), expected: [])
        try RemoteFile(folder: place.path).write(state)
        let sheet = try ConfigurationSheet(path: place.file("agent.yaml"))
        func row(_ key: String) -> [String]? { sheet.rows.first { $0.key == key }.map { [$0.value, $0.origin] } }
        #expect(row("meter-a.interval") == ["30s", "remote version 7"])
        #expect(row("meter-b.interval") == ["5s", "site file"])
        #expect(
            row("meter-c.unit") == ["3", "remote version 7"] && row("meter-c.profile") == ["abb/b23", "site file"])
        #expect(row("meter-d.bus") == ["tcp://192.0.2.11:502", "remote version 7"])
        #expect(row("remote version") == ["7, on trial", "commands"] && row("remote.trial") == ["5m", "default"])
        // What cannot be used is not used, and the row says why.
        try Data([1, 2]).write(to: URL(fileURLWithPath: place.file("remote")))
        let broken = try ConfigurationSheet(path: place.file("agent.yaml"))
        #expect(broken.rows.contains { $0.key == "remote version" && $0.value.hasPrefix("not used") })
        #expect(broken.rows.contains { $0.key == "meter-a.interval" && $0.origin == "site file" })
    }
}
