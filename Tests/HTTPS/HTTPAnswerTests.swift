// Answers byte by byte, in pieces of every size, whole and broken.

@testable internal import HTTPS
internal import Testing

struct HTTPAnswerTests {
    private func read(_ text: String, piece: Int = 1, max: Int = 100) throws -> HTTPAnswer? {
        var reader = HTTPAnswerReader(bodyBytesMax: max)
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            if let answer = try reader.take(bytes[start..<min(start + piece, bytes.count)]) { return answer }
        }
        return reader.ended()
    }

    @Test(arguments: [1, 2, 3, 7, 1_000])
    func everyFormOfABodyIsRead(piece: Int) throws {
        let counted = "HTTP/1.1 200 OK\r\nContent-Type: Application/CBOR; x=1\r\nContent-Length: 3\r\n\r\nabcdef"
        let answer = try #require(try read(counted, piece: piece))
        #expect(answer.status == 200 && answer.body == Array("abc".utf8) && answer.type == "application/cbor")
        let chunked =
            "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
        #expect(try read(chunked, piece: piece)?.reason == "abc0123456789")
        #expect(try read("HTTP/1.0 200 OK\r\n\r\nall of it", piece: piece)?.body == Array("all of it".utf8))
        #expect(try read("HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 No\r\n\r\n", piece: piece)?.status == 204)
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
        String(repeating: "HTTP/1.1 100 Go\r\n\r\n", count: 1_000),
        String(repeating: "a", count: 20_000), "HTTP/1.1 200 OK\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n",
    ])
    func whatIsNoHTTPIsRefused(text: String) {
        #expect { try read(text) } throws: { if case HTTPAnswerReader.Problem.malformed = $0 { true } else { false } }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n\(String(repeating: "a", count: 101))",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n\(String(repeating: "a", count: 64))\r\n40\r\n",
    ])
    func whatIsTooLongIsRefused(text: String) {
        #expect(throws: HTTPAnswerReader.Problem.tooLarge) { try read(text) }
    }

    @Test func aPartIsNoAnswer() throws {
        #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab") == nil)
        #expect(try read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") == nil)
        #expect(try read("HTTP/1.1 200 O") == nil)
    }

    @Test func theReasonIsOneHarmlessLine() {
        let answer = HTTPAnswer(status: 400, fields: [:], body: Array("a\u{1B}[31mb\nc".utf8))
        #expect(answer.reason == "a?[31mb")
    }

    @Test func addressesOfServers() throws {
        let named = try HTTPSOrigin(reading: "https://a.example:1/", port: 8443)
        #expect(named == HTTPSOrigin(host: "a.example", port: 1))
        #expect(try HTTPSOrigin(reading: "HTTPS://a", port: 8443).url == "https://a:8443")
        #expect(try HTTPSOrigin(reading: "https://[::1]:9", port: 8443).description == "[::1]:9")
        let broken = [
            "http://a", "a:1", "https://", "https://a:0", "https://a:65536", "https://a/b", "https://a b",
            "https://a\r\nX: y", "https://[::1", "https://a:b",
        ]
        for wrong in broken {
            #expect(throws: HTTPSError.url(wrong)) { try HTTPSOrigin(reading: wrong, port: 1) }
        }
    }
}
