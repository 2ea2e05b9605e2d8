// kilomint-plant as a child of the test, on ports that the system chose.

import Glibc
import Kit

struct PlantProcess {
    static let csv = Workplace.root + "/Tests/Plant/Data/serf-east-2016.csv"

    let place: TemporaryDirectory
    let child: ChildProcess
    let meterPorts: [Int]
    let inverterPort: Int

    /// A house whose clock stands: at 2016-07-07T18:00:00Z for a thousand years.
    static let standing = ["--start", "2016-07-07T18:00:00Z", "--speed", "3600", "--zero", "3000-01-01T00:00:00Z"]

    /// Starts `run` with `arguments` and waits until it listens.
    init(_ arguments: [String], clock: [String] = standing) async throws {
        let place = try TemporaryDirectory()
        let output = place.file("output")
        let fixed = ["run", "--csv", Self.csv, "--port", "0", "--inverter-port", "0", "--record", place.file("record")]
        let child = try ChildProcess(Workplace.program("kilomint-plant"), fixed + clock + arguments, outputPath: output)
        let line = try await eventually("the plant listens") { () -> String? in
            if let status = child.poll() { throw KitError("the plant ended: \(status): \(try child.output)") }
            let text = try child.output
            return text.hasSuffix("\n") ? text : nil
        }
        let parts = line.dropLast().split(separator: " ")
        guard parts.count == 3, parts[0] == "listening", parts[1].hasPrefix("meters="), parts[2].hasPrefix("inverter=")
        else {
            throw KitError("not the announced line: \(line)")
        }
        func ports(_ part: Substring) -> [Int] {
            part.split(separator: ",").compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }
        }
        self.place = place
        self.child = child
        meterPorts = ports(parts[1])
        inverterPort = ports(parts[2])[0]
    }

    func meter(_ listener: Int = 0) throws -> ModbusClient { try ModbusClient(port: meterPorts[listener]) }
    func inverter() throws -> ModbusClient { try ModbusClient(port: inverterPort) }

    /// The record's lines without the port.
    func record() throws -> [String] {
        try Workplace.text(of: place.file("record")).split(separator: "\n").map {
            $0.split(separator: ",").dropLast().joined(separator: ",")
        }
    }

    /// Ends it as a supervisor does; it must end well.
    func stop() async throws -> Kit.ExitStatus {
        child.kill(SIGTERM)
        return try await child.wait(timeout: .seconds(5))
    }
}
