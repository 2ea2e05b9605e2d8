// The page /gateways/ID: one gateway from its registration to its commissioned meters, kept current, with what to do next.

internal import CollectorCore
internal import Quantities

/// One step in a gateway's life, as people watch it.
struct LifeStep: Hashable, Sendable {
    enum State: String, Sendable {
        case done
        /// What is waited for.
        case now
        case later
        case wrong
    }

    let name: String
    let state: State
    /// What is known, or what to do.
    let text: String
    /// To type somewhere.
    var command: String?
}

enum GatewayLife {
    /// The steps of a gateway; nil: one that nobody has registered yet.
    static func steps(_ detail: DeviceDetail?, enrolmentURL: String?) -> [LifeStep] {
        guard let detail else {
            let names = ["Registered", "Claimed", "Enrolled", "First record", "First receipt", "Commissioned"]
            return names.enumerated().map { index, name in
                LifeStep(
                    name: name, state: index == 0 ? .now : .later,
                    text: index == 0
                        ? "waiting: its draft is to be signed by a root key and two persons, and submitted" : "")
            }
        }
        var steps = [registered(detail), claimed(detail.status), enrolled(detail.status, enrolmentURL)]
        steps += [record(detail.status), receipt(detail.status), commissioned(detail)]
        // What comes after the first step that is not done is later.
        guard let first = steps.firstIndex(where: { $0.state != .done }) else { return steps }
        return steps.enumerated().map { index, step in
            guard index > first, step.state == .now else { return step }
            return LifeStep(name: step.name, state: .later, text: "")
        }
    }

    private static func registered(_ detail: DeviceDetail) -> LifeStep {
        let count = detail.status.meters.count
        let meters = count == 1 ? "one meter" : "\(count) meters"
        return LifeStep(
            name: "Registered", state: .done,
            text: "at \(detail.status.entity), with \(count == 0 ? "no meter yet" : meters)")
    }

    private static func claimed(_ status: DeviceStatus) -> LifeStep {
        let command = "kilomint-collector device claim \(status.gateway) --url … --token-file …"
        let wrong = status.wrongSecrets > 0 ? "; \(status.wrongSecrets) wrong secrets so far" : ""
        switch status.stage {
        case .claimOpen:
            return LifeStep(
                name: "Claimed", state: .done,
                text: "open once, until \(status.claimExpires.map(ConsolePage.clock) ?? "·")\(wrong)")
        case .claimLocked:
            return LifeStep(
                name: "Claimed", state: .wrong,
                text: "locked after \(status.wrongSecrets) wrong secrets: unlock it, or make another",
                command: "kilomint-collector device unlock \(status.gateway) --url … --token-file …")
        case .claimExpired:
            return LifeStep(
                name: "Claimed", state: .wrong, text: "the claim has expired: make another", command: command)
        case .revoked:
            return LifeStep(
                name: "Claimed", state: .wrong, text: "revoked: \(status.reason ?? ""). A new claim lets it come back",
                command: command)
        case .registered: return LifeStep(name: "Claimed", state: .now, text: "make a claim", command: command)
        case .enrolled, .alive, .offline:
            return LifeStep(name: "Claimed", state: .done, text: "it has its own key: no claim is open")
        }
    }

    private static func enrolled(_ status: DeviceStatus, _ url: String?) -> LifeStep {
        if let kid = status.kid {
            let since = status.keySince.map { " since \(ConsolePage.clock($0))" } ?? ""
            let until = status.certificateUntil.map { ", certificate until \($0.description.prefix(10))" } ?? ""
            return LifeStep(name: "Enrolled", state: .done, text: "key \(kid)\(since)\(until)")
        }
        return LifeStep(
            name: "Enrolled", state: .now, text: "type the code at the gateway",
            command: "kilomint-agent enroll --url \(url ?? "https://HOST:8443")")
    }

    private static func record(_ status: DeviceStatus) -> LifeStep {
        guard status.records > 0 else {
            return LifeStep(
                name: "First record", state: .now,
                text: status.isLetIn == false
                    ? "the broker does not know it yet: /healthz tells why"
                    : "waiting; if nothing comes, ask at the gateway",
                command: status.isLetIn == false ? nil : "kilomint-agent doctor")
        }
        let last = status.lastRecordAt.map { ", the last at \(ConsolePage.clock($0))" } ?? ""
        let offline = status.stage == .offline ? "; offline now, its readings wait in its spool" : ""
        return LifeStep(
            name: "First record", state: status.stage == .offline ? .wrong : .done,
            text: "\(ConsolePage.grouped(Int64(clamping: status.records))) records\(last)\(offline)")
    }

    private static func receipt(_ status: DeviceStatus) -> LifeStep {
        // After a restart of the collector the gateway's own word counts until the next one is made.
        guard let through = status.receiptedThrough ?? status.heldThrough else {
            return LifeStep(
                name: "First receipt", state: .now, text: "waiting: without one the gateway deletes nothing")
        }
        let held = status.heldThrough.map { "; it says it holds one through \($0)" } ?? ""
        return LifeStep(name: "First receipt", state: .done, text: "through record \(through)\(held)")
    }

    /// Revenue meters decide; check meters may follow.
    private static func commissioned(_ detail: DeviceDetail) -> LifeStep {
        let revenue = Set(detail.points.map(\.point.revenueMeter))
        let meters = detail.status.meters.filter { revenue.contains($0.id) }
        guard !meters.isEmpty else {
            return LifeStep(
                name: "Commissioned", state: .now,
                text: "no meter of it stands at a metering point: register one (/devices/new)")
        }
        guard let missing = meters.first(where: { $0.commissionedAt == nil }) else {
            let last = meters.compactMap(\.commissionedAt).max().map(ConsolePage.clock) ?? ""
            return LifeStep(
                name: "Commissioned", state: .done,
                text: "\(meters.map(\.id.text).joined(separator: ", ")), \(last): it settles from here on")
        }
        return LifeStep(
            name: "Commissioned", state: .now,
            text: "stand before \(missing.id) and type what its display shows; nothing settles before",
            command: "kilomint-agent commission --meter \(missing.id) --serial SERIAL --export KWH --name NAME")
    }
}

enum GatewayPage {
    static func document(_ gateway: Identifier, _ detail: DeviceDetail?, enrolmentURL: String?, tenant: String)
        -> String
    {
        let content = """
            <header>
            <h1><a href="/"><span class="mint">Kilomint</span></a> <small>Gateway \(gateway) of \(ConsolePage.escape(tenant))</small></h1>
            <p class="clock"><a href="/devices">Devices</a></p>
            </header>
            <section><h2>From registration to settlement</h2>
            <div id="live" data-fragment="/gateways/\(gateway)/fragment">\(fragment(detail, enrolmentURL: enrolmentURL))</div></section>
            """
        return ConsolePage.document(title: "\(gateway) — \(tenant)", script: "/devices.js", content: content)
    }

    /// What the page's script fetches every two seconds.
    static func fragment(_ detail: DeviceDetail?, enrolmentURL: String?) -> String {
        let steps = GatewayLife.steps(detail, enrolmentURL: enrolmentURL).map { step in
            "<li class=\"\(step.state.rawValue)\"><strong>\(step.name)</strong>\(ConsolePage.escape(step.text))"
                + (step.command.map { "<code class=\"command\">\(ConsolePage.escape($0))</code>" } ?? "") + "</li>"
        }
        return "<ol class=\"life\">\(steps.joined(separator: "\n"))</ol>" + (detail.map(tails) ?? "")
            + (detail.map(command) ?? "") + (detail.map(meters) ?? "")
    }

    /// Records that were signed and never came, and those that the gateway signed a skip for.
    private static func tails(_ detail: DeviceDetail) -> String {
        detail.streams.flatMap { stream in
            let tail = stream.missingTail.map {
                "the birth of stream <code>\(stream.id)</code> \(ConsolePage.escape($0))"
            }
            let count = ConsolePage.grouped(Int64(clamping: stream.skipped))
            let skips =
                stream.skipped > 0
                ? "of stream <code>\(stream.id)</code> the gateway no longer has \(count) records; its signed skips say why"
                : nil
            return [tail, skips].compactMap(\.self)
        }.map { "<p class=\"note\">Readings are missing: \($0).</p>" }.joined(separator: "\n")
    }

    /// What became of the last command, also of a gateway that is silent now.
    private static func command(_ detail: DeviceDetail) -> String {
        guard let said = detail.status.configuration else { return "" }
        return "<p class=\"note\">Configured from afar: \(ConsolePage.escape(said))</p>"
    }

    private static func meters(_ detail: DeviceDetail) -> String {
        guard !detail.status.meters.isEmpty else { return "" }
        let rows = detail.status.meters.map { meter in
            let point = detail.points.first { $0.point.id == meter.point }
            let place =
                point.map { "\($0.point.id)<br><small>\($0.direction)</small>" } ?? "<em>at no metering point</em>"
            let grade = point?.lastDay.map { day in
                "\(day.grade) on \(day.start.description.prefix(10))<br><small>\(ConsolePage.escape(day.findings.joined(separator: ", ")))</small>"
            }
            return """
                <tr><th scope="row">\(ConsolePage.escape(meter.id.text))</th>\
                <td class="wide" data-label="Device"><span>\(ConsolePage.escape(meter.device)) <code>\(ConsolePage.escape(meter.serial))</code></span></td>\
                <td class="wide" data-label="Profile"><span>\(ConsolePage.escape(meter.profile)) × \(meter.ratio)\(meter.isBillingGrade ? "" : "<br><em>not billing grade</em>")</span></td>\
                <td class="wide" data-label="Point"><span>\(place)</span></td>\
                <td class="wide" data-label="Register"><span>\(meter.exported.map { ConsolePage.kilowattHours($0) + " kWh" } ?? "·")</span></td>\
                <td class="wide" data-label="Commissioned"><span>\(meter.commissionedAt.map(ConsolePage.clock) ?? "not yet")</span></td>\
                <td class="wide" data-label="Grade"><span>\(grade ?? "·")</span></td></tr>
                """
        }
        return """
            <table class="devices"><thead><tr><th scope="col">Meter</th><th scope="col">Device</th><th scope="col">Profile</th><th scope="col">Point</th><th scope="col">Register</th><th scope="col">Commissioned</th><th scope="col">Grade</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table>
            """
    }
}
