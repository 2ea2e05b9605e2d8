// kilomint-agent init, enroll, renew: a gateway's key, its certificate, and what the operator says with it.

internal import AgentIO
internal import Evidence
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
        let done = try Initialisation(settings)
        print("gateway  \(settings.gateway)")
        print("key      \(settings.key)  \(done.publicKey)  \(done.isKeyNew ? "made" : "was there, kept")")
        print("spool    \(settings.spool.path)  \(done.isSpoolNew ? "made" : "was there, kept")")
        print("public   \(done.publicKey.spki.hex)")
        print("")
        print("The agent may run now: it reads, signs and stores. Nothing is sent until the gateway is enrolled.")
        print("Next: ask the operator for a claim code, then")
        print("  kilomint-agent enroll --config \(settings.file) --url https://HOST:8443 --code KM1-...")
    }

    static func enroll(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config", "url", "code"], flags: ["replace"])
        let settings = try settings(arguments)
        let origin: HTTPSOrigin
        let code: ClaimCode
        do {
            origin = try HTTPSOrigin(reading: try arguments.required("url"), port: enrolmentPort)
            code = try ClaimCode(reading: try arguments.required("code"))
        } catch let error as HTTPSError { throw Arguments.Wrong(description: "--url: \(error)") } catch let error
            as ClaimCodeError
        { throw Arguments.Wrong(description: "--code: \(error)") }
        let clock = CertificateClock(settings)
        if !clock.advice.isEmpty { say(clock.advice) }
        let enrolment = Enrolment(settings, key: try key(settings), clock: clock)
        guard Initialisation.isDone(settings) else {
            throw Arguments.Failed(description: "there is no spool yet: kilomint-agent init --config \(settings.file)")
        }
        if arguments.has("replace") { try ReplacedBox(folder: settings.spool.path).mark() }
        let enrolled = try enrolment.enroll(at: origin, code: code)
        print("\(settings.gateway) is enrolled at \(origin)")
        report(enrolled, settings)
    }

    static func renew(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config"], flags: ["force"])
        let settings = try settings(arguments)
        let clock = CertificateClock(settings)
        if !clock.advice.isEmpty { say(clock.advice) }
        let renewal = try Renewal(settings, clock: clock)
        guard renewal.isDue || arguments.has("force") else {
            return print(
                "The certificate is valid until \(renewal.certificate.notAfter); renewal is due at \(renewal.due).")
        }
        let enrolled = try Enrolment(settings, key: try key(settings), clock: clock).renew()
        print("\(settings.gateway) has a new certificate" + (renewal.isOver ? ", the former one had ended" : ""))
        report(enrolled, settings)
    }

    private static func key(_ settings: AgentSettings) throws -> PrivateKey {
        try AgentParts.key(settings)
    }

    private static var enrolmentPort: Int { 8_443 }

    private static func report(_ enrolled: Enrolled, _ settings: AgentSettings) {
        print("certificate  until \(enrolled.certificate.notAfter); renewal is due half-way (kilomint-agent renew)")
        print("CA           \(enrolled.ca.subject), until \(enrolled.ca.notAfter)")
        print("key list     number \(enrolled.keyListNumber), signed by the operator's root key")
        print("brokers      \(enrolled.brokers.map { "\($0.host):\($0.port)" }.joined(separator: ", "))")
        print("stored in    \(settings.enrolled)")
        if settings.keyList != nil || settings.mqtt != nil {
            print("The configuration names key list or broker itself: remove key_list, root_key and mqtt to use these.")
        }
        print("A running agent takes this up within a second; otherwise start it: systemctl start kilomint-agent")
        print("Then: kilomint-agent status --config \(settings.file)")
    }
}
