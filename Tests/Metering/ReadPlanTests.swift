// Plans: the fewest requests that split nothing, cross no hole and keep every limit.

import Kit
import Metering
import Settings
import Testing

struct ReadPlanTests {
    /// u16 gauges at the addresses given, with holes and limits as given.
    private func profile(_ addresses: [Int], limits: String, holes: String = "") throws -> Profile {
        var yaml = """
            profile: test/plan
            revision: 1
            vendor: test
            models: [plan]
            level: driver
            source: {document: none, revision: none, place: none}
            limits: {\(limits), pause: 0ms, timeout: 1s}
            identity: {}

            """
        if !holes.isEmpty { yaml += "holes: [\(holes)]\n" }
        yaml += "quantities:\n"
        for (index, address) in addresses.enumerated() {
            yaml += "  - {obis: 1-0:\(100 + index).7.0, kind: gauge, unit: V, direction: none, function: 3, "
            yaml += "address: \(address), type: u16, scale: 1}\n"
        }
        return try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "plan.yaml"))
    }

    private func spans(_ profile: Profile) throws -> [String] {
        try profile.plan(profile.quantities.map(\.obis)).map { "\($0.request.address)+\($0.request.count)" }
    }

    @Test(
        arguments: [
            ([10, 11, 12], "registers-max: 125, gap-max: 0", "", ["10+3"]),
            ([10, 12], "registers-max: 125, gap-max: 0", "", ["10+1", "12+1"]),
            ([10, 12], "registers-max: 125, gap-max: 1", "", ["10+3"]),
            ([10, 12, 15], "registers-max: 125, gap-max: 1", "", ["10+3", "15+1"]),
            ([10, 11, 12, 13], "registers-max: 2, gap-max: 8", "", ["10+2", "12+2"]),
            ([10, 12, 14], "registers-max: 3, gap-max: 8", "", ["10+3", "14+1"]),
            ([10, 14], "registers-max: 125, gap-max: 8", "{function: 3, first: 12, last: 12}", ["10+1", "14+1"]),
            ([10, 14], "registers-max: 125, gap-max: 8", "{function: 4, first: 12, last: 12}", ["10+5"]),
            ([10, 14], "registers-max: 125, gap-max: 8", "{function: 3, first: 15, last: 20}", ["10+5"]),
            ([0, 65535], "registers-max: 125, gap-max: 125", "", ["0+1", "65535+1"]),
            ([0, 124], "registers-max: 125, gap-max: 125", "", ["0+125"]),
            ([0, 125], "registers-max: 125, gap-max: 125", "", ["0+1", "125+1"]),
        ] as [([Int], String, String, [String])])
    func joining(addresses: [Int], limits: String, holes: String, expected: [String]) throws {
        #expect(try spans(try profile(addresses, limits: limits, holes: holes)) == expected)
    }

    @Test func nothingWantedIsNothingRead() throws {
        #expect(try ProfileFile.named("abb/b23").profile().plan([]).isEmpty)
    }

    @Test func wantedTwiceIsReadOnce() throws {
        let reads = try ProfileFile.named("abb/b23").profile().plan([.activeExport, .activeExport])
        #expect(reads.map(\.quantities) == [[.activeExport]])
    }

    @Test func refusals() throws {
        let inverter = try ProfileFile.named("sunspec/inverter-103").profile()
        let common = SunSpecModel(id: 1, address: 40002, length: 66)
        func error(_ chain: [SunSpecModel]) -> PlanError? {
            do throws(PlanError) { _ = try inverter.plan([.activeExport], chain: chain) } catch { return error }
            return nil
        }
        #expect(error([]) == .modelMissing(1))
        #expect(error([common]) == .modelMissing(103))
        #expect(error([common, SunSpecModel(id: 103, address: 40070, length: 48)]) == .modelLength(103, found: 48))
        #expect(error([common, SunSpecModel(id: 103, address: 65520, length: 50)]) == .beyondAddressSpace(103))
        #expect(error([common, SunSpecModel(id: 103, address: 40070, length: 50)]) == nil)
        #expect(throws: PlanError.unknownQuantity(.activeImport)) {
            try inverter.plan([.activeImport], chain: [common, SunSpecModel(id: 103, address: 40070, length: 50)])
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func everyPlanKeepsTheRules(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for file in ProfileFile.all {
            let profile = try file.profile()
            let chain = profile.exampleChain()
            for _ in 0..<20 {
                let wanted = profile.quantities.map(\.obis).filter { _ in random.next() % 3 == 0 }
                let reads = try profile.plan(wanted, chain: chain)
                #expect(reads.flatMap(\.quantities).sorted() == wanted.sorted(), "seed \(seed)")
                #expect(reads.map(\.request) == reads.map(\.request).sorted(), "seed \(seed)")
                for read in reads {
                    #expect(Int(read.request.count) <= profile.limits.registersMax, "seed \(seed)")
                    let registers = Int(read.request.address)..<Int(read.request.address) + Int(read.request.count)
                    let crossed = profile.holes.filter {
                        $0.function == read.request.function && registers.overlaps(Int($0.first)..<Int($0.last) + 1)
                    }
                    #expect(crossed.isEmpty, "seed \(seed)")
                    let held = Set(ReadDecoder(profile, read.request, chain: chain).quantities)
                    #expect(held.isSuperset(of: read.quantities), "seed \(seed)")
                }
            }
        }
    }
}
