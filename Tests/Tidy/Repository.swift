// What the rules read: the files of this repository, found from this file's own place.

import Foundation

/// A breach of a rule, said so that the reader knows what to do.
struct Finding: Hashable, CustomStringConvertible {
    let path: String
    let line: Int
    let text: String

    var description: String { "\(path):\(line): \(text)" }
}

/// One finding a line.
func list(_ findings: [Finding]) -> String { findings.map { "\n" + $0.description }.joined() }

enum Repository {
    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    /// Directories that hold nothing of ours.
    private static let foreign: Set = [".git", ".build", ".venv", "run", "__pycache__", "node_modules"]

    /// Files below `folders` whose names end in one of `suffixes`, relative to the root, in byte order.
    static func files(_ suffixes: [String], in folders: [String] = [""]) throws -> [String] {
        var found: [String] = []
        var open = folders
        while let folder = open.popLast() {
            let place = root + "/" + folder
            guard FileManager.default.fileExists(atPath: place) else { continue }
            for name in try FileManager.default.contentsOfDirectory(atPath: place) {
                let path = folder.isEmpty ? name : folder + "/" + name
                var isDirectory: ObjCBool = false
                guard FileManager.default.fileExists(atPath: root + "/" + path, isDirectory: &isDirectory) else {
                    continue
                }
                if isDirectory.boolValue {
                    if !foreign.contains(name), !name.hasPrefix(".build") { open.append(path) }
                } else if suffixes.contains(where: { name.hasSuffix($0) }) {
                    found.append(path)
                }
            }
        }
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: root + "/" + path)), as: UTF8.self)
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: root + "/" + path) }

    static func swift(in folders: [String]) throws -> [SwiftSource] {
        try files([".swift"], in: folders).map { SwiftSource(path: $0, text: try text($0)) }
    }

    /// Everything that runs at a user's: the plant too, though it lies under Tests.
    static let shipped = ["Agent", "Collector", "Shared", "Tests/Plant/Model", "Tests/Plant/Command"]

    private static let parsed = Result { try swift(in: ["Agent", "Collector", "Shared", "Tests"]) }

    /// All Swift files, read once.
    static func sources() throws -> [SwiftSource] { try parsed.get() }

    /// The Swift files below `folders`.
    static func sources(in folders: [String]) throws -> [SwiftSource] {
        try sources().filter { source in folders.contains { source.path.hasPrefix($0 + "/") } }
    }
}
