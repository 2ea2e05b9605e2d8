// Shapes of answers: JSON, bytes, immutable things with an ETag, pages.

internal import HTTPTypes
internal import Hummingbird
internal import Proofs

enum Answer {
    static func json(_ value: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: value.encoded)))
    }

    static func text(_ text: String, type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    static func cbor(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/cbor", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// What never changes again: a strong ETag (its digest), cacheable for ever, 304 when the client has it.
    static func immutable(_ bytes: [UInt8], type: String, _ request: Request) -> Response {
        let tag = "\"\(Digest(of: bytes))\""
        var headers: HTTPFields = [.eTag: tag, .cacheControl: "public, max-age=31536000, immutable"]
        if let known = request.headers[.ifNoneMatch],
            known == "*" || known.split(separator: ",").contains(where: { $0.strongTag == tag })
        {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = type
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func immutable(_ value: JSON, _ request: Request) -> Response {
        immutable(Array(value.encoded.utf8), type: "application/json", request)
    }
}

extension Substring {
    /// Without spaces around it and without the mark of a weak tag: RFC 9110 §13.1.2 compares weakly.
    fileprivate var strongTag: Substring {
        let text = drop { $0 == " " }.prefix { $0 != " " }
        return text.hasPrefix("W/") ? text.dropFirst(2) : text
    }
}

/// A page of a list that only grows: `limit` and an opaque `cursor`, which is the position after the last item.
struct Page: Sendable {
    static let limitMax = 500
    let limit: Int
    let after: Int

    init(_ request: Request) throws(Problem) {
        let query = request.uri.queryParameters
        let limitText = query["limit"].map(String.init) ?? "100"
        guard let limit = Int(limitText), (1...Self.limitMax).contains(limit) else {
            throw .badRequest("limit is not usable", detail: "limit is a whole number 1 … \(Self.limitMax)")
        }
        let cursorText = query["cursor"].map(String.init) ?? "0"
        guard let after = Int(cursorText), after >= 0 else {
            throw .badRequest("cursor is not usable", detail: "send the `next` of the page before, unchanged")
        }
        self.limit = limit
        self.after = after
    }

    /// `items` from the cursor on; `next` is null at the end.
    func answer<Item>(_ all: [Item], _ view: (Item) -> JSON) -> JSON {
        let start = min(after, all.count)
        let end = min(all.count, start + limit)
        return Self.answer(all[start..<end].map(view), next: end < all.count ? end : nil)
    }

    /// A page that was cut out already.
    static func answer(_ items: [JSON], next: Int?) -> JSON {
        .object([("items", .array(items)), ("next", .optional(next.map(String.init)))])
    }
}
