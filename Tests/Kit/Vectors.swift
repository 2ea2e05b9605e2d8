// The vectors that Tests/Interop/vectors.py writes with other people's libraries.

internal import Foundation

/// The decoded contents of Tests/Vectors/`name`.
package func vectors<Contents: Decodable>(_ name: String, as type: Contents.Type = Contents.self) throws -> Contents {
    try JSONDecoder().decode(type, from: Data(try Workplace.bytes(of: "Tests/Vectors/" + name)))
}

/// Python with the libraries of Tests/Interop/requirements.txt.
package enum ForeignLibraries {
    package static var python: String { Workplace.root + "/.venv/bin/python3" }

    /// Whether tests that need them run. `make test` demands them; a bare `swift test` without `make venv` leaves them out.
    package static var areExpected: Bool {
        ProcessInfo.processInfo.environment["KILOMINT_INTEROP"] == "1"
            || FileManager.default.isExecutableFile(atPath: python)
    }

    /// Runs a script of Tests/Interop.
    package static func run(_ script: String, _ arguments: [String]) async throws -> (
        status: ExitStatus, output: String
    ) {
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw KitError("\(python) is missing: run `make venv`")
        }
        return try await Kit.run(python, [Workplace.root + "/Tests/Interop/" + script] + arguments)
    }
}
