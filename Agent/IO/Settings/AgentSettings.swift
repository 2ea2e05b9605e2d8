// The agent's configuration as its YAML says it, strictly. Files it names are not opened here; sample.yaml explains
// every key with unit, default and range, and a test reads it.

package import AgentCore
package import Keys
package import MQTT
package import Metering
package import Quantities
package import Settings

/// What `--config FILE` says.
package struct AgentSettings: Sendable {
    package struct MQTT: Hashable, Sendable {
        package var host: String
        package var port: Int
        /// Tried in order when the first cannot be reached.
        package var alternates: [MQTTBroker] = []
        /// Default: the gateway's id.
        package var username: String
        package var passwordFile: String?
        package var caFile: String?
        package var certificateFile: String?
        package var keyFile: String?
        package var keepAliveSeconds: Int
    }

    package struct SpoolPlace: Hashable, Sendable {
        package var path: String
        package var bytesMax: Int
        /// House milliseconds.
        package var ageMax: Int64
    }

    package struct Bus: Hashable, Sendable {
        package var place: BusEndpoint
        package var timing: BusTiming
        package var meters: [Meter]
        package var endpoint: String { place.text }
    }

    package struct Meter: Hashable, Sendable {
        package var id: Identifier
        package var unit: UInt8
        /// `vendor/model`; with `vendor/model-…` beside it that say for which firmware they are, the name of all of them.
        package var profile: String
        /// Of several versions the one it is read with while none is for it; nil: the one of their common name.
        package var fallback: String?
        /// Another one that is compared with it.
        package var shadow: String?
        package var interval: Int64
        package var identityInterval: Int64
        /// Empty: energy and power as far as the profile has them.
        package var quantities: [ObisCode]
        package var fast: PollClassPlan
        package var slow: PollClassPlan
        /// What it is there for: the doctor's checks of its direction.
        package var role: MeterSeries.Role
    }

    package static let metersMax = 2_000

    package var file: String
    package var gateway: Identifier
    package var key: KeyStore
    /// Nil, as ``rootKey`` then is: the list that enrolment left counts.
    package var keyList: String?
    /// SPKI in hexadecimal, or a file with it or with PEM.
    package var rootKey: String?
    /// Nil: the brokers that enrolment left; without those nothing is sent, reading and storing go on.
    package var mqtt: MQTT?
    /// Where enrolment leaves certificate, CA, key list, root key and brokers.
    package var enrolled: String
    /// A timer's renewal changes a key that is older; nil: only who asks for it does.
    package var rekeyDays: Int64?
    package var clock: HouseClock
    /// Real milliseconds.
    package var commit: Int64
    package var limits: UplinkWindow.Limits
    /// Real milliseconds between two messages for screens; nil: none are sent.
    package var live: Int64?
    /// Bytes a month that the SIM has; nil: nobody watches it.
    package var simQuota: Int64?
    package var spool: SpoolPlace
    package var profiles: String
    /// House milliseconds.
    package var boundary: Int64
    package var control: String
    package var access: ControlAccess
    /// Nil: no figures for Prometheus.
    package var metrics: Metrics?
    /// What may be changed from afar: nothing unless the file says so.
    package var remote: Remote
    package var buses: [Bus]
}

extension AgentSettings {
    /// Reads every key; an unknown one is refused.
    package init(_ map: SettingsMap) throws(SettingsError) {
        file = map.file
        gateway = try map.value("gateway").name()
        key = try KeyStore(try map.value("key"))
        keyList = try map.optional("key_list")?.path()
        rootKey = try map.optional("root_key")?.path()
        guard (keyList == nil) == (rootKey == nil) else {
            throw map.error("`key_list` and `root_key` stand together, or both are left to enrolment")
        }
        mqtt = nil
        if let value = map.optional("mqtt") { mqtt = try MQTT(try value.map(), gateway: gateway) }
        clock = .real
        if let value = map.optional("clock") { clock = try Self.clock(value) }
        commit = try map.optional("commit")?.milliseconds(in: 100...60_000) ?? 10_000
        limits = try Self.limits(map)
        live = try map.optional("live")?.milliseconds(in: 1_000...3_600_000)
        simQuota = try map.optional("sim_quota")?.byteCount(in: 1_048_576...1_099_511_627_776)
        spool = try SpoolPlace(try map.value("spool").map())
        let enrolment = try map.optional("enrolment")?.map()
        enrolled = try enrolment?.optional("folder")?.path() ?? spool.path + "/enrolled"
        rekeyDays = try enrolment?.optional("rekey_days")?.int(in: 30...3_650)
        profiles = try map.value("profiles").path()
        boundary = try map.optional("boundary")?.milliseconds(in: 60_000...3_600_000) ?? 900_000
        control = try map.optional("control")?.path() ?? spool.path + "/control.sock"
        access = try ControlAccess(map)
        metrics = nil
        if let value = map.optional("metrics") { metrics = try Metrics(try value.map()) }
        remote = try Remote(map.optional("remote"))
        let interval = try map.optional("interval")?.milliseconds(in: Self.intervals) ?? 60_000
        let identity = try map.optional("identity_interval")?.milliseconds(in: Self.identityIntervals) ?? 3_600_000
        buses = []
        for item in try map.value("buses").list(count: 1...ModbusConnection.connectionsMax) {
            buses.append(try Bus(try item.map(), interval: interval, identityInterval: identity))
        }
        try map.finish()
        try check(map)
    }

    static let intervals: ClosedRange<Int64> = 100...3_600_000
    static let identityIntervals: ClosedRange<Int64> = 60_000...86_400_000

    private static func clock(_ value: SettingsValue) throws(SettingsError) -> HouseClock {
        guard value.isMap else { return try value.choice([("real", HouseClock.real)]) }
        let replay = try value.map().value("replay").map()
        let start = try replay.value("start").instant()
        let place = try replay.value("zero")
        let zero = try place.instant()
        // Nanoseconds from zero to now must fit in 64 bits.
        guard (0...7_258_118_400_000).contains(zero.milliseconds) else {
            throw place.error("is too far away", allowed: "1970 … 2199")
        }
        return .replayed(start: start, speed: try replay.value("speed").int(in: 1...1_000_000), zero: zero)
    }

    private static func limits(_ map: SettingsMap) throws(SettingsError) -> UplinkWindow.Limits {
        var limits = UplinkWindow.Limits()
        limits.resendAfter = try map.optional("resend_after")?.milliseconds(in: 500...600_000) ?? limits.resendAfter
        limits.resendAfterMax =
            try map.optional("resend_after_max")?.milliseconds(in: 500...3_600_000) ?? limits.resendAfterMax
        guard limits.resendAfter <= limits.resendAfterMax else {
            throw map.error("`resend_after` is longer than `resend_after_max`")
        }
        let window = try map.optional("window")?.map()
        limits.recordsMax = try window?.optional("records_max")?.int(in: 1...1024) ?? limits.recordsMax
        limits.bytesMax =
            Int(try window?.optional("bytes_max")?.byteCount(in: 65_536...16_777_216) ?? Int64(limits.bytesMax))
        limits.bytesPerSecondMax =
            try window?.optional("bytes_per_second_max")?.byteCount(in: 1_024...1_073_741_824)
            ?? limits.bytesPerSecondMax
        return limits
    }

    /// Rules between keys.
    private func check(_ map: SettingsMap) throws(SettingsError) {
        var ids: Set<Identifier> = []
        var endpoints: Set<String> = []
        for bus in buses {
            guard endpoints.insert(bus.endpoint).inserted else {
                throw map.error(
                    "`buses` names \(bus.endpoint) twice: one thread owns a bus; put its meters into one entry")
            }
            for meter in bus.meters {
                guard ids.insert(meter.id).inserted else { throw map.error("`buses` has meter \(meter.id) twice") }
                let classes = [meter.fast, meter.slow].compactMap(\.interval)
                for interval in [meter.interval, meter.identityInterval] + classes {
                    let fits = boundary % interval == 0 || interval % boundary == 0
                    guard fits else {
                        throw map.error(
                            "meter \(meter.id) is read every \(SettingsValue.duration(interval)), which does not meet "
                                + "`boundary` \(SettingsValue.duration(boundary))",
                            allowed: "intervals that divide the boundary, or multiples of it")
                    }
                }
            }
        }
        guard ids.count <= Self.metersMax else {
            throw map.error("`buses` has \(ids.count) meters", allowed: "at most \(Self.metersMax)")
        }
    }
}

extension AgentSettings.MQTT {
    fileprivate init(_ map: SettingsMap, gateway: Identifier) throws(SettingsError) {
        host = try map.value("host").text(1...253)
        caFile = try map.optional("ca_file")?.path()
        certificateFile = try map.optional("certificate_file")?.path()
        keyFile = try map.optional("key_file")?.path()
        port = try map.optional("port")?.int(in: 1...65_535) ?? (caFile == nil ? 1_883 : 8_883)
        username = try map.optional("username")?.text(1...128) ?? gateway.text
        passwordFile = try map.optional("password_file")?.path()
        keepAliveSeconds = Int(try map.optional("keep_alive")?.milliseconds(in: 5_000...3_600_000) ?? 30_000) / 1000
        for item in try map.optional("brokers")?.list(count: 0...(MQTTOptions.brokersMax - 1)) ?? [] {
            let broker = try item.map()
            let host = try broker.value("host").text(1...253)
            alternates.append(MQTTBroker(host: host, port: try broker.optional("port")?.int(in: 1...65_535) ?? port))
        }
        guard keyFile == nil || certificateFile != nil else {
            throw map.error("`key_file` needs `certificate_file`: a key alone proves nothing")
        }
        guard certificateFile == nil || caFile != nil else {
            throw map.error("`certificate_file` needs `ca_file`: without it the broker is not verified")
        }
    }
}

extension AgentSettings.SpoolPlace {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        path = try map.value("path").path()
        bytesMax = Int(try map.optional("bytes_max")?.byteCount(in: 4_194_304...1_099_511_627_776) ?? 268_435_456)
        ageMax = try map.optional("age_max")?.milliseconds(in: 3_600_000...31_536_000_000) ?? 1_209_600_000
    }
}

extension AgentSettings.Meter {
    init(_ map: SettingsMap, interval: Int64, identityInterval: Int64) throws(SettingsError) {
        id = try map.value("id").name()
        unit = try map.optional("unit")?.int(in: 0...255) ?? 1
        profile = try map.value("profile").profile()
        fallback = try map.optional("fallback")?.profile()
        shadow = try map.optional("shadow")?.profile()
        self.interval = try map.optional("interval")?.milliseconds(in: AgentSettings.intervals) ?? interval
        self.identityInterval =
            try map.optional("identity_interval")?.milliseconds(in: AgentSettings.identityIntervals) ?? identityInterval
        role =
            try map.optional("measures")?.choice([
                ("production", MeterSeries.Role.production), ("consumption", .consumption), ("exchange", .exchange),
            ]) ?? .unknown
        fast = try PollClassPlan(map.optional("fast"))
        slow = try PollClassPlan(map.optional("slow"))
        quantities = []
        for item in try map.optional("quantities")?.list(count: 1...64) ?? [] {
            let text = try item.text(1...32)
            guard let code = ObisCode(text) else {
                throw item.error("is no OBIS code", allowed: "A-B:C.D.E such as 1-0:2.8.0")
            }
            quantities.append(code)
        }
    }
}

extension SettingsValue {
    fileprivate func name() throws(SettingsError) -> Identifier {
        guard let identifier = Identifier(try identifier()) else { throw error("is no identifier") }
        return identifier
    }

    /// `vendor/model`.
    fileprivate func profile() throws(SettingsError) -> String {
        let profile = try word("vendor/model out of a-z 0-9 - _ . with one /", count: 3...81) { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || [0x2D, 0x2E, 0x2F, 0x5F].contains(byte)
        }
        // It becomes part of a path.
        guard !profile.has(".."), profile.first != "/", profile.split(separator: "/").count == 2 else {
            throw error("is no profile's name", allowed: "vendor/model")
        }
        return profile
    }

    fileprivate func instant() throws(SettingsError) -> UTCInstant {
        guard let instant = UTCInstant(try instantText()) else {
            throw error("is no instant", allowed: "an instant in UTC such as 2016-07-07T06:00:00Z")
        }
        return instant
    }
}
