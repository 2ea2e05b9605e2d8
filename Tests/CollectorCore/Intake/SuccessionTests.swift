// A key that named its successor opens no stream any more: what it may still do, and what gives it back its place. Notation:
//
//   A1@first birth of stream A, signed with the key `first`   A2 the next record, with the key in force there
//   A2>second a key record that names `second`                A3!first the same record signed with another key
//   without a mark: taken   =c14 refused with code 14

import CollectorCore
import Evidence
import Kit
import Quantities
import Testing

struct SuccessionTests {
    static let gateway = Identifier("gateway-1")!
    static let first = TestKey("first").spki

    struct Script {
        var streams: [Character: TestStream] = [:]
        var collector = TestCollector([TestKey("first")])

        mutating func message(_ token: Substring) -> SignedMessage {
            let name = token.first!
            let parts = token.dropFirst().split(whereSeparator: { "@>!".contains($0) })
            let number = UInt64(parts[0])!
            let key = parts.count > 1 ? TestKey(String(parts[1])) : TestKey("first")
            var stream = streams[name] ?? TestStream(gateway, name.asciiValue!, key: key)
            defer { streams[name] = stream }
            if token.contains(">") { return stream.record(number, .key(key.spki)) }
            guard token.contains("!") else { return stream.record(number) }
            let previous = stream.identity(number - 1)
            return stream.sign(number, .readings(Readings(base: 5, samples: [])), previous: previous, by: key)
        }

        /// With the collector restarted after every step, if asked.
        mutating func run(_ line: String, restarts: Bool = false) throws -> String {
            try line.split(separator: " ").map { step in
                let token = step.split(separator: "=")[0]
                let outcome = IntakeTests.Script.word(collector.deliver(gateway, message(token)))
                if restarts { try collector.restart() }
                return outcome == "ok" ? String(token) : "\(token)=\(outcome)"
            }.joined(separator: " ")
        }
    }

    @Test(arguments: [
        // The old key opens nothing from its succession on; the new one does. A stream begun before goes on.
        "A1@first A2 B1@first=ok B2>second C1@first=c14 B3 D1@second D2",
        "A1@first A2>second A3!first=c7 A3 A2=dup A1=dup B1@first=c14 C1@second",
        // Late data of the old key, in a stream that it opened before.
        "A1@first A2 B1@first B2>second A3 A4 C1@first=c14 A5",
        // Not before it counts: a key record whose predecessors are missing names nobody.
        "A1@first A3>second=next2 B1@first",
        // Whoever has the old key goes on with such a stream and names a key of his own: that opens nothing.
        "A1@first B1@first B2>second A2>thief A3 C1@thief=c14 D1@second D2>third E1@second=c14 F1@third",
        // One after the other; the one before the last opens nothing either.
        "A1@first A2>second A3>third B1@second=c14 C1@first=c14 D1@third",
        // Named again, a key is in force again. One that names itself changes nothing.
        "A1@first A2>second A3>first B1@second=c14 C1@first C2>third D1@first=c14",
        "A1@first A2>first B1@first",
        // In the order of the checks: a stranger's key, a signature that does not stand, what is not born.
        "A1@first A2>second B1@stranger=c7 C2@first=next1 C1!first=c13 C1@first=c14",
    ])
    func decides(line: String) throws {
        let plain = line.replacing("=ok", with: "")
        var (script, restarted) = (Script(), Script())
        #expect(try script.run(line) == plain)
        #expect(try restarted.run(line, restarts: true) == plain)
        #expect(restarted.collector.journal.map(\.eventID) == script.collector.journal.map(\.eventID))
    }

    /// What a key record says is void once the gateway's keys were ended: the old key, bound anew, opens streams again.
    @Test func aKeyThatIsBoundAnewIsInForceAgain() throws {
        var script = Script()
        _ = try script.run("A1@first A2>second A3")
        script.collector.now = TestStream.start + 10
        script.collector.keys = GatewayKeys([.init(spki: Self.first)], vouchedFrom: TestStream.start + 10)
        #expect(try script.run("B1@first B2 A4 C1@second") == "B1@first B2 A4=c8 C1@second=c8")
        // A second succession counts like the first.
        #expect(try script.run("B3>third D1@first E1@third") == "B3>third D1@first=c14 E1@third")
    }

    /// The certificate that the old key asks for is its successor's alone, and its own counts until the next change.
    @Test func whoseCertificateCounts() throws {
        var script = Script()
        let (second, third) = (TestKey("second").spki, TestKey("third").spki)
        func counts(_ script: Script) -> [Bool] {
            let state = script.collector.state.gateway(Self.gateway)
            let keys = script.collector.keys
            return [Self.first, second, third].map { spki in
                let byID = keys.mayEnrol(kid: KeyID.kid(ofSPKI: spki), in: state)
                #expect(byID == keys.mayEnrol(spki, in: state))
                return byID
            }
        }
        _ = try script.run("A1@first")
        #expect(counts(script) == [true, false, false])
        #expect(
            script.collector.keys.mayRenew(third, with: Self.first, in: script.collector.state.gateway(Self.gateway)))
        _ = try script.run("A2>second")
        #expect(counts(script) == [true, true, false])
        let state = script.collector.state.gateway(Self.gateway)
        let mayAsk = { script.collector.keys.mayRenew($0, with: Self.first, in: state) }
        #expect(mayAsk(second) && !mayAsk(Self.first) && !mayAsk(third))
        _ = try script.run("A3>third")
        #expect(counts(script) == [false, true, true])
    }
}
