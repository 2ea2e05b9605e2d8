// The bytes of one HTTP/1.1 answer (RFC 9112) as they come, within bounds. A value: no socket, no time.

/// What a server answered.
package struct HTTPAnswer: Hashable, Sendable {
    package let status: Int
    /// Names in lower case.
    package let fields: [String: String]
    package let body: [UInt8]

    /// The media type without parameters, in lower case.
    package var type: String {
        String((fields["content-type"] ?? "").lowercased().prefix { $0 != ";" && $0 != " " })
    }

    /// The first line of a text, made harmless for a terminal; empty when there is none.
    package var reason: String {
        let line = body.prefix(300).prefix { $0 != 0x0A && $0 != 0x0D }
        return String(decoding: line.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }
}

/// Reads one answer to a request that asked for the connection's end.
struct HTTPAnswerReader {
    enum Problem: Error, Hashable {
        case tooLarge
        case malformed(String)
    }

    static let headBytesMax = 16_384
    /// Interim answers (1xx) before the real one.
    static let interimMax = 8
    /// A chunk's size line.
    private static let lineBytesMax = 1_024

    private enum Length {
        case bytes(Int)
        case chunks
        /// Until the orderly end of the connection.
        case toEnd
    }

    let bodyBytesMax: Int
    private var buffer: [UInt8] = []
    private var head: (status: Int, fields: [String: String], length: Length)?
    private var body: [UInt8] = []
    private var isLastChunkRead = false
    private var interim = 0
    /// Bytes of `buffer` in which the head does not end.
    private var searched = 0

    init(bodyBytesMax: Int) { self.bodyBytesMax = bodyBytesMax }

    /// Takes bytes in; the answer when it is whole.
    mutating func take(_ bytes: some Collection<UInt8>) throws(Problem) -> HTTPAnswer? {
        buffer += bytes
        while head == nil {
            guard try readHead() else { return nil }
        }
        guard let head else { return nil }
        switch head.length {
        case .bytes(let count):
            guard count <= bodyBytesMax else { throw .tooLarge }
            guard buffer.count >= count else { return nil }
            body = Array(buffer[..<count])
        case .toEnd:
            guard buffer.count <= bodyBytesMax else { throw .tooLarge }
            return nil
        case .chunks:
            while !isLastChunkRead {
                guard try readChunk() else { return nil }
            }
        }
        return HTTPAnswer(status: head.status, fields: head.fields, body: body)
    }

    /// The connection ended in order: whole only where its end is the answer's.
    func ended() -> HTTPAnswer? {
        guard let head, case .toEnd = head.length else { return nil }
        return HTTPAnswer(status: head.status, fields: head.fields, body: buffer)
    }

    // MARK: Head

    private mutating func readHead() throws(Problem) -> Bool {
        guard let end = Self.end(of: [0x0D, 0x0A, 0x0D, 0x0A], in: buffer, from: max(0, searched - 3)) else {
            searched = buffer.count
            guard buffer.count <= Self.headBytesMax else { throw .malformed("its head has no end") }
            return false
        }
        guard end <= Self.headBytesMax else { throw .malformed("its head is too long") }
        let text = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeFirst(end)
        searched = 0
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
        guard !lines.isEmpty else { throw .malformed("no status line") }
        let first = lines.removeFirst().split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), first[1].count == 3, let status = Int(first[1]),
            (100...599).contains(status)
        else { throw .malformed("no status line") }
        // Interim answers come before the real one.
        if (100...199).contains(status) {
            interim += 1
            guard interim <= Self.interimMax else { throw .malformed("nothing but interim answers") }
            return true
        }
        let fields = try Self.fields(lines)
        head = (status, fields, try Self.length(status, fields))
        return true
    }

    private static func fields(_ lines: [Substring]) throws(Problem) -> [String: String] {
        var fields: [String: String] = [:]
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { throw .malformed("a field without a colon") }
            let name = parts[0].lowercased()
            let value = String(parts[1].drop { $0 == " " || $0 == "\t" })
            // Two lengths are an attack on whoever believes the other one.
            if fields[name] != nil, ["content-length", "transfer-encoding"].contains(name) {
                throw .malformed("\(name) twice")
            }
            fields[name] = value
        }
        return fields
    }

    private static func length(_ status: Int, _ fields: [String: String]) throws(Problem) -> Length {
        if [204, 304].contains(status) { return .bytes(0) }
        if let coding = fields["transfer-encoding"] {
            guard coding.lowercased() == "chunked", fields["content-length"] == nil else {
                throw .malformed("transfer-encoding \(coding.prefix(40))")
            }
            return .chunks
        }
        guard let text = fields["content-length"] else { return .toEnd }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(text) else {
            throw .malformed("content-length \(text.prefix(40))")
        }
        return .bytes(count)
    }

    // MARK: Chunks

    /// RFC 9112 §7.1. Trailers are read over.
    private mutating func readChunk() throws(Problem) -> Bool {
        guard let end = Self.end(of: [0x0D, 0x0A], in: buffer) else {
            guard buffer.count <= Self.lineBytesMax else { throw .malformed("a chunk without a size") }
            return false
        }
        let size = buffer[..<(end - 2)].prefix { $0 != 0x3B }
        let text = String(decoding: size, as: UTF8.self)
        guard (1...8).contains(text.utf8.count), let count = Int(text, radix: 16), count >= 0 else {
            throw .malformed("a chunk without a size")
        }
        if count == 0 {
            // What follows are trailers, which say nothing to us, and then the connection's end.
            isLastChunkRead = true
            return true
        }
        guard body.count + count <= bodyBytesMax else { throw .tooLarge }
        guard buffer.count >= end + count + 2 else { return false }
        guard buffer[end + count] == 0x0D, buffer[end + count + 1] == 0x0A else {
            throw .malformed("a chunk without an end")
        }
        body += buffer[end..<(end + count)]
        buffer.removeFirst(end + count + 2)
        return true
    }

    /// The index after the first `mark`.
    private static func end(of mark: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard bytes.count >= mark.count + start else { return nil }
        for index in start...(bytes.count - mark.count) where bytes[index..<(index + mark.count)].elementsEqual(mark) {
            return index + mark.count
        }
        return nil
    }
}
