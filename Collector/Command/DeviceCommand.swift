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
        commandName: "device",
        abstract: "Registers sites and their devices, lets gateways enrol, and ends what they may.",
        discussion: """
            From a site to its readings:   kilomint-collector device add site.yaml --claim --draft site.draft …
                                           kilomint-collector device sign site.draft --key person-a.pem   (each signer)
                                           kilomint-collector device submit site.draft …
                                           kilomint-agent enroll …   (at the gateway: it asks for the code)
                                           kilomint-collector device show GATEWAY …
            """,
        subcommands: [
            AddDevices.self, ChangeDevices.self, ShowDevice.self, ListDevices.self, ClaimDevice.self, RevokeDevice.self,
            SignDraft.self,
            SubmitDraft.self, UnlockDevice.self, ConfigureDevice.self,
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
        try await register(
            RegistrationDraft([Registration(number: number, effectiveFrom: effectiveFrom, body: body)]))
    }

    /// The same for several; those that are taken stand, even if a later one is refused.
    func register(_ registrations: RegistrationDraft) async throws {
        var own = registrations
        if let draft { return try own.write(to: draft) }
        for path in key { try own.sign(with: try PrivateKey.load(path: path)) }
        try await own.submit(to: try client())
    }

    /// What the house knows of a gateway.
    func standing(_ gateway: Identifier) async throws -> DeviceStanding {
        guard let bytes = try await client().get("/v1/devices/\(gateway)") else {
            throw ValidationError(
                "\(gateway) is not registered at this house: register it first (kilomint-collector device add)")
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
            The code is typed at the gateway: kilomint-agent enroll --url https://HOST:8443
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
            let port = try await EnrolmentPort.asked(of: try options.client())
            guard let name = organisation ?? standing.organisation, let organisation = Identifier(name) else {
                throw ValidationError("--organisation: 1 … 40 characters a-z 0-9 -")
            }
            let code = try port.code()
            let claim = Claim(
                gateway: id, organisation: organisation, secret: code.secretDigest,
                expires: port.instant + (hours.map { $0 * 3_600_000 } ?? port.lifetime))
            try await options.register(.claim(claim), number: standing.next_claim, effectiveFrom: port.instant)
            if quiet { return print(code.text) }
            if let draft = options.draft {
                print(
                    "\(draft) waits for a root key and two persons: `device sign`, then `device submit`. Then counts:\n"
                )
            }
            print(ClaimText.shown(id, code, until: claim.expires, port))
        }
    }
}

struct RevokeDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Ends every key and claim of a gateway, at once.",
        discussion: """
            One person's key, or a root key, is enough. Its broker session is ended, its records are not taken any more; what was
            taken stays. To let the gateway come back: `device claim`, and there another `key`, `kilomint-agent init` and `enroll`.
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
