// Decisions of intake, one line a case. Notation: stream, kind, number = what becomes of it, in order of arrival.
//
//   Ab1 birth   Ar2 readings   As3-7 skip   Ak4 key record   Ax2 another record at 2   Ap3 names another record before it
//   Aw3 signed by a key nobody knows   Ag3 a signature that does not stand   Av3 by the revoked key
//   =ok taken   =dup   =next4 not next, resend from 4   =fork   =cN refused with code N

import CBOR
import CollectorCore
import Evidence
import Kit
import Proofs
import Quantities
import Testing

struct IntakeTests {
    static let gateway = Identifier("gateway-1")!

    struct Script: CustomStringConvertible {
        var streams: [Character: TestStream] = [:]
        var collector = TestCollector(
            GatewayKeys([
                .init(spki: TestKey("first").spki), .init(spki: TestKey("gone").spki, mayOpen: false, isRevoked: true),
            ]))
        var description = ""

        mutating func message(_ token: Substring) -> SignedMessage {
            let name = token.first!
            var stream = streams[name] ?? TestStream(gateway, name.asciiValue!, key: TestKey("first"))
            defer { streams[name] = stream }
            let kind = token.dropFirst().first!
            let numbers = token.dropFirst(2).split(separator: "-").map { UInt64($0)! }
            let plain = Readings(base: 1, samples: [])
            switch kind {
            case "b": return stream.record(numbers[0], TestStream.birth())
            case "r": return stream.record(numbers[0])
            case "k": return stream.record(numbers[0], .key(TestKey("next").spki))
            case "s": return stream.skip(numbers[0], numbers[1])
            case "x": return stream.other(numbers[0])
            case "p": return stream.unchained(numbers[0])
            case "w": return stream.sign(numbers[0], .readings(plain), previous: .zero, by: TestKey("stranger"))
            case "v": return stream.sign(numbers[0], .readings(plain), previous: .zero, by: TestKey("gone"))
            default:
                let key = stream.key(at: numbers[0])
                return SignedMessage.signing(
                    stream.record(numbers[0]).payload, as: .record, algorithm: .eddsa, kid: KeyID.kid(ofSPKI: key.spki),
                    with: { _ in [UInt8](repeating: 0, count: 64) })
            }
        }

        mutating func run(_ line: String) -> String {
            line.split(separator: " ").map { step in
                let token = step.split(separator: "=")[0]
                let outcome = collector.deliver(gateway, message(token))
                return token + "=" + Self.word(outcome)
            }.joined(separator: " ")
        }

        static func word(_ outcome: IntakeOutcome) -> String {
            switch outcome {
            case .append: "ok"
            case .duplicate: "dup"
            case .notNext(_, let from): "next\(from)"
            case .forked: "fork"
            case .refuse(let code, _): "c\(code.rawValue)"
            }
        }
    }

    @Test(arguments: [
        // A stream as it should be, and delivered again.
        "Ab1=ok Ar2=ok Ar3=ok",
        "Ab1=ok Ab1=dup Ar2=ok Ab1=dup Ar2=dup Ar3=ok",
        // Not next: dropped, and the missing one asked for.
        "Ar2=next1 Ab1=ok Ar3=next2 Ar4=next2 Ar2=ok Ar3=ok Ar4=ok",
        // Not born: readings at 1. A skip may stand for the birth.
        "Ax1=c13 Ab1=ok",
        "As1-3=ok Ar4=ok Ab1=dup Ar2=dup",
        // Forks: same number, other identity; or a next one that follows another record.
        "Ab1=ok Ar2=ok Ax2=fork Ax2=c11 Ar3=c11 Ar2=dup",
        "Ab1=ok Ar2=ok Ar3=ok Ax2=fork Ar4=c11",
        "Ab1=ok Ar2=ok Ap3=fork Ar3=c11",
        "Ab1=ok Ax1=fork",
        // Skips: what lies inside is no fork; the next one follows `to`.
        "Ab1=ok As2-5=ok Ar3=dup Ax4=dup Ar6=ok As2-5=dup As3-4=dup Ar7=ok",
        "Ab1=ok As2-2=ok Ar2=dup Ar3=ok",
        "Ab1=ok As3-5=next2 Ar2=ok As3-5=ok Ar6=ok",
        // A skip that begins at or before the last one taken and ends past it counts for the rest.
        "Ab1=ok Ar2=ok Ar3=ok As2-6=ok Ar4=dup Ax5=dup Ar7=ok Ax3=fork",
        "Ab1=ok Ar2=ok As2-2=dup As2-3=ok Ar3=dup Ar4=ok",
        "Ab1=ok As2-4=ok As3-6=ok Ax5=dup Ar7=ok",
        "Ab1=ok Ar2=ok As1-4=ok Ar5=ok",
        // A skip of another history is a fork too.
        "Ab1=ok Ar2=ok Ap3=fork As3-5=c11",
        // The order of checks: unknown key, revoked key, bad signature come before everything about the chain.
        "Aw1=c7 Av1=c8 Ag1=c9 Ab1=ok Aw2=c7 Av2=c7 Ag2=c9 Aw9=c7 Ar9=next2",
        "Ab1=ok Ar2=ok Ax2=fork Ag2=c9 Aw3=c7",
        // A key record: signed by the key in force, in force from the next number; older ones by the older key.
        "Ab1=ok Ak2=ok Ar3=ok Ar4=ok Ak2=dup Ab1=dup",
        // A new stream's birth ends the former; if the former goes on, both are taken.
        "Ab1=ok Ar2=ok Bb1=ok Br2=ok Ar3=ok Br3=ok Ar2=dup",
        "Ab1=ok Bb1=ok Ab1=dup Br2=ok",
    ])
    func decides(line: String) {
        var script = Script()
        #expect(script.run(line) == line)
    }

    /// The same lines with the collector restarted after every step: state is nothing but the fold of the two logs.
    @Test(arguments: [
        "Ab1=ok Ar2=ok Ax2=fork Ax2=c11 Ar3=c11 Ar2=dup",
        "Ab1=ok Ar2=ok Ar3=ok As2-6=ok Ar4=dup Ax5=dup Ar7=ok Ax3=fork",
        "Ab1=ok Ak2=ok Ar3=ok Ar4=ok Ak2=dup Ab1=dup Bb1=c7",
        "Ab1=ok Ar2=ok Bb1=ok Br2=ok Ar3=ok Br3=ok Ar2=dup",
    ])
    func restartsChangeNothing(line: String) throws {
        var script = Script()
        for step in line.split(separator: " ") where step != "Bb1=c7" {
            #expect(script.run(String(step)) == step)
            let before = script.collector.journal
            try script.collector.restart()
            #expect(script.collector.journal == before, "after \(step) a restart journalled something new")
        }
    }

    @Test(arguments: [
        (EnvelopeError.tooLarge, RefusalCode.oversized), (.notCOSESign1, .malformed), (.unknownAlgorithm, .malformed),
        (.unprotectedHeaderNotEmpty, .unprotectedHeader), (.otherContentType, .wrongContentType),
    ])
    func namesWhatIsWrongWithAnEnvelope(error: EnvelopeError, code: RefusalCode) {
        #expect(RefusalCode(error) == code)
    }

    @Test func refusesBeforeTheChain() {
        var stream = TestStream(Self.gateway, 1, key: TestKey("first"))
        let keys = GatewayKeys([.init(spki: TestKey("first").spki)])
        let state = IntakeState(clock: .real)
        func code(_ topic: String, _ envelope: [UInt8], _ keys: GatewayKeys?) -> RefusalCode? {
            state.decide(
                Delivery(gateway: Identifier(topic)!, envelope: envelope, receivedAt: TestStream.start), keys: keys,
                held: { _, _ in nil }, isSigned: TestKey.isSigned
            ).refusal
        }
        let good = stream.record(1).encoded
        #expect(code("gateway-1", good, keys) == nil)
        #expect(code("gateway-2", good, keys) == .wrongTopic)
        #expect(code("gateway-1", good, nil) == .unknownGateway)
        #expect(code("gateway-1", [UInt8](repeating: 0, count: SignedMessage.acceptedBytesMax + 1), keys) == .oversized)
        #expect(code("gateway-1", [], keys) == .malformed)
        #expect(code("gateway-1", stream.sign(payload: [0xF6], by: TestKey("first")).encoded, keys) == .malformed)
        let unchained = stream.sign(1, TestStream.birth(), previous: Digest(of: [1])).encoded
        #expect(code("gateway-1", unchained, keys) == .malformed)
    }

    /// Nothing that comes from the wire traps, and nothing damaged is taken.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func survivesDamage(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var stream = TestStream(Self.gateway, 1, key: TestKey("first"))
        var collector = TestCollector([TestKey("first")])
        for number in 1...20 as ClosedRange<UInt64> {
            let good = stream.record(number)
            let bytes = random.mutated(good.encoded)
            let delivery = Delivery(gateway: Self.gateway, envelope: bytes, receivedAt: TestStream.start)
            let outcome = collector.state.decide(
                delivery, keys: collector.keys, held: { _, _ in nil }, isSigned: TestKey.isSigned)
            if case .append(let record, _) = outcome {
                #expect(record.identity == good.identity, "seed \(seed) took a damaged record")
            }
            _ = collector.deliver(Self.gateway, good)
        }
        #expect(collector.evidence.count == 20)
    }

    /// Damaged payloads that are signed all the same: whatever they say, they wedge nothing and trap nothing.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func keepsWhatIsAuthenticAndNext(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let stream = TestStream(Self.gateway, 1, key: TestKey("first"))
        var collector = TestCollector([TestKey("first")])
        var (number, previous) = (UInt64(1), Digest.zero)
        for _ in 0..<30 {
            let body = number == 1 ? TestStream.birth() : RecordBody.readings(Readings(base: 1, samples: []))
            let payload = Record(
                place: RecordPlace(gateway: Self.gateway, stream: stream.id, sequence: number, previous: previous),
                clock: TestStream.clock(), completeThrough: 0, body: body
            ).encoded
            let damaged = stream.sign(payload: random.mutated(payload), by: TestKey("first"))
            // A damaged stream id opens another stream and leaves this one as it was.
            if case .append(let record, _) = collector.deliver(Self.gateway, damaged), record.place.stream == stream.id
            {
                #expect(record.through >= number)
                guard record.through < 1_000_000 else { return }  // A damaged skip took the rest of the stream with it.
                (number, previous) = (record.through + 1, record.throughIdentity)
            }
            try collector.restart()
        }
        let head = collector.state.gateway(Self.gateway)?.stream(stream.id)?.head
        #expect(head?.through ?? 0 == number - 1, "seed \(seed)")
    }
}
