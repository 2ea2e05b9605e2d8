// An agent in a yard that is told versions of its configuration; what its records say became of them.

internal import AgentIO
internal import Evidence
internal import Keys
internal import Kit
internal import Quantities

struct RemoteWorld {
    let yard: Yard
    let collector: MiniCollector

    init() throws {
        yard = try Yard()
        try yard.startBroker()
        try yard.startPlant(zero: Yard.now(), faults: ["--meters", "2"])
        collector = try yard.collector()
    }

    /// The world's time: two real seconds between reads, so that a busy machine misses none.
    func file(trial: String = "20s", allowed: Bool = true) -> String {
        """
        gateway: \(yard.gateway)
        key: \(yard.place.file("gateway.pem"))
        key_list: \(yard.place.file("key-list.cbor"))
        root_key: \(yard.place.file("root.hex"))
        mqtt: {host: 127.0.0.1, port: \(yard.brokerPort)}
        commit: 200ms
        interval: 2s
        resend_after: 500ms
        spool: {path: \(yard.place.file("spool"))}
        profiles: \(Workplace.root)/firmware-profiles
        remote: {allowed: \(allowed), parts: [intervals, meters, uplink], interval_min: 1s, trial: \(trial)}
        buses:
          - tcp: 127.0.0.1:\(yard.meterPort)
            meters: [{id: meter-1, profile: abb/b23}]
        """
    }

    func until(_ what: String, seconds: Int = 120, _ holds: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !holds() {
            guard ContinuousClock.now < deadline else {
                throw KitError("never: \(what); \(outcomes)\n\(try yard.agentLog().suffix(3000))")
            }
            try collector.step()
        }
    }

    func until(outcome: String) throws { try until(outcome) { outcomes.contains { $0.hasPrefix(outcome) } } }

    func start(_ text: String) throws {
        try yard.startAgent(configuration: text)
        try until("meter-1 is read") { samples.contains { $0.status == 0 } }
    }

    func send(
        _ number: UInt64, _ text: String, by key: PrivateKey? = nil, to gateway: String? = nil,
        expires: Int64 = 3_600_000
    ) throws {
        let now = UTCInstant(milliseconds: Yard.now())
        let command = Command(
            gateway: gateway.flatMap { Identifier($0) } ?? yard.gateway, number: number,
            issuedAt: now + min(-1, expires - 1), expiresAt: now + expires, body: .configuration(text))
        try collector.command(
            SignedMessage.signing(command.encoded, as: .command, with: key ?? yard.commandKey).encoded)
    }

    private var records: [Record] { collector.streams.flatMap { $0.taken.compactMap(\.record) } }

    /// `7 rolled back: reason`, in order.
    var outcomes: [String] {
        records.compactMap { record in
            guard case .note(let note) = record.body else { return nil }
            do {
                return try CommandOutcome(note).map {
                    "\($0.number) \($0.word.rawValue)" + ($0.reason.isEmpty ? "" : ": \($0.reason)")
                }
            } catch { return "\(error)" }
        }
    }

    /// How often the meter was asked for energy and power.
    func asked() throws -> Int {
        var reads: Set<[UInt64]> = []
        for record in records {
            guard case .birth(let birth) = record.body else { continue }
            let identity = Set(birth.meters.flatMap(\.identityReads))
            for read in birth.reads where !identity.contains(read.index) {
                reads.insert([read.function, read.address, read.count])
            }
        }
        return try yard.asked().count { $0[0] == 1 && reads.contains(Array($0[1...])) }
    }

    struct Sample {
        /// UTC ms.
        let at: Int64
        let interval: UInt64
        let status: UInt64
    }

    /// Of reads of energy and power.
    var samples: [Sample] {
        var reads: [UInt64: Birth.Read] = [:]
        var identity: Set<UInt64> = []
        return records.flatMap { record -> [Sample] in
            if case .birth(let birth) = record.body {
                for read in birth.reads { reads[read.index] = read }
                identity = Set(birth.meters.flatMap(\.identityReads))
            }
            guard case .readings(let readings) = record.body else { return [] }
            let zero = record.clock.utc.milliseconds - Int64(record.clock.uptimeMilliseconds)
            return readings.samples.compactMap { sample in
                guard let read = reads[sample.read], !identity.contains(sample.read) else { return nil }
                return Sample(
                    at: zero + Int64(readings.base + sample.dt), interval: read.intervalMilliseconds,
                    status: sample.status)
            }
        }
    }

    /// What `kilomint-agent` prints.
    func agent(_ words: String...) async throws -> String {
        let process = try ChildProcess(
            try Workplace.program("kilomint-agent"), words + ["--config", yard.place.file("agent.yaml")],
            outputPath: yard.place.file("tool-\(Yard.now()).log"))
        _ = try await process.wait()
        return try process.output
    }

    /// The status once it has these words: it is renewed a few times a second.
    func until(status words: String) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        var status = ""
        while ContinuousClock.now < deadline {
            status = try await agent("status", "--json")
            if status.contains(words) { return status }
            try collector.step()
        }
        throw KitError("never: \(words); \(status)")
    }

    /// Ends the agent without a word and starts it again.
    func crash(_ text: String) async throws {
        yard.agent?.kill(9)
        _ = try await yard.agent?.wait()
        try yard.startAgent(configuration: text)
    }
}
