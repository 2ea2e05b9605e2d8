// Where a scan looks, in which order, and nowhere else; and which profile a device's answers speak for.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Metering
internal import Settings
internal import Testing

struct SearchTests {
    @Test(arguments: [
        ("192.168.1.7", 1, "192.168.1.7", "192.168.1.7"), ("192.168.1.0/24", 254, "192.168.1.1", "192.168.1.254"),
        ("10.0.0.4/31", 2, "10.0.0.4", "10.0.0.5"), ("10.0.0.4/32", 1, "10.0.0.4", "10.0.0.4"),
        ("10.0.0.250-10.0.1.5", 12, "10.0.0.250", "10.0.1.5"), ("10.0.0.5-9", 5, "10.0.0.5", "10.0.0.9"),
        ("10.0.0.5-9,10.0.0.7,10.0.0.20", 6, "10.0.0.5", "10.0.0.20"),
        ("255.255.255.255", 1, "255.255.255.255", "255.255.255.255"),
        ("10.0.0.0/20", 4094, "10.0.0.1", "10.0.15.254"),
    ])
    func addressesAreThoseNamed(text: String, count: Int, first: String, last: String) throws {
        let range = try #require(AddressRange(text))
        #expect(range.addresses.count == count)
        #expect(
            range.addresses.first.map(AddressRange.text) == first && range.addresses.last.map(AddressRange.text) == last
        )
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.0/19", "10.0.0.0/33", "10.0.0.9-5", "10.0.0.1-10.0.20.1", "a",
        "0/0",
        "10.0.0.0/20,10.1.0.0/20", "10.0.0.1,", "::1", "10.0.0.1-999",
    ])
    func whatNamesNoneOrTooManyIsRefused(text: String) { #expect(AddressRange(text) == nil) }

    @Test func aLineIsSearchedModeByMode() throws {
        let modes = [
            SerialSearch.Mode(baud: 9_600, parity: .none, stopBits: 1),
            SerialSearch.Mode(baud: 19_200, parity: .even, stopBits: 1),
        ]
        var search = SerialSearch(modes: modes, units: try #require(SerialSearch.units("3,1-2")))
        #expect(search.total == 6 && search.secondsLeft == nil)
        var seen: [String] = []
        while let (mode, unit) = search.next {
            seen.append("\(mode.baud) \(unit)")
            search.finished(after: 250)
            if search.done == 2 { #expect(search.secondsLeft == 1) }
        }
        #expect(seen == ["9600 3", "9600 1", "9600 2", "19200 3", "19200 1", "19200 2"])
        #expect(search.secondsLeft == 0)
        for text in ["", "0-300", "5-1", "a", "1,,2", "1-2-3"] { #expect(SerialSearch.units(text) == nil, "\(text)") }
    }

    // MARK: Profiles

    private func profile(_ name: String) throws -> Profile {
        try Profile(try SettingsFile.load(path: Workplace.root + "/firmware-profiles/\(name).yaml"))
    }

    /// A device of registers; what it lacks is exception 2, and it knows neither function 43 nor 17.
    private func search(_ profiles: [Profile], _ registers: [UInt8: [UInt16: UInt16]]) -> DeviceSearch {
        var search = DeviceSearch(unit: 1, profiles: profiles)
        while let request = search.next {
            guard request.count > 0 else {
                search.answer(ModbusAnswer(status: 1))
                continue
            }
            let held = registers[request.function.rawValue, default: [:]]
            let words = (0..<Int(request.count)).map { held[UInt16(Int(request.address) + $0)] }
            let bytes = words.compactMap { $0 }.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
            search.answer(words.contains(nil) ? ModbusAnswer(status: 2) : .good(bytes))
        }
        return search
    }

    private func put(_ bits: UInt32, _ address: UInt16, _ registers: inout [UInt16: UInt16]) {
        registers[address] = UInt16(bits >> 16)
        registers[address + 1] = UInt16(bits & 0xFFFF)
    }

    @Test func whatADeviceSaysOfItselfIsFollowed() throws {
        let profiles = try ["eastron/sdm630", "abb/b23", "abb/b21", "carlo-gavazzi/em340", "fronius/inverter-float"]
            .map(profile)
        var input: [UInt16: UInt16] = [:]
        for address in UInt16(0)..<400 { input[address] = 0 }
        put(Float32(231.5).bitPattern, 0, &input)
        put(Float32(49.98).bitPattern, 70, &input)
        let search = search(profiles, [4: input, 3: [64_512: 0, 64_513: 77]])
        let best = try #require(search.candidates.first)
        #expect(best.profile.name == "eastron/sdm630" && best.words == "plausible", "\(search.candidates)")
        #expect(best.reasons.contains("1-0:32.7.0 is 231 V"))
        #expect(best.texts[.serial] == "77")
        #expect(!search.candidates.contains { $0.profile.name.hasPrefix("abb/") })
    }

    @Test func expectedTextsDecide() throws {
        let profiles = try ["abb/b23", "abb/b21", "eastron/sdm630"].map(profile)
        for (text, name) in [("B21 112-100", "abb/b21"), ("B23 112-100", "abb/b23")] {
            var holding: [UInt16: UInt16] = [:]
            for address in UInt16(0x5000)..<0x5C00 { holding[address] = 0 }
            for address in UInt16(0x8900)..<0x8980 { holding[address] = 0x2020 }
            let padded = Array(text.utf8) + Array(repeating: 0x20, count: 12 - text.utf8.count)
            for index in 0..<6 {
                holding[0x8960 + UInt16(index)] = UInt16(padded[2 * index]) << 8 | UInt16(padded[2 * index + 1])
            }
            let search = search(profiles, [3: holding])
            #expect(search.candidates.map(\.profile.name) == [name], "\(search.candidates.map(\.reasons))")
            #expect(search.candidates.first?.words == "likely")
        }
    }

    @Test func aSilentDeviceIsNotAskedForEver() throws {
        var search = DeviceSearch(unit: 1, profiles: try ["abb/b23", "eastron/sdm630"].map(profile))
        while search.next != nil { search.answer(ModbusAnswer(status: SampleStatus.timeout)) }
        #expect(search.asked == DeviceSearch.silentMax && search.answered == 0)
    }

    /// Whatever comes back: the search ends within its bound and never traps.
    @Test func anythingMayBeAnswered() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let names = [
            "abb/b23", "eastron/sdm630", "carlo-gavazzi/em340", "fronius/inverter-float", "sunspec/inverter-103",
            "sma/tripower",
        ]
        let profiles = names.compactMap { try? profile($0) }
        for _ in 0..<200 {
            var search = DeviceSearch(unit: 1, profiles: profiles)
            while let request = search.next {
                let size = request.count > 0 ? 2 * Int(request.count) : Int.random(in: 0...60, using: &random)
                let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
                let statuses: [UInt64] = [0, 0, 0, 2, 32, 33]
                let status = statuses.randomElement(using: &random) ?? 0
                let isMarker = request.count == 2 && Bool.random(using: &random)
                search.answer(
                    ModbusAnswer(status: status, bytes: status == 0 ? isMarker ? Array("SunS".utf8) : bytes : []))
            }
            #expect(search.asked <= DeviceSearch.questionsMax, "seed \(seed)")
            _ = search.candidates
        }
    }
}
