// The arrows between the rooms, beyond what Package.swift lets the compiler check: what core rooms import,
// which rooms see a C library, and that a stage of the collector knows nothing of later ones.

import Testing

/// What a room may import. The core rooms decide; they touch nothing.
private let allowedImports: [String: Set<String>] = [
    "Shared/Quantities": [],
    "Shared/CBOR": [],
    "Shared/Proofs": ["COpenSSL"],
    "Shared/Evidence": ["Quantities", "CBOR", "Proofs"],
    "Shared/Metering": ["Quantities", "CBOR", "Proofs", "Settings"],
    "Shared/Supervision": ["Glibc"],
    "Agent/Core": ["Quantities", "CBOR", "Evidence", "Metering", "Proofs"],
    "Collector/Core": ["Quantities", "CBOR", "Evidence", "Metering", "Proofs"],
]

/// Modules that only these folders may import.
private let reserved: [String: [String]] = [
    "COpenSSL": ["Shared/Proofs", "Shared/Keys", "Shared/HTTPS"],
    "CLinux": ["Agent/IO"],
    "CModbus": ["Tests/Plant/Command"],
    "CMosquitto": ["Shared/MQTT"],
    "CMosquittoGuard": ["Shared/MQTT"],
    "CPKCS11": ["Shared/Keys"],
    "CQREncode": ["Collector/Command"],
    "CSQLite": ["Agent/IO"],
    "CYAML": ["Shared/Settings"],
    "GRDB": ["Collector/Journal"],
    "Hummingbird": ["Collector/IO"],
]

/// Full Foundation pulls tens of megabytes of Unicode data into the agent: its side of the house does without.
private let withoutFoundation = ["Shared", "Agent", "Collector/Core"]
private let foundations: Set = ["Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch"]

func importFindings(_ source: SwiftSource) -> [Finding] {
    source.imports.compactMap { module in
        let isTest = source.path.hasPrefix("Tests/") && !source.path.hasPrefix("Tests/Plant/")
        if let room = allowedImports.keys.first(where: { source.path.hasPrefix($0 + "/") }),
            !allowedImports[room, default: []].contains(module.text)
        {
            return Finding(
                path: source.path, line: module.line,
                text: "\(room) may not import \(module.text): pass the value in, or move the file to an IO room")
        }
        if foundations.contains(module.text), withoutFoundation.contains(where: { source.path.hasPrefix($0 + "/") }) {
            return Finding(
                path: source.path, line: module.line, text: "no \(module.text) here: use Glibc or our own types")
        }
        if !isTest, let rooms = reserved[module.text], !rooms.contains(where: { source.path.hasPrefix($0 + "/") }) {
            return Finding(
                path: source.path, line: module.line,
                text: "\(module.text) belongs to \(rooms.joined(separator: ", ")): call that room instead")
        }
        return nil
    }
}

/// The stages of the collector in the order in which facts flow through them. The gate stands between what is computed
/// and what is credited; the state that the shell holds, and an audit, read everything.
let stages = [
    "Intake", "Window", "Verification", "Issuance", "Gate", "Settlement", "Governance", "Anchor", "State", "Audit",
]

/// Folders of Collector/Core that are no stage: the house's documents and events, which all stages share.
let common = ["House"]

/// Names of a later stage's types in files of an earlier one.
func stageFindings(_ sources: [SwiftSource]) -> [Finding] {
    let core = "Collector/Core/"
    func stage(_ source: SwiftSource) -> Int? {
        guard source.path.hasPrefix(core) else { return nil }
        return stages.firstIndex { source.path.dropFirst(core.count).hasPrefix($0 + "/") }
    }
    // A name that an earlier stage declares too is that stage's.
    var homes: [String: Int] = [:]
    for source in sources {
        guard let home = stage(source) else { continue }
        for name in source.topLevelTypes { homes[name] = min(home, homes[name] ?? home) }
    }
    return sources.flatMap { source -> [Finding] in
        guard let own = stage(source) else { return [] }
        return source.tokens.compactMap { token in
            guard let home = homes[token.text], home > own else { return nil }
            return Finding(
                path: source.path, line: token.line,
                text: "\(stages[own]) names \(token.text), which \(stages[home]) declares: facts flow the other way")
        }
    }
}

struct ArrowTests {
    @Test func roomsImportOnlyWhatTheyMay() throws {
        let findings = try Repository.sources().flatMap(importFindings)
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test(
        "each import rule can fail",
        arguments: [
            ("Shared/Quantities/A.swift", "import Foundation"), ("Shared/CBOR/A.swift", "internal import Glibc"),
            ("Agent/Core/A.swift", "package import struct Keys.Signer"),
            ("Collector/Core/Window/A.swift", "import GRDB"),
            ("Shared/Keys/A.swift", "import FoundationEssentials"), ("Agent/IO/A.swift", "import COpenSSL"),
            ("Collector/IO/A.swift", "import GRDB"), ("Shared/Metering/A.swift", "import Synchronization"),
        ])
    func forbiddenImportIsFound(path: String, text: String) {
        #expect(importFindings(SwiftSource(path: path, text: text)).count == 1)
    }

    @Test(arguments: [
        ("Shared/Evidence/A.swift", "package import CBOR"), ("Shared/Keys/A.swift", "internal import COpenSSL"),
        ("Collector/IO/A.swift", "import Foundation"), ("Shared/CBOR/A.swift", "// import Foundation"),
        ("Shared/Metering/A.swift", "case export, import\nlet a = [B.import: 1]\nlet b = `import`"),
        ("Shared/Metering/A.swift", "case .import: Foundation"),
        ("Tests/Keys/A.swift", "import COpenSSL"),
    ])
    func allowedImportIsNot(path: String, text: String) {
        #expect(importFindings(SwiftSource(path: path, text: text)).isEmpty)
    }

    @Test func stagesKnowOnlyEarlierOnes() throws {
        let findings = stageFindings(try Repository.sources())
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test func everyFolderOfTheCoreHasItsPlace() throws {
        let folders = try Repository.sources(in: ["Collector/Core"]).compactMap { source -> String? in
            let parts = source.path.split(separator: "/")
            return parts.count > 3 ? String(parts[2]) : nil
        }
        #expect(!folders.isEmpty)
        #expect(Set(folders).subtracting(stages + common).isEmpty, "put the new folder among the stages, in its place")
    }

    @Test func namingALaterStageIsFound() {
        let later = SwiftSource(path: "Collector/Core/Issuance/Seal.swift", text: "package struct Seal {}")
        let bad = SwiftSource(path: "Collector/Core/Window/Cut.swift", text: "func cut(_ seal: Seal) {}")
        let good = SwiftSource(path: "Collector/Core/Settlement/Post.swift", text: "func post(_ seal: Seal) {}")
        #expect(stageFindings([later, bad, good]).map(\.path) == ["Collector/Core/Window/Cut.swift"])
    }

    @Test func aNameInACommentOrAStringIsNoArrow() {
        let later = SwiftSource(path: "Collector/Core/Issuance/Seal.swift", text: "struct Seal {}")
        let text = "// Seal comes later\nlet a = \"Seal \\(\"Seal\")\"\n/* Seal /* Seal */ */"
        #expect(stageFindings([later, SwiftSource(path: "Collector/Core/Window/Cut.swift", text: text)]).isEmpty)
    }
}
