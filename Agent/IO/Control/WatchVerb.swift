// The verb `watch`: every so often what the agent read last, as lines for a program: `agent`, then `bus`, `meter` and
// `value` lines, then `end`. WatchTable makes a table of them.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

extension ControlVerb {
    static let watch = ControlVerb("watch", keys: ["every", "times", "meter"], isLong: true) {
        request, caller, context in
        guard let board = context.board else {
            throw ControlRefusal("no agent runs: kilomint-agent read asks by itself")
        }
        let every = try request.number("every", in: 200...60_000) ?? 1_000
        let times = try request.number("times", in: 1...1_000_000)
        let wanted = Set(request.optional("meter")?.split(separator: ",").map(String.init) ?? [])
        let known = Set(board.busStatuses.flatMap { $0.plan.meters.map(\.id.text) })
        if let other = wanted.subtracting(known).min() {
            throw ControlRefusal(
                "meter \(other) is not read by the running agent; it reads: \(known.sorted().joined(separator: ", "))")
        }
        var count: Int64 = 0
        while !caller.isGone {
            for line in WatchFrame.lines(board, wanted) { try caller.line(line) }
            count += 1
            if let times, count >= times { return }
            let next = steadyNanoseconds() + every * 1_000_000
            // In steps: a caller that is gone is noticed.
            while steadyNanoseconds() < next, !caller.isGone {
                sleepUntil(min(next, steadyNanoseconds() + 200_000_000))
            }
        }
    }
}

enum WatchFrame {
    static func lines(_ board: StatusBoard, _ wanted: Set<String>) -> [ControlRequest] {
        let (figures, service) = board.snapshot
        let (now, latest) = board.latest
        let percent = figures.spoolBytesMax == 0 ? 0 : figures.spoolBytes * 100 / figures.spoolBytesMax
        var lines = [
            ControlRequest(
                "agent",
                [
                    "gateway": figures.gateway, "ready": service.isReady ? "true" : "false",
                    "connected": figures.isConnected ? "true" : "false", "spool": "\(percent)",
                    "waiting": "\(board.readsWaiting)",
                    "unreceipted": "\(figures.head - min(figures.head, figures.receipted))",
                ])
        ]
        for bus in board.busStatuses {
            let meters = zip(bus.plan.meters, bus.figures.meters).filter {
                wanted.isEmpty || wanted.contains($0.0.id.text)
            }
            guard !meters.isEmpty else { continue }
            lines.append(
                ControlRequest(
                    "bus",
                    [
                        "endpoint": bus.plan.endpoint.text, "load": "\(bus.load)", "missed": "\(bus.figures.missed)",
                        "problem": bus.figures.problem ?? "",
                    ]))
            for (meter, figures) in meters {
                lines.append(
                    ControlRequest(
                        "meter",
                        [
                            "id": meter.id.text, "unit": "\(meter.unit)", "requests": "\(figures.requests)",
                            "good": "\(figures.good)", "latency": "\(figures.latency ?? 0)",
                        ]))
                lines += latest.values(ofMeter: meter.index).map { value($0, meter, now) }
            }
        }
        return lines + [ControlRequest("end")]
    }

    private static func value(_ value: LatestAnswers.Value, _ meter: ConfiguredMeter, _ now: UInt64) -> ControlRequest {
        var fields = [
            "obis": value.obis.text, "value": value.value.map(ValueText.of) ?? "",
            "unit": meter.profile.quantity(value.obis)?.unit.rawValue ?? "",
            "age": "\(now - min(now, value.answer.ended))", "took": "\(value.answer.took)",
            "status": "\(value.answer.status)",
        ]
        // Beside the failure, never in its place: a program that takes `value` takes nothing old.
        if let held = value.held {
            fields["held"] = ValueText.of(held.value)
            fields["held_age"] = "\(now - min(now, held.ended))"
        }
        return ControlRequest("value", fields)
    }
}
