// The configuration: the sample that ships is sound and whole, and what is wrong is refused where it stands.

internal import AgentIO
internal import Kit
internal import Quantities
internal import Settings
internal import Testing

struct AgentSettingsTests {
    private func sample() throws -> String { try Workplace.text(of: "Agent/Command/sample.yaml") }

    private func parse(_ text: String) throws -> AgentSettings {
        try AgentSettings(try SettingsFile.parse(Array(text.utf8), file: "agent.yaml"))
    }

    @Test func theSheetSaysWhereEachValueComesFrom() throws {
        let place = try TemporaryDirectory()
        let text = """
            gateway: gw-east-1
            key: {tpm2: "0x81000001"}
            commit: 5s
            interval: 30s
            spool: {path: /spool}
            mqtt: {host: broker.example, brokers: [{host: other.example, port: 8884}], password_file: /secret}
            profiles: firmware-profiles
            buses:
              - {tcp: 192.0.2.10:502, meters: [{id: meter-a, profile: abb/b23}, {id: meter-b, unit: 2, profile: abb/b23, interval: 15s}]}

            """
        try Workplace.write(text, to: place.file("agent.yaml"))
        let sheet = try ConfigurationSheet(path: place.file("agent.yaml"))
        func row(_ key: String) -> [String]? {
            sheet.rows.first { $0.key == key }.map { [$0.value, $0.origin] }
        }
        #expect(row("key") == ["tpm2:0x81000001", "site file"] && row("commit") == ["5s", "site file"])
        #expect(
            row("boundary") == ["15m", "default"] && row("root_key") == ["/spool/enrolled/root.spki", "enrolment"])
        #expect(row("mqtt.brokers") == ["other.example:8884", "site file"] && row("mqtt.port") == ["1883", "default"])
        #expect(row("mqtt.password_file") == ["/secret", "site file"])
        #expect(row("spool.bytes_max") == ["256MiB", "default"] && row("meter-a.interval") == ["30s", "site file"])
        #expect(row("meter-a.unit") == ["1", "default"] && row("meter-b.interval") == ["15s", "site file"])
        #expect(row("meter-a.quantities") == ["energy and power", "default"])
        #expect(sheet.text(origin: true).split(separator: "\n").count == sheet.rows.count)
    }

    @Test func sampleIsSoundAndShowsItsDefaults() throws {
        var settings = try parse(try sample())
        #expect(
            settings.buses.map(\.endpoint) == [
                "tcp://192.0.2.10:502", "tcp://192.0.2.11:502",
                "rtu:/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A9AAXAIL-if00-port0", "rtu+tcp://192.0.2.12:4001",
            ])
        #expect(settings.commit == 10_000 && settings.boundary == 900_000)
        settings.profiles = Workplace.root + "/firmware-profiles"
        let (meters, buses) = try AgentParts.buses(settings)
        #expect(meters.count == 4 && buses.count == 4)
        #expect(PlanTable(buses).text.contains("2 requests a cycle, 3 for identity"))
        // Without every optional key the same values stand.
        let short = """
            gateway: gw-east-1
            key: /etc/kilomint/gateway.pem
            key_list: /etc/kilomint/key-list.cbor
            root_key: /etc/kilomint/root.pub.pem
            spool: {path: /var/lib/kilomint-agent}
            profiles: firmware-profiles
            buses:
              - {tcp: 192.0.2.10:502, meters: [{id: meter-east, profile: abb/b23}]}
            """
        let plain = try parse(short)
        #expect(plain.limits == settings.limits && plain.spool == settings.spool && plain.control == settings.control)
        #expect(plain.commit == settings.commit && plain.boundary == settings.boundary && plain.clock == .real)
        #expect(plain.buses[0].meters[0].interval == settings.buses[0].meters[0].interval)
        #expect(plain.buses[0].meters[0].identityInterval == settings.buses[0].meters[0].identityInterval)
    }

    @Test(arguments: [
        ("gateway: gw-east-1", "gateway: GW", "gateway"), ("port: 8883", "port: 70000", "mqtt.port"),
        ("commit: 10s", "commit: 99ms", "commit"), ("commit: 10s", "comit: 10s", "comit"),
        ("key_list: /etc/kilomint/key-list.cbor", "# none", ""), ("folder: /var", "path: /var", "enrolment.path"),
        ("clock: real", "clock: fast", "clock"), ("interval: 60s", "interval: 7m", ""),
        ("- tcp: 192.0.2.11:502", "- tcp: 192.0.2.10:502", ""),
        ("- tcp: 192.0.2.11:502", "- tcp: \"a:b:c\"", "buses[1].tcp"),
        ("id: inverter-east", "id: meter-east", ""),
        ("baud: 9600", "baud: 9601", "buses[2].rtu.baud"), ("parity: none", "parity: mark", "buses[2].rtu.parity"),
        ("stop_bits: 1", "stop_bits: 3", "buses[2].rtu.stop_bits"), ("echo: false", "echo: maybe", "buses[2].rtu.echo"),
        ("device: /dev", "device: dev", "buses[2].rtu.device"),
        ("terminate: false", "end: false", "buses[2].rtu.rs485.end"),
        ("rts_after_send: low", "rts_after_send: high", "buses[2].rtu.rs485"),
        ("delay_after: 0ms", "delay_after: 101ms", "buses[2].rtu.rs485.delay_after"),
        ("timeout_max: 6s", "timeout_max: 1s", "buses[0]"),
        ("- rtu_tcp: 192.0.2.12:4001", "- turnaround: 1ms", "buses[3]"),
        ("- rtu_tcp: 192.0.2.12:4001", "- rtu_tcp: 192.0.2.12", "buses[3].rtu_tcp"),
        ("- rtu_tcp: 192.0.2.12:4001", "- rtu_tcp: \"a:1\"\n    tcp: b", "buses[3]"),
        ("{id: meter-south, unit: 1", "{id: meter-south, unit: 248", "buses[3].meters[0]"),
        ("profile: abb/b23", "profile: ../../etc/passwd", "buses[0].meters[0].profile"),
        ("[1-0:1.8.0, ", "[1-0:1.8, ", "buses[0].meters[0].quantities[0]"),
        ("bytes_max: 256MiB", "bytes_max: 1MiB", "spool.bytes_max"),
        ("listen: 127.0.0.1:9464", "listen: 0.0.0.0:9464", "metrics.listen"),
        ("listen: 127.0.0.1:9464", "listen: 127.0.0.1", "metrics.listen"),
        ("listen: 127.0.0.1:9464", "listen: localhost:9464", "metrics.listen"),
        ("listen: 127.0.0.1:9464", "listen: \"[::2]:9464\"", "metrics.listen"),
        ("listen: 127.0.0.1:9464", "listen: 127.0.0.1:65536", "metrics.listen"),
        ("listen: 127.0.0.1:9464", "port: 9464", "metrics.port"),
    ])
    func wrongValueIsRefusedWhereItStands(right: String, wrong: String, key: String) throws {
        let text = try sample()
        #expect(text.contains(right))
        let changed = text.replacing(right, with: wrong)
        let error = #expect(throws: SettingsError.self) { try parse(changed) }
        #expect(error?.keyPath == key, "\(String(describing: error))")
    }

    @Test func programRefusesWithItsOwnStatus() async throws {
        let place = try TemporaryDirectory()
        try Workplace.write(Array("gateway: Gw\n".utf8), to: place.file("agent.yaml"))
        let program = try Workplace.program("kilomint-agent")
        let (status, output) = try await run(program, ["config", "check", "--config", place.file("agent.yaml")])
        #expect(status == .exited(78))
        #expect(output.contains("agent.yaml:1") && output.contains("allowed"))
        #expect(try await run(program, ["fly"]).status == .exited(2))
        #expect(try await run(program, ["--help"]).output.contains("First steps"))
        #expect(try await run(program, ["version"]).output.hasPrefix("kilomint-agent "))
    }
}
