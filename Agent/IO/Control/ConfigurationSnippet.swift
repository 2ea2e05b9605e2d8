// What `identify` and `scan` found, as configuration to paste: one `buses` key, whatever was found. Makes text; asks nobody.

internal import AgentCore

enum ConfigurationSnippet {
    struct Meter {
        let unit: UInt8
        let profile: String
        /// Stands above the meter as a comment.
        var doubt: String?
    }

    static func buses(_ places: [(endpoint: BusEndpoint, meters: [Meter])]) -> [String] {
        ["buses:"] + places.flatMap { bus($0.endpoint, $0.meters) }
    }

    private static func bus(_ endpoint: BusEndpoint, _ meters: [Meter]) -> [String] {
        var lines: [String] = []
        switch endpoint {
        case .tcp(let host, let port): lines.append("  - tcp: \(address(host, port))")
        case .rtuOverTCP(let host, let port, let hasEcho):
            lines.append(
                hasEcho
                    ? "  - rtu_tcp: {address: \"\(address(host, port))\", echo: true}"
                    : "  - rtu_tcp: \(address(host, port))")
        case .rtu(let line):
            let parity =
                switch line.parity {
                case .none: "none"
                case .even: "even"
                case .odd: "odd"
                }
            lines.append("  - rtu:")
            lines.append("      device: \(line.device)")
            lines.append("      baud: \(line.baud)")
            lines.append("      parity: \(parity)")
            lines.append("      stop_bits: \(line.stopBits)")
            if line.hasEcho { lines.append("      echo: true") }
        }
        lines.append("    meters:")
        for meter in meters {
            if let doubt = meter.doubt { lines.append("      # \(doubt)") }
            lines.append("      - {id: NAME, unit: \(meter.unit), profile: \(meter.profile)}")
        }
        return lines
    }

    private static func address(_ host: String, _ port: UInt16) -> String {
        host.contains(":") ? "\"[\(host)]:\(port)\"" : "\(host):\(port)"
    }
}
