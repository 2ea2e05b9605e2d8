// A profile as a table in the terminal: what an installer reads before wiring a meter. Text only.

internal import Metering
internal import Settings

struct ProfileSheet {
    let lines: [String]

    init(_ profile: Profile) {
        lines =
            Self.head(profile) + Self.limits(profile.limits) + Self.places(profile) + Self.identity(profile)
            + Self.quantities(profile) + Self.plan(profile) + Self.grade(profile)
    }

    private static func head(_ profile: Profile) -> [String] {
        var lines = [
            "\(profile.name) revision \(profile.revision)",
            "  \(profile.vendor): \(profile.models.joined(separator: ", "))",
            "  level \(profile.level.name); digest \(profile.digest)",
            "  source: \(profile.source.document)",
            "    \(profile.source.revision); \(profile.source.place)",
        ]
        for check in profile.checks { lines.append("  checked by \(check.by) on \(check.on): \(check.how)") }
        for range in profile.firmware {
            let from = range.from.isEmpty ? "" : " from \(range.from)"
            lines.append("  firmware\(from)\(range.below.isEmpty ? "" : " below \(range.below)")")
        }
        for text in profile.contradictions { lines.append("  sources disagree: \(text)") }
        return lines
    }

    private static func limits(_ limits: Profile.Limits) -> [String] {
        func time(_ milliseconds: Int) -> String { SettingsValue.duration(Int64(milliseconds)) }
        var parts = [
            "at most \(limits.registersMax) registers a request, gaps up to \(limits.gapMax)",
            "pause \(time(limits.pauseMilliseconds))", "turnaround \(time(limits.turnaroundMilliseconds))",
            "timeout \(time(limits.timeoutMilliseconds))"
                + (limits.timeoutMaxMilliseconds.map { " … \(time($0))" } ?? ""),
        ]
        if limits.connectPauseMilliseconds > 0 {
            parts.append("\(time(limits.connectPauseMilliseconds)) after connecting")
        }
        if limits.refreshMilliseconds > 0 { parts.append("renewed every \(time(limits.refreshMilliseconds))") }
        if limits.isSingleClient { parts.append("one TCP client only") }
        if limits.hasEcho { parts.append("echoes") }
        if limits.isOneValueOnly { parts.append("one value a request") }
        if limits.isEitherFunction { parts.append("functions 3 and 4 answer alike") }
        return ["  requests: " + parts.joined(separator: "; ")]
    }

    private static func places(_ profile: Profile) -> [String] {
        var lines = profile.holes.map { "  hole: function \($0.function), registers \($0.first) … \($0.last)" }
        if let sunSpec = profile.sunSpec {
            let models = sunSpec.models.map { model in
                "\(model.id) (\(model.lengths.map { String($0) }.joined(separator: ", ")))"
            }
            lines.append("  SunSpec: bases \(sunSpec.bases.map { String($0) }.joined(separator: ", "))")
            lines.append("    models and lengths \(models.joined(separator: "; "))")
        }
        return lines
    }

    private static func identity(_ profile: Profile) -> [String] {
        profile.identity.fields.map { role, field in
            let expected = field.expected.isEmpty ? "" : ", expects \(field.expected.joined(separator: " or "))"
            let optional = field.isOptional ? ", not on every device" : ""
            return "  \(role.name): \(place(field.place, profile)), \(field.type.name)\(expected)\(optional)"
        }
    }

    private static func quantities(_ profile: Profile) -> [String] {
        let rows = profile.quantities.map { quantity in
            [
                quantity.obis.text, quantity.kind == .counter ? "counter" : "gauge", place(quantity.place, profile),
                quantity.type.name + order(quantity.order), unit(quantity), flow(quantity.direction), extras(quantity),
            ]
        }
        let head = ["quantity", "kind", "place", "type", "a count is", "flow", ""]
        var widths = head.map(\.count)
        for row in rows { widths = zip(widths, row).map { max($0, $1.count) } }
        return ([head] + rows).map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = "  " + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static func extras(_ quantity: Quantity) -> String {
        var parts: [String] = []
        if let factor = quantity.scaleFactor {
            parts.append(
                "scale factor at \(factor.address), 10^\(factor.range.lowerBound) … 10^\(factor.range.upperBound)")
        }
        if let modulus = quantity.modulus { parts.append("starts again at \(modulus)") }
        if quantity.isResettable { parts.append("resettable") }
        if quantity.isOptional { parts.append("not on every device") }
        if quantity.poll != .normal { parts.append(quantity.poll.name) }
        if let most = quantity.registersMax { parts.append("at most \(most) registers a request") }
        if quantity.sign != .plain { parts.append(quantity.sign == .negated ? "sign reversed" : "sign ignored") }
        if let range = quantity.valid { parts.append("valid \(range.lowerBound) … \(range.upperBound)") }
        if let text = quantity.contradiction { parts.append("sources disagree: \(text)") }
        return parts.joined(separator: "; ")
    }

    private static func plan(_ profile: Profile) -> [String] {
        guard profile.sunSpec == nil else { return ["  plan: follows from where the device has its models"] }
        do throws(PlanError) {
            let reads = try profile.identityPlan() + profile.plan(profile.quantities.map(\.obis))
            let requests = reads.map { "\($0.request.function): \($0.request.address) + \($0.request.count)" }
            return ["  plan of everything, \(reads.count) requests: \(requests.joined(separator: "; "))"]
        } catch { return ["  plan: \(error.description)"] }
    }

    private static func grade(_ profile: Profile) -> [String] {
        let obstacles = profile.gradeObstacles(isReplay: false)
        guard !obstacles.isEmpty else { return ["  billing grade: where a manifest lists this digest"] }
        return obstacles.map { "  never billing grade in a real house: \($0)" }
    }

    // MARK: Cells

    /// The wire's address, and the document's number where it counts differently.
    private static func place(_ place: Place, _ profile: Profile) -> String {
        if let model = place.model { return "\(place.function): model \(model) + \(place.address)" }
        let document = UInt64(place.address) + profile.source.countsFrom
        let number = profile.source.countsFrom == 0 ? "" : " (\(document))"
        return "\(place.function): \(place.address) 0x\(String(place.address, radix: 16, uppercase: true))\(number)"
    }

    private static func order(_ order: RegisterOrder) -> String {
        switch (order.lowWordFirst, order.lowByteFirst) {
        case (false, false): ""
        case (true, false): " low word first"
        case (false, true): " low byte first"
        case (true, true): " low word and byte first"
        }
    }

    private static func unit(_ quantity: Quantity) -> String {
        (quantity.countUnit.map { "\($0) " } ?? "") + quantity.unit.rawValue
    }

    private static func flow(_ direction: Quantity.Direction) -> String {
        switch direction {
        case .none: ""
        case .import: "import"
        case .export: "export"
        }
    }
}
