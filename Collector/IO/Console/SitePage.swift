// The page /devices/new: a facility, its gateway, meters and metering points become a draft that persons sign elsewhere. Works
// without JavaScript; with it a claim code is made in the browser, of which the collector gets a hash.

internal import CollectorCore
internal import Proofs
internal import Quantities

enum SitePage {
    static func form(_ form: SiteForm) -> String {
        document(form, [header(form), intro(form), body(form), SignedDraftForm.section].joined(separator: "\n"))
    }

    private static func document(_ form: SiteForm, _ content: String) -> String {
        ConsolePage.document(title: "Register — \(form.choices.tenant)", script: "/devices.js", content: content)
    }

    private static func header(_ form: SiteForm) -> String {
        """
        <header>
        <h1><a href="/"><span class="mint">Kilomint</span></a> <small>Register devices of \(ConsolePage.escape(form.choices.tenant))</small></h1>
        <p class="clock"><a href="/devices">Devices</a></p>
        </header>
        """
    }

    private static func intro(_ form: SiteForm) -> String {
        guard form.errors.isEmpty else {
            let count = form.errors.count == 1 ? "One field needs" : "\(form.errors.count) fields need"
            return "<ul class=\"warnings\" role=\"alert\"><li>\(count) another look. Nothing was registered.</li></ul>"
        }
        return ""
    }

    private static func body(_ form: SiteForm) -> String {
        """
        <form method="post" action="/devices/new" novalidate>
        \(facility(form))
        \(gateway(form))
        \(rows(form, "meter", "Meters", meter, "as their plates and displays show them"))
        \(rows(form, "point", "Metering points", point, "where energy is measured for settlement"))
        <section><h2>Claim</h2>
        <p class="check"><input type="checkbox" id="claim" name="claim" value="yes" disabled\(form.fields.has("claim") || !form.fields.has("entity") ? " checked" : "")><label for="claim">Make a claim code for the gateway: in this browser; the collector gets its hash alone.</label></p>
        <p class="note" id="no-claim">Here it needs JavaScript, and https or the collector's own machine (127.0.0.1). Otherwise: <code>kilomint-collector device claim</code>.</p>
        </section>
        <p id="trouble" class="warnings" role="alert" hidden></p>
        <p><button class="main">Make the draft</button></p>
        </form>
        """
    }

    private static func facility(_ form: SiteForm) -> String {
        let known = form.choices.entities.map { ($0.id.text, $0.id.text) }
        let principals = (0..<form.fields.rows("principal")).map { row -> String in
            let prefix = "principal.\(row)."
            return "<div class=\"fields\">"
                + input(form, prefix + "id", "Principal", hint: "who receives")
                + input(form, prefix + "account", "Account", hint: "where it goes")
                + input(form, prefix + "share", "Share, %", hint: "together 100", initial: row == 0 ? "100" : "")
                + "</div>"
        }
        return """
            <section><h2>Facility</h2>
            <div class="fields">\(select(form, "entity", "Facility", known + [(SiteForm.new, "a new one")], hint: "the entity that produces"))</div>
            <div data-when="entity"><div class="fields">\
            \(input(form, "entity.id", "Id", hint: "a-z 0-9 -"))\
            \(select(form, "entity.organisation", "Organisation", form.choices.organisations.map { ($0.text, $0.text) }, hint: "whose it is"))\
            \(input(form, "entity.population", "People", hint: "for votes", initial: "0"))</div>
            \(principals.joined(separator: "\n"))
            <p><button name="add" value="principal">Add a principal</button></p></div>
            </section>
            """
    }

    private static func gateway(_ form: SiteForm) -> String {
        let known = form.choices.gateways.map { ($0.id.text, "\($0.id) at \($0.entity)") }
        return """
            <section><h2>Gateway</h2>
            <div class="fields">\(select(form, "gateway", "Gateway", known + [(SiteForm.new, "a new one")], hint: "that reads the meters"))</div>
            <div data-when="gateway"><div class="fields">\
            \(input(form, "gateway.id", "Id", hint: "a-z 0-9 -"))\
            \(input(form, "gateway.clock_error", "Clock error, ms", hint: "when synchronised, at most", initial: "1000"))</div></div>
            </section>
            """
    }

    private static func rows(
        _ form: SiteForm, _ kind: String, _ title: String, _ row: (SiteForm, String) -> String, _ hint: String
    ) -> String {
        let rows = (0..<form.fields.rows(kind)).map { "<div class=\"fields\">\(row(form, "\(kind).\($0)."))</div>" }
        return """
            <section><h2>\(title) <span class="legend">\(hint)</span></h2>
            \(rows.joined(separator: "\n"))
            <p><button name="add" value="\(kind)">Add another</button> <span class="note">Rows without text are left out.</span></p>
            </section>
            """
    }

    private static func meter(_ form: SiteForm, _ prefix: String) -> String {
        [
            input(form, prefix + "id", "Id", hint: "a-z 0-9 -"),
            input(form, prefix + "vendor", "Vendor"), input(form, prefix + "model", "Model"),
            input(form, prefix + "serial", "Serial", hint: "compared with what it says"),
            select(form, prefix + "profile", "Profile", form.choices.profiles.map { ($0, $0) }, hint: "how it is read"),
            input(form, prefix + "ratio", "CT/PT ratio", hint: "counts are multiplied by it", initial: "1/1"),
            select(
                form, prefix + "class", "Class", [("mid", "MID meter"), ("inverter", "inverter")], hint: "its tolerance"
            ),
        ].joined()
    }

    private static func point(_ form: SiteForm, _ prefix: String) -> String {
        [
            input(form, prefix + "id", "Id", hint: "a-z 0-9 -"),
            select(
                form, prefix + "direction", "Direction",
                [("export", "export"), ("export-minus-import", "export − import (storage)")], hint: "what counts"),
            input(form, prefix + "revenue", "Revenue meter", hint: "a meter's id"),
            input(form, prefix + "checks", "Check meters", hint: "ids, or nothing"),
            input(form, prefix + "nameplate", "Nameplate, W", hint: "of the whole plant"),
            input(form, prefix + "latitude", "Latitude, °", hint: "39.742"),
            input(form, prefix + "longitude", "Longitude, °", hint: "-105.1727"),
        ].joined()
    }

    // MARK: - Fields

    private static func input(
        _ form: SiteForm, _ name: String, _ label: String, hint: String = "", initial: String = ""
    ) -> String {
        let value = form.fields.has(name) ? form.fields[name] : initial
        return field(form, name, label, hint) { marks in
            "<input name=\"\(name)\" value=\"\(ConsolePage.escape(value))\" autocomplete=\"off\" spellcheck=\"false\"\(marks)>"
        }
    }

    private static func select(
        _ form: SiteForm, _ name: String, _ label: String, _ options: [(value: String, text: String)], hint: String
    ) -> String {
        let chosen = form.fields[name]
        let all = [("", "choose…")] + options
        let items = all.map { value, text in
            "<option value=\"\(ConsolePage.escape(value))\"\(value == chosen ? " selected" : "")>\(ConsolePage.escape(text))</option>"
        }
        return field(form, name, label, hint) { "<select name=\"\(name)\"\($0)>\(items.joined())</select>" }
    }

    /// An error takes the hint's place.
    private static func field(
        _ form: SiteForm, _ name: String, _ label: String, _ hint: String, _ control: (String) -> String
    ) -> String {
        let error = form.errors[name]
        let marks = " aria-describedby=\"\(name)-hint\"" + (error == nil ? "" : " aria-invalid=\"true\"")
        return
            "<label class=\"field\(error == nil ? "" : " bad")\">\(label)\(control(marks))<small id=\"\(name)-hint\">\(ConsolePage.escape(error ?? hint))</small></label>"
    }

    // MARK: - The draft

    /// What was drafted, with what its author does next.
    static func draft(_ form: SiteForm) -> String {
        let draft = RegistrationDraft(form.registrations.map(\.registration))
        let name = (form.gateway?.text ?? "site") + ".draft"
        let hasClaim = form.registrations.contains { if case .claim = $0.registration.body { true } else { false } }
        var parts = [header(form), hand(draft, name), SignedDraftForm.section]
        if let gateway = form.gateway {
            parts.append(hasClaim ? claim(form, gateway) : withoutClaim(gateway))
            parts.append(
                """
                <section><h2>\(ConsolePage.escape(gateway.text)) comes alive <span class="legend"><a href="/gateways/\(gateway)">its own page</a></span></h2>
                <div id="live" data-fragment="/gateways/\(gateway)/fragment"><p class="note"><a href="/gateways/\(gateway)">Watch it</a>.</p></div></section>
                """)
        }
        return document(form, parts.joined(separator: "\n"))
    }

    private static func hand(_ draft: RegistrationDraft, _ name: String) -> String {
        let items = draft.registrations.map { registration in
            "<li>\(ConsolePage.escape(words(registration)))</li>"
        }
        return """
            <section><h2>Draft</h2>
            <p>Nothing is registered yet. Download the draft; a root key and two persons sign it, each on their own machine, and see there what they sign.</p>
            <p><a class="button main" download="\(name)" href="data:application/octet-stream;base64,\(draft.encoded.base64)">Download \(name)</a></p>
            <code class="command">kilomint-collector device sign \(name) --key KEY</code>
            <p class="note">Once for each of the three; then hand in below what they signed, or:</p>
            <code class="command">kilomint-collector device submit \(name) --url <span data-origin>URL</span> --token-file FILE</code>
            <ul class="note">\(items.joined())</ul></section>
            """
    }

    static func words(_ registration: Registration) -> String {
        switch registration.body {
        case .organisation(let body): "organisation \(body.id)"
        case .key(let body): "key of \(body.subject)"
        case .entity(let body):
            "facility \(body.id) of \(body.organisation): \(body.shares.map { "\($0.principal) \(ConsolePage.percent($0.ppm)) %" }.joined(separator: ", "))"
        case .meteringPoint(let body):
            "metering point \(body.id): \(body.direction == .export ? "export" : "export − import") of \(body.revenueMeter), \(ConsolePage.grouped(body.nameplateWatts)) W"
        case .meter(let body):
            "meter \(body.id): \(body.vendor) \(body.model), serial \(body.serial), \(body.profileName), × \(body.ratioNumerator)/\(body.ratioDenominator)"
        case .gateway(let body): "gateway \(body.id) at \(body.entity)"
        case .claim(let body): "claim of \(body.gateway), once, until \(ConsolePage.clock(body.expires))"
        case .revocation(let body): "revocation of \(body.gateway)"
        }
    }

    private static func claim(_ form: SiteForm, _ gateway: Identifier) -> String {
        """
        <section id="code" data-fingerprint="\(form.choices.fingerprint ?? "")" hidden><h2>Claim code of \(gateway) <span class="legend">shown once: note it now</span></h2>
        <div class="claim"><div class="qr"></div><div>
        <p class="secret" data-code></p>
        <p>At the gateway, which asks for it, once the draft is submitted:</p>
        <code class="command">kilomint-agent enroll --url \(ConsolePage.escape(form.choices.enrolmentURL ?? "https://HOST:8443"))</code>
        <p class="note">Made in this browser. It belongs to the draft above and to no other; nobody can show it again. Lost: make another.</p>
        </div></div></section>
        """
    }

    private static func withoutClaim(_ gateway: Identifier) -> String {
        """
        <section><h2>Claim code</h2><p>This draft has no claim. When it is submitted:</p>
        <code class="command">kilomint-collector device claim \(gateway) --url <span data-origin>URL</span> --token-file FILE --draft claim.draft</code></section>
        """
    }
}
