// The agent beside what people use otherwise, on the same plant in the same run: collectd as Debian ships it, and a plain
// script. 20 endpoints, 100 meters of 20 floats, each second. docs/benchmarks.md says what each of them does and does not do.

internal import Foundation
internal import Kit
internal import MQTT

enum RivalFigures {
    static let endpoints = 20
    static let units = 5
    static let seconds = 60
    private static let warmUp: Duration = .seconds(25)

    /// One program's minute.
    struct Minute {
        let processor: Double
        let figures: ProcessFigures
        let begin: ProcessFigures
        let messages: Int
        let bytes: Int
        let readings: Double

        var bytesPerReading: Double { readings > 0 ? Double(bytes) / readings : 0 }
    }

    static func measure() throws -> [Row] {
        let plant = try FloatPlant.Running(endpoints: endpoints)
        defer { withExtendedLifetime(plant) {} }
        let agent = try agentMinute(plant, units: units)
        let collectd = try rivalMinute("collectd", readingsOfMessage: 1) { try startCollectd(plant, $0, $1) }
        let script = try rivalMinute("script", readingsOfMessage: FloatPlant.values) {
            try startScript(plant, $0, $1)
        }
        var rows: [Row] = []
        for (name, minute) in [("agent", agent), ("collectd", collectd), ("script", script)] {
            rows.append(
                Row(
                    name, "processor for \(seconds) s (user + system)", Figure.seconds(minute.processor),
                    limit: name == "agent" ? Figure.seconds(collectd.processor / 10) : "–",
                    name == "agent" ? "a tenth of collectd's; \(ratio(agent, collectd, script, \.processor))" : ""))
            rows.append(
                Row(
                    name, "MQTT payload and topic, bytes a reading", Figure.number(minute.bytesPerReading),
                    limit: name == "agent" ? Figure.number(collectd.bytesPerReading / 10) : "–",
                    name == "agent" ? "a tenth of collectd's; \(ratio(agent, collectd, script, \.bytesPerReading))" : ""
                ))
            let due = Double(endpoints * units * FloatPlant.values * seconds)
            rows.append(
                Row(
                    name, "readings", Figure.perSecond(minute.readings / Double(seconds)),
                    limit: Figure.perSecond(due / Double(seconds)), "due"))
            rows += memory(name, minute.figures, peak: 16, anonymous: 6)
            rows.append(
                Row(
                    name, "written to disk in \(seconds) s",
                    Figure.mebibytes(minute.figures.written - minute.begin.written)))
        }
        let many = try agentMinute(plant, units: 50)
        rows += memory("agent, 20 endpoints × 50 meters", many.figures, peak: 28, anonymous: nil)
        return rows
    }

    /// Memory alone: what a change of the agent is tried by.
    ///
    /// - Parameter units: meters at each of the endpoints, one after the other.
    static func memoryAlone(_ units: [Int]) throws -> [Row] {
        let plant = try FloatPlant.Running(endpoints: endpoints)
        defer { withExtendedLifetime(plant) {} }
        return try units.flatMap { units in
            let figures = try agentMinute(plant, units: units).figures
            return memory(
                "agent, \(endpoints) endpoints × \(units) meters", figures, peak: units > 5 ? 28 : 16,
                anonymous: units > 5 ? nil : 6)
        }
    }

    private static func ratio(
        _ agent: Minute, _ collectd: Minute, _ script: Minute, _ figure: KeyPath<Minute, Double>
    ) -> String {
        let (own, first, second) = (agent[keyPath: figure], collectd[keyPath: figure], script[keyPath: figure])
        guard own > 0 else { return "–" }
        return "collectd \(Figure.number(first / own)) times, script \(Figure.number(second / own)) times that"
    }

    private static func memory(_ name: String, _ figures: ProcessFigures, peak: Int, anonymous: Int?) -> [Row] {
        let isAgent = name.hasPrefix("agent")
        return [
            Row(
                name, "peak memory", Figure.mebibytes(figures.peak), limit: isAgent ? "\(peak) MiB" : "–",
                "\(figures.threads) threads"),
            Row(
                name, "anonymous memory", Figure.mebibytes(figures.anonymous),
                limit: isAgent ? anonymous.map { "\($0) MiB" } ?? "–" : "–", "at the end of the minute"),
        ]
    }

    // MARK: The agent

    private static func agentMinute(_ plant: FloatPlant.Running, units: Int) throws -> Minute {
        let yard = try BenchYard()
        defer { withExtendedLifetime(yard) {} }
        try yard.startAgent(buses: yard.floatBuses(plant.ports, units: units), interval: "1s", commit: "10s")
        let collector = try yard.collector()
        let traffic = try Traffic(port: yard.broker.port, besides: "/receipt")
        try collector.run(until: .now + warmUp)
        guard let agent = yard.agent, agent.poll() == nil, !collector.sampleTimes.isEmpty else {
            throw KitError("the agent reads nothing:\n\(try yard.agentLog().suffix(2_000))")
        }
        let before = try ProcessFigures("\(agent.pid)")
        let (begin, counted) = (Machine.uptime(), traffic.count())
        try collector.run(until: .now + .seconds(seconds))
        let after = try ProcessFigures("\(agent.pid)")
        let (end, count) = (Machine.uptime(), traffic.count())
        try collector.run(until: .now + .seconds(15))
        let reads = Double(collector.sampleTimes.filter { begin..<end ~= $0 }.count)
        return Minute(
            processor: after.user + after.system - before.user - before.system, figures: after, begin: before,
            messages: count.messages - counted.messages, bytes: count.bytes - counted.bytes,
            readings: reads * Double(FloatPlant.values) * Double(seconds) * 1_000 / Double(end - begin))
    }

    // MARK: The others

    private static func rivalMinute(
        _ name: String, readingsOfMessage: Int, start: (Int, TemporaryDirectory) throws -> ChildProcess
    ) throws -> Minute {
        let place = try TemporaryDirectory()
        let broker = try Broker(lines: ["max_queued_messages 0", "log_type none"])
        defer { withExtendedLifetime(broker) {} }
        let traffic = try Traffic(port: broker.port, besides: "/none")
        let child = try start(broker.port, place)
        let end = ContinuousClock.now + warmUp
        while .now < end { _ = traffic.count() }
        guard child.poll() == nil, traffic.count().messages > 0 else {
            throw KitError("\(name) publishes nothing:\n\(try child.output.suffix(2_000))")
        }
        let (before, counted) = (try ProcessFigures("\(child.pid)"), traffic.count())
        let last = ContinuousClock.now + .seconds(seconds)
        while .now < last { _ = traffic.count() }
        let (after, count) = (try ProcessFigures("\(child.pid)"), traffic.count())
        let messages = count.messages - counted.messages
        return Minute(
            processor: after.user + after.system - before.user - before.system, figures: after, begin: before,
            messages: messages, bytes: count.bytes - counted.bytes, readings: Double(messages * readingsOfMessage))
    }

    private static func startCollectd(
        _ plant: FloatPlant.Running, _ broker: Int, _ place: TemporaryDirectory
    ) throws -> ChildProcess {
        var lines = [
            "Hostname \"bench\"", "FQDNLookup false", "BaseDir \"\(place.path)\"", "Interval 1",
            "TypesDB \"/usr/share/collectd/types.db\"", "LoadPlugin modbus", "LoadPlugin mqtt", "<Plugin modbus>",
        ]
        for value in 0..<FloatPlant.values {
            lines += [
                "<Data \"v\(value)\">", "RegisterBase \(2 * value)", "RegisterType Float", "RegisterCmd ReadHolding",
                "Type gauge", "Instance \"v\(value)\"", "</Data>",
            ]
        }
        for (index, port) in plant.ports.enumerated() {
            lines += ["<Host \"e\(index)\">", "Address \"127.0.0.1\"", "Port \"\(port)\"", "Interval 1"]
            for unit in 1...units {
                lines += ["<Slave \(unit)>", "Instance \"m\(unit)\""]
                lines += (0..<FloatPlant.values).map { "Collect \"v\($0)\"" } + ["</Slave>"]
            }
            lines.append("</Host>")
        }
        lines += [
            "</Plugin>", "<Plugin mqtt>", "<Publish \"bench\">", "Host \"127.0.0.1\"", "Port \(broker)",
            "ClientId \"collectd\"", "QoS 0", "</Publish>", "</Plugin>",
        ]
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: place.file("collectd.conf"), atomically: true, encoding: .utf8)
        return try ChildProcess(
            "/usr/sbin/collectd", ["-f", "-C", place.file("collectd.conf"), "-P", place.file("pid")],
            outputPath: place.file("log"))
    }

    private static func startScript(
        _ plant: FloatPlant.Running, _ broker: Int, _ place: TemporaryDirectory
    ) throws -> ChildProcess {
        let words = ["\(broker)", "\(units)"] + plant.ports.map { "\($0)" }
        return try ChildProcess(
            Workplace.root + "/.venv/bin/python3", [Workplace.root + "/Tests/Benchmarks/plain_reader.py"] + words,
            outputPath: place.file("log"))
    }
}

/// Counts what a broker carries: messages, bytes of topics and payloads.
final class Traffic {
    private let session: MQTTSession
    private let excluded: String
    private var messages = 0
    private var bytes = 0

    /// - Parameter besides: topics that end so are not counted.
    init(port: Int, besides excluded: String) throws {
        self.excluded = excluded
        session = try MQTTSession(
            options: MQTTOptions(
                host: "127.0.0.1", port: port, clientID: "traffic", subscriptions: [MQTTSubscription("#")]))
    }

    deinit { session.stop() }

    /// Everything until now; waits a moment for what is under way.
    func count() -> (messages: Int, bytes: Int) {
        var isEmpty = false
        while !isEmpty {
            isEmpty = true
            for case .message(let message) in session.nextEvents(max: 1_024, timeout: .milliseconds(20)) {
                isEmpty = false
                guard !message.topic.hasSuffix(excluded) else { continue }
                messages += 1
                bytes += message.topic.utf8.count + message.payload.count
            }
        }
        return (messages, bytes)
    }
}
