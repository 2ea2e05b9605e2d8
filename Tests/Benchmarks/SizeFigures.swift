// The agent's size on a gateway: the statically linked program without symbols, and its memory while it has little to do.

internal import Foundation
internal import Kit

enum SizeFigures {
    static func measure() throws -> [Row] {
        let idle = try AgentFigures.idle()
        var rows = [
            Row(
                "agent", "resident, idle", Figure.mebibytes(idle.resident), limit: "256 MiB",
                "of a small gateway; one meter each 15 minutes, \(idle.threads) threads")
        ]
        guard let path = ProcessInfo.processInfo.environment["KILOMINT_AGENT_STATIC"] else { return rows }
        let place = try TemporaryDirectory()
        defer { withExtendedLifetime(place) {} }
        let copy = place.file("agent")
        let child = try ChildProcess("strip", ["-o", copy, path], outputPath: place.file("strip.log"))
        while child.poll() == nil { usleep(10_000) }
        guard child.poll() == .exited(0) else { throw KitError("strip failed: \(try child.output)") }
        let (whole, stripped) = (try size(path), try size(copy))
        rows.append(
            Row(
                "agent", "program, Swift linked in, stripped", Figure.mebibytes(stripped),
                limit: Figure.mebibytes(whole),
                "with its symbols"))
        return rows
    }

    private static func size(_ path: String) throws -> Double {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.size] as? NSNumber)?.doubleValue ?? 0
    }
}
