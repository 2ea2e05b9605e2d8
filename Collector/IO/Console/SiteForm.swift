// The form on which a site is registered: what was typed becomes registrations, and each mistake stands beside its field.
// Signs nothing and keeps nothing.

internal import CollectorCore
internal import Evidence
internal import Proofs
internal import Quantities

/// What the form offers, as it stands at the house.
struct SiteChoices: Sendable {
    let now: UTCInstant
    let tenant: String
    let organisations: [Identifier]
    let entities: [Entity]
    let gateways: [Gateway]
    let meters: [Identifier]
    /// Names.
    let profiles: [String]
    /// `https://HOST:PORT`; nil without an enrolment port.
    let enrolmentURL: String?
    /// The last part of a claim code.
    let fingerprint: String?
    let claimLifetime: Int64
}

struct SiteForm: Sendable {
    /// Chosen instead of an id: something new. No id has this character.
    static let new = "+"

    let fields: FormFields
    let choices: SiteChoices
    private(set) var errors: [String: String] = [:]
    /// In the order in which they refer to each other, each with the fields it came from (`meter.0.`) and its id's field.
    private(set) var registrations: [(registration: Registration, prefix: String)] = []
    private(set) var gateway: Identifier?

    init(_ fields: FormFields, _ choices: SiteChoices, nextClaim: (Identifier) -> UInt64) {
        self.fields = fields
        self.choices = choices
        let entity = readEntity()
        gateway = readGateway(entity)
        readMeters()
        if let entity = entity ?? ownerOfGateway { readPoints(entity) }
        readClaim(nextClaim)
        if registrations.isEmpty, errors.isEmpty {
            errors["gateway"] = "nothing is to be registered: fill in what is new, or ask for a claim code"
        }
    }

    /// The form as it is first shown.
    init(_ choices: SiteChoices) {
        fields = FormFields()
        self.choices = choices
    }

    /// With another row of the kind asked for: nothing is judged.
    init(adding kind: String, to fields: FormFields, _ choices: SiteChoices) {
        var fields = fields
        let row = fields.rows(kind)
        if row < FormFields.rowsMax { fields.set("\(kind).\(row).id", "") }
        self.fields = fields
        self.choices = choices
    }

    mutating func refuse(_ field: String, _ text: String) {
        if errors[field] == nil { errors[field] = text }
    }

    private var ownerOfGateway: Identifier? {
        choices.gateways.first { $0.id == gateway }?.entity
    }

    /// The facility, chosen or new.
    private var entity: Entity? {
        for case .entity(let entity) in registrations.map(\.registration.body) { return entity }
        return choices.entities.first { $0.id.text == fields["entity"] }
    }

    private mutating func add(_ body: Registration.Body, _ prefix: String, number: UInt64 = 1) {
        registrations.append(
            (Registration(number: number, effectiveFrom: choices.now, body: body), prefix))
    }

    // MARK: - Parts

    private mutating func readEntity() -> Identifier? {
        guard fields["entity"] == Self.new else {
            guard let id = choices.entities.first(where: { $0.id.text == fields["entity"] })?.id else {
                if fields["gateway"] == Self.new || fields["entity"] != "" { refuse("entity", "choose one") }
                return nil
            }
            return id
        }
        let id = identifier("entity.id")
        let organisation = choices.organisations.first { $0.text == fields["entity.organisation"] }
        if organisation == nil { refuse("entity.organisation", "choose one") }
        let population = integer("entity.population", 0...HouseBounds.populationMax)
        let shares = readShares()
        guard let id, let organisation, let population, let shares else { return nil }
        add(.entity(Entity(id: id, organisation: organisation, population: population, shares: shares)), "entity.")
        return id
    }

    private mutating func readShares() -> [Entity.Share]? {
        var shares: [Entity.Share] = []
        var (isSound, sum) = (true, Int64(0))
        for row in filledRows("principal", ["id", "account", "share"]) {
            let prefix = "principal.\(row)."
            let id = identifier(prefix + "id")
            let account = identifier(prefix + "account")
            let share = decimal(prefix + "share", digits: 4, 0...1_000_000, "0 … 100 %, at most four decimals")
            guard let id, let account, let share else {
                isSound = false
                continue
            }
            if shares.contains(where: { $0.principal == id }) { refuse(prefix + "id", "stands twice") }
            shares.append(Entity.Share(principal: id, account: account, ppm: share))
            sum += share
        }
        if shares.isEmpty, isSound { refuse("principal.0.id", "who receives what it earns?") }
        if isSound, !shares.isEmpty, sum != 1_000_000 { refuse("principal.0.share", "the shares must add up to 100 %") }
        return isSound && sum == 1_000_000 ? shares : nil
    }

    private mutating func readGateway(_ entity: Identifier?) -> Identifier? {
        guard fields["gateway"] == Self.new else {
            let known = choices.gateways.first { $0.id.text == fields["gateway"] }
            if known == nil { refuse("gateway", "choose one") }
            return known?.id
        }
        let error = integer("gateway.clock_error", 0...300_000)
        guard let id = identifier("gateway.id"), let error else { return nil }
        if let entity { add(.gateway(Gateway(id: id, entity: entity, clockError: error)), "gateway.") }
        return id
    }

    private mutating func readMeters() {
        for row in filledRows("meter", ["id", "vendor", "model", "serial"]) {
            let prefix = "meter.\(row)."
            let id = identifier(prefix + "id")
            let vendor = text(prefix + "vendor")
            let model = text(prefix + "model")
            let serial = text(prefix + "serial")
            let ratio = ratio(prefix + "ratio")
            let meterClass = choice(prefix + "class", HouseSections.classes)
            let profile = choices.profiles.first { $0 == fields[prefix + "profile"] }
            if profile == nil { refuse(prefix + "profile", "choose one") }
            guard let id, let vendor, let model, let serial, let ratio, let meterClass, let profile, let gateway else {
                continue
            }
            add(
                .meter(
                    Meter(
                        id: id, vendor: vendor, model: model, serial: serial, gateway: gateway, profileName: profile,
                        ratioNumerator: ratio.0, ratioDenominator: ratio.1, meterClass: meterClass)), prefix)
        }
    }

    private mutating func readPoints(_ entity: Identifier) {
        for row in filledRows("point", ["id", "nameplate", "revenue", "latitude", "longitude"]) {
            let prefix = "point.\(row)."
            let id = identifier(prefix + "id")
            let nameplate = integer(prefix + "nameplate", 1...HouseBounds.wattsMax)
            let direction = choice(prefix + "direction", HouseSections.directions)
            let revenue = identifier(prefix + "revenue")
            let checks = identifiers(prefix + "checks", except: revenue)
            let latitude = decimal(
                prefix + "latitude", digits: 6, -90_000_000...90_000_000, "−90 … 90, at most six decimals")
            let longitude = decimal(
                prefix + "longitude", digits: 6, -180_000_000...180_000_000, "−180 … 180, at most six decimals")
            guard let id, let nameplate, let direction, let revenue, let checks, let latitude, let longitude else {
                continue
            }
            add(
                .meteringPoint(
                    MeteringPoint(
                        id: id, entity: entity, nameplateWatts: nameplate, direction: direction, revenueMeter: revenue,
                        checkMeters: checks, latitude: latitude, longitude: longitude, performanceRatio: 800_000)),
                prefix
            )
        }
    }

    /// The browser sends the hash of a secret that nobody else has.
    private mutating func readClaim(_ nextClaim: (Identifier) -> UInt64) {
        let hash = fields["secret"]
        guard !hash.isEmpty, let gateway else { return }
        guard let bytes = [UInt8](hex: hash), let digest = Digest(bytes), choices.fingerprint != nil else {
            return refuse("gateway", "the claim code could not be made: load the page again")
        }
        // Of the key that will be bound: the facility's owner's.
        let owner = ownerOfGateway.flatMap { id in choices.entities.first { $0.id == id } } ?? entity
        guard let organisation = owner?.organisation else { return }
        add(
            .claim(
                Claim(
                    gateway: gateway, organisation: organisation, secret: digest,
                    expires: choices.now + choices.claimLifetime)), "claim.", number: nextClaim(gateway))
    }
}
