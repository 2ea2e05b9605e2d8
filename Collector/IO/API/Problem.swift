// Errors of the HTTP interface (RFC 9457): one type, one table of names. What is not in it becomes 500, details in the log only.

internal import HTTPTypes
internal import Hummingbird

/// A refusal as `application/problem+json`.
struct Problem: Error, HTTPResponseError, Sendable {
    let status: HTTPResponse.Status
    /// Last part of `urn:kilomint:problem:`; documented in docs/formats/http.md.
    let name: String
    let title: String
    /// What to do next.
    let detail: String
    /// Numbered refusal where there is one.
    let code: Int64?

    init(_ status: HTTPResponse.Status, _ name: String, _ title: String, detail: String, code: Int64? = nil) {
        self.status = status
        self.name = name
        self.title = title
        self.detail = detail
        self.code = code
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var members: [(String, JSON)] = [
            ("type", .string("urn:kilomint:problem:" + name)), ("title", .string(title)),
            ("status", .int(Int64(status.code))),
            ("detail", .string(detail)),
        ]
        if let code { members.append(("code", .int(code))) }
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: JSON.object(members).encoded)))
    }
}

extension Problem {
    static func notFound(_ what: String, hint: String) -> Problem {
        Problem(.notFound, "not-found", "There is no \(what)", detail: hint)
    }

    static func badRequest(_ title: String, detail: String, code: Int64? = nil) -> Problem {
        Problem(.badRequest, "bad-request", title, detail: detail, code: code)
    }

    static func tooLarge(_ bytesMax: Int) -> Problem {
        Problem(.contentTooLarge, "too-large", "The body is too large", detail: "send at most \(bytesMax) bytes")
    }
}
