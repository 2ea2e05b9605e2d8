// The part of the configuration that says where figures for Prometheus go: `metrics: {listen: …, file: …}`.

internal import Glibc
internal import Settings

extension AgentSettings {
    package struct Metrics: Hashable, Sendable {
        /// An address of this machine alone, with its port.
        package struct Loopback: Hashable, Sendable {
            package let text: String
            let isV6: Bool
            /// Network byte order.
            let v4: UInt32
            let port: UInt16
        }

        package var listen: Loopback?
        package var file: String?
    }
}

extension AgentSettings.Metrics {
    init(_ map: SettingsMap) throws(SettingsError) {
        if let value = map.optional("listen") {
            guard let place = Loopback(try value.text(1...64)) else {
                throw value.error("is no loopback address", allowed: "127.x.x.x:port or [::1]:port, port 1 … 65535")
            }
            listen = place
        }
        file = try map.optional("file")?.path()
        if listen == nil, file == nil { throw map.error("`metrics` needs `listen`, `file`, or both") }
    }
}

extension AgentSettings.Metrics.Loopback {
    /// Nil for anything that others could reach: there is neither TLS nor a password on this port.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        let host = text[..<colon]
        var address = in_addr()
        isV6 = host == "[::1]"
        if !isV6 {
            guard inet_pton(AF_INET, String(host), &address) == 1, UInt32(bigEndian: address.s_addr) >> 24 == 127 else {
                return nil
            }
        }
        self.text = text
        self.port = port
        v4 = address.s_addr
    }

    /// Whether the socket has the address now.
    func bind(_ descriptor: Int32) -> Bool {
        guard isV6 else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr = in_addr(s_addr: v4)
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_addr = in6addr_loopback
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }
}
