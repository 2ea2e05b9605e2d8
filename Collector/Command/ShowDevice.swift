// What the house knows of its gateways and facilities, for a person at a terminal.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Foundation
internal import Quantities

/// Of GET /v1/devices.
private struct Device: Decodable {
    struct Meter: Decodable {
        let meter: String
        let device: String
        let serial: String
        let metering_point: String?
        let profile: String
        let ratio: String
        let `class`: String
        let billing_grade_profile: Bool
        let commissioned_at: String?
        let export_wh: Int64?
        let watts: Int64?
        let read_at: String?
    }

    let gateway: String
    let entity: String
    let state: String
    let claim_expires: String?
    let wrong_secrets: Int
    let certificate_until: String?
    let records: UInt64
    let last_record_at: String?
    let receipted_through: UInt64?
    let receipt_held_through: UInt64?
    let reason: String?
    let configuration: String?
    let kid: String?
    let key_since: String?
    let let_in: Bool?
    let meters: [Meter]

    var commissioned: String { "\(meters.count { $0.commissioned_at != nil })/\(meters.count)" }
}

private struct Point: Decodable {
    struct Day: Decodable {
        let day: String
        let grade: String
        let verdict: String
        let findings: [String]
    }

    let metering_point: String
    let direction: String
    let nameplate_w: Int64
    let revenue_meter: String
    let check_meters: [String]
    let last_day: Day?
}

/// Of GET /v1/devices/{gateway}.
private struct Gateway: Decodable {
    struct Stream: Decodable {
        let stream: String
        let through: UInt64
        let open: Bool
        let hold: String?
        let missing_tail: String?
        let skipped: UInt64
    }

    /// The last one given, and what the gateway said last of one.
    struct Command: Decodable {
        struct Outcome: Decodable {
            let number: Int64
            let word: String
            let reason: String
            let at: String
        }

        let number: Int64?
        let kind: Int64?
        let text: String?
        let issued_at: String?
        let expires_at: String?
        let signed_by: String?
        let outcome: Outcome?
    }

    let status: Device
    let metering_points: [Point]
    let streams: [Stream]
    let command: Command?
}

/// Of GET /v1/entities/{entity}.
private struct Facility: Decodable {
    struct Principal: Decodable {
        let principal: String
        let account: String
        let share_ppm: Int64
    }

    let entity: String
    let organisation: String
    let population: Int64
    let principals: [Principal]
    let metering_points: [Point]
    let gateways: [Device]
    let settled_through: String?
}

/// Columns as wide as their widest cell.
private func table(_ rows: [[String]], indent: String = "") -> String {
    let count = rows.first?.count ?? 0
    let widths = (0..<count).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
        let line = indent + cells.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
}

struct ListDevices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows where each gateway stands between its registration and its readings.")

    @OptionGroup var options: HouseOptions

    private struct List: Decodable { let items: [Device], next: String? }

    func run() async throws {
        let client = try options.client()
        var rows = [
            [
                "GATEWAY", "ENTITY", "STATE", "KEY", "CLAIM UNTIL", "CERTIFICATE UNTIL", "LAST RECORD", "COMMISSIONED",
            ]
        ]
        var cursor = "0"
        while true {
            guard let bytes = try await client.get("/v1/devices?limit=500&cursor=\(cursor)") else { return }
            let list = try JSONDecoder().decode(List.self, from: Data(bytes))
            rows += list.items.map { device in
                [
                    device.gateway, device.entity, device.state, device.kid ?? "-", device.claim_expires ?? "-",
                    device.certificate_until ?? "-", device.last_record_at ?? "-", device.commissioned,
                ]
            }
            guard let next = list.next else { break }
            cursor = next
        }
        print(table(rows))
    }
}

struct ShowDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows all that is known of a gateway, or of a facility (entity).")

    @Argument(help: "gateway id or entity id") var id: String
    @OptionGroup var options: HouseOptions

    func validate() throws {
        guard Identifier(id) != nil else { throw ValidationError("ID: 1 … 40 characters a-z 0-9 -") }
    }

    func run() async throws {
        let client = try options.client()
        let gateway = try await client.get("/v1/devices/\(id)").map {
            try JSONDecoder().decode(Gateway.self, from: Data($0))
        }
        let facility = try await client.get("/v1/entities/\(id)").map {
            try JSONDecoder().decode(Facility.self, from: Data($0))
        }
        guard gateway != nil || facility != nil else {
            throw ValidationError("neither a gateway nor an entity is called \(id): `device list` names the gateways")
        }
        // Both may have the same id.
        if let gateway { print(Self.text(gateway)) }
        if let facility { print((gateway == nil ? "" : "\n") + Self.text(facility)) }
    }

    private static func text(_ gateway: Gateway) -> String {
        let own = gateway.status
        var rows = [["state", own.state + (own.reason.map { ": " + RegistrationDraft.shown($0) } ?? "")]]
        rows.append(["entity", own.entity])
        if let until = own.claim_expires {
            rows.append([
                "claim", "open until \(until)" + (own.wrong_secrets > 0 ? ", \(own.wrong_secrets) wrong secrets" : ""),
            ])
        }
        rows.append(["key", own.kid.map { "\($0) since \(own.key_since ?? "-")" } ?? "none that counts"])
        rows.append(["certificate", own.certificate_until.map { "until \($0)" } ?? "none given yet"])
        if let isLetIn = own.let_in { rows.append(["broker", isLetIn ? "lets it in" : "does not know it"]) }
        rows.append(["last record", own.last_record_at.map { "\($0), \(own.records) in all" } ?? "none yet"])
        let held = own.receipt_held_through.map { "; the gateway holds one through \($0)" } ?? ""
        rows.append(["receipts", own.receipted_through.map { "through record \($0)\(held)" } ?? "none yet"])
        var parts = ["gateway \(own.gateway)\n" + table(rows, indent: "  ")]
        if let command = gateway.command { parts.append(Self.text(command)) }
        if !gateway.streams.isEmpty {
            let streams = gateway.streams.map {
                [
                    $0.stream, "through \($0.through)", $0.hold ?? ($0.open ? "open" : "ended"),
                    [$0.skipped > 0 ? "\($0.skipped) skipped" : nil, $0.missing_tail].compactMap(\.self)
                        .joined(separator: "; "),
                ]
            }
            parts.append("streams\n" + table(streams, indent: "  "))
        }
        parts.append(meters(own.meters))
        parts.append(points(gateway.metering_points))
        return parts.joined(separator: "\n\n")
    }

    /// Lines of a version that are shown: it may have thousands.
    private static let linesMax = 20

    /// Number, what, when and by whose key; then what the gateway signed about it, and when.
    private static func text(_ command: Gateway.Command) -> String {
        var rows: [[String]] = []
        if let number = command.number {
            let what = command.kind == 1 ? "configuration" : "kind \(command.kind ?? 0)"
            rows.append(["number", "\(number), \(what)"])
            rows.append(["given", "\(command.issued_at ?? "-"), signed by key \(command.signed_by ?? "-")"])
            rows.append(["until", command.expires_at ?? "-"])
            rows += version(command.text ?? "")
        }
        if let said = command.outcome {
            let reason = said.reason.isEmpty ? "" : ": " + RegistrationDraft.shown(said.reason)
            rows.append(["outcome", "command \(said.number) \(said.word), the gateway said at \(said.at)\(reason)"])
        }
        if (command.number ?? 0) > (command.outcome?.number ?? 0) {
            rows.append(["waits", "for the gateway's verdict"])
        }
        return "last command\n" + table(rows, indent: "  ")
    }

    private static func version(_ text: String) -> [[String]] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        if lines.isEmpty { return [["version", "empty: the site's own file alone"]] }
        let more = lines.count > linesMax ? ["… and \(lines.count - linesMax) lines more"] : []
        return (lines.prefix(linesMax).map { RegistrationDraft.shown(String($0)) } + more).enumerated().map {
            [$0 == 0 ? "version" : "", $1]
        }
    }

    private static func text(_ facility: Facility) -> String {
        var rows = [
            ["organisation", facility.organisation], ["population", "\(facility.population)"],
            ["settled through", facility.settled_through ?? "nothing yet"],
        ]
        rows += facility.principals.map {
            ["principal", "\($0.principal), account \($0.account), \($0.share_ppm) ppm"]
        }
        let gateways = facility.gateways.map { [$0.gateway, $0.state, "\($0.commissioned) meters commissioned"] }
        return [
            "entity \(facility.entity)\n" + table(rows, indent: "  "),
            "gateways\n" + (gateways.isEmpty ? "  none" : table(gateways, indent: "  ")),
            points(facility.metering_points),
        ].joined(separator: "\n\n")
    }

    private static func meters(_ meters: [Device.Meter]) -> String {
        guard !meters.isEmpty else { return "meters\n  none: register them with `device add`" }
        let rows = meters.map { meter in
            [
                meter.meter, "\(RegistrationDraft.shown(meter.device)) \(RegistrationDraft.shown(meter.serial))",
                "\(RegistrationDraft.shown(meter.profile)) × \(meter.ratio)",
                meter.metering_point ?? "at no metering point",
                meter.commissioned_at.map { "commissioned \($0)" } ?? "not commissioned",
                meter.billing_grade_profile ? "" : "profile not of billing grade",
                meter.export_wh.map { "\($0) Wh at \(meter.read_at ?? "-")" } ?? "not read yet",
            ]
        }
        return "meters\n" + table(rows, indent: "  ")
    }

    private static func points(_ points: [Point]) -> String {
        guard !points.isEmpty else { return "metering points\n  none" }
        let rows = points.map { point -> [String] in
            let checks = point.check_meters.isEmpty ? "" : ", checked by " + point.check_meters.joined(separator: ", ")
            let day = point.last_day.map { day in
                "\(day.day.prefix(10)): grade \(day.grade), \(day.verdict)"
                    + (day.findings.isEmpty ? "" : " (\(day.findings.joined(separator: ", ")))")
            }
            return [
                point.metering_point, "\(point.direction) of \(point.revenue_meter)\(checks)", "\(point.nameplate_w) W",
                day ?? "no day verified yet",
            ]
        }
        return "metering points\n" + table(rows, indent: "  ")
    }
}
