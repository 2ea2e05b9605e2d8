// A client of a house's HTTP interface, for the command line tools. Whole answers, bounded; no streaming.

internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// What a house answered that was not 2xx, in its own words.
package struct HouseAnswerError: Error, CustomStringConvertible, Sendable {
    package let status: Int
    package let description: String

    package init(status: Int, description: String) { (self.status, self.description) = (status, description) }
}

/// One house behind one URL.
package struct HouseClient: Sendable {
    /// Largest answer taken.
    package static let answerBytesMax = 64 << 20
    private static let timeoutSeconds: Int64 = 60

    private let url: String
    private let token: String?

    /// - Parameters:
    ///   - url: `http://127.0.0.1:8080`, with or without a slash at its end.
    ///   - tokenFile: file whose first line is the bearer token; nil sends none.
    package init(url: String, tokenFile: String?) throws {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        token = try tokenFile.map { path in
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        }
    }

    /// The body of `GET path`; nil for 404.
    package func get(_ path: String) async throws -> [UInt8]? {
        let (status, body) = try await send(.GET, path, body: nil, type: nil)
        if status == 404 { return nil }
        return try checked(status, body, "GET \(path)")
    }

    /// The body of the answer to `POST path`.
    package func post(_ path: String, _ body: [UInt8], type: String = "application/cbor") async throws -> [UInt8] {
        let (status, answer) = try await send(.POST, path, body: body, type: type)
        return try checked(status, answer, "POST \(path)")
    }

    private func checked(_ status: Int, _ body: [UInt8], _ what: String) throws -> [UInt8] {
        guard (200..<300).contains(status) else {
            throw HouseAnswerError(
                status: status, description: "\(what) was answered \(status): \(String(decoding: body, as: UTF8.self))")
        }
        return body
    }

    private func send(
        _ method: HTTPMethod, _ path: String, body: [UInt8]?, type: String?
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = HTTPClientRequest(url: url + (path.hasPrefix("/") ? path : "/" + path))
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(Self.timeoutSeconds))
        let buffer = try await response.body.collect(upTo: Self.answerBytesMax)
        return (Int(response.status.code), Array(buffer.readableBytesView))
    }
}
