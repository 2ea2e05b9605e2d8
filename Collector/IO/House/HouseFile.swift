// The house file: what an operator writes down before genesis. Turned into signed documents here; the Journal gets those.

internal import CBOR
package import CollectorCore
internal import CollectorJournal
internal import Evidence
package import Keys
package import Metering
internal import Proofs
package import Quantities
internal import Settings

/// Everything genesis fixes and registers, signed and in the order it is registered.
package struct HouseFile: Sendable {
    package let genesis: Genesis
    package let registrations: [Document]
    private let root: PrivateKey

    /// Reads `path` and signs with the private keys it names under `sign`.
    ///
    /// - Parameters:
    ///   - clock: the configuration's; mode and asset must agree with it.
    ///   - profile: a shipped meter profile by its name, nil if there is none.
    /// - Throws: `SettingsError` with file, key, value and what is allowed; `KeyError` for a key file.
    package static func load(
        path: String, clock: HouseClock, logOrigin: String, receipt: PublicKey, log: PublicKey, seal: PublicKey,
        profile: @escaping (String) -> Profile?
    ) throws -> HouseFile {
        let root = try SettingsFile.load(path: path)
        let signers = try Signers(try root.value("sign").map())
        let anchor = try CollectorConfiguration.instant(root.value("grid_anchor"))
        let isReplay = if case .real = clock { false } else { true }
        let manifest = try Self.manifest(
            try root.value("manifest").map(), anchor: anchor, isReplay: isReplay, profile: profile)
        let asset = try root.value("asset")
        let name = try asset.text(1...16)
        guard name.hasSuffix("-TEST") == isReplay else {
            throw asset.error(
                "does not fit the clock", allowed: isReplay ? "a name ending in -TEST" : "a name not ending in -TEST")
        }
        let genesis = Genesis(
            asset: name, anchor: anchor,
            keys: Genesis.Keys(
                roots: [signers.root.publicKey.spki], log: log.spki, receipt: receipt.spki, seal: seal.spki),
            manifest: try signers.document(manifest.encoded, as: .manifest, dual: false), clock: clock,
            originBase: logOrigin, tenant: try identifier(root.value("tenant")))
        var builder = Registrations(
            signers: signers, effectiveFrom: anchor, isProfile: { profile($0) != nil })
        try builder.organisations(root)
        let keys = try builder.readKeys(root)
        // Persons first: they sign the others. Entities and gateways before the keys that are theirs.
        try builder.keys(keys.filter { $0.role == .person })
        try builder.entities(root)
        try builder.gateways(root)
        try builder.keys(keys.filter { $0.role != .person })
        try builder.meters(root)
        try builder.meteringPoints(root)
        try root.finish()
        let file = HouseFile(genesis: genesis, registrations: builder.documents, root: signers.root)
        try file.requireWhole(path)
        return file
    }

    private static let sections = ["", "organisations", "keys", "entities", "metering_points", "meters", "gateways"]

    /// Registers everything once, as the house will: what refers to nothing, or is claimed twice, is told by its section.
    private func requireWhole(_ path: String) throws {
        var registry = try Registry(genesis, check: isSigned)
        for document in registrations {
            let body = try Registration(decoding: document.payload).body
            do throws(RegistrationRefusal) {
                try registry.register(document, at: genesis.anchor, check: isSigned)
            } catch {
                throw SettingsError(
                    file: path, keyPath: Self.sections[Int(clamping: body.kind)],
                    found: RegistrationSubject(body).id.text,
                    problem: "is refused: \(error)")
            }
        }
    }

    private static func manifest(
        _ map: SettingsMap, anchor: UTCInstant, isReplay: Bool, profile: (String) -> Profile?
    ) throws -> Manifest {
        var billingGrade: [Digest] = []
        for item in try map.value("billing_grade").list(count: 1...1000) {
            guard let profile = profile(try item.text(1...81)) else {
                throw item.error("is not a profile in the folder `profiles`", allowed: "the name of a shipped profile")
            }
            if let obstacle = profile.gradeObstacles(isReplay: isReplay).first {
                throw item.error(
                    "is never billing grade in a real house: \(obstacle)",
                    allowed: "profiles of level document and above without contradictions")
            }
            billingGrade.append(profile.digest)
        }
        var kinds: [ProofKind] = []
        for item in try map.value("kinds").list(count: 1...2) {
            let kind = try item.choice([
                (name: "ACK", value: ProofKind.acknowledged), (name: "CT", value: .complianceTested),
            ])
            guard !kinds.contains(kind) else { throw item.error("stands twice", allowed: "each kind once") }
            kinds.append(kind)
        }
        let cadence = try map.value("cadence")
        let manifest = Manifest(
            number: 1, effectiveFrom: anchor, cadence: try cadence.milliseconds(in: 60_000...31_622_400_000),
            grace: try map.value("grace").milliseconds(in: 0...31_622_400_000),
            gate: Manifest.Gate(
                freshness: try map.optional("freshness")?.milliseconds(in: 1...31_622_400_000) ?? 86_400_000,
                quorum: try map.value("quorum").int(in: 1...1000),
                kinds: kinds.sorted { $0.rawValue.utf8.lexicographicallyPrecedes($1.rawValue.utf8) }),
            billingGrade: billingGrade)
        do throws(ShapeError) { _ = try Manifest(decoding: manifest.encoded) } catch {
            throw cadence.error(
                "does not tile its days: \(error)",
                allowed: "whole days, or a whole part of a day of whole quarters of an hour")
        }
        return manifest
    }

    fileprivate static func identifier(_ value: SettingsValue) throws(SettingsError) -> Identifier {
        guard let identifier = Identifier(try value.identifier()) else {
            throw value.error("is not an identifier", allowed: "1 … 40 characters out of a-z 0-9 -")
        }
        return identifier
    }
}

/// The root key and, for dual control, the persons' keys.
private struct Signers {
    let root: PrivateKey
    let persons: [PrivateKey]

    init(_ map: SettingsMap) throws {
        root = try PrivateKey.load(path: try map.value("root").path())
        var persons: [PrivateKey] = []
        for item in try map.value("persons").list(count: 2...16) {
            persons.append(try PrivateKey.load(path: try item.path()))
        }
        self.persons = persons
    }

    /// `dual`: the root key and two persons, as documents.md asks for keys, meters and metering points.
    func document(_ payload: [UInt8], as type: ContentType, dual: Bool) throws -> Document {
        var envelopes: [SignedMessage] = []
        for key in [root] + (dual ? Array(persons.prefix(2)) : []) {
            envelopes.append(try SignedMessage.signing(payload, as: type, with: key))
        }
        return try Document(envelopes)
    }
}

/// Builds registrations one section of the file after the other, in the order in which they refer to each other.
private struct Registrations {
    let signers: Signers
    let effectiveFrom: UTCInstant
    let isProfile: (String) -> Bool
    private(set) var documents: [Document] = []

    init(signers: Signers, effectiveFrom: UTCInstant, isProfile: @escaping (String) -> Bool) {
        self.signers = signers
        self.effectiveFrom = effectiveFrom
        self.isProfile = isProfile
    }

    private mutating func add(_ body: Registration.Body, dual: Bool) throws {
        let registration = Registration(number: 1, effectiveFrom: effectiveFrom, body: body)
        documents.append(try signers.document(registration.encoded, as: .registration, dual: dual))
    }

    private func maps(_ root: SettingsMap, _ section: String) throws(SettingsError) -> [SettingsMap] {
        var maps: [SettingsMap] = []
        for item in try root.value(section).list(count: 1...10_000) { maps.append(try item.map()) }
        return maps
    }

    mutating func organisations(_ root: SettingsMap) throws {
        for map in try maps(root, "organisations") {
            let organisation = Organisation(
                id: try HouseFile.identifier(map.value("id")), name: try map.value("name").text(1...200))
            try add(.organisation(organisation), dual: false)
        }
    }

    private static let roles: [(name: String, value: KeyRole)] = [
        ("gateway", .gateway), ("owner", .owner), ("finance-verifier", .financeVerifier),
        ("compliance-verifier", .complianceVerifier), ("auditor", .auditor), ("grid-operator", .gridOperator),
        ("satellite", .satellite), ("person", .person),
    ]

    func readKeys(_ root: SettingsMap) throws -> [RegisteredKey] {
        var keys: [RegisteredKey] = []
        for map in try maps(root, "keys") {
            var affiliated: [Identifier] = []
            for item in try map.optional("affiliated")?.list(count: 0...1000) ?? [] {
                affiliated.append(try HouseFile.identifier(item))
            }
            keys.append(
                RegisteredKey(
                    spki: try Self.publicKey(map.value("public")), role: try map.value("role").choice(Self.roles),
                    subject: try HouseFile.identifier(map.value("subject")),
                    organisation: try HouseFile.identifier(map.value("organisation")), affiliated: affiliated,
                    validTo: try map.optional("valid_to").map(CollectorConfiguration.instant)
                        ?? UTCInstant(milliseconds: HouseBounds.instantMax)))
        }
        return keys
    }

    mutating func keys(_ keys: [RegisteredKey]) throws {
        for key in keys { try add(.key(key), dual: key.role != .person) }
    }

    /// The file beside a private key: SubjectPublicKeyInfo in hexadecimal.
    private static func publicKey(_ value: SettingsValue) throws -> [UInt8] {
        let text = String(decoding: try SettingsFile.read(path: try value.path()), as: UTF8.self)
        let digits = text.filter { $0 != "\n" && $0 != " " }
        guard let spki = [UInt8](hex: digits) else {
            throw value.error("is not a public key file", allowed: "the .pub file that `key create` wrote")
        }
        return try PublicKey(spki: spki).spki
    }

    mutating func entities(_ root: SettingsMap) throws {
        for map in try maps(root, "entities") {
            var shares: [Entity.Share] = []
            let list = try map.value("principals")
            for item in try list.list(count: 1...1000) {
                let share = try item.map()
                shares.append(
                    Entity.Share(
                        principal: try HouseFile.identifier(share.value("id")),
                        account: try HouseFile.identifier(share.value("account")),
                        ppm: try share.value("share").int(in: 0...1_000_000)))
            }
            guard shares.reduce(0, { $0 + $1.ppm }) == 1_000_000 else {
                throw list.error("has shares that do not add up", allowed: "shares of together 1000000 (ppm)")
            }
            let entity = Entity(
                id: try HouseFile.identifier(map.value("id")),
                organisation: try HouseFile.identifier(map.value("organisation")),
                population: try map.value("population").int(in: 0...HouseBounds.populationMax), shares: shares)
            try add(.entity(entity), dual: false)
        }
    }

    mutating func gateways(_ root: SettingsMap) throws {
        for map in try maps(root, "gateways") {
            let gateway = Gateway(
                id: try HouseFile.identifier(map.value("id")), entity: try HouseFile.identifier(map.value("entity")),
                clockError: try map.optional("clock_error")?.milliseconds(in: 0...300_000) ?? 0)
            try add(.gateway(gateway), dual: false)
        }
    }

    mutating func meters(_ root: SettingsMap) throws {
        for map in try maps(root, "meters") {
            let profile = try map.value("profile")
            guard isProfile(try profile.text(1...64)) else {
                throw profile.error(
                    "is not a profile in the folder `profiles`", allowed: "the name of a shipped profile")
            }
            let meter = Meter(
                id: try HouseFile.identifier(map.value("id")), vendor: try map.value("vendor").text(1...64),
                model: try map.value("model").text(1...64), serial: try map.value("serial").text(1...64),
                gateway: try HouseFile.identifier(map.value("gateway")),
                profileName: try profile.text(1...64),
                ratioNumerator: try map.optional("ratio_numerator")?.int(in: 1...HouseBounds.ratioMax) ?? 1,
                ratioDenominator: try map.optional("ratio_denominator")?.int(in: 1...HouseBounds.ratioMax) ?? 1,
                meterClass: try map.value("class").choice([
                    (name: "mid", value: Meter.Class.midMeter), (name: "inverter", value: .inverter),
                ]))
            try add(.meter(meter), dual: true)
        }
    }

    mutating func meteringPoints(_ root: SettingsMap) throws {
        for map in try maps(root, "metering_points") {
            var checks: [Identifier] = []
            for item in try map.optional("check_meters")?.list(count: 0...16) ?? [] {
                checks.append(try HouseFile.identifier(item))
            }
            let directions = [
                (name: "export", value: MeteringPoint.Direction.export),
                (name: "export-minus-import", value: .exportMinusImport),
            ]
            let point = MeteringPoint(
                id: try HouseFile.identifier(map.value("id")), entity: try HouseFile.identifier(map.value("entity")),
                nameplateWatts: try map.value("nameplate").int(in: 1...HouseBounds.wattsMax),
                direction: try map.value("direction").choice(directions),
                revenueMeter: try HouseFile.identifier(map.value("revenue_meter")), checkMeters: checks,
                latitude: try map.value("latitude").decimal(digits: 6, in: -90_000_000...90_000_000),
                longitude: try map.value("longitude").decimal(digits: 6, in: -180_000_000...180_000_000),
                performanceRatio: try map.optional("performance_ratio")?.int(in: 1...1_000_000) ?? 800_000)
            try add(.meteringPoint(point), dual: true)
        }
    }
}

extension HouseFile {
    /// Appends genesis and all registrations in one transaction, all or none, and publishes the first checkpoints.
    /// A crash before they are published loses nothing: the running house publishes them when they are first asked for.
    package func begin(in stores: HouseStores, at now: UTCInstant) throws {
        let now = max(now, genesis.anchor)
        var registry = try Registry(genesis, check: isSigned)
        var drafts = [Event.genesis(genesis.cbor).draft(commandID: genesis.commandID)]
        for document in registrations {
            try registry.register(document, at: now, check: isSigned)
            drafts.append(Event.registered(Event.Registered(document: document.cbor)).draft(commandID: document.id))
        }
        _ = try stores.journal.append(JournalBatch(stage: .house, after: 0, drafts: drafts), now: now)
        _ = try stores.journal.publish()
        _ = try stores.evidence.publish()
    }

    /// The key list gateways pin: receipt and log keys, signed by the root.
    package func keyList(receipt: PublicKey, log: PublicKey) throws -> [UInt8] {
        let forever = UTCInstant(milliseconds: HouseBounds.instantMax)
        let list = KeyList(
            number: 1, issuedAt: genesis.anchor,
            entries: [
                KeyList.Entry(spki: receipt.spki, role: .receipt, validFrom: genesis.anchor, validTo: forever),
                KeyList.Entry(spki: log.spki, role: .log, validFrom: genesis.anchor, validTo: forever),
            ])
        return try SignedMessage.signing(list.encoded, as: .keyList, with: root).encoded
    }
}
