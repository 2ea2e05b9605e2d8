// A directory of one test, and the places a test may read: the repository and the built programs.

internal import Foundation

/// An empty directory that is removed with everything in it when the last reference goes.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// - Throws: when no directory can be made below the system's temporary directory.
    package init() throws {
        var template = Array((NSTemporaryDirectory() + "/kilomint-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw KitError("mkdtemp failed: is there room in \(NSTemporaryDirectory())?")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { print("\(path) stays behind: \(error)") }
    }

    /// `name` inside this directory.
    package func file(_ name: String) -> String { path + "/" + name }
}

/// Something the test environment lacks.
package struct KitError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Where the sources and the built programs lie.
package enum Workplace {
    /// The root of the repository, without a final slash.
    package static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    /// The directory of the test program: SwiftPM puts the package's programs beside it.
    package static var products: String {
        get throws {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        }
    }

    /// The path of a program of this package, `kilomint-agent` for example.
    package static func program(_ name: String) throws -> String {
        let path = try products + "/" + name
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw KitError("\(path) is missing: run `swift build` first")
        }
        return path
    }

    /// A file's bytes; `path` is absolute or starts at the root of the repository.
    package static func bytes(of path: String) throws -> [UInt8] {
        let place = path.hasPrefix("/") ? path : root + "/" + path
        return Array(try Data(contentsOf: URL(fileURLWithPath: place)))
    }

    /// Replaces a file's content.
    package static func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    package static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// A file's text; `path` is absolute or starts at the root of the repository.
    package static func text(of path: String) throws -> String { String(decoding: try bytes(of: path), as: UTF8.self) }
}
