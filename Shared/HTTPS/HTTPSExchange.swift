// One request and its answer over a connection of its own: bounded in bytes and time, the server proven before anything
// of ours is sent. Not a browser: no redirects, no cookies, no second request on a connection.

package import Keys

/// What to ask.
package struct HTTPSRequest: Sendable {
    package var method: String
    package var path: String
    package var fields: [(name: String, value: String)]
    package var body: [UInt8]

    /// - Precondition: `path` and `fields` come from the program, or were checked: no line ends.
    package init(_ method: String, _ path: String, fields: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.fields = fields
        self.body = body
    }

    func encoded(host: String) -> [UInt8] {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Connection: close"]
        lines += fields.map { "\($0.name): \($0.value)" }
        if method != "GET" { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }
}

/// A server, and whom to believe and what to show there.
package struct HTTPSExchange: Sendable {
    /// Bytes of an answer's body.
    package static let bodyBytesMax = 262_144
    /// Seconds for a whole exchange: a server may be slow, but not for ever.
    package static let secondsDefault = 30

    package let origin: HTTPSOrigin
    package let client: TLSClient
    package var seconds = secondsDefault

    package init(_ origin: HTTPSOrigin, client: TLSClient) {
        self.origin = origin
        self.client = client
    }

    /// Blocks the calling thread. Signals of broken pipes must be ignored by the process.
    ///
    /// - Returns: the answer, whatever its status, and the CA where a fingerprint found it.
    package func perform(_ request: HTTPSRequest) throws(HTTPSError) -> (answer: HTTPAnswer, authority: Certificate?) {
        let connection = try TLSConnection(origin, client: client, seconds: seconds)
        try connection.send(request.encoded(host: origin.description))
        var reader = HTTPAnswerReader(bodyBytesMax: Self.bodyBytesMax)
        while true {
            let bytes = try connection.receive()
            do throws(HTTPAnswerReader.Problem) {
                let answer = bytes.isEmpty ? reader.ended() : try reader.take(bytes)
                if let answer { return (answer, connection.context.authority) }
            } catch {
                switch error {
                case .tooLarge: throw .tooLarge(place: origin.description, bytesMax: Self.bodyBytesMax)
                case .malformed(let what): throw .malformed(place: origin.description, what: what)
                }
            }
            guard !bytes.isEmpty else { throw .cut(place: origin.description) }
        }
    }
}
