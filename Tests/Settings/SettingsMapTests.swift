// Keys: missing, unknown, optional, nested; and a whole reader under every damage SettingsMutations knows.

import Settings
import Testing

/// A reader as a program would write it.
private struct Example: Equatable {
    var name: String
    var ports: [Port]
    var retries: Int

    struct Port: Equatable {
        var device: String
        var baud: Int
    }

    init(_ map: SettingsMap) throws(SettingsError) {
        name = try map.value("name").identifier()
        retries = try map.optional("retries")?.int(in: 0...3) ?? 1
        ports = []
        for item in try map.value("bus").list(count: 1...8) {
            let port = try item.map()
            ports.append(
                Port(
                    device: try port.value("device").path(absolute: true),
                    baud: try port.value("baud").int(in: 1200...115_200)))
        }
        try map.finish()
    }
}

struct SettingsMapTests {
    private let valid = """
        name: plant-1
        bus:
          - device: /dev/ttyUSB0
            baud: 9600
          - device: /dev/ttyUSB1
            baud: 19200
        retries: 2

        """

    private func read(_ text: String) throws -> Example {
        try Example(try SettingsFile.parse(Array(text.utf8), file: "a.yaml"))
    }

    @Test func readsAndDefaults() throws {
        let example = try read(valid)
        #expect(
            example.ports == [.init(device: "/dev/ttyUSB0", baud: 9600), .init(device: "/dev/ttyUSB1", baud: 19200)])
        #expect(example.retries == 2)
        #expect(try read(valid.replacing("retries: 2\n", with: "")).retries == 1)
    }

    @Test(arguments: [
        ("name: plant-1", "nam: plant-1", "a.yaml:1: `name` is missing; add it"),
        ("baud: 19200", "baud: 96OO", "a.yaml:6: `bus[1].baud: 96OO` is not a whole number; allowed: 1200 … 115200"),
        ("baud: 9600", "bauds: 9600", "a.yaml:3: `bus[0].baud` is missing; add it"),
        (
            "baud: 19200", "baud: 19200\n    speed: 1",
            "a.yaml:7: `bus[1].speed` is not known here; allowed: device, baud"
        ),
        ("retries: 2", "retry: 2", "a.yaml:7: `retry` is not known here; allowed: name, retries, bus"),
        ("retries: 2", "retries: 4", "a.yaml:7: `retries: 4` is out of range; allowed: 0 … 3"),
    ])
    func refuses(part: String, damaged: String, message: String) {
        #expect { try read(valid.replacing(part, with: damaged)) } throws: { "\($0)" == message }
    }

    @Test func freeKeysComeInFileOrder() throws {
        let map = try SettingsFile.parse(Array("z: 1\na: 2\n".utf8), file: "a.yaml")
        #expect(map.all().map(\.key) == ["z", "a"])
        try map.finish()
    }

    @Test func refusesEveryDamage() throws {
        let mutations = try SettingsMutations.all(of: Array(valid.utf8))
        // 7 keys renamed and doubled, 6 scalars damaged twice, list, 2 of its maps and the root once.
        #expect(mutations.count == 7 * 2 + 6 * 2 + 4)
        for mutation in mutations {
            #expect(throws: SettingsError.self, "\(mutation.name)") {
                _ = try Example(try SettingsFile.parse(mutation.bytes, file: "a.yaml"))
            }
        }
    }

    @Test func exitCodeIsConfiguration() { #expect(SettingsError.exitCode == 78) }
}
