// A house for tests of windows: genesis, one entity with a revenue meter and an inverter, and a gateway that signs what
// the test lets the registers show. Signatures are not made here: whoever checks them is told that they are right.

import CBOR
import CollectorCore
import Evidence
import Metering
import Proofs
import Quantities
import Settings

/// 2016-07-07T06:00:00Z, where the demonstration's grid starts.
let anchor = UTCInstant(milliseconds: 1_467_871_200_000)
let hour: Int64 = 3_600_000
let day: Int64 = 86_400_000

func id(_ text: String) -> Identifier { Identifier(text)! }

extension Digest {
    /// A digest that is easily told from others.
    static func test(_ text: String) -> Digest { Digest(of: Array(text.utf8)) }
}

/// Envelopes whose signature is the key's bytes over and over: no signature at all, but one that names its maker.
enum TestSigner {
    static func document(_ payload: [UInt8], _ type: ContentType, by keys: [[UInt8]]) throws -> Document {
        try Document(keys.map { envelope(payload, type, by: $0) })
    }

    static func envelope(_ payload: [UInt8], _ type: ContentType, by key: [UInt8]) -> SignedMessage {
        SignedMessage.signing(payload, as: type, algorithm: .es256, kid: KeyID.kid(ofSPKI: key)) { _ in mark(key) }
    }

    static func check(_ message: SignedMessage, _ spki: [UInt8]) -> Bool { message.signature == mark(spki) }

    private static func mark(_ key: [UInt8]) -> [UInt8] { Digest(of: key).bytes + Digest(of: key).bytes }
}

enum TestProfiles {
    /// A MID meter: import at 0, export at 4 (10 Wh), power at 8 (0.01 W).
    static let revenue = profile(
        "test/revenue",
        """
          - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: u64, scale: 10}
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 4, type: u64, scale: 10}
          - {obis: 1-0:16.7.0, kind: gauge, unit: W, direction: import, function: 3, address: 8, type: s32, scale: 0.01}
        """)
    /// An inverter: 1 Wh, 32 bits, 0 is no value.
    static let inverter = profile(
        "test/inverter",
        """
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 0, type: acc32, scale: 1,
             modulus: 0x100000000}
        """)
    /// 16 bits of 1 Wh: rolls over within a test.
    static let small = profile(
        "test/small",
        """
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 0, type: u16, scale: 1,
             modulus: 0x10000}
        """)

    /// ``revenue`` with a mode that must be 7, where power has its upper word.
    static let moded = profile(
        "test/revenue",
        """
          - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: u64, scale: 10}
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 4, type: u64, scale: 10}
        """, identity: "{mode: {function: 3, address: 8, type: u16, expected: [\"7\"]}}")
    /// ``revenue`` for firmware 2.
    static let ranged = profile(
        "test/revenue",
        """
          - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: u64, scale: 10}
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 4, type: u64, scale: 10}
        """, identity: "{firmware: {function: 3, address: 9, type: u16}}", firmware: "[{from: \"2\", below: \"3\"}]")

    private static func profile(_ name: String, _ quantities: String, identity: String = "{}", firmware: String? = nil)
        -> Profile
    {
        let yaml = """
            profile: \(name)
            revision: 1
            vendor: test
            models: [one]
            level: driver
            source: {document: none, revision: none, place: none}
            limits: {registers-max: 125, gap-max: 8, pause: 0ms, timeout: 1s}
            identity: \(identity)
            \(firmware.map { "firmware: \($0)" } ?? "")
            quantities:
            \(quantities)

            """
        do { return try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "test.yaml")) } catch {
            preconditionFailure("the test's profile is not one: \(error)")
        }
    }
}

/// A registered house with one entity `serf`, metering point `serf-1`, meters `main` and `check`, gateway `gw-1`.
struct TestHouse {
    static let root: [UInt8] = Array("root".utf8)
    static let persons: [[UInt8]] = [Array("person-1".utf8), Array("person-2".utf8)]

    var registry: Registry
    let grid: WindowGrid
    /// Profiles that the house knows.
    private let known: [Profile]

    init(
        cadence: Int64 = day, direction: MeteringPoint.Direction = .export, nameplate: Int64 = 6000,
        shares: [(String, Int64)] = [("alice", 600_000), ("bob", 400_000)],
        profiles: [Profile] = [TestProfiles.revenue], others: [Profile] = [],
        rate: Manifest.Rate = Manifest.Rate(numerator: 1000, denominator: 1), change: (Manifest) -> Manifest = { $0 }
    ) throws {
        let manifest = change(
            Manifest(
                number: 1, effectiveFrom: anchor, cadence: cadence, grace: day, rate: rate,
                billingGrade: profiles.map(\.digest)))
        let genesis = Genesis(
            asset: "K$-TEST", anchor: anchor,
            keys: Genesis.Keys(roots: [Self.root], log: [2], receipt: [3], seal: [4]),
            manifest: try TestSigner.document(manifest.encoded, .manifest, by: [Self.root]),
            clock: .replayed(start: anchor, speed: 3600, zero: anchor), originBase: "test.example/house",
            tenant: id("test"))
        known = [TestProfiles.revenue, TestProfiles.inverter, TestProfiles.small] + others
        registry = try Registry(genesis, check: TestSigner.check)
        grid = WindowGrid(anchor: anchor, manifest: manifest)
        try register(.organisation(Organisation(id: id("operator"), name: "Operator")))
        for (index, person) in Self.persons.enumerated() {
            try register(
                .key(
                    RegisteredKey(
                        spki: person, role: .person, subject: id("person-\(index + 1)"), organisation: id("operator"),
                        validTo: anchor + 3650 * day)))
        }
        try addEntity(
            "serf", point: "serf-1", gateway: "gw-1", direction: direction, nameplate: nameplate, shares: shares)
    }

    mutating func addEntity(
        _ entity: String, point: String, gateway: String, meters: (main: String, check: String) = ("main", "check"),
        direction: MeteringPoint.Direction = .export, nameplate: Int64 = 6000,
        shares: [(String, Int64)] = [("alice", 600_000), ("bob", 400_000)]
    ) throws {
        try register(
            .entity(
                Entity(
                    id: id(entity), organisation: id("operator"), population: 1,
                    shares: shares.map {
                        Entity.Share(principal: id($0.0), account: id("\(entity)-\($0.0)"), ppm: $0.1)
                    })))
        try register(.gateway(Gateway(id: id(gateway), entity: id(entity), clockError: 1000)))
        try register(
            .meter(
                Meter(
                    id: id(meters.main), vendor: "ABB", model: "B23", serial: "serial-\(meters.main)",
                    gateway: id(gateway),
                    profileName: "test/revenue", meterClass: .midMeter)))
        try register(
            .meter(
                Meter(
                    id: id(meters.check), vendor: "Sun", model: "103", serial: "serial-\(meters.check)",
                    gateway: id(gateway), profileName: "test/inverter", meterClass: .inverter)))
        try register(
            .meteringPoint(
                MeteringPoint(
                    id: id(point), entity: id(entity), nameplateWatts: nameplate, direction: direction,
                    revenueMeter: id(meters.main), checkMeters: [id(meters.check)], latitude: 39_742_000,
                    longitude: -105_172_700, performanceRatio: 800_000)))
    }

    /// Signed by the root key and both persons, whatever it needs.
    mutating func register(_ body: Registration.Body, number: UInt64 = 1, from: UTCInstant = anchor) throws {
        let payload = Registration(number: number, effectiveFrom: from, body: body).encoded
        let isPerson = if case .key(let key) = body { key.role == .person } else { false }
        let needsNone = isPerson || [1, 3, 6].contains(body.kind)
        try registry.register(
            try TestSigner.document(payload, .registration, by: [Self.root] + (needsNone ? [] : Self.persons)),
            at: anchor,
            check: TestSigner.check)
    }

    /// Cuts, computes and replays the window; the replay must give the same output.
    func compute(
        _ index: Int64, _ admission: Admission, _ standing: Standing, statements: [SourceStatement] = [],
        reviews: [Review] = []
    ) -> (inputs: WindowInputs, outcome: WindowOutcome, transcript: Transcript) {
        let sources = CutSources(
            profiles: known.reduce(into: [:]) {
                $0[$1.digest] = $1.encoded()
            },
            statements: statements.map {
                StatementInput(identity: Digest(of: $0.encoded), payload: $0.encoded, statement: $0)
            },
            reviews: reviews.map { ReviewInput(identity: Digest(of: $0.encoded), payload: $0.encoded, review: $0) },
            isHeld: { _, _, _ in false })
        let inputs = WindowInputs(
            cutting: grid.window(index)!, registry: registry, standing: standing, admission: admission, sources: sources
        )
        let (outcome, transcript) = computeWindow(inputs)
        return (inputs, outcome, transcript)
    }

    static func statement(
        _ source: SourceKind, _ index: Int64, _ wattHours: Int64, resolution: Int64 = 10, point: String = "serf-1"
    ) -> SourceStatement {
        SourceStatement(
            source: source, meteringPoint: id(point), from: anchor + index * day, to: anchor + (index + 1) * day,
            wattHours: wattHours, resolutionWattHours: resolution, inputs: [], issuedAt: anchor + (index + 1) * day,
            method: "test")
    }
}
