// The profiles in firmware-profiles/ and the frames beside them, as the tests read them.

import Foundation
import Metering
import Settings
import Testing

/// One profile file with its frames file.
struct ProfileFile: CustomTestStringConvertible, Sendable {
    /// `abb/b23`.
    let name: String
    let yaml: [UInt8]
    let frames: [UInt8]

    var testDescription: String { name }

    func profile() throws -> Profile { try Profile(try SettingsFile.parse(yaml, file: "\(name).yaml")) }

    /// Every `*.yaml` below firmware-profiles that is no frames file, with its frames.
    static let all: [ProfileFile] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("firmware-profiles")
        do {
            var files: [ProfileFile] = []
            for vendor in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
                var isFolder: ObjCBool = false
                let path = folder.appendingPathComponent(vendor).path
                guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
                    continue
                }
                for file in try FileManager.default.contentsOfDirectory(atPath: path).sorted()
                where file.hasSuffix(".yaml") && !file.hasSuffix(".frames.yaml") {
                    let stem = "\(path)/\(file.dropLast(5))"
                    files.append(
                        ProfileFile(
                            name: "\(vendor)/\(file.dropLast(5))", yaml: try SettingsFile.read(path: "\(stem).yaml"),
                            frames: try SettingsFile.read(path: "\(stem).frames.yaml")))
                }
            }
            return files
        } catch { preconditionFailure("a profile has no frames beside it: \(error)") }
    }()

    static func named(_ name: String) -> ProfileFile {
        guard let file = all.first(where: { $0.name == name }) else { preconditionFailure("no profile \(name)") }
        return file
    }
}

/// What a frames file says, section by section.
struct Frames {
    struct Answer {
        let name: String
        let chain: [SunSpecModel]
        let request: ReadRequest
        let words: [UInt8]
        let values: [ReadDecoderValue]
        let texts: [IdentityText]
    }

    struct ReadDecoderValue {
        let obis: ObisCode
        let count: Int64?
        let unit: Rational?
        let notAvailable: NotAvailable?
    }

    struct IdentityText {
        let role: Identity.Role
        let text: String
        let isAccepted: Bool
    }

    struct Plan {
        let wanted: [ObisCode]
        let isIdentity: Bool
        let chain: [SunSpecModel]
        let requests: [ReadRequest]
    }

    let profile: String
    let digest: String
    var answers: [Answer] = []
    var identity: [Answer] = []
    var plans: [Plan] = []

    init(_ map: SettingsMap) throws(SettingsError) {
        profile = try map.value("profile").text()
        digest = try map.value("digest").text()
        for item in try map.value("frames").list(count: 1...1000) { answers.append(try Self.answer(try item.map())) }
        for item in try map.value("identity").list() { identity.append(try Self.answer(try item.map())) }
        for item in try map.value("plans").list() {
            let plan = try item.map()
            var wanted: [ObisCode] = []
            var isIdentity = false
            for name in try plan.value("wanted").list(count: 1...64) {
                if try name.text() == "identity" { isIdentity = true } else { wanted.append(try Self.obis(name)) }
            }
            var requests: [ReadRequest] = []
            for request in try plan.value("requests").list() { requests.append(try Self.request(try request.map())) }
            plans.append(
                Plan(wanted: wanted, isIdentity: isIdentity, chain: try Self.chain(plan), requests: requests))
        }
        try map.finish()
    }

    private static func answer(_ map: SettingsMap) throws(SettingsError) -> Answer {
        _ = try map.optional("origin")?.choice([("constructed", 0), ("recorded", 1)])
        var words: [UInt8] = []
        for line in try map.value("words").list() {
            let text = try line.text().split(separator: " ").joined()
            guard text.count.isMultiple(of: 2) else { throw line.error("has half a byte") }
            for start in stride(from: 0, to: text.count, by: 2) {
                let pair = text.dropFirst(start).prefix(2)
                guard let byte = UInt8(pair, radix: 16) else { throw line.error("is not hexadecimal") }
                words.append(byte)
            }
        }
        var values: [ReadDecoderValue] = []
        for item in try map.optional("values")?.list() ?? [] {
            let value = try item.map()
            values.append(
                ReadDecoderValue(
                    obis: try obis(try value.value("obis")),
                    count: try value.optional("count")?.int(in: Int64.min...Int64.max),
                    unit: try value.optional("unit").map { unit throws(SettingsError) in Rational(try unit.text()) }
                        ?? nil,
                    notAvailable: try value.optional("not-available")?.choice(reasons)))
        }
        var texts: [IdentityText] = []
        for item in try map.optional("texts")?.list() ?? [] {
            let text = try item.map()
            texts.append(
                IdentityText(
                    role: try text.value("role").choice(Identity.Role.allCases.map { ($0.name, $0) }),
                    text: try text.value("text").text(0...64), isAccepted: try text.value("accepted").bool()))
        }
        return Answer(
            name: try map.value("name").text(), chain: try chain(map),
            request: try request(try map.value("request").map()), words: words, values: values, texts: texts)
    }

    private static let reasons: [(name: String, value: NotAvailable)] = [
        ("wrong-length", .wrongLength), ("not-a-number", .notANumber), ("declared", .declared),
        ("zero-accumulator", .zeroAccumulator), ("scale-factor", .scaleFactor),
        ("negative-counter", .negativeCounter), ("overflow", .overflow), ("invalid", .invalid),
    ]

    private static func obis(_ value: SettingsValue) throws(SettingsError) -> ObisCode {
        guard let obis = ObisCode(try value.text()) else { throw value.error("is not an OBIS code") }
        return obis
    }

    private static func request(_ map: SettingsMap) throws(SettingsError) -> ReadRequest {
        ReadRequest(
            function: try map.value("function").int(in: 3...4), address: try map.value("address").int(in: 0...65535),
            count: try map.value("count").int(in: 1...125))
    }

    private static func chain(_ map: SettingsMap) throws(SettingsError) -> [SunSpecModel] {
        var chain: [SunSpecModel] = []
        for item in try map.optional("chain")?.list() ?? [] {
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
