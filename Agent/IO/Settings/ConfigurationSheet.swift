// `config show`: the configuration as it takes effect, each value with where it comes from. Secrets stand in files, of which
// only the paths are shown.

internal import AgentCore
internal import Evidence
internal import Glibc
internal import Keys
internal import MQTT
internal import Metering
internal import Quantities
package import Settings

/// One line a value: key, value, origin.
package struct ConfigurationSheet: Sendable {
    package struct Row: Hashable, Sendable {
        package let key: String
        package let value: String
        /// `site file` or `default`, `enrolment` for what the enrolled folder brings, or `remote version N`.
        package let origin: String
    }

    package let rows: [Row]

    /// - Throws: ``SettingsError`` for a file that cannot be used.
    package init(path: String) throws(SettingsError) {
        let site = try SiteFile(path: path)
        let remote = Remote(site)
        let map = try site.map(over: remote.part)
        let settings = try site.settings(over: remote.version)
        var rows = Self.general(settings, map)
        rows += try Self.broker(settings, map) + Self.limits(settings, map)
        rows = rows.map {
            remote.part?.has($0.key) == true ? Row(key: $0.key, value: $0.value, origin: remote.name) : $0
        }
        rows += Self.remote(site.settings.remote, remote, map)
        rows += try Self.buses(settings, map, remote)
        self.rows = rows
    }

    /// Aligned; with the origin if asked for.
    package func text(origin: Bool) -> String {
        let keys = rows.map(\.key.count).max() ?? 0
        let values = rows.map(\.value.count).max() ?? 0
        return rows.map { row in
            let key = row.key + String(repeating: " ", count: keys - row.key.count)
            guard origin else { return key + "  " + row.value + "\n" }
            let room = String(repeating: " ", count: min(60, values) - min(60, values, row.value.count))
            return key + "  " + row.value + room + "  " + row.origin + "\n"
        }.joined()
    }

    private static func general(_ settings: AgentSettings, _ map: SettingsMap) -> [Row] {
        let (time, size) = (SettingsValue.duration, SettingsValue.size)
        let values: [(String, String)] = [
            ("gateway", settings.gateway.text), ("key", settings.key.description),
            ("key_list", settings.keyList ?? settings.enrolled + "/key-list.cbor"),
            ("root_key", settings.rootKey ?? settings.enrolled + "/root.spki"),
            ("clock", settings.clock == .real ? "real" : "replay"), ("commit", time(settings.commit)),
            ("resend_after", time(settings.limits.resendAfter)),
            ("resend_after_max", time(settings.limits.resendAfterMax)), ("profiles", settings.profiles),
            ("boundary", time(settings.boundary)), ("control", settings.control),
            ("spool.path", settings.spool.path), ("spool.bytes_max", size(Int64(settings.spool.bytesMax))),
            ("spool.age_max", time(settings.spool.ageMax)),
            ("enrolment.rekey_days", settings.rekeyDays.map(String.init) ?? "none"),
        ]
        return values.map { key, value in
            let isTrust = key == "key_list" || key == "root_key"
            return Row(key: key, value: value, origin: origin(key, map, otherwise: isTrust ? "enrolment" : "default"))
        }
    }

    private static func limits(_ settings: AgentSettings, _ map: SettingsMap) -> [Row] {
        let size = SettingsValue.size
        let limits = settings.limits
        return [
            ("window.records_max", String(limits.recordsMax)), ("window.bytes_max", size(Int64(limits.bytesMax))),
            ("window.bytes_per_second_max", size(Int64(limits.bytesPerSecondMax))),
        ].map { Row(key: $0, value: $1, origin: origin($0, map)) }
    }

    private static func broker(_ settings: AgentSettings, _ map: SettingsMap) throws(SettingsError) -> [Row] {
        guard let mqtt = settings.mqtt else {
            return [Row(key: "mqtt", value: settings.enrolled + "/brokers.yaml", origin: "enrolment")]
        }
        let values: [(String, String?)] = [
            ("mqtt.host", mqtt.host), ("mqtt.port", String(mqtt.port)),
            ("mqtt.brokers", mqtt.alternates.map(\.description).joined(separator: ", ")),
            ("mqtt.username", mqtt.username), ("mqtt.password_file", mqtt.passwordFile), ("mqtt.ca_file", mqtt.caFile),
            ("mqtt.certificate_file", mqtt.certificateFile),
            ("mqtt.key_file", mqtt.keyFile ?? (mqtt.certificateFile == nil ? nil : settings.key.description)),
            ("mqtt.keep_alive", SettingsValue.duration(Int64(mqtt.keepAliveSeconds) * 1000)),
        ]
        return values.map { key, value in
            Row(key: key, value: value.flatMap { $0.isEmpty ? nil : $0 } ?? "none", origin: origin(key, map))
        }
    }

    private static func buses(
        _ settings: AgentSettings, _ map: SettingsMap, _ remote: Remote
    ) throws(SettingsError) -> [Row] {
        var rows: [Row] = []
        let time = SettingsValue.duration
        for (bus, item) in zip(settings.buses, try map.value("buses").list()) {
            let behind = try item.map().value("meters").list()
            for (meter, item) in zip(bus.meters, behind) {
                let own = try item.map()
                let values: [(String, String, Bool)] = [
                    ("bus", bus.endpoint, false), ("unit", String(meter.unit), false),
                    ("profile", meter.profile, false), ("interval", time(meter.interval), true),
                    ("identity_interval", time(meter.identityInterval), true),
                    ("quantities", meter.quantities.map(\.text).joined(separator: ", "), false),
                ]
                let fallback = meter.fallback.map { [("fallback", $0, false)] } ?? []
                for (key, value, isShared) in values + fallback {
                    let isSaid = own.has(key) || key == "bus" || (isShared && map.has(key))
                    let isFar = remote.says(key, of: meter.id.text, own: own.has(key), isShared: isShared)
                    rows.append(
                        Row(
                            key: "\(meter.id).\(key)", value: value.isEmpty ? "energy and power" : value,
                            origin: isFar ? remote.name : isSaid ? "site file" : "default"))
                }
            }
        }
        return rows
    }

    /// Whether a dotted key stands in the file.
    private static func origin(_ key: String, _ map: SettingsMap, otherwise: String = "default") -> String {
        let parts = key.split(separator: ".").map(String.init)
        guard let first = parts.first, map.has(first) else { return otherwise }
        guard parts.count == 2 else { return "site file" }
        do throws(SettingsError) {
            let inner = try map.optional(first)?.map()
            return inner?.has(parts[1]) == true ? "site file" : otherwise
        } catch { return otherwise }  // It was read as a map a moment ago.
    }
}

// MARK: - Remote

extension ConfigurationSheet {
    /// The version that the running agent uses, as its file says.
    fileprivate struct Remote {
        let standing: String
        let version: RemoteConfiguration.Version?
        let part: RemotePart?
        var name: String { "remote version \(version?.number ?? 0)" }

        /// A version that cannot be used is not: the site's file counts, and the row says why.
        init(_ site: SiteFile) {
            do {
                let state = try RemoteFile(folder: site.settings.spool.path).read() ?? RemoteConfiguration()
                guard let version = state.effective else {
                    (standing, self.version, part) = (state.trial == nil ? "none" : "none, on trial", nil, nil)
                    return
                }
                let found = try SiteFile.part(version)
                _ = try site.settings(over: version)
                (self.version, part) = (version, found)
                standing = "\(version.number), " + (state.trial == nil ? "in force" : "on trial")
            } catch let error as SystemError where error.code == EACCES {
                // The values of the site's file are shown: whether they take effect root or the service's user may ask.
                (standing, version, part) = ("not known to this user: \(error)", nil, nil)
            } catch {
                (standing, version, part) = ("not used: \(error)", nil, nil)
            }
        }

        func says(_ key: String, of meter: String, own: Bool, isShared: Bool) -> Bool {
            guard let part else { return false }
            if let meter = part.meter(meter), meter.bus != nil || meter.has(key) { return true }
            return isShared && !own && part.has(key)
        }
    }

    private static func remote(_ remote: AgentSettings.Remote, _ found: Remote, _ map: SettingsMap) -> [Row] {
        let time = SettingsValue.duration
        let values: [(String, String)] = [
            ("remote.allowed", remote.isAllowed ? "true" : "false"),
            ("remote.parts", remote.parts.map(\.rawValue).sorted().joined(separator: ", ")),
            ("remote.interval_min", time(remote.intervalMin)),
            ("remote.bytes_a_day_max", remote.bytesADayMax.map(SettingsValue.size) ?? "none"),
            ("remote.trial", time(remote.trial)),
        ]
        return values.map { Row(key: $0, value: $1, origin: origin($0, map)) }
            + [Row(key: "remote version", value: found.standing, origin: "commands")]
    }
}
