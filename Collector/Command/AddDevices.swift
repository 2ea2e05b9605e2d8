// Registering a site or devices from a file: read strictly, judged by the house, signed here or drafted for those who sign
// elsewhere. A claim's secret is made here and shown once; the house gets its hash.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import CollectorIO
internal import Evidence
internal import Foundation
internal import Keys
internal import Proofs
internal import Quantities

struct AddDevices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Registers what a site file says: facility, gateways, meters, metering points.",
        discussion: """
            The file has the sections of the house file, each of which may be left out: organisations, entities, gateways,
            meters, metering_points. What is new only; what stands is named by its id. `sample-site.yaml` shows all of it.

                entities:
                  - {id: solar-west, organisation: owners, population: 900, principals: [{id: coop, account: west, share: 1000000}]}
                gateways:
                  - {id: gw-west, entity: solar-west}
                meters:
                  - {id: main, vendor: ABB, model: A43, serial: "3001", gateway: gw-west, profile: abb/a43, class: mid}
                metering_points:
                  - {id: west-1, entity: solar-west, nameplate: 6000, direction: export, revenue_meter: main, latitude: 39.7, longitude: -105.1}

            The house looks at it before anybody signs. Then a root key and two persons sign it (dual control): here with
            --key for each, or elsewhere, from a --draft.
            """)

    @Argument(help: "site file, YAML") var file: String
    @OptionGroup var options: DeviceOptions
    @Flag(help: "with a claim for each gateway of the file: its code is shown once") var claim = false
    @Option(help: "hours until the claims expire, in the house's time; default: the collector's claim_lifetime")
    var hours: Int64?

    func validate() throws {
        guard hours.map({ (1...8760).contains($0) }) ?? true else { throw ValidationError("--hours: 1 … 8760") }
        guard claim || hours == nil else { throw ValidationError("--hours needs --claim") }
    }

    func run() async throws {
        try await withExitStatus {
            let site = try SiteFile.load(path: file)
            let client = try options.client()
            let port = try await EnrolmentPort.asked(of: client)
            var bodies = site.bodies
            var codes: [(gateway: Identifier, code: ClaimCode, expires: UTCInstant)] = []
            if claim { codes = try await claims(site, port, &bodies, client) }
            let draft = RegistrationDraft(
                bodies.map { Registration(number: 1, effectiveFrom: port.instant, body: $0) })
            try await draft.requireAccepted(by: client, file: file)
            try await options.register(draft)
            print(draft.words + "\n")
            if let path = options.draft { print(Self.next(path) + (codes.isEmpty ? "" : " Then counts:") + "\n") }
            for own in codes { print(ClaimText.shown(own.gateway, own.code, until: own.expires, port)) }
        }
    }

    /// Adds a claim for each gateway of the file.
    private func claims(
        _ site: SiteFile, _ port: EnrolmentPort, _ bodies: inout [Registration.Body], _ client: HouseClient
    ) async throws -> [(gateway: Identifier, code: ClaimCode, expires: UTCInstant)] {
        var codes: [(gateway: Identifier, code: ClaimCode, expires: UTCInstant)] = []
        for case .gateway(let gateway) in site.bodies {
            let own = site.bodies.compactMap { body -> Identifier? in
                if case .entity(let entity) = body, entity.id == gateway.entity { entity.organisation } else { nil }
            }
            var owner = own.first
            if owner == nil { owner = try await known(gateway.entity, client) }
            guard let organisation = owner else {
                throw ValidationError(
                    "entity \(gateway.entity) of gateway \(gateway.id) is not registered: add it to the file")
            }
            let code = try port.code()
            let expires = port.instant + (hours.map { $0 * 3_600_000 } ?? port.lifetime)
            bodies.append(
                .claim(
                    Claim(
                        gateway: gateway.id, organisation: organisation, secret: code.secretDigest, expires: expires)))
            codes.append((gateway.id, code, expires))
        }
        guard !codes.isEmpty else {
            throw ValidationError("--claim: the file has no gateway; `device claim` makes one for a registered one")
        }
        return codes
    }

    private struct KnownEntity: Decodable { let organisation: String }

    private func known(_ entity: Identifier, _ client: HouseClient) async throws -> Identifier? {
        guard let bytes = try await client.get("/v1/entities/\(entity)") else { return nil }
        return Identifier(try JSONDecoder().decode(KnownEntity.self, from: Data(bytes)).organisation)
    }

    static func next(_ path: String) -> String {
        """
        \(path) waits for a root key and two persons. Each on their own machine, or one after the other:

            kilomint-collector device sign \(path) --key KEY

        then, wherever the signed copies come together:

            kilomint-collector device submit \(path) --url URL --token-file FILE

        """
    }
}

/// The house says no before anybody has signed.
struct DraftRefused: Error, CustomStringConvertible {
    static let exitCode: Int32 = 70
    let description: String
}

/// Of GET /v1/enrolment.
struct EnrolmentPort: Decodable {
    let now: String
    let ca_certificate: String?
    let enrolment_port: Int?
    let server_names: [String]?
    let claim_lifetime_ms: Int64?

    static func asked(of client: HouseClient) async throws -> EnrolmentPort {
        guard let bytes = try await client.get("/v1/enrolment") else {
            throw ValidationError("this house has no /v1/enrolment: is it a collector of this version?")
        }
        let port = try JSONDecoder().decode(EnrolmentPort.self, from: Data(bytes))
        guard UTCInstant(port.now) != nil else { throw ValidationError("the house gave no time: \(port.now)") }
        return port
    }

    /// The house's; ``asked(of:)`` has seen that it is one.
    var instant: UTCInstant { UTCInstant(now) ?? UTCInstant(milliseconds: 0) }
    var lifetime: Int64 { claim_lifetime_ms ?? 7 * 86_400_000 }

    func code() throws -> ClaimCode {
        guard let pem = ca_certificate, let certificate = ClaimText.der(pem) else {
            throw ValidationError("this collector has no enrolment section: docs/collector.md says how to write one")
        }
        return ClaimCode(random: secureRandom(count: ClaimCode.randomBytes), certificate: certificate)
    }
}

/// A claim code for a person: text, command and, in a terminal, a QR code. Shown once.
enum ClaimText {
    static func shown(_ gateway: Identifier, _ code: ClaimCode, until expires: UTCInstant, _ port: EnrolmentPort)
        -> String
    {
        let host = port.server_names?.first ?? "HOST"
        var text = """
            Claim of \(gateway), once, until \(expires):

                \(code.text)

            At the gateway, which asks for it:

                kilomint-agent enroll --url https://\(host):\(port.enrolment_port ?? 8443)
            """
        // For a person's eyes and phone; what a program reads stays plain.
        if isatty(STDOUT_FILENO) == 1, let lines = TerminalQR.lines(code.text) {
            text += "\n\n" + lines.joined(separator: "\n")
        }
        return text
    }

    /// Of a PEM block.
    static func der(_ pem: String) -> [UInt8]? {
        let lines = pem.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }
        return [UInt8](base64: lines.joined())
    }
}
