// The certificate authority by hand: make it once, and certificates for servers and for clients that are no gateway. Gateways'
// certificates are made by a running collector alone.

internal import ArgumentParser
internal import CollectorIO
internal import Evidence
internal import Foundation
internal import Keys
internal import Quantities
internal import Settings

struct CACommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca", abstract: "Makes the certificate authority that brokers and gateways trust.",
        discussion: """
            Once:              kilomint-collector ca create --out ca --server-name collector.example --server-name broker.example
            For the broker:    kilomint-collector ca server --ca ca --name broker.example --out broker
            For the collector: kilomint-collector ca client --ca ca --name collector --out collector
            """, subcommands: [Create.self, Server.self, Client.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes DIR/ca.pem and DIR/ca-key.pem (P-256, mode 0600). Never overwrites either.",
            discussion: """
                Claim codes carry the fingerprint of ca.pem: another CA means new codes and new certificates for every gateway.
                With --server-name the CA can make servers' certificates for these names only.
                """)

        @Option(help: "folder; made if it is not there") var out: String
        @Option(help: "common name of the CA") var name = "Kilomint gateways"
        @Option(help: "host name or IP address that servers may have; may be repeated") var serverName: [String] = []
        @Option(help: "years until it ends") var years: Int64 = 20

        func validate() throws {
            guard (1...50).contains(years) else { throw ValidationError("--years: allowed are 1 … 50") }
            guard (1...64).contains(name.utf8.count) else { throw ValidationError("--name: allowed are 1 … 64 bytes") }
        }

        func run() async throws {
            try await withExitStatus {
                let authority = try CertificateAuthority.create(
                    folder: out, name: name, serverNames: serverName, lifetime: years * 365 * 86_400_000,
                    now: SystemClock.realNow())
                print(
                    """
                    \(out)/\(CertificateAuthority.certificateFile)      fingerprint \(authority.fingerprint)
                    \(out)/\(CertificateAuthority.keyFile)  keep a copy where nobody looks; the collector needs it (enrolment.ca_key)
                    """)
            }
        }
    }

    struct Server: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes OUT.pem (certificate, then the CA's) and OUT-key.pem for a server, e.g. the broker.")

        @OptionGroup var files: IssueOptions
        @Option(help: "host name or IP address; may be repeated, the first is the common name") var name: [String]

        func validate() throws {
            guard (1...EnrolmentConfiguration.serverNamesMax).contains(name.count) else {
                throw ValidationError("--name: give 1 … \(EnrolmentConfiguration.serverNamesMax)")
            }
        }

        func run() async throws {
            try await withExitStatus {
                try files.issue { authority, key, now in
                    try authority.issueServer(name, spki: key.publicKey.spki, lifetime: files.lifetime, now: now)
                }
            }
        }
    }

    struct Client: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes OUT.pem and OUT-key.pem for a client that is no gateway, e.g. the collector.")

        @OptionGroup var files: IssueOptions
        @Option(help: "what the broker calls it: 1 … 40 characters a-z 0-9 -") var name: String

        func validate() throws {
            guard Identifier(name) != nil else { throw ValidationError("--name: 1 … 40 characters a-z 0-9 -") }
        }

        func run() async throws {
            try await withExitStatus {
                try files.issue { authority, key, now in
                    try authority.issueClient(name, spki: key.publicKey.spki, lifetime: files.lifetime, now: now)
                }
            }
        }
    }
}

struct IssueOptions: ParsableArguments {
    @Option(help: "folder that `ca create` made") var ca: String
    @Option(help: "name of the files to make, without their endings") var out: String
    @Option(help: "days until it ends") var days: Int64 = 825

    var lifetime: Int64 { days * 86_400_000 }

    func validate() throws {
        guard (1...3650).contains(days) else { throw ValidationError("--days: allowed are 1 … 3650") }
    }

    /// The key first: a crash before the certificate leaves a key that nothing trusts.
    func issue(
        _ make: (CertificateAuthority, PrivateKey, UTCInstant) throws -> CertificateAuthority.Issued
    ) throws {
        let now = SystemClock.realNow()
        let authority = try CertificateAuthority.load(
            certificate: "\(ca)/\(CertificateAuthority.certificateFile)", key: "\(ca)/\(CertificateAuthority.keyFile)",
            now: now)
        guard !FileManager.default.fileExists(atPath: out + ".pem") else { throw KeyError.exists(path: out + ".pem") }
        let key = try PrivateKey.generate(.es256)
        let issued = try make(authority, key, now)
        try key.save(to: out + "-key.pem")
        try CertificateAuthority.write(issued.pem + authority.pem, to: out + ".pem")
        print("\(out).pem  until \(issued.notAfter)\n\(out)-key.pem")
    }
}
