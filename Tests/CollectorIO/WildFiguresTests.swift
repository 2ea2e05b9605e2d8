// What a broken device or clock says, drawn for people: the page stays a page, and the process runs on.

@testable import CollectorIO
import CollectorCore
import Evidence
import Keys
import Kit
import Metering
import Proofs
import Quantities
import Testing

struct WildFiguresTests {
    private static let profile = """
        profile: test/wide
        revision: 1
        vendor: test
        models: [one]
        level: driver
        source: {document: none, revision: none, place: none}
        limits: {registers-max: 125, gap-max: 8, pause: 0ms, timeout: 1s}
        identity: {}
        quantities:
          - {obis: 1-0:16.7.0, kind: gauge, unit: W, direction: import, function: 3, address: 0, type: s64, scale: 1}

        """

    private func record(
        _ yard: HouseYard, _ sequence: UInt64, _ body: RecordBody, utc: UTCInstant, receivedAt: UTCInstant
    ) throws -> TakenRecord {
        let record = Record(
            place: RecordPlace(
                gateway: id("gw-east"), stream: try #require(StreamID([UInt8](repeating: 1, count: 8))),
                sequence: sequence, previous: .zero),
            clock: RecordClock(
                sync: 0, errorMilliseconds: 0, boot: [UInt8](repeating: 7, count: 16), uptimeMilliseconds: sequence,
                utc: utc), completeThrough: 0, body: body)
        let message = try SignedMessage.signing(record.encoded, as: .record, with: yard.key("gateway"))
        return try #require(TakenRecord(message, receivedAt: receivedAt))
    }

    private func readings(_ sequence: UInt64, _ watts: Int64) -> RecordBody {
        let words = (0..<8).reversed().map { UInt8(truncatingIfNeeded: watts >> (8 * Int64($0))) }
        return .readings(
            Readings(
                base: sequence,
                samples: [Readings.Sample(read: 1, dt: 0, took: 1, status: SampleStatus.good, words: words)]))
    }

    /// A mark before or after a `<` makes one character of both: to a browser it is a `<` all the same.
    @Test func noNameOfADeviceIsMarkup() async throws {
        let name = "\u{0600}<img src=x onerror=alert(1)//\u{0600}>\"\u{301}&\u{200D}'\u{300}"
        let yard = try HouseYard()
        let house = try await yard.open()
        let birth = Birth(
            agentVersion: "test", predecessor: nil,
            meters: [
                Birth.Meter(
                    index: 1, id: id("main"), profileName: "test/revenue", profileDigest: .zero, model: name,
                    serial: name, firmware: "1", unit: 1, endpoint: "tcp://localhost:502")
            ], reads: [], replay: (anchor, 3600))
        await house.board(try record(yard, 1, .birth(birth), utc: anchor, receivedAt: anchor), yard.profiles)
        #expect(ConsolePage.document(await house.consoleModel()).unicodeScalars.contains("\u{0600}"))
        #expect(!ConsolePage.document(await house.consoleModel()).utf8Contains("<img"))
        for scalar in "<>\"'".unicodeScalars { #expect(!ConsolePage.escape(name).unicodeScalars.contains(scalar)) }
        try await yard.close(house)
    }

    @Test func noFigureOfAGatewayEndsWhoDrawsIt() async throws {
        let yard = try HouseYard()
        try HouseYard.write(Self.profile, to: yard.place.file("wide.yaml"))
        let shelf = try ProfileShelf.load(folder: yard.place.file("profiles"), alsoFile: yard.place.file("wide.yaml"))
        let house = try await yard.open()
        yard.set(anchor + day)
        let now = yard.now
        let birth = Birth(
            agentVersion: "test", predecessor: nil,
            meters: [
                Birth.Meter(
                    index: 1, id: id("main"), profileName: "test/wide",
                    profileDigest: try #require(shelf.digest(named: "test/wide")), model: "one", serial: "1001",
                    firmware: "1", unit: 1, endpoint: "tcp://localhost:502")
            ],
            reads: [
                Birth.Read(index: 1, meter: 1, function: 3, address: 0, count: 4, intervalMilliseconds: 60_000)
            ], replay: (anchor, 3600))
        let said: [(UTCInstant, Int64)] = [
            (UTCInstant(milliseconds: hour), -500), (now + -3 * hour, -2000), (now + -2 * hour, .min),
            (now + -hour, .max), (UTCInstant(milliseconds: .max), -700), (UTCInstant(milliseconds: .min), -700),
            (now + 400 * day, -700), (now + -(hour / 2), 1_000_000_000_000_000_000), (now, -1000),
        ]
        await house.board(try record(yard, 1, .birth(birth), utc: now, receivedAt: now), shelf)
        for (index, (utc, watts)) in said.enumerated() {
            let sequence = UInt64(index) + 2
            await house.board(
                try record(yard, sequence, readings(sequence, watts), utc: utc, receivedAt: now), shelf)
            // Each of them is looked at while it is the last one.
            let page = ConsolePage.document(await house.consoleModel())
            #expect(page.utf8.count < 100_000)
        }
        let model = await house.consoleModel()
        #expect(model.power.map(\.watts) == [2000, 1000])
        #expect(model.gateways.first?.meters.first?.watts == 1000)
        #expect(ConsolePage.document(model).contains("1\u{202F}000 W"))
        try await yard.close(house)
    }
}

extension String {
    /// Whether the bytes stand in it, whatever characters they are parts of.
    fileprivate func utf8Contains(_ text: String) -> Bool {
        let (bytes, wanted) = (Array(utf8), Array(text.utf8))
        return bytes.indices.contains { bytes[$0...].starts(with: wanted) }
    }
}

extension ProfileShelf {
    /// The folder's with one more.
    fileprivate static func load(folder: String, alsoFile path: String) throws -> ProfileShelf {
        try HouseYard.write(try Workplace.text(of: path), to: folder + "/also.yaml")
        return try load(folder: folder)
    }
}

extension House {
    fileprivate func board(_ record: TakenRecord, _ shelf: ProfileShelf) { gateways.take(record, profiles: shelf) }
}
