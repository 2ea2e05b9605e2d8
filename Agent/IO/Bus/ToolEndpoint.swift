// An endpoint as a person types it for a tool: tcp:HOST:PORT, rtu_tcp:HOST:PORT or rtu:DEVICE with its line's settings.

internal import AgentCore

enum ToolEndpoint {
    /// The keys of a request that say where and how.
    static let keys: Set<String> = ["endpoint", "baud", "parity", "stop_bits", "echo"]

    static func parse(_ request: ControlRequest) throws(ControlRefusal) -> BusEndpoint {
        let text = try request.required("endpoint")
        let hint = "endpoint \(text): allowed: tcp:HOST:PORT, rtu_tcp:HOST:PORT, rtu:DEVICE"
        let isEcho = try flag(request, "echo")
        if let rest = text.dropping("rtu:") {
            guard rest.hasPrefix("/") else { throw ControlRefusal("\(hint) (an absolute path)") }
            var line = SerialLine(device: rest)
            line.hasEcho = isEcho
            if let baud = try request.number("baud", in: 1_200...230_400) {
                guard SerialLine.bauds.contains(Int(baud)) else {
                    throw ControlRefusal(
                        "baud \(baud): allowed: \(SerialLine.bauds.map(String.init).joined(separator: ", "))")
                }
                line.baud = Int(baud)
            }
            if let parity = request.optional("parity") { line.parity = try Self.parity(parity) }
            line.stopBits = Int(try request.number("stop_bits", in: 1...2) ?? 1)
            return .rtu(line)
        }
        if let rest = text.dropping("rtu_tcp:") {
            let (host, port) = try place(rest, hint, usual: nil)
            return .rtuOverTCP(host: host, port: port, hasEcho: isEcho)
        }
        guard let rest = text.dropping("tcp:") else { throw ControlRefusal(hint) }
        let (host, port) = try place(rest, hint, usual: 502)
        return .tcp(host: host, port: port)
    }

    static func parity(_ text: String) throws(ControlRefusal) -> SerialLine.Parity {
        switch text {
        case "none": .none
        case "even": .even
        case "odd": .odd
        default: throw ControlRefusal("parity \(text): allowed: none, even, odd")
        }
    }

    private static func flag(_ request: ControlRequest, _ key: String) throws(ControlRefusal) -> Bool {
        switch request.optional(key) {
        case nil, "false": false
        case "true": true
        case let other?: throw ControlRefusal("\(key) \(other): allowed: true, false")
        }
    }

    /// `host:port`, `[address]:port`, or a host alone where there is a usual port.
    private static func place(
        _ text: String, _ hint: String, usual: UInt16?
    ) throws(ControlRefusal) -> (String, UInt16) {
        var (host, port) = (text, usual)
        let end = text.lastIndex(of: "]")
        if let colon = text.lastIndex(of: ":"), end.map({ colon > $0 }) ?? (text.firstIndex(of: ":") == colon) {
            host = String(text[..<colon])
            port = UInt16(text[text.index(after: colon)...])
        }
        let isBracketed = host.first == "[" && host.last == "]"
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        guard let port, isBracketed || !host.contains(":"), port > 0, (1...253).contains(host.utf8.count),
            !host.contains(where: \.isWhitespace)
        else {
            throw ControlRefusal(hint)
        }
        return (host, port)
    }
}

extension String {
    fileprivate func dropping(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
