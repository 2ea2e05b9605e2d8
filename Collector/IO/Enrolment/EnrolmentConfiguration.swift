// The section `enrolment` of the collector's configuration. Left out: no enrolment port is opened.

internal import Settings

package struct EnrolmentConfiguration: Sendable {
    package struct Server: Hashable, Sendable {
        package let host: String
        package let port: Int
    }

    package let host: String
    package let port: Int
    package let authority: String
    package let authorityKey: String
    /// Names in the enrolment server's certificate: what gateways call it.
    package let serverNames: [String]
    /// Of gateways' certificates, ms.
    package let certificateLifetime: Int64
    /// Of the claims that the collector drafts, ms.
    package let claimLifetime: Int64
    /// Where the list of revoked certificates is written; nil: nowhere.
    package let revocationFile: String?
    /// How long that list counts, ms; it is written anew at half of it.
    package let revocationLifetime: Int64
    /// What gateways are told, in the order they are to try.
    package let brokers: [Server]

    package static let brokersMax = 8
    package static let serverNamesMax = 16
    private static let day: Int64 = 86_400_000

    /// Nil when the section is not there.
    init?(_ value: SettingsValue?) throws(SettingsError) {
        guard let map = try value?.map() else { return nil }
        host = try map.optional("host")?.text(1...255) ?? "0.0.0.0"
        port = try map.optional("port")?.int(in: 1...65_535) ?? 8443
        authority = try map.value("ca_certificate").path()
        authorityKey = try map.value("ca_key").path()
        var names: [String] = []
        for item in try map.value("server_names").list(count: 1...Self.serverNamesMax) {
            names.append(try item.text(1...253))
        }
        serverNames = names
        certificateLifetime =
            try map.optional("certificate_lifetime")?.milliseconds(in: 3_600_000...825 * Self.day) ?? 90 * Self.day
        claimLifetime = try map.optional("claim_lifetime")?.milliseconds(in: 60_000...90 * Self.day) ?? 7 * Self.day
        revocationFile = try map.optional("crl_file")?.path()
        revocationLifetime =
            try map.optional("crl_lifetime")?.milliseconds(in: 3_600_000...90 * Self.day) ?? 14 * Self.day
        var brokers: [Server] = []
        for item in try map.value("brokers").list(count: 1...Self.brokersMax) {
            let broker = try item.map()
            brokers.append(
                Server(
                    host: try broker.value("host").text(1...255),
                    port: try broker.optional("port")?.int(in: 1...65_535) ?? 8883))
        }
        self.brokers = brokers
    }
}
