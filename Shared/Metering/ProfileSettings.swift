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
        for item in try map.optional("firmware")?.list(count: 1...Self.alternativesMax) ?? [] {
            firmware.append(try FirmwareRange(try item.map()))
        }
        for item in try map.optional("checked")?.list(count: 1...Self.alternativesMax) ?? [] {
            checks.append(try Check(try item.map()))
        }
        contradictions = try map.optional("contradictory")?.texts() ?? []
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
        countsFrom = try map.optional("counts-from")?.int(in: 0...Profile.countsFromMax) ?? 0
    }
}

extension Profile.Check {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        by = try map.value("by").text(1...Profile.textBytesMax)
        on = try map.value("on").text(10...10)
        how = try map.value("how").text(1...Profile.textBytesMax)
    }
}

extension FirmwareRange {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        self.init(
            from: try map.optional("from")?.text(1...Profile.textBytesMax) ?? "",
            below: try map.optional("below")?.text(1...Profile.textBytesMax) ?? "")
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
        timeoutMaxMilliseconds = try map.optional("timeout-max").map { value throws(SettingsError) in
            Int(try value.milliseconds(in: 50...60_000))
        }
        connectPauseMilliseconds = Int(try map.optional("connect-pause")?.milliseconds(in: 0...10_000) ?? 0)
        refreshMilliseconds = Int(try map.optional("refresh")?.milliseconds(in: 0...3_600_000) ?? 0)
        hasEcho = try map.optional("echo")?.bool() ?? false
        isOneValueOnly = try map.optional("one-value")?.bool() ?? false
        isEitherFunction = try map.optional("either-function")?.bool() ?? false
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
        self.init()
        for role in Role.allCases { self[role] = try map.optional(role.name).field() }
    }
}

extension SettingsValue? {
    fileprivate func field() throws(SettingsError) -> Identity.Field? {
        guard let map = try self?.map() else { return nil }
        let type = try map.value("type").choice(Identity.types)
        return Identity.Field(
            place: try Place(map), type: type,
            registers: type.isText ? try map.value("registers").int(in: 1...64) : type.registers,
            order: try RegisterOrder(map), isOptional: try map.optional("optional")?.bool() ?? false,
            expected: try map.optional("expected")?.texts() ?? [])
    }
}

extension Identity {
    fileprivate static let types = [RegisterType.text, .chars, .u16, .u32, .u64, .f32].map { ($0.name, $0) }
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
    func rational() throws(SettingsError) -> Rational {
        let allowed = "a positive number such as 10, 0.01 or 1/3, parts up to 10^12"
        guard let rational = Rational(try text(1...40)) else { throw error("is not such a number", allowed: allowed) }
        return rational
    }
}

extension Place {
    /// `function` with `address`, or with `model` and `offset`.
    init(_ map: SettingsMap) throws(SettingsError) {
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
    init(_ map: SettingsMap) throws(SettingsError) {
        let choices = [("high-first", false), ("low-first", true)]
        self.init(
            lowWordFirst: try map.optional("word-order")?.choice(choices) ?? false,
            lowByteFirst: try map.optional("byte-order")?.choice(choices) ?? false)
    }
}
