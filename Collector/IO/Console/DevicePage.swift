// The page /devices: every gateway from its registration to its first reading, kept current. Drawn on the server, usable
// without JavaScript. Shows no secret: the collector has none.

internal import Quantities

enum DevicePage {
    static func document(_ model: DeviceModel) -> String {
        ConsolePage.document(
            title: "Devices — \(model.tenant)", refreshedBy: "/devices/fragment", content: fragment(model))
    }

    /// What the page's script fetches and puts into `main` every two seconds.
    static func fragment(_ model: DeviceModel) -> String {
        [header(model), table(model), how(model)].joined(separator: "\n")
    }

    private static func header(_ model: DeviceModel) -> String {
        let alive = model.devices.count { $0.stage == .alive }
        return """
            <header>
            <h1><a href="/"><span class="mint">Kilomint</span></a> <small>Devices of \(ConsolePage.escape(model.tenant))</small></h1>
            <p class="clock">\(alive) of \(model.devices.count) alive · <time datetime="\(model.now)">\(ConsolePage.clock(model.now))</time></p>
            </header>
            """
    }

    private static func table(_ model: DeviceModel) -> String {
        let rows = model.devices.map(row)
        let body =
            rows.isEmpty
            ? "<tr><td class=\"wide\" colspan=\"6\">No gateway is registered yet.</td></tr>"
            : rows.joined(separator: "\n")
        return """
            <section><h2>Gateways <a class="button" href="/devices/new">Register</a></h2>
            <table class="devices"><thead><tr><th scope="col">Gateway</th><th scope="col">State</th><th scope="col">Meters</th><th scope="col">Key</th><th scope="col">Certificate</th><th scope="col">Last record</th></tr></thead>
            <tbody>\(body)</tbody></table></section>
            """
    }

    private static func row(_ device: DeviceStatus) -> String {
        let meters = device.meters.map { meter in
            "\(ConsolePage.escape(meter.id.text)) <code>\(ConsolePage.escape(meter.serial))</code>"
                + (meter.point == nil ? " <em>at no metering point</em>" : "")
        }
        let key = device.kid.map {
            "<code>\($0)</code>" + (device.keySince.map { "<br>since \(ConsolePage.clock($0))" } ?? "")
        }
        let last = device.lastRecordAt.map {
            "\(ConsolePage.clock($0))<br>\(ConsolePage.grouped(Int64(clamping: device.records))) records"
        }
        return """
            <tr><th scope="row"><a href="/gateways/\(device.gateway)">\(ConsolePage.escape(device.gateway.text))</a><br><small>\(ConsolePage.escape(device.entity.text))</small></th>\
            <td class="wide" data-label="State"><span><span class="state \(mood(device))">\(device.stage.rawValue)</span><br><small>\(detail(device))</small></span></td>\
            <td class="wide" data-label="Meters"><span>\(meters.isEmpty ? "none" : meters.joined(separator: "<br>"))</span></td>\
            <td class="wide" data-label="Key"><span>\(key ?? "·")</span></td>\
            <td class="wide" data-label="Certificate"><span>\(device.certificateUntil.map { "until \($0.description.prefix(10))" } ?? "·")</span></td>\
            <td class="wide" data-label="Last record"><span>\(last ?? "·")</span></td></tr>
            """
    }

    private static func mood(_ device: DeviceStatus) -> String {
        switch device.stage {
        case .alive: device.reason == nil ? "settled" : "wrong"
        case .enrolled, .claimOpen: "waiting"
        case .registered: ""
        case .claimLocked, .claimExpired, .offline, .revoked: "wrong"
        }
    }

    /// What is awaited, or what to do; then what became of the last command, whether it speaks now or not.
    private static func detail(_ device: DeviceStatus) -> String {
        let said = device.stage == .revoked ? nil : device.configuration.map(ConsolePage.escape)
        return ([standing(device)] + [said].compactMap(\.self)).joined(separator: "<br>")
    }

    private static func standing(_ device: DeviceStatus) -> String {
        let wrong = device.wrongSecrets > 0 ? "; \(device.wrongSecrets) wrong secrets" : ""
        switch device.stage {
        case .registered: return "make a claim: kilomint-collector device claim"
        case .claimOpen: return "until \(device.claimExpires.map(ConsolePage.clock) ?? "·")\(wrong)"
        case .claimLocked: return "\(device.wrongSecrets) wrong secrets: unlock it or make another claim"
        case .claimExpired: return "make another claim"
        case .enrolled:
            return device.isLetIn == false ? "the broker does not know it yet" : "waiting for its first record"
        case .alive where device.reason != nil, .offline where device.reason != nil:
            return ConsolePage.escape(device.reason ?? "")
        case .alive: return device.stream.map { "stream \($0.prefix(8))" } ?? ""
        case .offline: return "its readings wait in its spool"
        case .revoked: return ConsolePage.escape(device.reason ?? "")
        }
    }

    private static func how(_ model: DeviceModel) -> String {
        guard let url = model.enrolmentURL else {
            return """
                <section><h2>Let a gateway enrol</h2>
                <p class="note">This collector has no enrolment port: write the section <code>enrolment</code> (docs/collector.md) and start it again.</p></section>
                """
        }
        return """
            <section><h2>Let a gateway enrol</h2>
            <ol class="steps">
            <li>The operator <a href="/devices/new">registers</a> facility, gateway, meters and metering points, with a claim; a root key and two persons sign the draft, and the claim's code is shown once. For a registered gateway also:<br><code>kilomint-collector device claim GATEWAY --url … --token-file … --draft claim.draft</code></li>
            <li>The installer types it at the gateway:<br><code>kilomint-agent enroll --url \(ConsolePage.escape(url))</code>, which asks for it</li>
            <li>Here it turns from <em>claim open</em> to <em>enrolled</em>, and with its first record to <em>alive</em>; its own page says what to do at each step.</li>
            </ol>
            <p class="note">A stolen gateway: <code>kilomint-collector device revoke GATEWAY --key person-a.pem --reason …</code> — one person is enough, and it is out at once.</p></section>
            """
    }
}
