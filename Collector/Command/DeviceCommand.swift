// Devices by hand: claims and revocations signed here and handed to a running house. Private keys are read and not kept; the
// house never sees them, nor a secret before it is used.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import CollectorIO
internal import Evidence
internal import Foundation
internal import Keys
internal import Proofs
internal import Quantities

struct DeviceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "Lets gateways enrol, and ends what they may.",
        subcommands: [
            ListDevices.self, ClaimDevice.self, RevokeDevice.self, SignDraft.self, SubmitDraft.self,
            UnlockDevice.self,
        ])
}

/// The house that is spoken to.
struct HouseOptions: ParsableArguments {
    @Option(help: "the house, e.g. http://127.0.0.1:8080") var url: String
    @Option(name: .customLong("token-file"), help: "bearer token of role operator") var tokenFile: String?

    func client() throws -> HouseClient { try HouseClient(url: url, tokenFile: tokenFile) }
}

/// The house that is spoken to, and who signs.
struct DeviceOptions: ParsableArguments {
    @Option(help: "the house, e.g. http://127.0.0.1:8080") var url: String
    @Option(name: .customLong("token-file"), help: "bearer token of role operator") var tokenFile: String
    @Option(help: "private key that signs; may be repeated") var key: [String] = []
    @Option(
        help: "write an unsigned draft here instead: persons sign it elsewhere (`device sign`), then `device submit`")
    var draft: String?

    func client() throws -> HouseClient { try HouseClient(url: url, tokenFile: tokenFile) }

    func validate() throws {
        guard key.isEmpty != (draft == nil) else {
            throw ValidationError(
                "give --key for everybody who signs here, or --draft FILE to have it signed elsewhere")
        }
    }

    /// Signs and hands in, or writes a draft; a house that refuses says why.
    func register(_ body: Registration.Body, number: UInt64, effectiveFrom: UTCInstant) async throws {
        let registration = Registration(number: number, effectiveFrom: effectiveFrom, body: body)
        if let draft { return try DeviceDraft(registration).write(to: draft) }
        let payload = registration.encoded
        let envelopes = try key.map {
            try SignedMessage.signing(payload, as: .registration, with: try PrivateKey.load(path: $0))
        }
        _ = try await client().post("/v1/registrations", try Document(envelopes).encoded)
    }

    /// What the house knows of a gateway.
    func standing(_ gateway: Identifier) async throws -> DeviceStanding {
        guard let bytes = try await client().get("/v1/devices/\(gateway)") else {
            throw ValidationError("\(gateway) is not registered at this house: register it first (docs/collector.md)")
        }
        return try JSONDecoder().decode(DeviceStanding.self, from: Data(bytes))
    }
}

/// Of GET /v1/devices/{gateway}.
struct DeviceStanding: Decodable {
    let now: String
    let organisation: String?
    let next_claim: UInt64
    let next_revocation: UInt64
    let ca_certificate: String?
    let enrolment_port: Int?
    let server_names: [String]?
    let claim_lifetime_ms: Int64?
}

struct ListDevices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows where each gateway stands between its registration and its readings.")

    @OptionGroup var options: HouseOptions

    private struct List: Decodable { let items: [Device], next: String? }

    private struct Device: Decodable {
        let gateway: String
        let state: String
        let claim_expires: String?
        let certificate_until: String?
        let last_record_at: String?
        let kid: String?

        var line: [String] {
            [gateway, state, kid ?? "-", claim_expires ?? "-", certificate_until ?? "-", last_record_at ?? "-"]
        }
    }

    func run() async throws {
        var rows = [["GATEWAY", "STATE", "KEY", "CLAIM UNTIL", "CERTIFICATE UNTIL", "LAST RECORD"]]
        var cursor = "0"
        while true {
            guard let bytes = try await options.client().get("/v1/devices?limit=500&cursor=\(cursor)") else { return }
            let list = try JSONDecoder().decode(List.self, from: Data(bytes))
            rows += list.items.map(\.line)
            guard let next = list.next else { break }
            cursor = next
        }
        let widths = (0..<6).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            print(cells.joined(separator: "  "))
        }
    }
}

struct UnlockDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock", abstract: "Forgets the wrong secrets that locked a gateway's claim.")

    @Argument(help: "gateway id") var gateway: String
    @OptionGroup var options: HouseOptions

    func validate() throws {
        guard Identifier(gateway) != nil else { throw ValidationError("GATEWAY: 1 … 40 characters a-z 0-9 -") }
    }

    func run() async throws {
        _ = try await options.client().post("/v1/devices/\(gateway)/unlock", [])
        print("The claim of \(gateway) is unlocked.")
    }
}

struct ClaimDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claim", abstract: "Makes a claim for a gateway and shows its code once.",
        discussion: """
            A root key and two persons sign: --key three times. The secret is made here; the house gets its hash only.
            The code is typed at the gateway: kilomint-agent enroll --url https://HOST:8443 --code KM1-…
            """)

    @Argument(help: "gateway id") var gateway: String
    @OptionGroup var options: DeviceOptions
    @Option(help: "organisation of the key; default: the gateway's entity's") var organisation: String?
    @Option(help: "hours until the claim expires, in the house's time; default: the collector's claim_lifetime")
    var hours: Int64?
    @Flag(help: "print the code alone") var quiet = false

    func validate() throws {
        guard Identifier(gateway) != nil else { throw ValidationError("GATEWAY: 1 … 40 characters a-z 0-9 -") }
        guard hours.map({ (1...8760).contains($0) }) ?? true else { throw ValidationError("--hours: 1 … 8760") }
    }

    func run() async throws {
        try await withExitStatus {
            guard let id = Identifier(gateway) else { return }
            let standing = try await options.standing(id)
            guard let pem = standing.ca_certificate, let certificate = Self.der(pem) else {
                throw ValidationError(
                    "this collector has no enrolment section: docs/collector.md says how to write one")
            }
            guard let name = organisation ?? standing.organisation, let organisation = Identifier(name),
                let now = UTCInstant(standing.now)
            else { throw ValidationError("--organisation: 1 … 40 characters a-z 0-9 -") }
            let code = ClaimCode(random: secureRandom(count: ClaimCode.randomBytes), certificate: certificate)
            let lifetime = hours.map { $0 * 3_600_000 } ?? standing.claim_lifetime_ms ?? 7 * 86_400_000
            let claim = Claim(
                gateway: id, organisation: organisation, secret: code.secretDigest, expires: now + lifetime)
            try await options.register(.claim(claim), number: standing.next_claim, effectiveFrom: now)
            if quiet { return print(code.text) }
            if let draft = options.draft {
                print(
                    "\(draft) waits for a root key and two persons: `device sign`, then `device submit`. Then counts:\n"
                )
            }
            let host = standing.server_names?.first ?? "HOST"
            print(
                """
                Claim of \(id), once, until \(claim.expires):

                    \(code.text)

                At the gateway:

                    kilomint-agent enroll --url https://\(host):\(standing.enrolment_port ?? 8443) --code \(code.text)
                """)
            // For a person's eyes and phone; what a program reads stays plain.
            if isatty(STDOUT_FILENO) == 1, let lines = TerminalQR.lines(code.text) {
                print("\n" + lines.joined(separator: "\n"))
            }
        }
    }

    /// Of a PEM block.
    private static func der(_ pem: String) -> [UInt8]? {
        let lines = pem.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }
        return [UInt8](base64: lines.joined())
    }
}

struct RevokeDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Ends every key and claim of a gateway, at once.",
        discussion: """
            One person's key, or a root key, is enough. Its broker session is ended, its records are not taken any more; what was
            taken stays. To let the gateway come back: `device claim`, then `kilomint-agent enroll --replace` there.
            """)

    @Argument(help: "gateway id") var gateway: String
    @OptionGroup var options: DeviceOptions
    @Option(help: "why, for those who ask later") var reason: String

    func validate() throws {
        guard Identifier(gateway) != nil else { throw ValidationError("GATEWAY: 1 … 40 characters a-z 0-9 -") }
        guard (1...HouseBounds.textBytesMax).contains(reason.utf8.count) else {
            throw ValidationError("--reason: 1 … \(HouseBounds.textBytesMax) bytes")
        }
    }

    func run() async throws {
        try await withExitStatus {
            guard let id = Identifier(gateway) else { return }
            let standing = try await options.standing(id)
            guard let now = UTCInstant(standing.now) else { return }
            try await options.register(
                .revocation(Revocation(gateway: id, reason: reason)), number: standing.next_revocation,
                effectiveFrom: now)
            print(
                options.draft.map { "\($0) waits for one person: `device sign`, then `device submit`." }
                    ?? "\(id) is revoked: its keys and claims count no more.")
        }
    }
}
