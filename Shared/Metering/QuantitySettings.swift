// One quantity of a profile from its YAML map. The rest of the profile stands in ProfileSettings.

internal import Settings

extension Quantity {
    init(_ map: SettingsMap) throws(SettingsError) {
        let code = try map.value("obis")
        guard let obis = ObisCode(try code.text(9...19)) else {
            throw code.error("is not an OBIS code", allowed: "A-B:C.D.E with numbers 0 … 255")
        }
        self.obis = obis
        kind = try map.value("kind").choice([("counter", .counter), ("gauge", .gauge)])
        unit = try map.value("unit").choice()
        place = try Place(map)
        type = try map.value("type").choice(RegisterType.allCases.filter { !$0.isText }.map { ($0.name, $0) })
        order = try RegisterOrder(map)
        scale = try map.value("scale").rational()
        step = try map.optional("step")?.rational()
        if let value = map.optional("scale-factor") {
            scaleFactor = try ScaleFactor(try value.map(), isModel: place.model != nil)
        }
        for item in try map.optional("not-available")?.list(count: 1...Profile.alternativesMax) ?? [] {
            notAvailable.append(try item.int(in: 0...UInt64.max))
        }
        notAvailable.sort()
        direction = try map.value("direction").choice([("none", .none), ("import", .import), ("export", .export)])
        modulus = try map.optional("modulus")?.int(in: 2...UInt64.max)
        isResettable = try map.optional("resettable")?.bool() ?? false
        if let range = try map.optional("valid")?.map() {
            let least: Int64 = try range.value("min").int(in: Int64.min...Int64.max)
            valid = least...(try range.value("max").int(in: least...Int64.max))
        }
        poll = try map.optional("poll")?.choice([("fast", .fast), ("normal", .normal), ("slow", .slow)]) ?? .normal
        registersMax = try map.optional("registers-max")?.int(in: 1...Profile.registersMax)
        isOptional = try map.optional("optional")?.bool() ?? false
        sign =
            try map.optional("sign")?.choice([("plain", .plain), ("negated", .negated), ("absolute", .absolute)])
            ?? .plain
        contradiction = try map.optional("contradictory")?.text(1...Profile.textBytesMax)
        resolution = scale
        // Without a count unit the rules refuse the profile below.
        resolution = try map.optional("resolution")?.rational() ?? countUnit ?? scale
    }
}

extension ScaleFactor {
    fileprivate init(_ map: SettingsMap, isModel: Bool) throws(SettingsError) {
        let address: UInt16 = try map.value(isModel ? "offset" : "address").int(in: 0...UInt16.max)
        let least = try map.value("min").int(in: -10...10)
        self.init(address: address, range: least...(try map.value("max").int(in: least...10)))
    }
}
