// What the agent drags along: a gateway with 256 MiB has no room for Foundation and its Unicode data.

import Foundation
import Testing

/// The shared libraries a program needs, by ldd(1).
private func libraries(of program: String) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/ldd")
    process.arguments = [program]
    process.standardOutput = output
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: text, as: UTF8.self)
}

private func needsFoundation(_ program: String) throws -> Bool {
    try libraries(of: program).contains("Foundation")
}

/// The test program itself.
private let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path

/// SwiftPM builds the programs into the directory of the test program.
private func builtProgram(_ name: String) -> String {
    URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
}

struct LinkageTests {
    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: builtProgram("kilomint-agent")),
            "only part of the package is built"))
    func theAgentDoesWithoutFoundation() throws {
        #expect(try !needsFoundation(builtProgram("kilomint-agent")))
    }

    @Test func foundationWouldBeSeen() throws {
        #expect(try needsFoundation(own))
    }
}
