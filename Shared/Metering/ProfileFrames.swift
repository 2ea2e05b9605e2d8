// The file beside a profile: requests, answer words and what they must give. Whether they do is FrameCheck's.

package import Settings

/// What a `vendor/model.frames.yaml` says, section by section. The keys are explained in firmware-profiles/README.md.
package struct ProfileFrames: Sendable {
    /// Where the words come from. Order is worth as proof.
    package enum Origin: UInt8, Hashable, Sendable {
        case constructed = 0
        /// Printed in the vendor's document.
        case document = 1
        case recorded = 2
    }

    package struct Answer: Sendable {
        package let name: String
        package let origin: Origin
        package let chain: [SunSpecModel]
        package let request: ReadRequest
        package let words: [UInt8]
        package let values: [Value]
        package let texts: [Text]
    }

    package struct Value: Sendable {
        package let obis: ObisCode
        package let count: Int128?
        package let unit: Rational?
        package let notAvailable: NotAvailable?
    }

    package struct Text: Sendable {
        package let role: Identity.Role
        package let text: String
        package let isAccepted: Bool
    }

    package struct Plan: Sendable {
        package let wanted: [ObisCode]
        package let isIdentity: Bool
        package let chain: [SunSpecModel]
        package let requests: [ReadRequest]
    }

    /// Entries of one section.
    package static let entriesMax = 1000

    package let profile: String
    package let digest: String
    package private(set) var answers: [Answer] = []
    package private(set) var identity: [Answer] = []
    package private(set) var plans: [Plan] = []

    /// Reads the file and finishes `map`: unknown keys are refused.
    package init(_ map: SettingsMap) throws(SettingsError) {
        profile = try map.value("profile").text()
        digest = try map.value("digest").text()
        let sizes = 0...Self.entriesMax
        for item in try map.value("frames").list(count: 1...Self.entriesMax) {
            answers.append(try Self.answer(try item.map()))
        }
        for item in try map.optional("identity")?.list(count: sizes) ?? [] {
            identity.append(try Self.answer(try item.map()))
        }
        for item in try map.value("plans").list(count: sizes) { plans.append(try Self.plan(try item.map())) }
        try map.finish()
    }

    private static func plan(_ map: SettingsMap) throws(SettingsError) -> Plan {
        var wanted: [ObisCode] = []
        var isIdentity = false
        for name in try map.value("wanted").list(count: 1...Profile.quantitiesMax) {
            if try name.text() == "identity" { isIdentity = true } else { wanted.append(try obis(name)) }
        }
        var requests: [ReadRequest] = []
        for item in try map.value("requests").list(count: 0...entriesMax) {
            requests.append(try request(try item.map()))
        }
        return Plan(wanted: wanted, isIdentity: isIdentity, chain: try chain(map), requests: requests)
    }

    private static func answer(_ map: SettingsMap) throws(SettingsError) -> Answer {
        let origins: [(name: String, value: Origin)] = [
            ("constructed", .constructed), ("document", .document), ("recorded", .recorded),
        ]
        var values: [Value] = []
        for item in try map.optional("values")?.list(count: 0...Profile.quantitiesMax) ?? [] {
            values.append(try value(try item.map()))
        }
        var texts: [Text] = []
        for item in try map.optional("texts")?.list(count: 0...Profile.quantitiesMax) ?? [] {
            let text = try item.map()
            texts.append(
                Text(
                    role: try text.value("role").choice(Identity.Role.allCases.map { ($0.name, $0) }),
                    text: try text.value("text").text(0...128), isAccepted: try text.value("accepted").bool()))
        }
        return Answer(
            name: try map.value("name").text(), origin: try map.optional("origin")?.choice(origins) ?? .constructed,
            chain: try chain(map), request: try request(try map.value("request").map()), words: try words(map),
            values: values, texts: texts)
    }

    private static func value(_ map: SettingsMap) throws(SettingsError) -> Value {
        let unit = map.optional("unit")
        let count = map.optional("count")
        let reason = try map.optional("not-available")?.choice(reasons)
        guard (count == nil) == (unit == nil), (count == nil) != (reason == nil) else {
            throw map.error("has neither or both of them", allowed: "count with unit, or not-available")
        }
        var number: Int128?
        if let count {
            // A counter may have all 64 bits, a gauge a sign.
            do throws(SettingsError) {
                number = Int128(try count.int(in: 0...UInt64.max))
            } catch { number = Int128(try count.int(in: Int64.min...Int64.max)) }
        }
        return Value(
            obis: try obis(try map.value("obis")), count: number,
            unit: try unit.map { value throws(SettingsError) in try value.rational() }, notAvailable: reason)
    }

    /// Hexadecimal digit pairs, blanks between them allowed.
    private static func words(_ map: SettingsMap) throws(SettingsError) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in try map.value("words").list(count: 0...Profile.registersMax) {
            let digits = try line.text().utf8.filter { $0 != 0x20 }
            guard digits.count.isMultiple(of: 2) else { throw line.error("has half a byte") }
            for start in stride(from: 0, to: digits.count, by: 2) {
                let pair = String(decoding: digits[start..<start + 2], as: UTF8.self)
                guard digits[start] != 0x2B, let byte = UInt8(pair, radix: 16) else {
                    throw line.error("is not hexadecimal", allowed: "digit pairs 00 … FF")
                }
                bytes.append(byte)
            }
        }
        return bytes
    }

    private static let reasons: [(name: String, value: NotAvailable)] = NotAvailable.allCases.map { ($0.name, $0) }

    private static func obis(_ value: SettingsValue) throws(SettingsError) -> ObisCode {
        guard let obis = ObisCode(try value.text()) else {
            throw value.error("is not an OBIS code", allowed: "A-B:C.D.E with numbers 0 … 255")
        }
        return obis
    }

    private static func request(_ map: SettingsMap) throws(SettingsError) -> ReadRequest {
        ReadRequest(
            function: try map.value("function").int(in: 3...4), address: try map.value("address").int(in: 0...65535),
            count: try map.value("count").int(in: 1...125))
    }

    private static func chain(_ map: SettingsMap) throws(SettingsError) -> [SunSpecModel] {
        var chain: [SunSpecModel] = []
        for item in try map.optional("chain")?.list(count: 0...SunSpecWalk.modelsMax) ?? [] {
            let model = try item.map()
            chain.append(
                SunSpecModel(
                    id: try model.value("id").int(in: 1...65535),
                    address: try model.value("address").int(in: 0...65535),
                    length: try model.value("length").int(in: 0...65535)))
        }
        return chain
    }
}
