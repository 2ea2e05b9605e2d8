// The collector's configuration and the house file: what they take, and that nothing damaged starts.

@testable import CollectorIO
import CBOR
import CollectorJournal
import Evidence
import HTTPTypes
import Proofs
import CollectorCore
import Foundation
import Keys
import Kit
import Quantities
import Settings
import Testing

struct ConfigurationTests {
    private func load(_ text: String) throws -> CollectorConfiguration {
        let place = try TemporaryDirectory()
        try HouseYard.write(text, to: place.file("collector.yaml"))
        return try CollectorConfiguration.load(path: place.file("collector.yaml"))
    }

    private var sample: String { get throws { try Workplace.text(of: "Collector/Command/sample-collector.yaml") } }

    @Test func shippedSample() throws {
        let configuration = try load(try sample)
        #expect(configuration.clock == .real && configuration.http.host == "127.0.0.1" && !configuration.http.openReads)
        #expect(configuration.tokens.count == 5 && configuration.broker.port == 8883)
        #expect(configuration.broker.tlsCAFile == "/etc/kilomint/keys/ca/ca.pem")
    }

    @Test func defaults() throws {
        let configuration = try load(
            """
            data: a
            witness: b
            log_origin: c.example/d
            profiles: e
            http: {port: 8080}
            mqtt: {host: localhost}
            keys: {receipt: f, log: g, seal: h}
            key_list: i

            """)
        #expect(configuration.clock == .real && configuration.tokens.isEmpty)
        #expect(configuration.http.host == "127.0.0.1" && !configuration.http.openReads)
        #expect(configuration.broker.port == 1883 && configuration.broker.clientID == "kilomint-collector")
        #expect(configuration.enrolment == nil)
        #expect(configuration.broker.username == nil && configuration.broker.tlsCAFile == nil)
    }

    @Test(
        "values at and beyond their bounds",
        arguments: [
            ("port: 8080", "port: 1", true), ("port: 8080", "port: 65535", true), ("port: 8080", "port: 0", false),
            ("port: 8080", "port: 65536", false), ("port: 8080", "port: -1", false),
            ("port: 8080", "port: 8O80", false),
            ("clock: real", "clock: replayed", false),
            (
                "clock: real", "clock: {replay: {start: 2016-07-07T06:00:00Z, speed: 1, zero: 2026-01-01T00:00:00Z}}",
                true
            ),
            (
                "clock: real", "clock: {replay: {start: 2016-07-07T06:00:00Z, speed: 0, zero: 2026-01-01T00:00:00Z}}",
                false
            ),
            (
                "clock: real",
                "clock: {replay: {start: 2016-07-07T06:00:00Z, speed: 1000001, zero: 2026-01-01T00:00:00Z}}", false
            ),
            ("clock: real", "clock: {replay: {start: yesterday, speed: 1, zero: 2026-01-01T00:00:00Z}}", false),
            ("port: 8443", "port: 0", false), ("90d", "59m", false), ("90d", "826d", false), ("90d", "1h", true),
            ("claim_lifetime: 7d", "claim_lifetime: 91d", false), ("[collector.example]", "[]", false),
            ("host: broker.example, port: 8883}", "port: 8883}", false),
            ("- {host: broker.example, port: 8883}", "[]", false),
            ("role: viewer", "role: root", false), ("open_reads: false", "open_reads: yes", false),
            ("collector.example/solar-east", "ab", false), ("collector.example/solar-east", "a b", false),
            ("collector.example/solar-east", "a.b/c", true),
            ("collector.example/solar-east", "https://a.b", false), ("collector.example/solar-east", "a.b/", false),
        ])
    func bounds(from: String, to: String, isTaken: Bool) throws {
        let text = try sample.replacing(from, with: to)
        #expect(try sample != text)
        if isTaken { _ = try load(text) } else { #expect(throws: SettingsError.self, "\(to)") { try load(text) } }
    }

    @Test func everyDamageIsRefused() throws {
        let place = try TemporaryDirectory()
        let path = place.file("collector.yaml")
        let mutations = try SettingsMutations.all(of: Array(try sample.utf8))
        #expect(mutations.count > 100)
        for mutation in mutations {
            try Data(mutation.bytes).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: SettingsError.self, "\(mutation.name)") {
                try CollectorConfiguration.load(path: path)
            }
            #expect(
                error?.file == path
                    && (error?.keyPath.isEmpty == false || mutation.name.contains("doubled")
                        || mutation.name.hasPrefix(" ")),
                "\(mutation.name): \(String(describing: error))")
        }
    }
}

struct ConfigurationDocumentTests {
    /// Every key of both samples, which have them all, stands in docs/collector.md.
    @Test(arguments: ["sample-collector.yaml", "sample-house.yaml", "sample-site.yaml"])
    func everyKeyIsDocumented(sample: String) throws {
        let text = try Workplace.text(of: "docs/collector.md")
        let tree = try SettingsFile.tree(try Workplace.bytes(of: "Collector/Command/" + sample), file: sample)
        let keys = Set(Self.keys(tree))
        #expect(keys.count > 15)
        for key in keys.sorted() {
            let forms = ["`\(key)`", ".\(key)`", "`\(key)[", "`\(key).", ".\(key)["]
            let isDocumented = forms.contains { text.contains($0) }
            #expect(isDocumented, "\(key) is missing from docs/collector.md")
        }
    }

    private static func keys(_ node: SettingsNode) -> [String] {
        switch node.content {
        case .scalar: []
        case .list(let items): items.flatMap(keys)
        case .map(let entries): entries.flatMap { [$0.key] + keys($0.value) }
        }
    }
}

struct HouseFileTests {
    @Test func shippedSampleBeginsAHouse() throws {
        let yard = try HouseYard()
        let file = try yard.houseFile(yard.place.file("house.yaml"))
        #expect(file.genesis.asset == "K$-TEST" && file.genesis.anchor == anchor)
        #expect(file.registrations.count == 5 + 8 + 1 + 1 + 2 + 1)
    }

    @Test func everyDamageIsRefused() throws {
        let yard = try HouseYard()
        let path = yard.place.file("house.yaml")
        let mutations = try SettingsMutations.all(of: try Workplace.bytes(of: path))
        #expect(mutations.count > 300)
        for mutation in mutations {
            try Data(mutation.bytes).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: SettingsError.self, "\(mutation.name)") { try yard.houseFile(path) }
            #expect(error?.file == path, "\(mutation.name): \(String(describing: error))")
        }
    }

    @Test(
        "what contradicts itself",
        arguments: [
            ("asset: K$-TEST", "asset: K$"), ("share: 600000", "share: 600001"), ("cadence: 24h", "cadence: 25h"),
            ("quorum: 1", "quorum: 0"),
            ("kinds: [ACK, CT]", "kinds: [ACK, ACK]"), ("kinds: [ACK, CT]", "kinds: []"),
            ("billing_grade: [test/revenue, test/inverter]", "billing_grade: [test/other]"),
            ("latitude: 39.742", "latitude: 90.1"), ("nameplate: 6000", "nameplate: 0"), ("class: mid", "class: other"),
            ("clock_error: 1s", "clock_error: 6m"),
        ])
    func contradictions(from: String, to: String) throws {
        let yard = try HouseYard()
        let path = yard.place.file("house.yaml")
        let text = try Workplace.text(of: path)
        #expect(text.contains(from))
        try HouseYard.write(text.replacing(from, with: to), to: path)
        let error = #expect(throws: SettingsError.self, "\(to)") { try yard.houseFile(path) }
        #expect(error?.allowed != nil, "\(String(describing: error))")
    }

    /// The yard's profiles are of level driver: good enough for a replay, never for money.
    @Test func aRealHouseTakesNoDriverProfile() throws {
        let yard = try HouseYard()
        let path = yard.place.file("house.yaml")
        let text = try Workplace.text(of: path).replacing("asset: K$-TEST", with: "asset: K$")
        try HouseYard.write(text, to: path)
        let error = #expect(throws: SettingsError.self) { try yard.houseFile(path, clock: .real) }
        #expect(error?.keyPath == "manifest.billing_grade[0]")
        #expect(error?.problem.contains("its level is driver") == true)
        let folder = yard.place.file("profiles")
        for name in ["revenue", "inverter"] {
            let profile = try Workplace.text(of: "\(folder)/\(name).yaml")
            try HouseYard.write(
                profile.replacing("level: driver", with: "level: document"), to: "\(folder)/\(name).yaml")
        }
        let sound = try ProfileShelf.load(folder: folder)
        let file = try HouseFile.load(
            path: path, clock: .real, logOrigin: yard.configuration.logOrigin, receipt: yard.key("receipt").publicKey,
            log: yard.key("log").publicKey, seal: yard.key("seal").publicKey,
            profile: { sound.profile(named: $0) })
        #expect(file.genesis.asset == "K$")
    }

    @Test(
        "what does not fit together",
        arguments: [
            ("organisation: owners\n", "organisation: nobody\n"),
            ("entity: solar-east, clock_error", "entity: nobody, clock_error"),
            ("revenue_meter: main", "revenue_meter: other"), ("person-b.pem]", "person-a.pem]"),
        ])
    func references(from: String, to: String) throws {
        let yard = try HouseYard()
        let path = yard.place.file("house.yaml")
        let text = try Workplace.text(of: path)
        #expect(text.contains(from))
        try HouseYard.write(text.replacing(from, with: to), to: path)
        #expect(throws: (any Error).self, "\(to)") { try yard.houseFile(path) }
    }
}

struct HouseStartTests {
    @Test func refusesWhatGenesisFixedOtherwise() async throws {
        let yard = try HouseYard()
        let text = try Workplace.text(of: yard.place.file("collector.yaml"))
        for (from, to) in [
            ("speed: 3600", "speed: 60"),
            ("log_origin: collector.example/solar-east", "log_origin: collector.example/other"),
            ("seal: \(yard.place.path)/keys/seal.pem", "seal: \(yard.place.path)/keys/root.pem"),
        ] {
            let path = yard.place.file("other.yaml")
            #expect(text.contains(from))
            try HouseYard.write(text.replacing(from, with: to), to: path)
            let other = try CollectorConfiguration.load(path: path)
            await #expect(throws: (any Error).self, "\(to)") {
                try await CollectorService.run(other)
            }
        }
    }
}
