// A profile from its YAML file, strictly. The fields are explained in firmware-profiles/README.md.

package import Settings

extension Profile {
    /// Reads a profile and finishes `map`: unknown keys are refused.
    package init(_ map: SettingsMap) throws(SettingsError) {
        name = try map.value("profile").text(3...81)
        revision = try map.value("revision").int(in: 1...1_000_000)
        vendor = try map.value("vendor").text(1...Self.textBytesMax)
        models = try map.value("models").texts()
        level = try map.value("level").choice([
            ("driver", .driver), ("document", .document), ("simulator", .simulator), ("hardware", .hardware),
        ])
        source = try Source(try map.value("source").map())
        limits = try Limits(try map.value("limits").map())
        holes = []
        for item in try map.optional("holes")?.list(count: 1...Self.holesMax) ?? [] {
            holes.append(try Hole(try item.map()))
        }
        holes.sort { ($0.function, $0.first) < ($1.function, $1.first) }
        sunSpec = nil
        if let value = map.optional("sunspec") { sunSpec = try SunSpec(try value.map()) }
        identity = try Identity(try map.value("identity").map())
        quantities = []
        for item in try map.value("quantities").list(count: 1...Self.quantitiesMax) {
            let quantity = try Quantity(try item.map())
            guard !quantities.contains(where: { $0.obis == quantity.obis }) else {
                throw item.error("describes \(quantity.obis) a second time")
            }
            quantities.append(quantity)
        }
        quantities.sort { $0.obis < $1.obis }
        try map.finish()
        if let problem = problem() {
            throw SettingsError(file: map.file, keyPath: problem.place, problem: problem.problem)
        }
    }
}

extension Profile.Source {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        document = try map.value("document").text(1...Profile.textBytesMax)
        revision = try map.value("revision").text(1...Profile.textBytesMax)
        place = try map.value("place").text(1...Profile.textBytesMax)
    }
}

extension Profile.Limits {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        registersMax = try map.value("registers-max").int(in: 1...Profile.registersMax)
        gapMax = try map.value("gap-max").int(in: 0...Profile.registersMax)
        pauseMilliseconds = Int(try map.value("pause").milliseconds(in: 0...10_000))
        turnaroundMilliseconds = Int(try map.optional("turnaround")?.milliseconds(in: 0...10_000) ?? 0)
        timeoutMilliseconds = Int(try map.value("timeout").milliseconds(in: 50...60_000))
        isSingleClient = try map.optional("single-client")?.bool() ?? false
    }
}

extension Profile.Hole {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        function = try map.value("function").int(in: 3...4)
        first = try map.value("first").int(in: 0...UInt16.max)
        last = try map.value("last").int(in: 0...UInt16.max)
    }
}

extension Profile.SunSpec {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        bases = []
        for item in try map.value("bases").list(count: 1...Profile.alternativesMax) {
            bases.append(try item.int(in: 0...UInt16.max))
        }
        models = []
        for item in try map.value("models").list(count: 1...Profile.alternativesMax) {
            let model = try item.map()
            var lengths: [UInt16] = []
            for length in try model.value("lengths").list(count: 1...Profile.alternativesMax) {
                lengths.append(try length.int(in: 1...UInt16.max))
            }
            models.append(Model(id: try model.value("id").int(in: 1...0xFFFE), lengths: lengths.sorted()))
        }
        models.sort { $0.id < $1.id }
    }
}

extension Identity {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        model = try map.optional("model").field()
        serial = try map.optional("serial").field()
        firmware = try map.optional("firmware").field()
    }
}

extension SettingsValue? {
    fileprivate func field() throws(SettingsError) -> Identity.Field? {
        guard let map = try self?.map() else { return nil }
        let type = try map.value("type").choice(Identity.types)
        return Identity.Field(
            place: try Place(map), type: type,
            registers: type == .text ? try map.value("registers").int(in: 1...64) : type.registers,
            order: try RegisterOrder(map), isOptional: try map.optional("optional")?.bool() ?? false,
            expected: try map.optional("expected")?.texts() ?? [])
    }
}

extension Identity {
    fileprivate static let types = [RegisterType.text, .u16, .u32, .u64].map { ($0.name, $0) }
}

extension SettingsValue {
    fileprivate func texts() throws(SettingsError) -> [String] {
        var texts: [String] = []
        for item in try list(count: 1...Profile.alternativesMax) {
            texts.append(try item.text(1...Profile.textBytesMax))
        }
        return texts
    }

    /// `10`, `0.01` or `1/3`.
    fileprivate func rational() throws(SettingsError) -> Rational {
        let allowed = "a positive number such as 10, 0.01 or 1/3, parts up to 10^12"
        guard let rational = Rational(try text(1...40)) else { throw error("is not such a number", allowed: allowed) }
        return rational
    }
}

extension Place {
    /// `function` with `address`, or with `model` and `offset`.
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        let function: UInt8 = try map.value("function").int(in: 3...4)
        if let model = map.optional("model") {
            let id: UInt16 = try model.int(in: 1...0xFFFE)
            self.init(function: function, model: id, address: try map.value("offset").int(in: 2...UInt16.max))
        } else {
            self.init(function: function, address: try map.value("address").int(in: 0...UInt16.max))
        }
    }
}

extension RegisterOrder {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        let choices = [("high-first", false), ("low-first", true)]
        self.init(
            lowWordFirst: try map.optional("word-order")?.choice(choices) ?? false,
            lowByteFirst: try map.optional("byte-order")?.choice(choices) ?? false)
    }
}

extension Quantity {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        let code = try map.value("obis")
        guard let obis = ObisCode(try code.text(9...19)) else {
            throw code.error("is not an OBIS code", allowed: "A-B:C.D.E with numbers 0 … 255")
        }
        self.obis = obis
        kind = try map.value("kind").choice([("counter", .counter), ("gauge", .gauge)])
        unit = try map.value("unit").choice()
        place = try Place(map)
        type = try map.value("type").choice(RegisterType.allCases.filter { $0 != .text }.map { ($0.name, $0) })
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
