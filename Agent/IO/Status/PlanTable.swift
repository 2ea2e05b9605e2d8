// The plan of a configuration as text: which requests go to which meter, how often. For `config check`.

internal import AgentCore
internal import Metering
internal import Settings

package struct PlanTable {
    package let text: String

    package init(_ buses: [BusPlan]) {
        var lines: [String] = []
        for bus in buses {
            lines.append("bus \(bus.endpoint.text), \(Self.timeouts(bus))")
            for meter in bus.meters { lines += Self.lines(meter) }
        }
        text = lines.joined(separator: "\n")
    }

    private static func timeouts(_ bus: BusPlan) -> String {
        let timeouts = bus.meters.map { bus.timing.timeout($0.profile.limits) }
        let start = timeouts.map(\.start).max() ?? AnswerTimeout.startDefault
        let longest = timeouts.map(\.longest).max() ?? AnswerTimeout.longestDefault
        return "timeout at first \(start) ms, at most \(longest) ms"
    }

    private static func lines(_ meter: ConfiguredMeter) -> [String] {
        var lines = ["  meter \(meter.id), unit \(meter.unit), \(meter.profile.name)"]
        let refresh = Int64(meter.profile.limits.refreshMilliseconds)
        if meter.interval < refresh {
            lines.append(
                "    note: it renews its registers every \(SettingsValue.duration(refresh)); asked every "
                    + "\(SettingsValue.duration(meter.interval)) it gives the same again")
        }
        if !meter.versions.isEmpty {
            lines.append(
                "    its firmware chooses: \(meter.versions.map(\.name).joined(separator: ", ")); "
                    + "\(meter.profile.name) where none is for it")
        }
        if let sunSpec = meter.profile.sunSpec {
            let models = sunSpec.models.map { String($0.id) }.joined(separator: ", ")
            lines.append(
                "    SunSpec models \(models) are looked for at start; the requests follow from where they are")
            return lines
        }
        do throws(PlanError) {
            let plan = try MeterPlan(meter, chain: [])
            for read in plan.reads {
                let what =
                    read.isIdentity
                    ? read.planned.identity.map(\.name) : read.planned.quantities.map(\.text)
                let request = read.planned.request
                lines.append(
                    "    every \(SettingsValue.duration(read.interval)): function \(request.function), "
                        + "registers \(request.address) … \(Int(request.address) + Int(request.count) - 1): "
                        + what.joined(separator: ", "))
            }
            let requests = plan.reads.count { !$0.isIdentity }
            lines.append("    \(requests) requests a cycle, \(plan.reads.count - requests) for identity")
        } catch { lines.append("    cannot be read: \(error.description)") }
        return lines
    }
}
