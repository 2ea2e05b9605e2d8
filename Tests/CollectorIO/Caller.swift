// Calls the routes of a house as an HTTP client would, without sockets. No test in here.

@testable import CollectorIO
import CBOR
import CollectorCore
import CollectorJournal
import Keys
import Kit
import Proofs
import Quantities
import Settings
import Evidence
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

/// An answer, with its JSON read.
struct Reply {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]

    /// The members of a JSON object; empty for anything else.
    var json: [String: Any] {
        // What is no JSON has no members: the test that asks for one then fails.
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }

    var items: [[String: Any]] { json["items"] as? [[String: Any]] ?? [] }
    var text: String { String(decoding: body, as: UTF8.self) }
    func string(_ name: String) -> String? { json[name] as? String }
    func number(_ name: String) -> Int? { json[name] as? Int }

    /// The last part of a problem's type, when this is a whole problem+json that says what to do.
    var problem: String? {
        guard headers[.contentType] == "application/problem+json", number("status") == status,
            string("title")?.isEmpty == false,
            string("detail")?.isEmpty == false, let type = string("type"), type.hasPrefix("urn:kilomint:problem:")
        else { return nil }
        return String(type.dropFirst("urn:kilomint:problem:".count))
    }
}

struct Caller: Sendable {
    let client: any TestClientProtocol

    func get(
        _ path: String, as role: AccessRole? = .viewer, method: HTTPRequest.Method = .get, headers: HTTPFields = [:]
    ) async throws -> Reply {
        try await send(method, path, role, headers, nil)
    }

    func post(
        _ path: String, _ body: [UInt8] = [], as role: AccessRole? = .operator, headers: HTTPFields = [:]
    ) async throws -> Reply {
        try await send(.post, path, role, headers, body)
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ role: AccessRole?, _ headers: HTTPFields, _ body: [UInt8]?
    ) async throws -> Reply {
        var headers = headers
        if let role, let token = HouseYard.tokens.first(where: { $0.role == role }) {
            headers[.authorization] = "Bearer \(token.text)"
        }
        let response = try await client.execute(
            uri: path, method: method, headers: headers, body: body.map { ByteBuffer(bytes: $0) })
        return Reply(
            status: response.status.code, headers: response.headers, body: Array(response.body.readableBytesView))
    }
}

extension HouseYard {
    /// Opens the house, hands it to `body` with a client for its routes, and closes it.
    func with<Value: Sendable>(
        openReads: Bool = false, _ body: @Sendable (House, Caller) async throws -> Value
    ) async throws -> Value {
        let house = try await open()
        let application = Application(router: routes(house, openReads: openReads).router())
        let value = try await application.test(.router) { client in try await body(house, Caller(client: client)) }
        try await close(house)
        return value
    }

    /// Everything of the first `days` windows from evidence to money: taken, stated, cut, proven, issued.
    ///
    /// - Returns: their ids.
    func settle(_ house: House, days: Int64 = 1) async throws -> [String] {
        var gateway = YardGateway(self)
        let desk = YardDesk(yard: self)
        _ = await house.deliver(try gateway.bear())
        _ = try await house.take(statement: try desk.statement())
        for _ in 0..<days {
            set(anchor + (gateway.days + 1) * day)
            _ = await house.deliver(try gateway.produceDay())
        }
        for index in 0..<days {
            set(anchor + (index + 2) * day)
            try await house.work()
            try await prove(house)
        }
        return await house.state.windows.map(\.window.text)
    }

    /// Both verifiers' proofs for the window cut last.
    func prove(_ house: House) async throws {
        guard let window = await house.state.windows.last, let digest = window.seal?.body.outputDigest else {
            throw InjectedFault()
        }
        let desk = YardDesk(yard: self)
        _ = try await house.take(proof: try desk.proof(.acknowledged, window.window, digest, by: "finance"))
        _ = try await house.take(proof: try desk.proof(.complianceTested, window.window, digest, by: "compliance"))
    }
}
