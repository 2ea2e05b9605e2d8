// kilomint-agent init, enroll, renew: a gateway's key, its certificate, and what the operator says with it.

internal import AgentIO
internal import Evidence
internal import Glibc
internal import HTTPS
internal import Keys
internal import Quantities
internal import Settings

extension Commands {
    static func initialise(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config", "gateway"])
        let settings = try settings(arguments)
        if let gateway = arguments.optional("gateway"), gateway != settings.gateway.text {
            throw settings.error(
                "gateway", settings.gateway.text, "is not \(gateway), which --gateway names",
                allowed: "one id: write it into the configuration")
        }
        if let user = try ServiceUser.become(ownerOf: settings.spool.path) {
            say("Going on as \(user), whose the spool's folder is: the service could not use what is root's.")
        }
        let done = try Initialisation(settings)
        print("gateway  \(settings.gateway)")
        print("key      \(settings.key)  \(done.publicKey)  \(done.isKeyNew ? "made" : "was there, kept")")
        print("spool    \(settings.spool.path)  \(done.isSpoolNew ? "made" : "was there, kept")")
        print("public   \(done.publicKey.spki.hex)")
        print("")
        print("The agent may run now: it reads, signs and stores. Nothing is sent until the gateway is enrolled.")
        print("Next: ask the operator for a claim code, then")
        print("  kilomint-agent enroll --config \(settings.file) --url https://HOST:8443")
        print("It asks for the code; on standard input it does not show up in the list of processes.")
    }

    static func enroll(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config", "url", "code"], flags: ["replace"])
        let settings = try settings(arguments)
        let origin: HTTPSOrigin
        let code: ClaimCode
        do {
            origin = try HTTPSOrigin(reading: try arguments.required("url"), port: enrolmentPort)
            code = try ClaimCode(reading: try claimCode(arguments))
        } catch let error as HTTPSError { throw Arguments.Wrong(description: "--url: \(error)") } catch let error
            as ClaimCodeError
        { throw Arguments.Wrong(description: "--code: \(error)") }
        guard Initialisation.isDone(settings) else {
            throw Arguments.Failed(description: "there is no spool yet: kilomint-agent init --config \(settings.file)")
        }
        let turn = try turn(settings)
        defer { withExtendedLifetime(turn) {} }
        let clock = CertificateClock(settings)
        if !clock.advice.isEmpty { say(clock.advice) }
        let enrolment = Enrolment(settings, key: try AgentParts.keys(settings).inForce(settings), clock: clock)
        let replaced = ReplacedBox(folder: settings.spool.path)
        let wasMarked = replaced.isMarked
        // Before: with the certificate there, a crash must not leave a stream that goes on as if nothing had been replaced.
        if arguments.has("replace") { try replaced.mark() }
        let enrolled: Enrolled
        do { enrolled = try enrolment.enroll(at: origin, code: code) } catch {
            // The box that was there goes on.
            if !wasMarked { replaced.clear() }
            throw error
        }
        print("\(settings.gateway) is enrolled at \(origin)")
        report(enrolled, settings)
    }

    static func renew(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config"], flags: ["force", "rekey"])
        let settings = try settings(arguments)
        let certificate = EnrolledFolder(settings.enrolled).certificate
        guard access(certificate, R_OK) == 0 || errno != EACCES else {
            throw Arguments.Failed(
                description: "this user may not read \(certificate): sudo -u kilomint-agent kilomint-agent renew …")
        }
        // Without a spool there is nothing to renew either, which is said below.
        let turn = Initialisation.isDone(settings) ? try turn(settings) : nil
        defer { withExtendedLifetime(turn) {} }
        let clock = CertificateClock(settings)
        if !clock.advice.isEmpty { say(clock.advice) }
        if arguments.has("rekey") { return try rekey(settings, clock) }
        var renewal = try Renewal(settings, clock: clock)
        var isRefused = false
        if renewal.isRekeyDue(settings, try AgentParts.keys(settings), clock: clock) {
            // A key that cannot be changed keeps no certificate from being renewed.
            do {
                try rekey(settings, clock)
                renewal = try Renewal(settings, clock: clock)
            } catch {
                say("kilomint-agent: \(error)")
                isRefused = true
            }
        }
        let own = try AgentParts.keys(settings).key(certificate: EnrolledFolder(settings.enrolled).certificate)
        let enrolment = Enrolment(settings, key: own, clock: clock)
        if try renewal.isDue || arguments.has("force") || (renewal.isUncertain && enrolment.isDueThere(renewal.due)) {
            let enrolled = try enrolment.renew()
            print("\(settings.gateway) has a new certificate" + (renewal.isOver ? ", the former one had ended" : ""))
            report(enrolled, settings)
        } else {
            print("The certificate is valid until \(renewal.certificate.notAfter); renewal is due at \(renewal.due).")
        }
        if isRefused { throw Arguments.Failed(description: "") }
    }

    private static func turn(_ settings: AgentSettings) throws(SystemError) -> EnrolmentTurn {
        try EnrolmentTurn(folder: settings.spool.path) {
            say("Another enroll or renew is at work here: waiting for it …")
        }
    }

    /// The claim code of --code; with `-`, or without it, from standard input, where nobody reads it over the process list.
    private static func claimCode(_ arguments: Arguments) throws(Arguments.Wrong) -> String {
        if let code = arguments.optional("code"), code != "-" { return code }
        var line: [UInt8] = []
        var byte: UInt8 = 0
        if isatty(0) == 1 {
            // The code is worth a gateway until it is used: it stands on no screen.
            line = HiddenLine.read(bytesMax: codeBytesMax) {
                say("The operator's claim code (KM1-…; it does not show while you type):")
            }
        } else {
            while line.count < codeBytesMax, Glibc.read(0, &byte, 1) == 1, byte != 0x0A { line.append(byte) }
        }
        guard !line.isEmpty else {
            throw Arguments.Wrong(description: "no claim code: give it with --code, or on standard input")
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// A longer line is no code.
    private static var codeBytesMax: Int { 512 }

    private static var enrolmentPort: Int { 8_443 }

    static func report(_ enrolled: Enrolled, _ settings: AgentSettings) {
        print("certificate  until \(enrolled.certificate.notAfter); renewal is due half-way (kilomint-agent renew)")
        print("CA           \(enrolled.ca.subject), until \(enrolled.ca.notAfter)")
        print("key list     number \(enrolled.keyListNumber), signed by the operator's root key")
        if let older = enrolled.olderList {
            print("             the server's has number \(older) and is older: it was not taken; tell the operator")
        }
        print("brokers      \(enrolled.brokers.map { "\($0.host):\($0.port)" }.joined(separator: ", "))")
        print("stored in    \(settings.enrolled)")
        if settings.keyList != nil || settings.mqtt != nil {
            print("The configuration names key list or broker itself: remove key_list, root_key and mqtt to use these.")
        }
        print("A running agent takes this up within a second; otherwise start it: systemctl start kilomint-agent")
        print("Then: kilomint-agent status --config \(settings.file)")
    }
}
