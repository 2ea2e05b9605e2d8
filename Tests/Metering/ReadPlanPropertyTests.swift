// Plans of random profiles: whatever they hold, nothing is split, torn, passed over or asked twice, and no plan of fewer
// requests would do.

import Kit
import Metering
import Settings
import Testing

struct ReadPlanPropertyTests {
    /// One quantity as the generator wrote it, its registers with the scale factor.
    private struct Item {
        let obis: String
        let span: Range<Int>
        let poll: String
        let registersMax: Int
        let isOptional: Bool
    }

    private struct Made {
        var items: [Item] = []
        var holes: [Range<Int>] = []
        var registersMax = 125
        var gapMax = 0
        var isOneValue = false
        var yaml = ""
    }

    private static let types = [("u16", 1), ("s16", 1), ("u32", 2), ("f32", 2), ("u64", 4), ("f64", 4), ("acc32", 2)]

    /// Up to nine quantities in 400 registers, up to three holes between them.
    private func profile(_ random: inout SeededGenerator) -> Made {
        var made = Made()
        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        made.registersMax = [4, 8, 30, 60, 125][pick(5)]
        made.gapMax = [0, 1, 4, 16, 40][pick(5)]
        made.isOneValue = pick(10) == 0
        var lines: [String] = []
        var next = pick(300)
        for index in 0..<1 + pick(9) {
            let (type, width) = Self.types[pick(Self.types.count)]
            let isCounter = type == "u64" || type == "acc32"
            let start = next
            var end = start + width
            var extra = type.hasPrefix("f") ? ", step: 1" : ""
            if !type.hasPrefix("f"), pick(3) == 0, made.registersMax > 4 {
                end += pick(2)
                extra += ", scale-factor: {address: \(end), min: -2, max: 2}"
                end += 1
            }
            let poll = ["normal", "normal", "fast", "slow"][pick(4)]
            let own = pick(6) == 0 ? max(end - start, made.registersMax / 2) : made.registersMax
            let isOptional = pick(7) == 0
            let obis = "1-0:\(100 + index).\(isCounter ? 8 : 7).0"
            let kind = isCounter ? "counter, unit: Wh, direction: export" : "gauge, unit: V, direction: none"
            if own < made.registersMax { extra += ", registers-max: \(own)" }
            if isOptional { extra += ", optional: true" }
            lines.append(
                "  - {obis: \(obis), kind: \(kind), function: 3, address: \(start), type: \(type), scale: 1, poll: \(poll)\(extra)}"
            )
            made.items.append(
                Item(obis: obis, span: start..<end, poll: poll, registersMax: own, isOptional: isOptional))
            next = end + [0, 0, 1, 2, 5, 17, 60][pick(7)]
            if next > end, made.holes.count < 3, pick(3) == 0 { made.holes.append(end..<next) }
        }
        made.yaml = yaml(made, lines)
        return made
    }

    private func yaml(_ made: Made, _ lines: [String]) -> String {
        let holes = made.holes.map { "{function: 3, first: \($0.lowerBound), last: \($0.upperBound - 1)}" }
        return """
            profile: test/random
            revision: 1
            vendor: test
            models: [random]
            level: driver
            source: {document: none, revision: none, place: none}
            limits: {registers-max: \(made.registersMax), gap-max: \(made.gapMax), pause: 0ms, timeout: 1s,
                     one-value: \(made.isOneValue)}
            \(holes.isEmpty ? "" : "holes: [\(holes.joined(separator: ", "))]")
            identity: {}
            quantities:
            \(lines.joined(separator: "\n"))
            """
    }

    /// Whether these items, sorted by address, may be one request.
    private func mayJoin(_ items: ArraySlice<Item>, _ made: Made) -> Bool {
        guard let first = items.first, items.allSatisfy({ $0.poll == first.poll }) else { return false }
        let range = first.span.lowerBound..<(items.map(\.span.upperBound).max() ?? 0)
        let isNear = zip(items, items.dropFirst()).allSatisfy {
            $1.span.lowerBound - $0.span.upperBound <= made.gapMax
        }
        let optional = made.items.filter(\.isOptional).filter { $0.span.overlaps(range) }
        return isNear && range.count <= (items.map(\.registersMax).min() ?? 0)
            && !made.holes.contains { $0.overlaps(range) } && optional.isEmpty
    }

    /// The fewest requests for `items`, tried out: every way to cut the sorted list into requests.
    private func fewest(_ items: [Item], _ made: Made) -> Int {
        var best = [0]
        for end in 1..<items.count + 1 {
            let costs = (0..<end).filter { mayJoin(items[$0..<end], made) }.map { best[$0] + 1 }
            best.append(costs.min() ?? .max)
        }
        return best[items.count]
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func everyPlanIsWholeAndSmall(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for round in 0..<250 {
            let made = profile(&random)
            let place = "seed \(seed) round \(round)\n\(made.yaml)"
            let profile = try Profile(try SettingsFile.parse(Array(made.yaml.utf8), file: "random.yaml"))
            let wanted = made.items.filter { _ in random.next() % 4 != 0 }
            let reads = try profile.plan(wanted.map { ObisCode($0.obis) }.compactMap { $0 })
            #expect(reads.flatMap(\.quantities).map(\.text).sorted() == wanted.map(\.obis).sorted(), "\(place)")
            for read in reads { check(read, made, profile, place) }
            let alone = wanted.filter { $0.isOptional || made.isOneValue }
            var joined = 0
            for poll in ["fast", "normal", "slow"] {
                let items = wanted.filter { $0.poll == poll && !$0.isOptional && !made.isOneValue }
                joined += items.isEmpty ? 0 : fewest(items, made)
            }
            #expect(reads.count == alone.count + joined, "\(place)")
        }
    }

    private func check(_ read: PlannedRead, _ made: Made, _ profile: Profile, _ place: String) {
        let registers = Int(read.request.address)..<Int(read.request.address) + Int(read.request.count)
        let items = made.items.filter { item in read.quantities.contains { $0.text == item.obis } }
        #expect(registers.count <= (items.map(\.registersMax).min() ?? 0), "\(place)")
        #expect(items.allSatisfy { registers.lowerBound <= $0.span.lowerBound }, "\(place)")
        #expect(items.allSatisfy { $0.span.upperBound <= registers.upperBound }, "\(place)")
        #expect(!made.holes.contains { $0.overlaps(registers) }, "\(place)")
        #expect(items.allSatisfy { $0.poll == read.poll.name }, "\(place)")
        if items.contains(where: { $0.isOptional || made.isOneValue }) {
            #expect(items.count == 1, "\(place)")
        } else {
            let strangers = made.items.filter { $0.isOptional && $0.span.overlaps(registers) }
            #expect(strangers.isEmpty, "\(place)")
        }
        let held = ReadDecoder(profile, read.request).quantities
        #expect(Set(held).isSuperset(of: read.quantities), "\(place)")
    }
}
