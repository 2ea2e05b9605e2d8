// A registered house with real keys and signatures, for what the collector measures: entities, each with a gateway, a
// revenue meter and an inverter. No records yet.

internal import CollectorCore
internal import Evidence
internal import Keys
internal import Kit
internal import Metering
internal import Proofs
internal import Quantities
internal import Settings

/// Names that are right by construction.
func name(_ text: String) -> Identifier {
    guard let id = Identifier(text) else { preconditionFailure("\(text) is no identifier") }
    return id
}

struct BenchHouse {
    /// Local midnight of some day.
    static let anchor = UTCInstant(milliseconds: 1_467_871_200_000)
    static let day: Int64 = 86_400_000

    private(set) var registry: Registry
    let revenue: Profile
    let inverter: Profile
    private let root: PrivateKey
    private let persons: [PrivateKey]

    init() throws {
        // As if somebody had held it against a meter: below that nothing settles in a house with a real clock.
        var held = try Self.profile("abb/b23")
        held.level = .hardware
        revenue = held
        inverter = try Self.profile("sunspec/inverter-103")
        root = try PrivateKey.generate(.eddsa)
        persons = [try PrivateKey.generate(.eddsa), try PrivateKey.generate(.eddsa)]
        let manifest = Manifest(
            number: 1, effectiveFrom: Self.anchor, cadence: Self.day, grace: Self.day, billingGrade: [revenue.digest])
        let own = try (0..<3).map { _ in try PrivateKey.generate(.eddsa).publicKey.spki }
        let genesis = Genesis(
            asset: "K$", anchor: Self.anchor,
            keys: Genesis.Keys(roots: [root.publicKey.spki], log: own[0], receipt: own[1], seal: own[2]),
            manifest: try Document([try SignedMessage.signing(manifest.encoded, as: .manifest, with: root)]),
            clock: .real, originBase: "bench.example/house", tenant: name("bench"))
        registry = try Registry(genesis, check: Self.check)
        try register(.organisation(Organisation(id: name("operator"), name: "Operator")))
        for (index, person) in persons.enumerated() {
            try register(
                .key(
                    RegisteredKey(
                        spki: person.publicKey.spki, role: .person, subject: name("person-\(index)"),
                        organisation: name("operator"), validTo: Self.anchor + 3650 * Self.day)))
        }
    }

    private static func check(_ message: SignedMessage, _ spki: [UInt8]) -> Bool {
        do { return message.isSigned(by: try PublicKey(spki: spki)) } catch { return false }  // No key of ours.
    }

    private static func profile(_ name: String) throws -> Profile {
        try Profile(try SettingsFile.load(path: Workplace.root + "/firmware-profiles/\(name).yaml"))
    }

    mutating func register(_ body: Registration.Body) throws {
        let payload = Registration(number: 1, effectiveFrom: Self.anchor, body: body).encoded
        let isSimple: Bool
        switch body {
        case .organisation, .entity, .gateway, .revocation: isSimple = true
        case .key(let key): isSimple = key.role == .person
        case .meteringPoint, .meter, .claim: isSimple = false
        }
        let signers = isSimple ? [root] : [root] + persons
        let document = try Document(signers.map { try SignedMessage.signing(payload, as: .registration, with: $0) })
        try registry.register(document, at: Self.anchor, check: Self.check)
    }

    /// Entity `e-N` with accounts of two principals, gateway `gw-N`, metering point `p-N`, meters `main-N`, `check-N`.
    mutating func addEntity(_ number: Int) throws {
        let entity = name("e-\(number)")
        try register(
            .entity(
                Entity(
                    id: entity, organisation: name("operator"), population: 1,
                    shares: [("alice", 600_000), ("bob", 400_000)].map {
                        Entity.Share(principal: name($0.0), account: name("\($0.0)-\(number)"), ppm: $0.1)
                    })))
        try register(.gateway(Gateway(id: name("gw-\(number)"), entity: entity, clockError: 1000)))
        for (kind, type, meterClass) in [
            ("main", "abb/b23", Meter.Class.midMeter), ("check", "sunspec/inverter-103", .inverter),
        ] {
            try register(
                .meter(
                    Meter(
                        id: name("\(kind)-\(number)"), vendor: "bench", model: kind, serial: "\(kind)-\(number)",
                        gateway: name("gw-\(number)"), profileName: type, meterClass: meterClass)))
        }
        try register(
            .meteringPoint(
                MeteringPoint(
                    id: name("p-\(number)"), entity: entity, nameplateWatts: 6000, direction: .export,
                    revenueMeter: name("main-\(number)"), checkMeters: [name("check-\(number)")], latitude: 39_742_000,
                    longitude: -105_172_700, performanceRatio: 800_000)))
    }

    /// Registers a key for `subject`: a gateway's, or an entity's owner's.
    mutating func addKey(_ key: PublicKey, _ role: KeyRole, of subject: Identifier) throws {
        try register(
            .key(
                RegisteredKey(
                    spki: key.spki, role: role, subject: subject, organisation: name("operator"),
                    validTo: Self.anchor + 3650 * Self.day)))
    }
}

/// Public keys by their bytes, parsed once, as the collector keeps them.
struct BenchKeys {
    private var keys: [[UInt8]: PublicKey] = [:]

    mutating func isSigned(_ message: SignedMessage, by spki: [UInt8]) -> Bool {
        if let key = keys[spki] { return message.isSigned(by: key) }
        do {
            let key = try PublicKey(spki: spki)
            keys[spki] = key
            return message.isSigned(by: key)
        } catch { return false }  // No key of ours: nothing can be signed by it.
    }
}
