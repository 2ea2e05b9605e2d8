// Intake in process: envelopes to verified, durable, receipted records, through the parts the collector uses, in the order
// it uses them. Beside it what the machine verifies, what its broker carries and what the log appends.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities

enum IntakeFigures {
    static let gateways = 100
    /// What the broker's link hands over at once while the house is behind.
    static let batch = 1_024

    static func measure() throws -> [Row] {
        var rows = [try appends()]
        for algorithm in [SignatureAlgorithm.es256, .eddsa] {
            for (samples, perGateway) in [(20, 200), (200, 50)] {
                rows += try measure(algorithm, samples: samples, perGateway: perGateway)
            }
        }
        return rows
    }

    private static func measure(_ algorithm: SignatureAlgorithm, samples: Int, perGateway: Int) throws -> [Row] {
        let name = "intake, \(algorithm == .es256 ? "ES256" : "Ed25519"), \(samples) samples"
        var house = try BenchHouse()
        let streams = try (0..<gateways).map { number in
            try house.addEntity(number)
            let key = try PrivateKey.generate(algorithm)
            try house.addKey(key.publicKey, .gateway, of: Kilomint.gateway(number))
            return BenchStream(number, key: key, samples: samples)
        }
        let deliveries = try interleaved(streams, perGateway)
        let place = try TemporaryDirectory()
        // It is removed with its last reference.
        defer { withExtendedLifetime(place) {} }
        let room = try IntakeRoom(house, in: place)
        let taken = try Machine.time {
            for start in stride(from: 0, to: deliveries.count, by: batch) {
                try room.take(deliveries[start..<min(start + batch, deliveries.count)])
            }
        }
        guard room.records == deliveries.count else { throw KitError("\(room.records) of \(deliveries.count) taken") }
        let verified = try verifyRate(streams, deliveries)
        let bytes = deliveries[deliveries.count - 1].envelope.count
        let broker = try Broker(lines: ["max_queued_messages 0", "max_inflight_messages 1000", "log_type none"])
        let carried = try MQTTThroughput.measure(
            through: broker, messages: samples > 100 ? 5_000 : 20_000, payloadBytes: bytes)
        let rate = Double(deliveries.count) / taken.seconds
        let worked = Double(deliveries.count) / taken.processor
        let readings = rate * Double(samples)
        var folded = 0
        let refold = try Machine.time { folded = try room.refold() }
        guard folded == deliveries.count else { throw KitError("\(folded) of \(deliveries.count) folded") }
        try room.close()
        return [
            Row(
                name, "records of \(bytes) bytes", Figure.perSecond(rate), limit: Figure.perSecond(verified.elapsed),
                "this machine's verify rate, one thread; \(room.receipts) receipts signed"),
            Row(
                name, "records for a second of processor", Figure.count(worked),
                limit: Figure.count(verified.processor),
                "verified for a second of processor: \(Figure.percent(worked, of: verified.processor))"),
            Row(
                name, "readings", Figure.perSecond(readings),
                limit: Figure.perSecond(Double(carried.perSecond * samples)),
                "Mosquitto carries \(Figure.perSecond(Double(carried.perSecond))) such messages: "
                    + Figure.percent(rate, of: Double(carried.perSecond))),
            Row(
                name, "records folded again at a restart", Figure.perSecond(Double(folded) / refold.seconds),
                "read from the log; nothing is verified again"),
        ]
    }

    /// Round after round through the gateways, as a broker would hand them over.
    private static func interleaved(
        _ streams: [BenchStream], _ perGateway: Int
    ) throws -> [(gateway: Identifier, envelope: [UInt8])] {
        var streams = streams
        var deliveries: [(gateway: Identifier, envelope: [UInt8])] = []
        for _ in 0..<perGateway {
            for index in streams.indices { deliveries.append((streams[index].gateway, try streams[index].next())) }
        }
        return deliveries
    }

    /// Signatures checked in a second by the call that intake uses, over these very records.
    private static func verifyRate(
        _ streams: [BenchStream], _ deliveries: [(gateway: Identifier, envelope: [UInt8])]
    ) throws -> (elapsed: Double, processor: Double) {
        let inputs = try deliveries.prefix(gateways).map { delivery in
            let message = try SignedMessage(parsing: delivery.envelope, as: .record)
            return (message.signature, message.signatureInput)
        }
        var checked = 0
        let end = ContinuousClock.now + .seconds(2)
        let taken = try Machine.time {
            while .now < end {
                for (stream, input) in zip(streams, inputs) {
                    guard stream.key.publicKey.verify(signature: input.0, over: input.1) else {
                        throw KitError("a sound signature is refused")
                    }
                    checked += 1
                }
            }
        }
        return (Double(checked) / taken.seconds, Double(checked) / taken.processor)
    }

    /// The Evidence log alone.
    private static func appends() throws -> Row {
        let place = try TemporaryDirectory()
        defer { withExtendedLifetime(place) {} }
        var lines: [String] = []
        try LogFigures.measure(in: place.path) { lines.append($0) }
        let rates = LogFigures.batches.map { batch in
            let line = lines.first { $0.hasPrefix("evidence records, batches of \(batch):") } ?? ""
            return line.split(separator: " ").first { $0.contains("/s") }.map { String($0.filter { $0 != "," }) } ?? "?"
        }
        return Row(
            "intake", "the Evidence log's appends alone", rates.last ?? "?", limit: "–",
            "704 bytes, batches of \(LogFigures.batches.map(String.init).joined(separator: ", ")): "
                + rates.joined(separator: ", "))
    }
}

/// Names of the measured house.
enum Kilomint {
    static func gateway(_ number: Int) -> Identifier { name("gw-\(number)") }
}

/// Records of one gateway, signed beforehand: a birth, then readings of two meters.
struct BenchStream {
    let gateway: Identifier
    let key: PrivateKey
    private let number: Int
    private let samples: Int
    private let stream: StreamID
    private var sequence: UInt64 = 0
    private var previous = Digest.zero
    private static let boot = [UInt8](repeating: 7, count: 16)
    /// Twelve registers: a dozen values of a meter are two or three such answers.
    private static let words = (0..<24).map { UInt8($0) }

    init(_ number: Int, key: PrivateKey, samples: Int) {
        self.number = number
        self.key = key
        self.samples = samples
        gateway = Kilomint.gateway(number)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        guard let stream = StreamID(bytes) else { preconditionFailure("eight bytes") }
        self.stream = stream
    }

    mutating func next() throws -> [UInt8] {
        sequence += 1
        let uptime = sequence * 10_000
        let record = Record(
            place: RecordPlace(gateway: gateway, stream: stream, sequence: sequence, previous: previous),
            clock: RecordClock(
                sync: 2, errorMilliseconds: 1, boot: Self.boot, uptimeMilliseconds: uptime,
                utc: BenchHouse.anchor + Int64(uptime)),
            completeThrough: uptime, body: sequence == 1 ? .birth(birth) : readings(uptime))
        let message = try SignedMessage.signing(record.encoded, as: .record, with: key)
        previous = message.identity
        return message.encoded
    }

    private var birth: Birth {
        let meter = Birth.Meter(
            index: 0, id: name("main-\(number)"), profileName: "abb/b23", profileDigest: .zero, model: "B23",
            serial: "main-\(number)", firmware: "1", unit: 1, endpoint: "tcp://127.0.0.1:502")
        let reads = (0..<20 as Range<UInt64>).map {
            Birth.Read(
                index: $0, meter: 0, function: 3, address: 0x5000 + 12 * $0, count: 12, intervalMilliseconds: 1_000)
        }
        return Birth(agentVersion: "bench", predecessor: nil, meters: [meter], reads: reads, replay: nil)
    }

    private func readings(_ uptime: UInt64) -> RecordBody {
        let list = (0..<UInt64(samples)).map {
            Readings.Sample(read: $0 % 20, dt: $0 * 10_000 / UInt64(samples), took: 4, status: 0, words: Self.words)
        }
        return .readings(Readings(base: uptime - 10_000, samples: list))
    }
}
