// The server an exchange is with: its name, which its certificate must carry, and its port.

/// `https://HOST` or `https://HOST:PORT`; an IPv6 address stands in brackets.
package struct HTTPSOrigin: Hashable, Sendable, CustomStringConvertible {
    /// Without brackets.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// A path other than `/` is refused: each command knows its own.
    ///
    /// - Parameter port: when the text has none.
    package init(reading text: String, port defaultPort: Int) throws(HTTPSError) {
        let prefix = "https://"
        guard text.utf8.count <= 300, text.lowercased().hasPrefix(prefix) else { throw .url(text) }
        var rest = text.dropFirst(prefix.count)
        if rest.hasSuffix("/") { rest.removeLast() }
        let name: Substring
        var number: Substring?
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw .url(text) }
            name = rest[rest.index(after: rest.startIndex)..<end]
            let after = rest[rest.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { throw .url(text) }
            if !after.isEmpty { number = after.dropFirst() }
        } else {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count) else { throw .url(text) }
            name = parts[0]
            if parts.count == 2 { number = parts[1] }
        }
        let isPlain = name.utf8.allSatisfy { byte in
            (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x5F].contains(byte)
        }
        guard !name.isEmpty, name.utf8.count <= 253, isPlain else { throw .url(text) }
        if let number {
            guard let value = Int(number), (1...65_535).contains(value) else { throw .url(text) }
            port = value
        } else {
            port = defaultPort
        }
        host = String(name)
    }

    /// `host:port`, as the Host field has it.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    package var url: String { "https://\(self)" }
}
