// Every profile in the folder: parsed strictly, its frames decoded, its plans made, its CBOR form the same again.

import Kit
import Metering
import Settings
import Testing

struct ProfileTests {
    @Test func theFolderHoldsTheFamilies() {
        let vendors = Set(ProfileFile.all.compactMap { $0.name.split(separator: "/").first.map { String($0) } })
        #expect(
            vendors.isSuperset(of: [
                "abb", "carlo-gavazzi", "chint", "dzg", "eastron", "fronius", "huawei", "inepro", "janitza", "kostal",
                "orno",
                "saia", "schneider", "siemens", "sma", "socomec", "solaredge", "sungrow", "sunspec", "victron",
            ]))
        #expect(Set(ProfileFile.all.map(\.name)).count == ProfileFile.all.count)
        #expect(ProfileFile.all.count >= 60)
        #expect(ProfileFile.representative.count == 5)
    }

    @Test func theReadmeListsThem() throws {
        let rows = try Workplace.text(of: "firmware-profiles/README.md").split(separator: "\n").filter {
            $0.hasPrefix("| `")
        }
        let listed = rows.filter { $0.contains("/") && $0.split(separator: "|").count == 4 }.map { row in
            row.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
        }
        let shipped = try ProfileFile.all.map { file in
            let profile = try file.profile()
            let isDoubtful = profile.gradeObstacles(isReplay: false).contains { $0 != .driverLevel }
            return [profile.name, profile.level.name, isDoubtful ? "yes" : ""]
        }
        #expect(listed.map { [$0[0], $0[2], $0[3]] } == shipped)
    }

    /// Discovery: a profile for each model of the specification that names energy, all at the three bases.
    @Test(arguments: [
        ("inverter", [101, 102, 103, 111, 112, 113]), ("meter", [201, 202, 203, 204, 211, 212, 213, 214]),
        ("mppt", [160]), ("der", [701]),
    ])
    func theModelsOfSunSpec(kind: String, models: [UInt16]) throws {
        for model in models {
            let sunSpec = try #require(try ProfileFile.named("sunspec/\(kind)-\(model)").profile().sunSpec)
            #expect(sunSpec.bases == [40000, 50000, 0])
            #expect(sunSpec.models.map(\.id) == [1, model])
        }
    }

    /// The three of the first release stand in transcripts: whatever the model learns, their digests stay.
    @Test(arguments: [
        ("abb/b23", "b17685eb159ba5d0709298cc3a674eaa5b43a90cb947ce9cc8ce47f3d42e8a40"),
        ("eastron/sdm630", "1a88a744710f8b1edaafd5b319ac510b4e20a3f8f1da5b2aabe2148e95a266b8"),
        ("sunspec/inverter-103", "96f0ebc3ecaf85efa081168f87196f610bc27be3b9332cb54f238c5f8ca09c67"),
    ])
    func digestsOfTheFirstReleaseStay(name: String, digest: String) throws {
        #expect("\(try ProfileFile.named(name).profile().digest)" == digest)
    }

    @Test(arguments: ProfileFile.all)
    func nameIsThePath(file: ProfileFile) throws {
        #expect(try file.profile().name == file.name)
        #expect(try file.parsedFrames().profile == file.name)
    }

    @Test(arguments: ProfileFile.all)
    func framesDecode(file: ProfileFile) throws {
        let profile = try file.profile()
        let frames = try file.parsedFrames()
        var seen: Set<ObisCode> = []
        for frame in frames.answers {
            let decoder = ReadDecoder(profile, frame.request, chain: frame.chain)
            let decoded = decoder.decode(frame.words)
            #expect(decoded.map(\.obis) == frame.values.map(\.obis), "\(frame.name)")
            for (actual, expected) in zip(decoded, frame.values) {
                switch actual.value {
                case .counter(let count):
                    #expect(expected.count == Int128(count.count), "\(frame.name) \(actual.obis)")
                    #expect(expected.unit == count.unit, "\(frame.name) \(actual.obis)")
                    seen.insert(actual.obis)
                case .gauge(let reading):
                    #expect(expected.count == Int128(reading.count), "\(frame.name) \(actual.obis)")
                    #expect(expected.unit == reading.unit, "\(frame.name) \(actual.obis)")
                    seen.insert(actual.obis)
                case .notAvailable(let reason):
                    #expect(expected.notAvailable == reason, "\(frame.name) \(actual.obis)")
                    #expect(expected.count == nil, "\(frame.name) \(actual.obis)")
                }
            }
        }
        let missing = profile.quantities.map(\.obis).filter { !seen.contains($0) }
        #expect(missing.isEmpty, "no frame gives \(missing)")
    }

    @Test(arguments: ProfileFile.all)
    func identityFramesDecode(file: ProfileFile) throws {
        let profile = try file.profile()
        let frames = try file.parsedFrames()
        #expect(frames.identity.isEmpty == profile.identity.fields.isEmpty)
        for frame in frames.identity {
            let plan = try profile.identityPlan(chain: frame.chain)
            let read = try #require(plan.first { $0.request == frame.request }, "\(frame.name) is not planned")
            let texts = read.identityTexts(frame.words, profile, chain: frame.chain)
            #expect(texts.map(\.role) == frame.texts.map(\.role), "\(frame.name)")
            for (actual, expected) in zip(texts, frame.texts) {
                #expect((actual.text ?? "") == expected.text, "\(frame.name)")
                let isAccepted = actual.text.map { profile.accepts($0, expected.role) } ?? false
                #expect(isAccepted == expected.isAccepted, "\(frame.name)")
            }
            #expect(
                read.identityTexts(frame.words.dropLast(), profile, chain: frame.chain).allSatisfy { $0.text == nil })
        }
    }

    @Test(arguments: ProfileFile.all)
    func plansComeOut(file: ProfileFile) throws {
        let profile = try file.profile()
        let frames = try file.parsedFrames()
        #expect(!frames.plans.isEmpty)
        for plan in frames.plans {
            let reads =
                plan.isIdentity
                ? try profile.identityPlan(chain: plan.chain) : try profile.plan(plan.wanted, chain: plan.chain)
            #expect(reads.map(\.request) == plan.requests)
            #expect(reads.flatMap(\.quantities).sorted() == plan.wanted.sorted())
            for read in reads where !plan.isIdentity {
                let decodable = ReadDecoder(profile, read.request, chain: plan.chain).quantities
                #expect(Set(decodable).isSuperset(of: read.quantities))
            }
        }
    }

    @Test(arguments: ProfileFile.all)
    func cborComesBack(file: ProfileFile) throws {
        let profile = try file.profile()
        let bytes = profile.encoded()
        let again = try Profile(decoding: bytes)
        #expect(again == profile)
        #expect(again.encoded() == bytes)
        #expect(again.digest == profile.digest)
        #expect(bytes.count <= Profile.encodedBytesMax)
    }

    /// The digests stand in the frames files: written by another program from docs/formats/profile.md alone, so they
    /// hold the CBOR form still as well as the content.
    @Test(arguments: ProfileFile.all)
    func digestIsTheOneWrittenDown(file: ProfileFile) throws {
        let frames = try file.parsedFrames()
        #expect("\(try file.profile().digest)" == frames.digest)
    }

    /// Comments, spelling of numbers and order of quantities are not content; everything else is.
    @Test func digestIsOfTheContent() throws {
        let file = ProfileFile.named("abb/b23")
        let text = String(decoding: file.yaml, as: UTF8.self)
        func digest(_ text: String) throws -> String {
            "\(try Profile(try SettingsFile.parse(Array(text.utf8), file: "b23")).digest)"
        }
        let original = try digest(text)
        #expect(try digest(text.replacing("0x5000", with: "20480").replacing("# Voltage", with: "# U")) == original)
        #expect(try digest(text.replacing("scale: 10,", with: "scale: 1,")) != original)
        #expect(try digest(text.replacing("revision: 1\n", with: "revision: 2\n")) != original)
    }

    @Test(arguments: ProfileFile.representative)
    func everyDamageIsRefused(file: ProfileFile) throws {
        let mutations = try SettingsMutations.all(of: file.yaml)
        #expect(mutations.count > 150)
        for mutation in mutations {
            #expect(throws: SettingsError.self, "\(mutation.name)") {
                _ = try Profile(try SettingsFile.parse(mutation.bytes, file: "damaged"))
            }
        }
    }

    @Test(arguments: [
        ("revision: 1", "revision: 0", "`revision: 0` is out of range; allowed: 1 … 1000000"),
        ("profile: abb/b23", "profile: ABB", "`profile` is not of the form vendor/model"),
        ("registers-max: 125", "registers-max: 126", "`limits.registers-max: 126` is out of range; allowed: 1 … 125"),
        ("registers-max: 125", "registers-max: 3", "`identity.model` needs more registers than one request may have"),
        ("last: 0x8907", "last: 0x8908", "`identity.firmware` lies in a hole"),
        ("last: 0x8907", "last: 0x8901", "`holes[0]` ends before it begins"),
        (
            "address: 0x5004, type: u64", "address: 0xFFFD, type: u64",
            "`quantities[1-0:2.8.0]` ends above register 65535"
        ),
        (
            "address: 0x5004, type: u64", "address: 0x5004, type: f64",
            "`quantities[1-0:2.8.0]` is a float and needs `step`, the unit of its counts"
        ),
        (
            "1-0:2.8.0, kind: counter, unit: Wh, direction: export",
            "1-0:2.8.0, kind: counter, unit: Wh, direction: import",
            "`quantities[1-0:2.8.0]` contradicts its OBIS code in unit or direction"
        ),
        ("1-0:2.8.0,", "1-0:1.8.0,", "`quantities[1]` describes 1-0:1.8.0 a second time"),
        (
            "1-0:2.8.0,", "1-0:02.8.0,",
            "`quantities[1].obis: 1-0:02.8.0` is not an OBIS code; allowed: A-B:C.D.E with numbers 0 … 255"
        ),
        (
            "not-available: [0x7FFF]", "not-available: [0x17FFF]",
            "`quantities[1-0:13.7.0]` has a not-available value that is too large, twice there or out of order"
        ),
        (
            "scale: 0.001", "scale: 0",
            "`quantities[19].scale: 0` is not such a number; allowed: a positive number such as 10, 0.01 or 1/3, parts up to 10^12"
        ),
        (
            "1-0:16.7.0, kind: gauge, unit: W, direction: import", "1-0:16.7.0, kind: gauge, unit: W, direction: none",
            "`quantities[1-0:16.7.0]` is active power and needs a direction"
        ),
        (
            "1-0:14.7.0, kind: gauge, unit: Hz", "1-0:14.7.0, kind: counter, unit: Hz",
            "`quantities[1-0:14.7.0]` is a counter of no energy unit"
        ),
    ])
    func rulesBetweenFields(part: String, damaged: String, message: String) throws {
        let text = String(decoding: ProfileFile.named("abb/b23").yaml, as: UTF8.self)
        #expect(text.contains(part))
        #expect {
            try Profile(try SettingsFile.parse(Array(text.replacing(part, with: damaged).utf8), file: "b23"))
        } throws: {
            "\($0)".hasSuffix(": " + message)
        }
    }
}
