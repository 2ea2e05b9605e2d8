// Transcripts from outside: strict, complete, never a trap. Delete any kind of input and the window is another one.

import CBOR
import CollectorCore
import Foundation
import Kit
import Proofs
import Quantities
import Testing

/// A window that has items of every kind: the second of two days, with a lift and openings from the first.
private func fullWindow() throws -> (inputs: WindowInputs, outcome: WindowOutcome, transcript: Transcript) {
    let made = try TestHouse.producing(
        [24_000, 12_000, 4_800], cadence: 2 * day, rate: Manifest.Rate(numerator: 1, denominator: 7))
    var gateway = made.gateway
    var state = TestCounters()
    state.exported += 4080
    state.checked += 40_800
    // In the fourth day's first minutes another gateway claims the revenue meter's serial; somebody goes and looks.
    gateway.commission(1, at: anchor + 3 * day + 600_000)
    gateway.produce([14_880], from: 3, checked: [15_240], state: &state)
    var other = TestGateway("gw-9", stream: 9)
    other.bear(
        meters: ("ghost", "ghoul"), serials: ("serial-main", "unheard"), at: anchor + 3 * day + 1,
        isCommissioned: false)
    let admission = other.admitted(into: gateway.admitted())
    var standing = Standing()
    standing.settle(
        made.house.compute(0, admission, standing, statements: [TestHouse.statement(.auditor, 0, 24_000)]).outcome
            .output)
    // The third day is verified only by its lift, the fourth only by a person.
    return made.house.compute(
        1, admission, standing, statements: [TestHouse.statement(.satellite, 2, 4_800)],
        reviews: [
            Review(
                meteringPoint: id("serf-1"), day: anchor + 3 * day, isAccepted: true, reason: "seen", issuedAt: anchor)
        ])
}

private func inputSegments(_ transcript: Transcript) -> [[UInt8]] {
    transcript.segments.filter { $0.reference.kind == .inputs }.map(\.bytes)
}

/// The items of a sequence with their kinds.
private func items(_ segments: [[UInt8]]) throws -> [(kind: UInt64, bytes: [UInt8])] {
    var items: [(kind: UInt64, bytes: [UInt8])] = []
    for segment in segments {
        var decoder = CBORDecoder(segment)
        while !decoder.isAtEnd {
            let item = try decoder.next()
            guard case .array(let parts) = item, case .unsigned(let kind)? = parts.first else { continue }
            items.append((kind, item.encoded()))
        }
    }
    return items
}

/// What a window comes to apart from the digest of its inputs, which differs whatever is changed.
private func meaning(_ outcome: WindowOutcome) -> WindowOutput {
    let output = outcome.output
    return WindowOutput(
        header: output.header, allocations: output.allocations, settled: output.settled, manifest: output.manifest,
        inputDigest: .zero, openings: output.openings, carries: output.carries, verdictsDigest: output.verdictsDigest,
        lifts: output.lifts, commissioned: output.commissioned)
}

struct TranscriptTests {
    @Test func theFullWindowSettlesBothDays() throws {
        let window = try fullWindow()
        // The hour in which the meter was commissioned again stays out.
        #expect(window.outcome.verdicts.map(\.verifiedWattHours) == [4_800 + 14_880 - 620])
        #expect(window.inputs.lifts.count == 1)
        // (24 000 + 12 000) / 7 left 6 of 7; 19 060 + 6 = 2723 · 7 + 5.
        #expect(window.inputs.carries.map(\.numerator) == [6])
        #expect(window.outcome.output.carries.map(\.numerator) == [5])
        #expect(window.outcome.output.allocations.map(\.amount.minorUnits) == [1634, 1089])
    }

    @Test func inputsAndOutputSurviveTheirBytes() throws {
        let window = try fullWindow()
        #expect(try WindowInputs(segments: inputSegments(window.transcript)) == window.inputs)
        let decoded = try WindowOutput(decoding: window.outcome.outputBytes)
        #expect(decoded.encoded == window.outcome.outputBytes)
        #expect(Digest(of: window.outcome.outputBytes) == window.outcome.outputDigest)
        #expect(window.transcript.segments.map(\.reference.kind) == [.inputs, .checkpoints, .output])
        #expect(window.transcript.root == Transcript.root(window.transcript.segments.map(\.reference)))
    }

    @Test(arguments: 0...14 as ClosedRange<UInt64>)
    func withoutAnyKindOfInputItIsAnotherWindow(kind: UInt64) throws {
        let window = try fullWindow()
        let all = try items(inputSegments(window.transcript))
        #expect(all.contains { $0.kind == kind }, "the window has no item of kind \(kind) to delete")
        let rest = all.filter { $0.kind != kind }.flatMap(\.bytes)
        do {
            let other = try replay(segments: [rest])
            #expect(other.outputDigest != window.outcome.outputDigest)
            #expect(meaning(other) != meaning(window.outcome))
        } catch { #expect(!error.description.isEmpty) }
    }

    @Test func withoutAnySingleItemItIsAnotherWindow() throws {
        let window = try fullWindow()
        let all = try items(inputSegments(window.transcript))
        for index in all.indices {
            let rest = all.indices.filter { $0 != index }.flatMap { all[$0].bytes }
            do {
                #expect(try replay(segments: [rest]).outputDigest != window.outcome.outputDigest, "item \(index)")
            } catch { continue }
        }
    }

    @Test func neighboursExchangedAreRefused() throws {
        let all = try items(inputSegments(try fullWindow().transcript))
        for index in all.indices.dropLast() where all[index].bytes != all[index + 1].bytes {
            var changed = all
            changed.swapAt(index, index + 1)
            #expect(throws: ShapeError.self, "items \(index) and the next") {
                try replay(segments: [changed.flatMap(\.bytes)])
            }
        }
    }

    @Test func anItemTwiceIsRefused() throws {
        let all = try items(inputSegments(try fullWindow().transcript))
        for index in all.indices {
            var changed = all
            changed.insert(all[index], at: index)
            #expect(throws: ShapeError.self, "item \(index)") { try replay(segments: [changed.flatMap(\.bytes)]) }
        }
    }

    @Test(arguments: 1...400 as ClosedRange<UInt64>)
    func damagedInputsNeverTrap(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let original = try #require(inputSegments(Self.sample.transcript).first)
        // Damage near the start meets the rarer items.
        let damaged: [UInt8]
        if seed.isMultiple(of: 2) {
            damaged = random.mutated(original)
        } else {
            damaged = random.mutated(Array(original.prefix(4000)), changesMax: 2) + original.dropFirst(4000)
        }
        do {
            let outcome = try replay(segments: [damaged])
            #expect(damaged == original || outcome.outputDigest != Self.sample.outcome.outputDigest, "seed \(seed)")
        } catch { #expect(!error.path.isEmpty, "seed \(seed)") }
    }

    /// One window for all seeds.
    private static let sample: (inputs: WindowInputs, outcome: WindowOutcome, transcript: Transcript) = {
        do { return try fullWindow() } catch { preconditionFailure("the test's window cannot be made: \(error)") }
    }()

    @Test func segmentsHoldExactlyTheirItems() throws {
        let house = try TestHouse()
        var gateway = TestGateway()
        gateway.bear()
        for minute in 0...2100 as ClosedRange<Int64> {
            let time = anchor + minute * 30_000
            gateway.add([(time, 1, Words.revenue(exported: 5)), (time, 2, Words.inverter(5))])
        }
        gateway.add([(anchor + day, 1, Words.revenue(exported: 5))])
        let (inputs, outcome, transcript) = house.compute(0, gateway.admitted(), Standing())
        let segments = inputSegments(transcript)
        #expect(segments.count == 2)
        #expect(try items([segments[0]]).count == WindowInputs.segmentItems)
        #expect(try WindowInputs(segments: segments) == inputs)
        #expect(try replay(segments: segments) == outcome)
        #expect(throws: ShapeError.self) { try replay(segments: [segments[0] + segments[1]]) }
        #expect(throws: ShapeError.self) { try replay(segments: segments.reversed()) }
        #expect(throws: ShapeError.self) { try replay(segments: [[], segments[0], segments[1]]) }
        let checkpoint = CBORValue.array([
            .int(4096), .bytes(Digest(of: Digest.zero.bytes, Digest(of: segments[0]).bytes).bytes),
        ])
        #expect(transcript.segments[2].bytes == checkpoint.encoded())
    }

    /// The vector that Python recomputes from docs/formats alone. KILOMINT_RECORD=1 writes it anew.
    @Test func theHandMadeWindowKeepsItsDigest() throws {
        struct Vector: Codable {
            var inputs: [String]
            var output: String
            var inputDigest: String
            var outputDigest: String
            var transcriptRoot: String
        }
        let window = try fullWindow()
        if ProcessInfo.processInfo.environment["KILOMINT_RECORD"] == "1" {
            let vector = Vector(
                inputs: inputSegments(window.transcript).map(\.hex), output: window.outcome.outputBytes.hex,
                inputDigest: window.outcome.inputDigest.description,
                outputDigest: window.outcome.outputDigest.description,
                transcriptRoot: window.transcript.root.description)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(vector).write(to: URL(fileURLWithPath: Workplace.root + "/Tests/Vectors/window.json"))
        }
        let vector = try vectors("window.json", as: Vector.self)
        let segments = try vector.inputs.map { try #require([UInt8](hex: $0)) }
        let replayed = try replay(segments: segments)
        #expect(replayed.outputBytes.hex == vector.output)
        #expect(replayed.outputDigest.description == vector.outputDigest)
        #expect(replayed.inputDigest.description == vector.inputDigest)
        #expect(
            window.outcome == replayed,
            "the rules or formats changed: say so in docs/formats and record the vector anew")
        #expect(window.transcript.root.description == vector.transcriptRoot)
    }
}
