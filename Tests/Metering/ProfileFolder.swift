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

    func parsedFrames() throws -> ProfileFrames {
        try ProfileFrames(try SettingsFile.parse(frames, file: "\(name).frames.yaml"))
    }

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

    /// Those that between them use every key: for tests that damage each byte of a file.
    static let representative = all.filter {
        [
            "abb/b23", "carlo-gavazzi/em24", "kostal/plenticore", "siemens/pac2200", "sunspec/inverter-103",
        ].contains($0.name)
    }

    static func named(_ name: String) -> ProfileFile {
        guard let file = all.first(where: { $0.name == name }) else { preconditionFailure("no profile \(name)") }
        return file
    }
}

extension Profile {
    /// A chain with every model the profile needs, one behind the other from `address` on.
    func exampleChain(from address: UInt16 = 40002) -> [SunSpecModel] {
        var next = address
        return (sunSpec?.models ?? []).map { model in
            defer { next += 2 + model.lengths[0] }
            return SunSpecModel(id: model.id, address: next, length: model.lengths[0])
        }
    }
}
