// What the shadow profiles said, by meter and quantity: for status, figures and the report of `kilomint-agent shadow`.

internal import AgentCore
internal import Metering
internal import Quantities
internal import Synchronization

final class ShadowBoard: Sendable {
    struct Line: Hashable, Sendable {
        let meter: String
        let profile: String
        let shadow: String
        let obis: String
        var tally = ShadowTally()
        /// Why the shadow cannot be read at all; nil: it can.
        var problem: String?

        /// For a person.
        var text: String {
            if let problem { return "\(obis)  cannot be compared: \(problem)" }
            if let since = tally.since {
                let before = tally.differed == 0 ? "" : " (\(tally.differed) differences before)"
                return "\(obis)  agrees over \(tally.agreed) reads since \(since)\(before)"
            }
            guard let difference = tally.difference else { return "\(obis)  not read yet" }
            return
                "\(obis)  DIFFERS, \(tally.differed) times: \(difference.shadow), where \(profile) says \(difference.own)"
        }

        var json: String {
            let difference = tally.since == nil ? tally.difference : nil
            let fields = [
                "\"meter\":\(StatusBoard.quoted(meter))", "\"shadow\":\(StatusBoard.quoted(shadow))",
                "\"obis\":\(StatusBoard.quoted(obis))", "\"agreed\":\(tally.agreed)", "\"differed\":\(tally.differed)",
                "\"since\":\(tally.since.map { StatusBoard.quoted($0.description) } ?? "null")",
                "\"said\":\(difference.map { StatusBoard.quoted($0.shadow) } ?? "null")",
                "\"problem\":\(problem.map(StatusBoard.quoted) ?? "null")",
            ]
            return "{" + fields.joined(separator: ",") + "}"
        }
    }

    /// By meter and quantity: as many as the configuration names.
    private let state = Mutex<[String: Line]>([:])

    var lines: [Line] {
        state.withLock { $0.values.sorted { ($0.meter, $0.obis) < ($1.meter, $1.obis) } }
    }

    /// Meters that have no shadow any more are forgotten, and those whose profiles changed begin anew.
    func keep(_ meters: [ConfiguredMeter]) {
        let known = Set(
            meters.compactMap { meter in meter.shadow.map { "\(meter.id) \(meter.profile.name) \($0.name)" } })
        state.withLock { $0 = $0.filter { known.contains("\($0.value.meter) \($0.value.profile) \($0.value.shadow)") } }
    }

    /// - Returns: whether a person should be told.
    func count(
        _ meter: ConfiguredMeter, _ shadow: Profile, _ obis: String, at instant: UTCInstant, _ verdict: ShadowVerdict
    ) -> Bool {
        change(meter, shadow, obis) { line in
            line.problem = nil
            return line.tally.count(verdict, at: instant)
        }
    }

    func fail(_ meter: ConfiguredMeter, _ shadow: Profile, _ obis: String, _ problem: String) -> Bool {
        change(meter, shadow, obis) { line in
            defer { line.problem = problem }
            return line.problem != problem
        }
    }

    private func change(
        _ meter: ConfiguredMeter, _ shadow: Profile, _ obis: String, _ body: (inout Line) -> Bool
    ) -> Bool {
        state.withLock { state in
            var line =
                state["\(meter.id) \(obis)"]
                ?? Line(meter: meter.id.text, profile: meter.profile.name, shadow: shadow.name, obis: obis)
            defer { state["\(meter.id) \(obis)"] = line }
            return body(&line)
        }
    }
}

extension ControlVerb {
    /// The report on the shadow profiles of the running agent.
    static let shadow = ControlVerb("shadow") { _, caller, context in
        guard let board = context.board else {
            throw ControlRefusal("no agent runs: shadow profiles are read by the running agent")
        }
        let lines = board.shadow.lines
        guard !lines.isEmpty else {
            throw ControlRefusal(
                "nothing is compared: give a meter `shadow: vendor/model`, and wait for its first reads")
        }
        var last = ""
        for line in lines {
            let head = "\(line.meter): \(line.shadow) beside \(line.profile)"
            if head != last { try caller.line(head) }
            last = head
            try caller.line("  " + line.text)
        }
        let differing = lines.count { $0.tally.since == nil && $0.tally.difference != nil }
        guard differing == 0 else { throw ControlRefusal("\(differing) quantities differ") }
    }
}
