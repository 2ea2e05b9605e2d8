// What a profile may say beyond registers: timing, firmware, checks, contradictions, setup fields, signs, classes.

import Metering
import Settings
import Testing

struct ProfileExtrasTests {
    private static let full = """
        profile: test/full
        revision: 3
        vendor: test
        models: [full]
        level: hardware
        checked: [{by: A. Person, on: 2026-11-21, how: "display beside it, one day"}]
        contradictory: ["two lists disagree about the mode"]
        source: {document: none, revision: none, place: none, counts-from: 40001}
        limits: {registers-max: 60, gap-max: 8, pause: 0ms, timeout: 1s, timeout-max: 15s, connect-pause: 1s,
                 refresh: 600ms, echo: true, one-value: false, either-function: true, single-client: true}
        firmware: [{from: "1.8.3", below: "2.0"}, {from: "3"}]
        identity:
          firmware: {function: 3, address: 50, type: text, registers: 4}
          serial: {function: 3, address: 60, type: chars, registers: 7}
          mode: {function: 3, address: 70, type: u16, expected: ["7"]}
          ct-primary: {function: 3, address: 71, type: f32, optional: true}
          maker: {function: 3, address: 80, type: text, registers: 4}
        quantities:
          - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: s32, scale: 100,
             modulus: 100000000, sign: absolute, contradictory: "total or tariff 1", poll: slow}
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 2, type: s32, scale: 100,
             sign: negated, optional: true, registers-max: 2}
          - {obis: 1-0:16.7.0, kind: gauge, unit: W, direction: import, function: 3, address: 4, type: s32, scale: 1,
             poll: fast}
        """

    private static func profile(_ yaml: String = full) throws -> Profile {
        try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "full.yaml"))
    }

    @Test func everyFieldComesBackFromItsBytes() throws {
        let profile = try Self.profile()
        #expect(profile.limits.timeoutMaxMilliseconds == 15_000)
        #expect(profile.limits.connectPauseMilliseconds == 1000 && profile.limits.refreshMilliseconds == 600)
        #expect(profile.limits.hasEcho && profile.limits.isEitherFunction && !profile.limits.isOneValueOnly)
        #expect(profile.source.countsFrom == 40_001)
        #expect(profile.checks.map(\.by) == ["A. Person"] && profile.checks.map(\.on) == ["2026-11-21"])
        #expect(profile.firmware.map(\.from) == ["1.8.3", "3"])
        #expect(profile.identity.fields.map(\.role) == [.serial, .firmware, .mode, .currentPrimary, .maker])
        let counter = try #require(profile.quantity(.activeImport))
        #expect(counter.sign == .absolute && counter.poll == .slow)
        #expect(counter.contradiction == "total or tariff 1")
        #expect(try Profile(decoding: profile.encoded()) == profile)
    }

    /// Each key changes the digest, so none can be lost on the way.
    @Test(arguments: [
        (", timeout-max: 15s", ""), (", connect-pause: 1s", ""), ("refresh: 600ms, ", ""), ("echo: true, ", ""),
        ("one-value: false", "one-value: true"), ("either-function: true, ", ""), ("below: \"2.0\"", "below: \"2.1\""),
        (", counts-from: 40001", ""), ("A. Person", "B. Person"), ("contradictory: [\"two", "contradictory: [\"three"),
        (", sign: absolute", ""), ("sign: negated", "sign: absolute"), (", poll: slow", ""),
        (", contradictory: \"total or tariff 1\"", ""), (", optional: true, registers-max: 2", ", registers-max: 2"),
        (", registers-max: 2}", "}"), ("type: chars", "type: text"), ("  maker:", "  hardware:"),
    ])
    func eachFieldIsContent(part: String, other: String) throws {
        #expect(Self.full.contains(part))
        #expect(try Self.profile(Self.full.replacing(part, with: other)).digest != Self.profile().digest)
    }

    @Test(arguments: [
        ("timeout-max: 15s", "timeout-max: 900ms", "`limits.timeout-max` is below timeout"),
        ("below: \"2.0\"", "below: \"1.8\"", "`firmware[0]` ends before it begins"),
        ("{from: \"3\"}", "{}", "`firmware[1]` names neither `from` nor `below`"),
        ("  firmware: {function", "  hardware: {function", "`firmware` needs `identity.firmware` to be told by"),
        ("on: 2026-11-21", "on: 2026-13-21", "`checked[0].on` is not a date such as 2026-11-21"),
        (
            "registers-max: 2}", "registers-max: 1}",
            "`quantities[1-0:2.8.0]` needs more registers than one request may have"
        ),
        (
            "address: 2, type: s32", "address: 2, type: u32",
            "`quantities[1-0:2.8.0]` has a sign of its own and an unsigned type"
        ),
        (
            "scale: 1,\n     poll: fast", "scale: 1, modulus: 9,\n     poll: fast",
            "`quantities[1-0:16.7.0]` is a gauge and has a modulus or is resettable"
        ),
    ])
    func rules(part: String, damaged: String, message: String) throws {
        #expect(Self.full.contains(part))
        #expect {
            try Self.profile(Self.full.replacing(part, with: damaged))
        } throws: {
            "\($0)".hasSuffix(": " + message)
        }
    }

    @Test func everyDamageIsRefused() throws {
        for mutation in try SettingsMutations.all(of: Array(Self.full.utf8)) {
            #expect(throws: SettingsError.self, "\(mutation.name)") {
                _ = try Profile(try SettingsFile.parse(mutation.bytes, file: "damaged"))
            }
        }
    }

    @Test(arguments: [
        ("1.8.2", false), ("1.8.3", true), ("1.10", true), ("V1.9R2", true), ("2.0", false), ("2.9.9", false),
        ("3", true), ("3.0.1", true), ("none", false), ("99999999999999999999.1", true), ("", false),
    ])
    func firmwareRanges(version: String, isCovered: Bool) throws {
        #expect(try Self.profile().covers(firmware: version) == isCovered)
    }

    @Test(arguments: [
        ("absolute", "FFFFFF9C", 100), ("absolute", "00000064", 100), ("negated", "FFFFFF9C", 100),
        ("plain", "00000064", 100), ("negated", "00000000", 0),
    ])
    func signsOfCounters(sign: String, words: String, count: UInt64) throws {
        let value = try OneQuantity.value(counter: true, "type: s32, scale: 1, sign: \(sign)", bytes(words))
        guard case .counter(let counter) = value else {
            Issue.record("\(value)")
            return
        }
        #expect(counter.count == count)
    }

    @Test func signsOfFloatsAndGauges() throws {
        #expect(
            try OneQuantity.value("type: f32, scale: 1, step: 1, sign: negated", bytes("C1200000"))
                == .gauge(GaugeReading(count: 10, unit: .one)))
        #expect(
            try OneQuantity.value("type: s16, scale: 1, sign: absolute", bytes("8000"))
                == .gauge(GaugeReading(count: 32_768, unit: .one)))
        #expect(
            try OneQuantity.value(counter: true, "type: s32, scale: 1, sign: negated", bytes("00000001"))
                == .notAvailable(.negativeCounter))
    }

    @Test(arguments: [
        ("chars", 4, "", "0041 0042 0020 0000", "AB"), ("chars", 2, ", byte-order: low-first", "4100 4200", "AB"),
        ("chars", 2, "", "4100 4200", ""), ("f32", 2, "", "42C80000", "100"), ("f32", 2, "", "BF000000", "-0.5"),
        ("f32", 2, "", "3F8020C5", "1.001"), ("f32", 2, "", "80000000", "0"),
        ("f32", 2, ", word-order: low-first", "000042C8", "100"),
    ])
    func setupTexts(type: String, registers: Int, order: String, words: String, text: String) throws {
        let size = type == "chars" ? ", registers: \(registers)" : ""
        let yaml = Self.full.replacing(
            "mode: {function: 3, address: 70, type: u16, expected: [\"7\"]}",
            with: "mode: {function: 3, address: 90, type: \(type)\(size)\(order)}")
        let field = try #require(try Self.profile(yaml).identity[.mode])
        #expect(field.decode(try bytes(words)[...]) == text)
    }

    @Test func aFloatThatIsNoNumberIsNoText() throws {
        let yaml = Self.full.replacing("type: u16, expected: [\"7\"]", with: "type: f32")
        let field = try #require(try Self.profile(yaml.replacing("address: 71", with: "address: 72")).identity[.mode])
        #expect(field.decode(try bytes("7FC00000")[...]) == nil)
        #expect(field.decode(try bytes("7F7FFFFF")[...]) == nil)
        #expect(field.decode(try bytes("7F7F")[...]) == nil)
    }

    /// Functions 3 and 4 alike: planned with either, decoded with either, refused where the profile does not say so.
    @Test func eitherFunction() throws {
        let profile = try Self.profile()
        let reads = try profile.plan([.activePower], function: 4)
        #expect(reads.map(\.request) == [ReadRequest(function: 4, address: 4, count: 2)])
        #expect(ReadDecoder(profile, reads[0].request).quantities == [.activePower])
        let strict = try Self.profile(Self.full.replacing(", either-function: true", with: ""))
        #expect(throws: PlanError.functionNotAnswered(4)) { try strict.plan([.activePower], function: 4) }
        #expect(ReadDecoder(strict, reads[0].request).quantities.isEmpty)
    }

    private func bytes(_ text: String) throws -> [UInt8] {
        let digits = Array(text.filter { $0 != " " })
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0..<$0 + 2]), radix: 16))
        }
    }
}
