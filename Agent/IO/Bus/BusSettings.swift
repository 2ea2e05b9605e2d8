// The part of the configuration that says where meters are: one of tcp, rtu and rtu_tcp, and how long a bus waits.

internal import AgentCore
internal import Settings

extension AgentSettings.Bus {
    /// Units that may be asked on a serial line (Modbus over Serial Line V1.02 §2.2): 0 is everybody, who does not
    /// answer, and above 247 is reserved.
    static let serialUnits: ClosedRange<UInt8> = 1...247

    init(_ map: SettingsMap, interval: Int64, identityInterval: Int64) throws(SettingsError) {
        place = try Self.place(map)
        timing = BusTiming()
        timing.timeout = try map.optional("timeout")?.milliseconds(in: 100...60_000)
        timing.timeoutMax = try map.optional("timeout_max")?.milliseconds(in: 100...60_000)
        timing.connect = try map.optional("connect_timeout")?.milliseconds(in: 100...60_000) ?? timing.connect
        timing.turnaround = try map.optional("turnaround")?.milliseconds(in: 0...10_000)
        if let start = timing.timeout, let longest = timing.timeoutMax, start > longest {
            throw map.error("`timeout` is longer than `timeout_max`")
        }
        meters = []
        for item in try map.value("meters").list(count: 1...256) {
            let meter = try AgentSettings.Meter(
                try item.map(), interval: interval, identityInterval: identityInterval)
            guard !meters.contains(where: { $0.unit == meter.unit }) else {
                throw item.error("has unit \(meter.unit), as another meter of this bus has")
            }
            guard place.framing == .tcp || Self.serialUnits.contains(meter.unit) else {
                throw item.error("has unit \(meter.unit), which no device on a serial line has", allowed: "1 … 247")
            }
            meters.append(meter)
        }
    }

    private static func place(_ map: SettingsMap) throws(SettingsError) -> BusEndpoint {
        let tcp = map.optional("tcp")
        let rtu = map.optional("rtu")
        let server = map.optional("rtu_tcp")
        switch (tcp, rtu, server) {
        case (let value?, nil, nil):
            let (host, port) = try endpoint(value, port: "502")
            return .tcp(host: host, port: port)
        case (nil, let value?, nil): return .rtu(try SerialLine(try value.map()))
        case (nil, nil, let value?):
            guard value.isMap else {
                let (host, port) = try endpoint(value, port: nil)
                return .rtuOverTCP(host: host, port: port, hasEcho: false)
            }
            let parts = try value.map()
            let (host, port) = try endpoint(try parts.value("address"), port: nil)
            return .rtuOverTCP(host: host, port: port, hasEcho: try parts.optional("echo")?.bool() ?? false)
        default: throw map.error("one of `tcp`, `rtu` and `rtu_tcp` says where the bus is")
        }
    }

    /// `host:port`, `[address]:port`, or with a usual `port` a host alone.
    private static func endpoint(
        _ value: SettingsValue, port usual: String?
    ) throws(SettingsError) -> (String, UInt16) {
        let allowed = "host:port, [IPv6 address]:port" + (usual.map { ", or host (port \($0))" } ?? "")
        let text = try value.text(1...260)
        var (host, port) = (text[...], (usual ?? "")[...])
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw value.error("lacks ]", allowed: allowed) }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty {
                guard rest.first == ":" else { throw value.error("is no endpoint", allowed: allowed) }
                port = rest.dropFirst()
            }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !host.contains(":") else { throw value.error("is no endpoint", allowed: allowed) }
        }
        guard let number = UInt16(port), number > 0, !host.isEmpty, !host.contains(" ") else {
            throw value.error("is no endpoint", allowed: allowed)
        }
        return (String(host), number)
    }
}

extension SerialLine {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        let place = try map.value("device")
        let device = try place.path()
        guard device.hasPrefix("/") else { throw place.error("is no device", allowed: "an absolute path") }
        self.init(device: device)
        if let value = map.optional("baud") {
            baud = try value.int(in: 1_200...230_400)
            guard Self.bauds.contains(baud) else {
                throw value.error("is no usual speed", allowed: Self.bauds.map(String.init).joined(separator: ", "))
            }
        }
        parity =
            try map.optional("parity")?.choice([("none", Parity.none), ("even", .even), ("odd", .odd)]) ?? parity
        stopBits = try map.optional("stop_bits")?.int(in: 1...2) ?? stopBits
        hasEcho = try map.optional("echo")?.bool() ?? false
        if let value = map.optional("rs485") { rs485 = try RS485(try value.map()) }
    }
}

extension SerialLine.RS485 {
    fileprivate init(_ map: SettingsMap) throws(SettingsError) {
        self.init()
        rtsOnSend = try map.optional("rts_on_send")?.choice([("high", true), ("low", false)]) ?? true
        rtsAfterSend = try map.optional("rts_after_send")?.choice([("high", true), ("low", false)]) ?? !rtsOnSend
        delayBefore = UInt32(try map.optional("delay_before")?.milliseconds(in: 0...100) ?? 0)
        delayAfter = UInt32(try map.optional("delay_after")?.milliseconds(in: 0...100) ?? 0)
        receivesWhileSending = try map.optional("receive_while_sending")?.bool() ?? false
        isTerminated = try map.optional("terminate")?.bool() ?? false
        guard rtsOnSend != rtsAfterSend else {
            throw map.error("`rts_on_send` and `rts_after_send` are the same: the line would never be let go")
        }
    }
}
