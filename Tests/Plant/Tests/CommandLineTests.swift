// The command line: figures an auditor relies on, and refusals with their exit codes.

import Kit
import Testing

struct CommandLineTests {
    private func plant(_ arguments: [String]) async throws -> (status: Kit.ExitStatus, output: String) {
        try await run(Workplace.program("kilomint-plant"), arguments)
    }

    @Test(arguments: [
        (["--from", "2016-07-07T06:00:00Z", "--to", "2016-07-08T06:00:00Z", "--resolution", "10"], "33750\n"),
        (["--from", "2016-07-07T06:00:00Z", "--to", "2016-07-08T06:00:00Z"], "33746\n"),
        (["--from=1467871200000", "--to=1467957600000", "--resolution=10"], "33750\n"),
        (["--from", "2016-07-08T06:00:00Z", "--to", "2016-07-07T06:00:00Z"], "-33746\n"),
        (["--from", "1970-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z", "--resolution", "1000"], "1154000\n"),
        (["--from", "2017-01-01T00:00:00Z", "--to", "2018-01-01T00:00:00Z"], "0\n"),
    ])
    func energy(arguments: [String], output: String) async throws {
        let result = try await plant(["energy", "--csv", PlantProcess.csv] + arguments)
        #expect(result.output == output && result.status == .exited(0))
    }

    @Test func registers() async throws {
        let result = try await plant(["registers", "--csv", PlantProcess.csv, "--at", "2016-07-07T18:00:00Z"])
        #expect(result.status == .exited(0))
        #expect(result.output.contains("\n  20487 0x5007 0x3E93 16019\n"))
        #expect(result.output.contains("\n  40095 0x9C9F 0x71C7 29127\n"))
        #expect(result.output.contains("delivered 57671886000600000, drawn 73474632000000 × 10 µW·ms"))
    }

    @Test(arguments: [["--help"], ["run", "--help"], ["energy", "-h"], ["registers", "--help"]])
    func help(arguments: [String]) async throws {
        let result = try await plant(arguments)
        #expect(result.status == .exited(0) && result.output.contains("kilomint-plant"))
    }

    private static let replay = ["--start", "2016-07-07T06:00:00Z", "--speed", "3600", "--zero", "0"]

    @Test(
        arguments: [
            ([], 64, "subcommand"), (["walk"], 64, "walk"), (["run", "--port", "0", "--real"], 64, "--csv"),
            (["run", "--csv", PlantProcess.csv, "--real"], 64, "--port"),
            (["run", "--csv", PlantProcess.csv, "--port", "65536", "--real"], 64, "0 … 65535"),
            (["run", "--csv", PlantProcess.csv, "--port", "65535", "--real", "--meters", "201"], 64, "2 consecutive"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--meters", "1001"], 64, "1 … 1000"),
            (["run", "--csv", PlantProcess.csv, "--port", "0"], 64, "--real"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real"] + replay, 64, "excludes"),
            (
                ["run", "--csv", PlantProcess.csv, "--port", "0", "--start", "0", "--speed", "0", "--zero", "0"], 64,
                "1 … 1000000"
            ),
            (
                ["run", "--csv", PlantProcess.csv, "--port", "0", "--start", "0", "--speed", "1", "--zero", "-1"], 64,
                "--zero"
            ),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--fault", "kind=slow"], 64, "kind"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--address", "localhost"], 64, "IPv4"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--common-length", "64"], 64, "65 … 66"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--inverter-serial", ""], 64, "1 … 32"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--real"], 64, "twice"),
            (["run", "--csv", PlantProcess.csv, "--port", "0", "--real=yes"], 64, "no value"),
            (
                ["run", "--csv", PlantProcess.csv, "--port", "0", "--real", "--record", "/nowhere/record"], 74,
                "/nowhere/record"
            ),
            (["run", "--csv"], 64, "needs a value"), (["energy", "--cvs", "x"], 64, "--cvs"),
            (["energy", "--csv", PlantProcess.csv, "--from", "today", "--to", "0"], 64, "--from"),
            (
                ["energy", "--csv", PlantProcess.csv, "--from", "0", "--to", "0", "--resolution", "0"], 64,
                "1 … 1000000"
            ),
            (["energy", "--csv", "/nowhere.csv", "--from", "0", "--to", "1"], 66, "/nowhere.csv"),
            (["energy", "--csv", Workplace.root + "/Tests/Plant/Data", "--from", "0", "--to", "1"], 66, "Data"),
            (
                ["energy", "--csv", Workplace.root + "/Tests/Plant/Data/README.md", "--from", "0", "--to", "1"], 65,
                "line 1"
            ),
        ] as [([String], Int32, String)])
    func refused(arguments: [String], code: Int32, named: String) async throws {
        let result = try await plant(arguments)
        #expect(result.status == .exited(code))
        #expect(result.output.contains(named), "\(result.output)")
    }
}
