// The agent's side of FloatPlant and PacedLine: a profile of twenty floats, and buses with such meters.

internal import Foundation
internal import Kit

extension BenchYard {
    /// An agent whose meters have nothing but twenty floats.
    func startAgent(buses: [String], interval: String, commit: String) throws {
        try startAgent(configuration: try configure(buses: buses, interval: interval, commit: commit))
    }

    /// - Returns: path of its configuration.
    func configure(buses: [String], interval: String, commit: String) throws -> String {
        let folder = place.file("profiles")
        try FileManager.default.createDirectory(atPath: folder + "/bench", withIntermediateDirectories: true)
        let head = [
            "profile: bench/floats", "revision: 1", "vendor: bench", "models: [floats]", "level: simulator", "source:",
            "  document: \"Tests/Benchmarks/FloatPlant.swift\"", "  revision: \"1\"", "  place: \"whole file\"",
            "limits: {registers-max: 125, gap-max: 0, pause: 0ms, turnaround: 0ms, timeout: 1s}", "identity: {}",
            "quantities:",
        ]
        let values = (0..<FloatPlant.values).map { number in
            "  - {obis: 1-0:\(number + 128).7.0, kind: gauge, unit: V, direction: none, function: 3, address: \(2 * number), "
                + "type: f32, scale: 1, step: 0.1}"
        }
        try ((head + values).joined(separator: "\n") + "\n").write(
            toFile: folder + "/bench/floats.yaml", atomically: true, encoding: .utf8)
        return try configure(
            buses: buses, profiles: folder, more: ["interval: \(interval)", "commit: \(commit)"])
    }

    /// One bus a port.
    func floatBuses(_ ports: [Int], units: Int) -> [String] {
        ports.enumerated().flatMap { index, port in
            ["  - tcp: 127.0.0.1:\(port)", "    meters:"] + meters("e\(index)", units)
        }
    }

    func serialBuses(_ device: String, baud: Int, units: Int) -> [String] {
        ["  - rtu: {device: \(device), baud: \(baud)}", "    meters:"] + meters("line", units)
    }

    private func meters(_ bus: String, _ units: Int) -> [String] {
        let all = (0..<FloatPlant.values).map { "1-0:\($0 + 128).7.0" }.joined(separator: ", ")
        return (1...units).map {
            "      - {id: \(bus)-m\($0), unit: \($0), profile: bench/floats, quantities: [\(all)]}"
        }
    }
}

extension Workplace {
    /// The agent that is measured: the one with the Swift runtime linked in, as the package has it, where there is one.
    static func agent() throws -> String {
        try ProcessInfo.processInfo.environment["KILOMINT_AGENT_STATIC"] ?? program("kilomint-agent")
    }
}
