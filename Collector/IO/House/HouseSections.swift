// Sections that the house file and a site file share: organisations, keys, entities, gateways, meters, metering points. Read
// strictly into what is registered; whether it fits what stands is the registry's business.

internal import CollectorCore
internal import Evidence
internal import Keys
internal import Quantities
internal import Settings

enum HouseSections {
    /// Items of one section.
    static let itemsMax = 10_000

    static func identifier(_ value: SettingsValue) throws(SettingsError) -> Identifier {
        guard let identifier = Identifier(try value.identifier()) else {
            throw value.error("is not an identifier", allowed: "1 … 40 characters out of a-z 0-9 -")
        }
        return identifier
    }

    private static func maps(_ section: SettingsValue) throws(SettingsError) -> [SettingsMap] {
        var maps: [SettingsMap] = []
        for item in try section.list(count: 1...itemsMax) { maps.append(try item.map()) }
        return maps
    }

    static func organisations(_ section: SettingsValue) throws -> [Organisation] {
        try maps(section).map { map in
            Organisation(id: try identifier(map.value("id")), name: try map.value("name").text(1...200))
        }
    }

    // MARK: - Keys

    private static let roles: [(name: String, value: KeyRole)] = [
        ("gateway", .gateway), ("owner", .owner), ("finance-verifier", .financeVerifier),
        ("compliance-verifier", .complianceVerifier), ("auditor", .auditor), ("grid-operator", .gridOperator),
        ("satellite", .satellite), ("person", .person),
    ]

    static func keys(_ section: SettingsValue) throws -> [RegisteredKey] {
        try maps(section).map { map in
            var affiliated: [Identifier] = []
            for item in try map.optional("affiliated")?.list(count: 0...1000) ?? [] {
                affiliated.append(try identifier(item))
            }
            return RegisteredKey(
                spki: try publicKey(map.value("public")), role: try map.value("role").choice(roles),
                subject: try identifier(map.value("subject")),
                organisation: try identifier(map.value("organisation")), affiliated: affiliated,
                validTo: try map.optional("valid_to").map(CollectorConfiguration.instant)
                    ?? UTCInstant(milliseconds: HouseBounds.instantMax))
        }
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

    // MARK: - Production and its devices

    static func entities(_ section: SettingsValue) throws -> [Entity] {
        try maps(section).map { map in
            var shares: [Entity.Share] = []
            let list = try map.value("principals")
            for item in try list.list(count: 1...1000) {
                let share = try item.map()
                shares.append(
                    Entity.Share(
                        principal: try identifier(share.value("id")), account: try identifier(share.value("account")),
                        ppm: try share.value("share").int(in: 0...1_000_000)))
            }
            guard shares.reduce(0, { $0 + $1.ppm }) == 1_000_000 else {
                throw list.error("has shares that do not add up", allowed: "shares of together 1000000 (ppm)")
            }
            return Entity(
                id: try identifier(map.value("id")), organisation: try identifier(map.value("organisation")),
                population: try map.value("population").int(in: 0...HouseBounds.populationMax), shares: shares)
        }
    }

    static func gateways(_ section: SettingsValue) throws -> [Gateway] {
        try maps(section).map { map in
            Gateway(
                id: try identifier(map.value("id")), entity: try identifier(map.value("entity")),
                clockError: try map.optional("clock_error")?.milliseconds(in: 0...300_000) ?? 0)
        }
    }

    static let classes: [(name: String, value: Meter.Class)] = [("mid", .midMeter), ("inverter", .inverter)]

    /// - Parameter isProfile: whether a profile of this name is there; nil: it is asked for later.
    static func meters(_ section: SettingsValue, isProfile: ((String) -> Bool)?) throws -> [Meter] {
        try maps(section).map { map in
            let profile = try map.value("profile")
            guard isProfile?(try profile.text(1...64)) ?? true else {
                throw profile.error(
                    "is not a profile in the folder `profiles`", allowed: "the name of a shipped profile")
            }
            return Meter(
                id: try identifier(map.value("id")), vendor: try map.value("vendor").text(1...64),
                model: try map.value("model").text(1...64), serial: try map.value("serial").text(1...64),
                gateway: try identifier(map.value("gateway")), profileName: try profile.text(1...64),
                ratioNumerator: try map.optional("ratio_numerator")?.int(in: 1...HouseBounds.ratioMax) ?? 1,
                ratioDenominator: try map.optional("ratio_denominator")?.int(in: 1...HouseBounds.ratioMax) ?? 1,
                meterClass: try map.value("class").choice(classes))
        }
    }

    static let directions: [(name: String, value: MeteringPoint.Direction)] = [
        ("export", .export), ("export-minus-import", .exportMinusImport),
    ]

    static func meteringPoints(_ section: SettingsValue) throws -> [MeteringPoint] {
        try maps(section).map { map in
            let revenue = try identifier(map.value("revenue_meter"))
            var checks: [Identifier] = []
            for item in try map.optional("check_meters")?.list(count: 0...16) ?? [] {
                let meter = try identifier(item)
                guard meter != revenue, !checks.contains(meter) else {
                    throw item.error("stands at this metering point already", allowed: "each meter once")
                }
                checks.append(meter)
            }
            return MeteringPoint(
                id: try identifier(map.value("id")), entity: try identifier(map.value("entity")),
                nameplateWatts: try map.value("nameplate").int(in: 1...HouseBounds.wattsMax),
                direction: try map.value("direction").choice(directions), revenueMeter: revenue, checkMeters: checks,
                latitude: try map.value("latitude").decimal(digits: 6, in: -90_000_000...90_000_000),
                longitude: try map.value("longitude").decimal(digits: 6, in: -180_000_000...180_000_000),
                performanceRatio: try map.optional("performance_ratio")?.int(in: 1...1_000_000) ?? 800_000)
        }
    }
}
