// The console's first page: the chain from gateway to ledger, drawn on the server, usable without JavaScript.

internal import Quantities

enum ConsolePage {
    /// The whole document.
    static func document(_ model: ConsoleModel) -> String {
        document(title: model.tenant, refreshedBy: "/console/fragment", content: fragment(model))
    }

    /// A page of the console; its script fetches `path` and puts it into `main`.
    static func document(title: String, refreshedBy path: String, content: String) -> String {
        document(
            title: title, script: "/console.js", content: content, marks: " id=\"chain\" data-fragment=\"\(path)\"",
            withoutScript: "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>")
    }

    /// A page whose script keeps parts of it current.
    static func document(
        title: String, script: String, content: String, marks: String = "", withoutScript: String = ""
    ) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Kilomint — \(escape(title))</title>
        <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%2317936b'/%3E%3C/svg%3E">
        <link rel="stylesheet" href="/console.css">
        \(withoutScript)
        <script src="\(script)" defer></script>
        </head>
        <body>
        <main\(marks)>
        \(content)
        </main>
        </body>
        </html>
        """
    }

    /// What the page's script fetches and puts into `main` every two seconds.
    static func fragment(_ model: ConsoleModel) -> String {
        [
            header(model), warnings(model), chain(model), ConsolePlots.production(model), ConsolePlots.power(model),
            windows(model), meters(model), ledger(model), logs(model),
        ].joined(separator: "\n")
    }

    private static func header(_ model: ConsoleModel) -> String {
        let mode = model.isReplay ? "replayed at \(grouped(model.speed))×" : "real time"
        return """
            <header>
            <h1><span class="mint">Kilomint</span> <small>\(escape(model.tenant))</small></h1>
            <p class="clock"><a href="/devices">Devices</a> · <time datetime="\(model.now)">\(clock(model.now))</time> <span class="tag">\(mode)</span></p>
            </header>
            """
    }

    private static func warnings(_ model: ConsoleModel) -> String {
        guard !model.warnings.isEmpty else { return "" }
        return "<ul class=\"warnings\" role=\"status\">" + model.warnings.map { "<li>\(escape($0))</li>" }.joined()
            + "</ul>"
    }

    // MARK: - The chain

    private static func chain(_ model: ConsoleModel) -> String {
        let stations = [
            gateway(model), evidence(model), window(model), verification(model), issuance(model), supply(model),
        ]
        return "<ol class=\"stations\" aria-label=\"The chain, from gateway to ledger\">" + stations.joined() + "</ol>"
    }

    private static func station(_ name: String, _ figure: String, _ unit: String, _ detail: String, alert: Bool = false)
        -> String
    {
        """
        <li\(alert ? " class=\"alert\"" : "")><h2>\(name)</h2><p class="figure">\(figure) <span>\(unit)</span></p><p class="detail">\(detail)</p></li>
        """
    }

    private static func gateway(_ model: ConsoleModel) -> String {
        let online = model.gateways.count { $0.isOnline }
        let latest = model.gateways.flatMap(\.meters).compactMap(\.readAt).max()
        return station(
            "Gateways", "\(online)/\(model.gateways.count)", "online",
            latest.map { "last reading \(clock($0))" } ?? "no reading yet",
            alert: online < model.gateways.count)
    }

    private static func evidence(_ model: ConsoleModel) -> String {
        let refused = model.refusals == 0 ? "none refused" : "\(grouped(Int64(clamping: model.refusals))) refused"
        return station(
            "Evidence", grouped(Int64(clamping: model.evidenceRecords)), "records", "signed, chained, " + refused)
    }

    private static func window(_ model: ConsoleModel) -> String {
        guard let open = model.openWindow else { return station("Window", "–", "", "none open") }
        let watermark = model.gateways.compactMap(\.completeThrough).min()
        let share = watermark.map { max(0, min(100, ($0 - open.start) * 100 / max(1, open.end - open.start))) } ?? 0
        return station(
            "Window", "\(share)", "% complete",
            "\(open.id), watermark \(watermark.map(clock) ?? "–")<span class=\"bar\"><i style=\"width:\(share)%\"></i></span>"
        )
    }

    private static func verification(_ model: ConsoleModel) -> String {
        guard let last = model.windows.last(where: { $0.confidencePPM != nil }), let confidence = last.confidencePPM
        else {
            return station("Verification", "–", "", "first window not cut yet")
        }
        return station("Verification", percent(confidence), "% confidence", "\(last.id)", alert: confidence < 950_000)
    }

    private static func issuance(_ model: ConsoleModel) -> String {
        if let held = model.windows.last(where: { $0.hold != nil }), let hold = held.hold {
            return station("Issuance", "hold", "", "\(held.id): \(escape(hold))", alert: true)
        }
        guard let last = model.windows.last(where: { $0.issued > 0 }) else {
            return station("Issuance", "–", "", "nothing issued yet")
        }
        return station("Issuance", shortMoney(String(last.issued)), escape(model.asset), "\(last.id), replay equal")
    }

    private static func supply(_ model: ConsoleModel) -> String {
        station(
            "Supply", shortMoney(model.supply), escape(model.asset),
            "\(model.accounts.count) accounts, every entry balances")
    }

    // MARK: - Tables

    private static func windows(_ model: ConsoleModel) -> String {
        let rows = model.windows.reversed().prefix(14).map { window in
            let cells = ["M", "C", "S", "A"].map { source in
                "<td class=\"n\" data-label=\"\(sourceName(source))\"><span>\(window.energy(of: source).map(kilowattHours) ?? "·")</span></td>"
            }
            let digest =
                window.outputDigest.map {
                    "<a href=\"/audit/transcript/\(window.id)\"><code>\($0.prefix(10))…</code></a>"
                } ?? "·"
            return """
                <tr><th scope="row">\(window.id)</th><td data-label="State"><span><span class="state \(window.state)">\(window.state)</span></span></td>\(cells.joined())<td class="n" data-label="Confidence"><span>\(window.confidencePPM.map { percent($0) + " %" } ?? "·")</span></td><td class="n" data-label="Issued"><span>\(window.issued > 0 ? money(String(window.issued)) : "·")</span></td><td data-label="Digest"><span>\(digest)</span></td></tr>
                """
        }
        return """
            <section><h2>Windows</h2>
            <table class="windows"><thead><tr><th scope="col">Window</th><th scope="col">State</th><th scope="col" class="n">Meter</th><th scope="col" class="n">Check</th><th scope="col" class="n">Satellite</th><th scope="col" class="n">Auditor</th><th scope="col" class="n">Confidence</th><th scope="col" class="n">Issued</th><th scope="col">Digest</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table>
            <p class="note">Energy in kWh, issued in \(escape(model.asset)).</p></section>
            """
    }

    private static func meters(_ model: ConsoleModel) -> String {
        let rows = model.gateways.flatMap { gateway in
            gateway.meters.map { meter in
                """
                <tr><th scope="row">\(escape(meter.id))</th><td data-label="Gateway"><span>\(escape(gateway.id))<span class="dot\(gateway.isOnline ? " on" : "")" title="\(gateway.isOnline ? "online" : "offline")"></span></span></td><td data-label="Role"><span>\(escape(meter.role))</span></td><td class="wide" data-label="Device"><span>\(escape(meter.model)) <code>\(escape(meter.serial))</code></span></td><td class="n" data-label="Register"><span>\(meter.register.map(escape) ?? "·")</span></td><td class="n" data-label="Power"><span>\(meter.watts.map { grouped($0) + " W" } ?? "·")</span></td><td data-label="Read"><span>\(meter.readAt.map(clock) ?? "·")</span></td></tr>
                """
            }
        }
        return """
            <section><h2>Last readings</h2>
            <table><thead><tr><th scope="col">Meter</th><th scope="col">Gateway</th><th scope="col">Role</th><th scope="col">Device</th><th scope="col" class="n">Register</th><th scope="col" class="n">Power</th><th scope="col">Read</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table></section>
            """
    }

    private static func ledger(_ model: ConsoleModel) -> String {
        let rows = model.accounts.map { account in
            let latest =
                account.latestTransaction.map {
                    "<a href=\"/v1/transactions/\($0)\"><code>\($0.prefix(12))…</code></a>"
                } ?? "·"
            return
                "<tr><th scope=\"row\">\(escape(account.id))</th><td class=\"n\" data-label=\"Balance\"><span>\(money(account.balance))</span></td><td class=\"wide\" data-label=\"Latest\"><span>\(latest)</span></td></tr>"
        }
        return """
            <section><h2>Ledger</h2>
            <table><thead><tr><th scope="col">Account</th><th scope="col" class="n">Balance \(escape(model.asset))</th><th scope="col">Latest transaction</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table></section>
            """
    }

    private static func logs(_ model: ConsoleModel) -> String {
        let rows = model.heads.map { head in
            "<tr><th scope=\"row\">\(head.log)</th><td class=\"wide\" data-label=\"Origin\"><span><a href=\"/log/\(escape(head.log))/\(escape(head.origin.split(separator: "/").last.map(String.init) ?? ""))/checkpoint\">\(escape(head.origin))</a></span></td><td class=\"n\" data-label=\"Size\"><span>\(grouped(Int64(clamping: head.size)))</span></td><td class=\"wide\" data-label=\"Root\"><span><code>\(head.root.prefix(20))…</code></span></td></tr>"
        }
        return """
            <section><h2>Checkpoints</h2>
            <table><thead><tr><th scope="col">Log</th><th scope="col">Origin</th><th scope="col" class="n">Size</th><th scope="col">Root</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table>
            <p class="note">Anyone can check all of it: <code>kilomint-audit verify --url …</code></p></section>
            """
    }

    // MARK: - Words and numbers

    static func sourceName(_ letter: String) -> String {
        switch letter {
        case "M": "Meter"
        case "C": "Check"
        case "S": "Satellite"
        case "A": "Auditor"
        case "D": "Grid operator"
        default: letter
        }
    }

    /// `33 750` → `33.750`; thin groups above a thousand kWh.
    static func kilowattHours(_ wattHours: Int64) -> String {
        let magnitude = wattHours.magnitude
        let fraction = String(magnitude % 1000)
        return (wattHours < 0 ? "−" : "") + grouped(Int64(magnitude / 1000)) + "."
            + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    /// Minor units as a decimal string → units with six decimals.
    static func money(_ minorUnits: String) -> String {
        let isNegative = minorUnits.hasPrefix("-")
        var digits = isNegative ? String(minorUnits.dropFirst()) : minorUnits
        digits = String(repeating: "0", count: max(0, 7 - digits.count)) + digits
        let whole = Int64(digits.dropLast(6)) ?? 0
        return (isNegative ? "−" : "") + grouped(whole) + "." + digits.suffix(6)
    }

    /// Three decimals, from a thousand units on one, from a hundred thousand on none, cut off: for figures at a glance; tables
    /// have all six.
    static func shortMoney(_ minorUnits: String) -> String {
        let digits = minorUnits.count { $0 != "-" }
        return String(money(minorUnits).dropLast(digits > 11 ? 7 : digits > 9 ? 5 : 3))
    }

    static func percent(_ ppm: Int64) -> String {
        let tenths = ppm / 1000
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    /// Groups of three with a narrow space.
    static func grouped(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        return (value < 0 ? "−" : "") + ([rest] + groups).joined(separator: "\u{202F}")
    }

    /// `7 Jul 2016 14:05 UTC`.
    static func clock(_ instant: UTCInstant) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let text = Array(instant.description)
        guard text.count >= 17, let month = Int(String(text[5...6])), (1...12).contains(month),
            let day = Int(String(text[8...9]))
        else { return instant.description }
        return "\(day)\u{00A0}\(months[month - 1]) \(String(text[11...15]))"
    }

    /// By scalars: a `<` with a mark before or after it is one character, and no `<` among characters.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
