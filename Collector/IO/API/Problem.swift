// Errors of the HTTP interface (RFC 9457): one type, one table of names. What is not in it becomes 500, details in the log only.

internal import Evidence
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

    /// A record that intake refused, with the number docs/formats/evidence.md gives it.
    static func recordRefused(_ code: RefusalCode, detail: String? = nil) -> Problem {
        let status: HTTPResponse.Status =
            switch code {
            case .oversized: .contentTooLarge
            case .forked, .streamEnded, .notNext: .conflict
            default: .unprocessableContent
            }
        return Problem(
            status, "record-refused", "The record is not taken: \(code)", detail: detail ?? advice(code),
            code: Int64(code.rawValue))
    }

    private static func advice(_ code: RefusalCode) -> String {
        switch code {
        case .oversized: "send envelopes of at most \(SignedMessage.acceptedBytesMax) bytes"
        case .malformed: "send one COSE_Sign1 with a record: docs/formats/evidence.md has its shape"
        case .unprotectedHeader: "leave the unprotected header empty: nobody signs it"
        case .wrongContentType: "send a record: its content type is \(ContentType.record.rawValue)"
        case .wrongTopic: "name the gateway that the record names: /ingest/events?gateway=<id>"
        case .unknownGateway: "register the gateway first"
        case .unknownKey: "register the gateway's key, or sign with the one in force at this number"
        case .revokedKey: "register a new key: this one is revoked"
        case .badSignature: "sign again: the signature does not stand over the record"
        case .forked:
            "another record with this number was taken: begin a new stream with a birth, and find out who signs with this key"
        case .streamEnded: "the stream takes nothing more: begin a new one with a birth"
        case .notNext: "send what is missing first"
        case .notBorn: "begin the stream with a birth"
        case .supersededKey:
            "another key took this one's place: sign with that one; a box that was put back from a copy enrols again (kilomint-agent enroll --replace)"
        }
    }

    static func tooLarge(_ bytesMax: Int) -> Problem {
        Problem(.contentTooLarge, "too-large", "The body is too large", detail: "send at most \(bytesMax) bytes")
    }
}
