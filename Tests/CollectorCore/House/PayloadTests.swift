// Every document there and back, its bounds, and damage that must never trap.

import CBOR
import CollectorCore
import Evidence
import Kit
import Proofs
import Quantities
import Testing

private let identity = Digest.test("identity")
private let window = WindowID("W-2016-07-07-1")!

/// One payload of each kind with every field filled, as its type and its bytes.
private let payloads: [(name: String, bytes: [UInt8], again: @Sendable ([UInt8]) throws -> [UInt8])] = [
    entry(
        Manifest(
            number: 3, effectiveFrom: anchor, cadence: 7 * day, grace: day, billingGrade: [identity],
            outsideReplayAbove: 5)),
    entry(Registration(number: 1, effectiveFrom: anchor, body: .organisation(Organisation(id: id("o"), name: "Ö")))),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor,
            body: .key(
                RegisteredKey(
                    spki: [1, 2], role: .auditor, subject: id("a"), organisation: id("o"), affiliated: [id("p")],
                    validTo: anchor)))),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor,
            body: .entity(
                Entity(
                    id: id("e"), organisation: id("o"), population: 4,
                    shares: [
                        Entity.Share(principal: id("a"), account: id("x"), ppm: 1),
                        Entity.Share(principal: id("b"), account: id("y"), ppm: 999_999),
                    ])))),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor,
            body: .meteringPoint(
                MeteringPoint(
                    id: id("p"), entity: id("e"), nameplateWatts: 6000, direction: .exportMinusImport,
                    revenueMeter: id("m"),
                    checkMeters: [id("c"), id("d")], latitude: -90_000_000, longitude: 180_000_000,
                    performanceRatio: 800_000)))),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor,
            body: .meter(
                Meter(
                    id: id("m"), vendor: "v", model: "m", serial: "s", gateway: id("g"), profileName: "abb/b23",
                    ratioNumerator: 200, ratioDenominator: 5, meterClass: .inverter)))),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor, body: .gateway(Gateway(id: id("g"), entity: id("e"), clockError: 300_000))
        )),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor,
            body: .claim(Claim(gateway: id("g"), organisation: id("o"), secret: identity, expires: anchor + day)))),
    entry(
        Registration(
            number: 1, effectiveFrom: anchor, body: .revocation(Revocation(gateway: id("g"), reason: "stolen")))),
    entry(
        SourceStatement(
            source: .gridOperator, meteringPoint: id("p"), from: anchor, to: anchor + day, wattHours: -3,
            resolutionWattHours: 1, inputs: [identity], issuedAt: anchor + day, method: "read")),
    entry(Review(meteringPoint: id("p"), day: anchor, isAccepted: false, reason: "r", issuedAt: anchor)),
    entry(
        Seal(
            window: window, outputDigest: identity, transcriptRoot: identity,
            evidence: Checkpoint(origin: "o/evidence/1", size: 7, root: identity),
            segments: [SegmentReference(kind: .inputs, size: 9, digest: identity)], sealedAt: anchor)),
    entry(
        Proof(
            kind: .payoutReconciled, window: window, outputDigest: identity, principal: id("a"), isValid: false,
            issuedAt: anchor, expiresAt: anchor + day, verifier: id("v"), replayDigest: identity)),
    entry(
        GateDecision(
            window: window, outputDigest: identity, acceptanceDigest: identity,
            lines: [
                GateDecision.Line(principal: id("b"), isAllowed: false, reason: "R", action: "do"),
                GateDecision.Line(principal: id("a"), isAllowed: true),
            ], decidedAt: anchor)),
    entry(
        Order(
            transfer: TransferID([UInt8](repeating: 1, count: 16))!, debit: id("x"), credit: id("y"),
            amount: Amount(minorUnits: .max), memo: "é", issuedAt: anchor, isPending: true)),
    entry(
        Order(
            transfer: TransferID([UInt8](repeating: 1, count: 16))!, debit: id("x"), credit: id("y"),
            amount: Amount(minorUnits: 0), memo: "", issuedAt: anchor,
            resolution: .void(TransferID([UInt8](repeating: 2, count: 16))!))),
    entry(EpochDocument(log: .evidence, endedOrigin: "o", lastCheckpoint: [1], openedAt: anchor)),
    entry(
        DayVerdict(
            window: window, entity: id("e"), meteringPoint: id("p"), dayStart: anchor, dayEnd: anchor + day,
            exported: nil,
            resolution: 10,
            sources: [
                SourceComparison(source: .checkMeter, name: "c", wattHours: 1, deviation: 2, agreement: 3, weight: 40)
            ],
            coverage: 1, base: 2, satellite: 3, confidence: 4, grade: .blocked,
            findings: [Finding(.capacity, count: 1, text: "m")], skipped: [.energyPower], outcome: .disputed,
            imported: 5)),
]

private func entry<Payload: HousePayload>(
    _ payload: Payload
) -> (name: String, bytes: [UInt8], again: @Sendable ([UInt8]) throws -> [UInt8]) {
    ("\(Payload.self)", payload.encoded, { try Payload(decoding: $0).encoded })
}

struct PayloadTests {
    @Test func thereAndBack() throws {
        for payload in payloads { #expect(try payload.again(payload.bytes) == payload.bytes, "\(payload.name)") }
    }

    @Test func aKeyMoreOrLessIsRefused() throws {
        for payload in payloads {
            guard case .map(let pairs) = try CBORValue(decoding: payload.bytes) else {
                preconditionFailure("not a map")
            }
            let more = CBORValue.map(pairs + [CBORValue.Pair(.int(40), .null)])
            #expect(throws: ShapeError.self, "\(payload.name)") { try payload.again(more.encoded()) }
            #expect(throws: ShapeError.self, "\(payload.name)") {
                try payload.again(CBORValue.map(Array(pairs.dropFirst())).encoded())
            }
            #expect(throws: ShapeError.self, "\(payload.name)") { try payload.again(payload.bytes + [0]) }
        }
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func damageIsRefusedOrMeansWhatItSays(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for payload in payloads {
            let damaged = random.mutated(payload.bytes)
            // Whatever is accepted has one spelling: the damaged bytes themselves.
            do { #expect(try payload.again(damaged) == damaged, "seed \(seed), \(payload.name)") } catch is ShapeError {
            } catch { Issue.record("seed \(seed), \(payload.name): \(error)") }
        }
    }

    @Test(
        arguments: [
            (4, CBORValue.int(59_999)), (4, .int(90_000_000)), (6, .int(86_400_001)), (7, .int(0)),
            (7, .int(7_000_000)),
            (8, .array([.int(0), .int(1)])), (8, .array([.int(1), .int(1_000_000_000_001)])),
            (10, .array([.int(333_334), .int(1), .int(1), .int(1), .int(1)])), (12, .array([.int(1), .int(2)])),
            (13, .int(1_000_001)), (16, .array([.bytes([1])])), (21, .array([.int(2), .int(1)])), (1, .int(2)),
        ] as [(Int64, CBORValue)])
    func manifestBounds(key: Int64, value: CBORValue) throws {
        guard
            case .map(let pairs) = Manifest(
                number: 1, effectiveFrom: anchor, cadence: day, grace: day, billingGrade: []
            ).cbor
        else { preconditionFailure("not a map") }
        let changed = CBORValue.map(pairs.map { $0.key == .int(key) ? CBORValue.Pair($0.key, value) : $0 })
        #expect(throws: ShapeError.self) { try Manifest(decoding: changed.encoded()) }
    }

    @Test func sharesMustBeWhole() {
        for ppm in [999_999, 1_000_001] as [Int64] {
            let entity = Entity(
                id: id("e"), organisation: id("o"), population: 0,
                shares: [Entity.Share(principal: id("a"), account: id("x"), ppm: ppm)])
            let bytes = Registration(number: 1, effectiveFrom: anchor, body: .entity(entity)).encoded
            #expect(throws: ShapeError.self) { try Registration(decoding: bytes) }
        }
    }
}

struct DocumentTests {
    @Test func envelopesAreSortedAndOfOnePayload() throws {
        let keys: [[UInt8]] = [[1], [2], [3]]
        let document = try TestSigner.document([7], .review, by: keys)
        #expect(
            document.envelopes.map(\.kid)
                == keys.map { KeyID.kid(ofSPKI: $0) }.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(document.id == Digest(of: [7]))
        #expect(try Document(decoding: document.encoded, as: .review) == document)
        let single = try TestSigner.document([7], .review, by: [[1]])
        #expect(try Document(decoding: single.envelopes[0].encoded, as: .review) == single)
        #expect(single.id == document.id)
        let reversed = CBORValue.array(document.envelopes.reversed().map { .bytes($0.encoded) }).encoded()
        #expect(throws: DocumentError.envelopesDisagree) { try Document(decoding: reversed, as: .review) }
        #expect(throws: DocumentError.envelopesDisagree) { try TestSigner.document([7], .review, by: [[1], [1]]) }
        #expect(throws: DocumentError.envelopesDisagree) {
            try Document([TestSigner.envelope([7], .review, by: [1]), TestSigner.envelope([8], .review, by: [2])])
        }
        #expect(throws: DocumentError.envelope(.otherContentType)) {
            try Document(decoding: document.encoded, as: .statement)
        }
        #expect(throws: DocumentError.self) { try Document([]) }
    }
}
