// Request lines of the control socket: what is written is read back, and what is none is refused without a trap.

internal import Kit
internal import Testing

@testable internal import AgentIO

struct ControlRequestTests {
    @Test func whatIsWrittenIsReadBack() throws {
        let request = ControlRequest(
            "read", ["endpoint": "tcp:[::1]:502", "note": "50 % of = ä\n\u{1B}[2J", "empty": "", "unit": "3"])
        #expect(try ControlRequest(parsing: Array(request.line.utf8)) == request)
        #expect(!request.line.contains("\n") && !request.line.contains("\u{1B}"))
        #expect(try ControlRequest(parsing: Array("read unit=3  count=2".utf8)).values == ["unit": "3", "count": "2"])
    }

    @Test(arguments: [
        "", " ", "READ", "read unit", "read =3", "read unit=%", "read unit=%4", "read unit=%zz", "read unit=%ff",
        "read unit=1 unit=2", "read UNIT=1", "r\u{0}d", "read " + String(repeating: "a", count: 40) + "=1",
        "read " + (0...32).map { "k\($0)=1" }.joined(separator: " "), "read a=" + String(repeating: "b", count: 5_000),
    ])
    func whatIsNoneIsRefused(text: String) {
        #expect(throws: ControlRefusal.self) { try ControlRequest(parsing: Array(text.utf8)) }
    }

    @Test func randomBytesNeverTrap() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random) : Array("read =%1".utf8).randomElement(using: &random)!
            }
            guard let request = try? ControlRequest(parsing: bytes) else { continue }
            #expect((try? ControlRequest(parsing: Array(request.line.utf8))) == request, "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            ("tcp:a", "tcp://a:502"), ("tcp:127.0.0.1:5020", "tcp://127.0.0.1:5020"),
            ("tcp:[::1]:502", "tcp://::1:502"),
            ("tcp:[::1]", "tcp://::1:502"), ("rtu_tcp:h:4001", "rtu+tcp://h:4001"),
            ("rtu:/dev/ttyUSB0", "rtu:/dev/ttyUSB0"),
            ("rtu:ttyUSB0", nil), ("rtu_tcp:h", nil), ("tcp:", nil), ("tcp::502", nil), ("tcp:a:0", nil),
            ("tcp:a:99999", nil),
            ("tcp:::1", nil), ("http:a", nil), ("tcp:a b:1", nil), ("", nil),
        ] as [(String, String?)])
    func endpointsAreReadAsTyped(text: String, endpoint: String?) {
        let request = ControlRequest("read", ["endpoint": text])
        guard let endpoint else {
            #expect(throws: ControlRefusal.self) { try ToolEndpoint.parse(request) }
            return
        }
        #expect((try? ToolEndpoint.parse(request))?.text == endpoint)
    }
}
