// The collector's configuration: one strict YAML file, read once at start. Keys are documented in docs/collector.md.

internal import Evidence
package import Quantities
package import Settings

/// What a bearer token may do. Later roles include `viewer`; `operator` includes all.
package enum AccessRole: String, CaseIterable, Sendable {
    case viewer
    case auditor
    case owner
    case verifier
    case `operator`
}

package struct CollectorConfiguration: Sendable {
    package struct HTTP: Sendable {
        package let host: String
        package let port: Int
        /// Viewer routes need no token.
        package let openReads: Bool
    }

    package struct Token: Sendable {
        package let role: AccessRole
        package let file: String
    }

    package struct Broker: Sendable {
        package let host: String
        package let port: Int
        package let username: String?
        package let passwordFile: String?
        package let clientID: String
        package let tlsCAFile: String?
        /// Both or neither.
        package let certificateFile: String?
        package let keyFile: String?
        /// The collector keeps the clients and roles of Mosquitto's dynamic-security plugin in step with the registry.
        package let hasDynamicSecurity: Bool
        /// Connections, each with an equal share of the partitions: 1, 2, 4 … 64.
        package let partitions: Int
    }

    package struct KeyFiles: Sendable {
        package let receipt: String
        package let log: String
        package let seal: String
        /// Signs commands to gateways; nil: none are given.
        package let command: String?
    }

    package let data: String
    /// A folder on a second volume: the largest checkpoints stand there too.
    package let witness: String
    package let clock: HouseClock
    /// Base of both logs' origins: a schema-less URL prefix. Genesis fixes it.
    package let logOrigin: String
    package let profiles: String
    package let http: HTTP
    package let tokens: [Token]
    package let broker: Broker
    package let keys: KeyFiles
    /// The signed key list gateways pin.
    package let keyList: String
    /// Nil: no enrolment port.
    package let enrolment: EnrolmentConfiguration?

    package static func load(path: String) throws(SettingsError) -> CollectorConfiguration {
        let root = try SettingsFile.load(path: path)
        let configuration = try CollectorConfiguration(root)
        try root.finish()
        return configuration
    }

    private init(_ root: SettingsMap) throws(SettingsError) {
        data = try root.value("data").path()
        witness = try root.value("witness").path()
        clock = try Self.clock(root)
        logOrigin = try Self.origin(root.value("log_origin"))
        profiles = try root.value("profiles").path()
        let web = try root.value("http").map()
        http = HTTP(
            host: try web.optional("host")?.text(1...255) ?? "127.0.0.1",
            port: try web.value("port").int(in: 1...65_535),
            openReads: try web.optional("open_reads")?.bool() ?? false)
        var tokens: [Token] = []
        for item in try root.optional("tokens")?.list(count: 0...64) ?? [] {
            let map = try item.map()
            let roles = AccessRole.allCases.map { (name: $0.rawValue, value: $0) }
            tokens.append(Token(role: try map.value("role").choice(roles), file: try map.value("file").path()))
        }
        self.tokens = tokens
        broker = try Self.broker(try root.value("mqtt").map())
        let files = try root.value("keys").map()
        keys = KeyFiles(
            receipt: try files.value("receipt").path(), log: try files.value("log").path(),
            seal: try files.value("seal").path(), command: try files.optional("command")?.path())
        keyList = try root.value("key_list").path()
        enrolment = try EnrolmentConfiguration(root.optional("enrolment"))
    }

    /// A URL prefix without its scheme (C2SP tlog-checkpoint): it becomes part of paths and of signed notes.
    private static func origin(_ value: SettingsValue) throws(SettingsError) -> String {
        let allowed = "3 … 200 characters: a host and a path without scheme, e.g. collector.example/solar-east"
        let text = try value.text(3...200)
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 48...57, 65...90, 97...122: true
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: ":"): true
            default: false
            }
        }
        guard isPlain, parts.allSatisfy({ !$0.isEmpty }) else {
            throw value.error("is not an origin", allowed: allowed)
        }
        return text
    }

    private static func broker(_ map: SettingsMap) throws(SettingsError) -> Broker {
        let authorities = try map.optional("ca_file")?.path()
        let certificate = try map.optional("certificate_file")?.path()
        let key = try map.optional("key_file")?.path()
        guard (certificate == nil) == (key == nil) else {
            throw map.error("`certificate_file` and `key_file` stand together or not at all")
        }
        guard certificate == nil || authorities != nil else {
            throw map.error("`certificate_file` needs `ca_file`: without it the broker is not verified")
        }
        return Broker(
            host: try map.value("host").text(1...255),
            port: try map.optional("port")?.int(in: 1...65_535) ?? (authorities == nil ? 1883 : 8883),
            username: try map.optional("username")?.text(1...64),
            passwordFile: try map.optional("password_file")?.path(),
            clientID: try map.optional("client_id")?.text(1...64) ?? "kilomint-collector",
            tlsCAFile: authorities, certificateFile: certificate, keyFile: key,
            hasDynamicSecurity: try map.optional("dynamic_security")?.bool() ?? false,
            partitions: try map.optional("partitions")?.choice(
                PartitionShare.counts.map { (name: "\($0)", value: $0) }) ?? 1)
    }

    /// `clock: real`, or `clock: {replay: {start, speed, zero}}`. Left out: real.
    package static func clock(_ root: SettingsMap) throws(SettingsError) -> HouseClock {
        guard let value = root.optional("clock") else { return .real }
        guard value.isMap else {
            _ = try value.choice([(name: "real", value: 0)])
            return .real
        }
        let replay = try value.map().value("replay").map()
        return .replayed(
            start: try instant(replay.value("start")), speed: try replay.value("speed").int(in: 1...1_000_000),
            zero: try instant(replay.value("zero")))
    }

    package static func instant(_ value: SettingsValue) throws(SettingsError) -> UTCInstant {
        let text = try value.instantText()
        guard let instant = UTCInstant(text) else {
            throw value.error("is not an instant", allowed: "RFC 3339 in UTC, e.g. 2016-07-07T06:00:00Z")
        }
        return instant
    }
}
