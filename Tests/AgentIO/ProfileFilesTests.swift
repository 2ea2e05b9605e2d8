// `profile lint`, `show` and `test` on files: the shipped folder is clean, and what is wrong is named by file and key.

internal import AgentIO
internal import Foundation
internal import Kit
internal import Settings
internal import Testing

struct ProfileFilesTests {
    private let shipped = Workplace.root + "/firmware-profiles"

    /// abb/b23 and its frames in a folder of their own, each changed as asked.
    private func folder(
        _ place: TemporaryDirectory, profile: (String) -> String = { $0 }, frames: (String) -> String? = { $0 }
    ) throws -> String {
        let vendor = place.file("abb")
        try FileManager.default.createDirectory(atPath: vendor, withIntermediateDirectories: true)
        let yaml = profile(try Workplace.text(of: "firmware-profiles/abb/b23.yaml"))
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: vendor + "/b23.yaml"))
        if let text = frames(try Workplace.text(of: "firmware-profiles/abb/b23.frames.yaml")) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: vendor + "/b23.frames.yaml"))
        }
        return place.path
    }

    @Test func theShippedFolderIsClean() throws {
        let lint = try ProfileTools.lint([shipped])
        #expect(lint.failures == 0, "\(lint.text)")
        #expect(lint.lines.count { $0.hasSuffix(", clean") } >= 60)
        #expect(lint.text.contains("note: `level` is never billing grade in a real house: its level is driver"))
        let test = try ProfileTools.test([shipped + "/abb", shipped + "/eastron/sdm630.yaml"])
        #expect(test.failures == 0 && test.lines.count == 4, "\(test.text)")
    }

    @Test(arguments: [
        (
            "registers-max: 125", "registers-max: 126",
            "b23.yaml:14: `limits.registers-max: 126` is out of range; allowed: 1 … 125"
        ),
        ("revision: 1", "revision: 2", "warning: frames: `digest` is not the profile's"),
        ("profile: abb/b23", "profile: abb/b24", "warning: `profile: abb/b24` is not the file's path"),
        ("gap-max: 16", "gap-max: 125", "warning: `limits.gap-max` is no limit beside registers-max"),
    ])
    func aDamagedProfileIsNamed(part: String, damaged: String, line: String) throws {
        let place = try TemporaryDirectory()
        let lint = try ProfileTools.lint([try folder(place, profile: { $0.replacing(part, with: damaged) })])
        #expect(lint.failures > 0)
        #expect(lint.text.contains(line), "\(lint.text)")
    }

    @Test func framesThatLieOrLackAreNamed() throws {
        let place = try TemporaryDirectory()
        let path = try folder(place, frames: { $0.replacing("count: 1234,", with: "count: 1235,") })
        let test = try ProfileTools.test([path + "/abb/b23.yaml"])
        #expect(test.failures == 1)
        #expect(test.text.contains("both totals in one read: 1-0:1.8.0 gives count 1234"), "\(test.text)")
        let lonely = try TemporaryDirectory()
        let lint = try ProfileTools.lint([try folder(lonely, frames: { _ in nil })])
        #expect(lint.failures == 1 && lint.text.contains("b23.frames.yaml: does not exist"), "\(lint.text)")
    }

    @Test func twoOfOneNameAreNamed() throws {
        let place = try TemporaryDirectory()
        let path = try folder(place) + "/abb/b23.yaml"
        let lint = try ProfileTools.lint([path, shipped + "/abb/b23.yaml"])
        #expect(lint.failures == 1 && lint.text.contains("rename one of them"), "\(lint.text)")
    }

    @Test func pathsThatLeadNowhere() throws {
        let place = try TemporaryDirectory()
        #expect(throws: SettingsError.self) { try ProfileTools.lint([place.path]) }
        #expect(throws: SettingsError.self) { try ProfileTools.show(place.file("none.yaml")) }
        #expect(try ProfileTools.lint([place.file("none.yaml")]).text.contains("does not exist; check the path"))
    }

    @Test func showTellsWhatAnInstallerAsks() throws {
        let text = try ProfileTools.show(shipped + "/carlo-gavazzi/em24.yaml").text
        for part in [
            "carlo-gavazzi/em24 revision", "renewed every 600ms", "functions 3 and 4 answer alike",
            "mode: 3: 4353 0x1101 (304354), u16, expects 7", "s32 low word first", "resettable; not on every device",
            "never billing grade in a real house: its level is driver", "sources disagree",
        ] { #expect(text.contains(part), "\(part)\n\(text)") }
        let meter = try ProfileTools.show(shipped + "/abb/a43.yaml").text
        #expect(meter.contains("billing grade: where a manifest lists this digest"))
        #expect(meter.contains("hole: function 3, registers 35074 … 35079"))
        #expect(
            try ProfileTools.show(shipped + "/sunspec/der-701.yaml").text.contains("scale factor at 120, 10^-3 … 10^4"))
    }
}
