// Choice of a profile, its grade, its lint and its frames: each finding is provoked once, and the shipped files have none.

import Metering
import Settings
import Testing

struct ProfileToolsTests {
    private func parse(_ text: String) throws -> Profile {
        try Profile(try SettingsFile.parse(Array(text.utf8), file: "test.yaml"))
    }

    private let b23 = String(decoding: ProfileFile.named("abb/b23").yaml, as: UTF8.self)
    private let inverter = String(decoding: ProfileFile.named("sunspec/inverter-103").yaml, as: UTF8.self)

    @Test(arguments: ProfileFile.all)
    func shippedProfilesAreLintClean(file: ProfileFile) throws {
        let profile = try file.profile()
        let warnings = profile.lint.filter { $0.severity == .warning }
        #expect(warnings.isEmpty, "\(warnings)")
        let check = FrameCheck(profile, try file.parsedFrames())
        #expect(check.problems.isEmpty, "\(check.problems)")
        #expect(check.unshown(profile).isEmpty, "no frame gives \(check.unshown(profile))")
        #expect(check.run > 2)
    }

    @Test(arguments: [
        ("gap-max: 16", "gap-max: 125", "`limits.gap-max` is no limit"),
        ("level: driver", "level: hardware", "`level` claims a comparison"),
        ("level: driver", "level: driver\nchecked: [{by: x, on: 2026-01-01, how: y}]", "`checked` says more"),
        ("address: 0x5B02, type: u32", "address: 0x5B01, type: u32", "shares registers with 1-0:32.7.0"),
        ("timeout: 1s", "timeout: 1s\n  one-value: true", "`limits.gap-max` means nothing"),
    ])
    func warnings(part: String, damaged: String, warning: String) throws {
        #expect(b23.contains(part))
        let found = try parse(b23.replacing(part, with: damaged)).lint
        #expect(found.contains { $0.severity == .warning && "\($0)".contains(warning) }, "\(found)")
    }

    @Test func aSunSpecIntegerNeedsItsPattern() throws {
        let found = try parse(inverter.replacing(", not-available: [0x8000]", with: "")).lint
        #expect(found.contains { "\($0)".hasPrefix("warning: `quantities[1-0:16.7.0].not-available`") }, "\(found)")
    }

    @Test(arguments: [
        ("level: driver", "level: driver", ["driver"]),
        ("level: driver", "level: document", []),
        ("level: driver", "level: document\ncontradictory: [\"the unit\"]", ["the unit"]),
        ("level: driver", "level: driver\ncontradictory: [\"a\", \"b\"]", ["driver", "a", "b"]),
    ])
    func grade(part: String, damaged: String, words: [String]) throws {
        let profile = try parse(b23.replacing(part, with: damaged))
        let obstacles = profile.gradeObstacles(isReplay: false)
        #expect(obstacles.count == words.count)
        for (obstacle, word) in zip(obstacles, words) { #expect("\(obstacle)".contains(word)) }
        #expect(profile.gradeObstacles(isReplay: true).isEmpty)
        let notes = profile.lint.filter { "\($0)".contains("never billing grade in a real house") }
        #expect(notes.count == words.count)
    }

    /// A doubt about a voltage does not hold money back, one about a counter does.
    @Test func doubtsCountWhereMoneyIs() throws {
        let certain = b23.replacing("level: driver", with: "level: document")
        let voltage = certain.replacing("address: 0x5B00, ", with: "contradictory: \"x\", address: 0x5B00, ")
        #expect(voltage != certain)
        #expect(try parse(voltage).gradeObstacles(isReplay: false).isEmpty)
        let counter = certain.replacing("address: 0x5004, ", with: "contradictory: \"x\", address: 0x5004, ")
        #expect(try parse(counter).gradeObstacles(isReplay: false) == [.contradictory("1-0:2.8.0: x")])
    }

    // MARK: Choice

    private func named(_ name: String) throws -> Profile { try ProfileFile.named(name).profile() }

    @Test func theModelChoosesTheProfile() throws {
        let profiles = try ProfileFile.all.map { try $0.profile() }
        let chosen = Profile.choice(profiles, for: DeviceSigns([.model: "B23 112-100"]))
        #expect(chosen?.name == "abb/b23")
        let chain = [
            SunSpecModel(id: 1, address: 40002, length: 66), SunSpecModel(id: 103, address: 40070, length: 50),
        ]
        let sunSpec = Profile.choice(
            profiles, for: DeviceSigns([.model: "Some Inverter", .maker: "Some"], chain: chain))
        #expect(sunSpec?.name == "sunspec/inverter-103")
    }

    @Test func firmwareChoosesTheProfile() throws {
        let old = b23.replacing("profile: abb/b23", with: "profile: abb/old\nfirmware: [{below: \"2.0\"}]")
        let new = b23.replacing("profile: abb/b23", with: "profile: abb/new\nfirmware: [{from: \"2.0\"}]")
        let profiles = try [parse(old), parse(new)]
        func choice(_ firmware: String?) -> String? {
            var texts: [Identity.Role: String] = [.model: "B24 1"]
            texts[.firmware] = firmware
            return Profile.choice(profiles, for: DeviceSigns(texts))?.name
        }
        #expect(choice("1.9.9") == "abb/old" && choice("2.0.0") == "abb/new")
        let device = DeviceSigns([.model: "B21 1", .firmware: "2.0"])
        #expect(Profile.choice(profiles, for: device) == nil)
        #expect(Profile.choice([], for: device) == nil)
    }

    // MARK: Frames

    @Test(arguments: [
        (
            "words: [\"00000000000004D2", "words: [\"00000000000004D3",
            "both totals in one read: 1-0:1.8.0 gives count 1235"
        ),
        ("not-available: declared}", "not-available: overflow}", "gives not-available declared"),
        ("text: \"B23 112-100\", accepted: true", "text: \"B23 112-100\", accepted: false", "accepted: true"),
        ("count: 8}\n    # 12.34", "count: 4}\n    # 12.34", "the request holds 1-0:1.8.0"),
        ("{function: 3, address: 0x5B14, count: 2}]", "{function: 3, address: 0x5B14, count: 3}]", "the requests are"),
        ("digest: b", "digest: c", "`digest` is not the profile's"),
        ("profile: abb/b23", "profile: abb/b24", "`profile` says abb/b24"),
        ("address: 0x8900, count: 2}\n    words", "address: 0x8900, count: 3}\n    words", "no identity read asks so"),
    ])
    func aWrongFrameIsNamed(part: String, damaged: String, problem: String) throws {
        let file = ProfileFile.named("abb/b23")
        let text = String(decoding: file.frames, as: UTF8.self)
        #expect(text.contains(part))
        let frames = try ProfileFrames(
            try SettingsFile.parse(Array(text.replacing(part, with: damaged).utf8), file: "b23.frames.yaml"))
        let problems = FrameCheck(try file.profile(), frames).problems
        #expect(problems.contains { $0.contains(problem) }, "\(problems)")
    }

    @Test(arguments: ["abb/b23", "sunspec/inverter-103"])
    func everyDamageOfFramesIsRefused(name: String) throws {
        let file = ProfileFile.named(name)
        for mutation in try SettingsMutations.all(of: file.frames) {
            #expect(throws: SettingsError.self, "\(mutation.name)") {
                _ = try ProfileFrames(try SettingsFile.parse(mutation.bytes, file: "damaged"))
            }
        }
    }
}
