// The satellite source: irradiance and temperature become an expected energy, a signed statement in whole Wh.
// Floating point lives here, outside every fold; what enters is an integer and the digest of the raw input.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Keys
internal import Proofs
internal import Quantities

struct SourceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source", abstract: "Brings in what others measured.", subcommands: [Import.self])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Signs and sends the satellite's expectation of one day.",
            discussion: """
                Reads rows `time_utc`, `ghi_w_m2` (W/m²), `temp_air_c` (°C) from a CSV file; a row holds until the next one. Expected power is
                nameplate × GHI/1000 × PR × (1 − 0.0045 (T − 25)) with T = air + 25 GHI/800 (PVWatts-style); the day's sum is floored to whole Wh.
                The rows used are kept by the house under their digest.
                """)

        @Option(help: "the house, e.g. http://127.0.0.1:8080") var url: String
        @Option(name: .customLong("token-file"), help: "bearer token of role auditor or operator") var tokenFile: String
        @Option(help: "private key of a registered satellite source") var key: String
        @Option(name: .customLong("metering-point")) var meteringPoint: String
        @Option(help: "start of the day, RFC 3339") var day: String
        @Option(help: "CSV file with the rows") var csv: String
        @Option(help: "nameplate power, W") var nameplate: Int64
        @Option(name: .customLong("performance-ratio"), help: "in ppm, 600000 … 950000") var performanceRatio: Int64 =
            800_000
        @Option(name: .customLong("issued-at"), help: "RFC 3339; the house's time") var issuedAt: String

        func run() async throws {
            guard let point = Identifier(meteringPoint), let start = UTCInstant(day), let issued = UTCInstant(issuedAt)
            else {
                throw ValidationError(
                    "--metering-point is an id (a-z 0-9 -), --day and --issued-at are RFC 3339 instants in UTC")
            }
            guard (600_000...950_000).contains(performanceRatio), (1...HouseBounds.wattsMax).contains(nameplate) else {
                throw ValidationError(
                    "--performance-ratio is 600000 … 950000 ppm, --nameplate 1 … \(HouseBounds.wattsMax) W")
            }
            let end = start + 86_400_000
            let rows = try IrradianceFile.rows(path: csv, from: start, to: end)
            let energy = IrradianceFile.expectedWattHours(
                rows, until: end, nameplate: nameplate, performanceRatio: performanceRatio)
            let raw = Array(rows.map { $0.line + "\n" }.joined().utf8)
            let signer = try PrivateKey.load(path: key)
            let house = try HouseClient(url: url, tokenFile: tokenFile)
            _ = try await house.post("/v1/sources", raw, type: "text/csv")
            let statement = SourceStatement(
                source: .satellite, meteringPoint: point, from: start, to: end, wattHours: energy,
                resolutionWattHours: 1,
                inputs: [Digest(of: raw)], issuedAt: issued,
                method: "PVWatts-style from GHI and air temperature, PR \(performanceRatio) ppm")
            let envelope = try SignedMessage.signing(statement.encoded, as: .statement, with: signer)
            _ = try await house.post("/v1/statements", envelope.encoded)
            print(
                "\(point) \(start.date): expected \(energy) Wh from \(rows.count) rows, statement \(envelope.identity)")
        }
    }
}

/// Rows of irradiance.
enum IrradianceFile {
    struct Row {
        let at: UTCInstant
        let irradiance: Double
        let temperature: Double
        let line: String
    }

    /// Rows of [from, to), in order. Throws when a column is missing, a number cannot be read or no row is there.
    static func rows(path: String, from: UTCInstant, to: UTCInstant) throws -> [Row] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(whereSeparator: \.isNewline)
        let columns = lines.first.map { $0.split(separator: ",", omittingEmptySubsequences: false) } ?? []
        guard let time = columns.firstIndex(of: "time_utc"), let ghi = columns.firstIndex(of: "ghi_w_m2"),
            let air = columns.firstIndex(of: "temp_air_c")
        else {
            throw ValidationError("\(path): the first line must name the columns time_utc, ghi_w_m2 and temp_air_c")
        }
        var rows: [Row] = []
        for (number, line) in lines.enumerated().dropFirst() {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            guard cells.count == columns.count, let at = UTCInstant(String(cells[time])),
                let irradiance = Double(cells[ghi]),
                let temperature = Double(cells[air]), (0...2000).contains(irradiance), (-90...90).contains(temperature)
            else { throw ValidationError("\(path):\(number + 1): a time, 0 … 2000 W/m² and −90 … 90 °C are expected") }
            if at >= from, at < to {
                rows.append(Row(at: at, irradiance: irradiance, temperature: temperature, line: String(line)))
            }
        }
        guard !rows.isEmpty, zip(rows, rows.dropFirst()).allSatisfy({ $0.at < $1.at }) else {
            throw ValidationError("\(path) has no rows for \(from) … \(to), or they are not in order")
        }
        return rows
    }

    static func expectedWattHours(_ rows: [Row], until end: UTCInstant, nameplate: Int64, performanceRatio: Int64)
        -> Int64
    {
        var sum = 0.0
        for (index, row) in rows.enumerated() {
            let next = index + 1 < rows.count ? rows[index + 1].at : end
            let hours = Double(next - row.at) / 3_600_000
            let cell = row.temperature + 25 * row.irradiance / 800
            sum +=
                Double(nameplate) * row.irradiance / 1000 * Double(performanceRatio) / 1_000_000
                * (1 - 0.0045 * (cell - 25)) * hours
        }
        return Int64(max(0, min(sum.rounded(.down), 1e15)))
    }
}
