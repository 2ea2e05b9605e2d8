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
            originBase: logOrigin, tenant: try HouseSections.identifier(root.value("tenant")))
        var builder = Registrations(
            signers: signers, effectiveFrom: anchor, isProfile: { profile($0) != nil })
        try builder.organisations(root)
        let keys = try HouseSections.keys(root.value("keys"))
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

    mutating func organisations(_ root: SettingsMap) throws {
        for body in try HouseSections.organisations(root.value("organisations")) {
            try add(.organisation(body), dual: false)
        }
    }

    mutating func keys(_ keys: [RegisteredKey]) throws {
        for key in keys { try add(.key(key), dual: key.role != .person) }
    }

    mutating func entities(_ root: SettingsMap) throws {
        for body in try HouseSections.entities(root.value("entities")) { try add(.entity(body), dual: false) }
    }

    mutating func gateways(_ root: SettingsMap) throws {
        // Devices may be left out: they are registered when they are there (`device add`).
        guard let section = root.optional("gateways") else { return }
        for body in try HouseSections.gateways(section) { try add(.gateway(body), dual: false) }
    }

    mutating func meters(_ root: SettingsMap) throws {
        guard let section = root.optional("meters") else { return }
        for body in try HouseSections.meters(section, isProfile: isProfile) { try add(.meter(body), dual: true) }
    }

    mutating func meteringPoints(_ root: SettingsMap) throws {
        guard let section = root.optional("metering_points") else { return }
        for body in try HouseSections.meteringPoints(section) { try add(.meteringPoint(body), dual: true) }
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

    /// The key list gateways pin: receipt, log and command keys, signed by the root.
    package func keyList(receipt: PublicKey, log: PublicKey, command: PublicKey?) throws -> [UInt8] {
        let forever = UTCInstant(milliseconds: HouseBounds.instantMax)
        let keys = [(receipt, KeyRole.receipt), (log, .log)] + (command.map { [($0, KeyRole.command)] } ?? [])
        let list = KeyList(
            number: 1, issuedAt: genesis.anchor,
            entries: keys.map {
                KeyList.Entry(spki: $0.spki, role: $1, validFrom: genesis.anchor, validTo: forever)
            })
        return try SignedMessage.signing(list.encoded, as: .keyList, with: root).encoded
    }
}
