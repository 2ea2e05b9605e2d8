// The files that the configuration names, read and checked: key and profiles, and the buses made of them. Everything that
// can be wrong is found before anything runs. Whose receipts count and where brokers are: AgentParts+Uplink.

package import AgentCore
internal import Keys
internal import Metering
internal import Quantities
package import Settings

/// What an agent is built from.
package struct AgentParts {
    package let settings: AgentSettings
    package let keys: KeyRing
    package let meters: [ConfiguredMeter]
    package let buses: [BusPlan]

    /// - Parameters:
    ///   - keys: opened already; nil: they are opened here.
    ///   - readsAtOnce: every read is asked once immediately; in replay always.
    /// - Throws: ``SettingsError`` naming the key whose file is at fault.
    package init(
        _ settings: AgentSettings, keys: KeyRing? = nil, readsAtOnce: Bool = false
    ) throws(SettingsError) {
        self.settings = settings
        do throws(KeyError) { self.keys = if let keys { keys } else { try KeyRing(settings.key) } } catch {
            throw settings.error("key", settings.key.description, error.description)
        }
        (meters, buses) = try Self.buses(settings, readsAtOnce: readsAtOnce)
    }

    /// The meters and buses alone, for commands that need no keys.
    package static func buses(
        _ settings: AgentSettings, readsAtOnce: Bool = false
    ) throws(SettingsError) -> ([ConfiguredMeter], [BusPlan]) {
        var library = MeterProfiles(settings)
        var meters: [ConfiguredMeter] = []
        var buses: [BusPlan] = []
        let readsAtOnce = readsAtOnce || settings.clock != .real
        for bus in settings.buses {
            var behind: [ConfiguredMeter] = []
            for meter in bus.meters {
                let (profile, versions) = try library.profiles(of: meter)
                var configured = ConfiguredMeter(
                    index: UInt64(meters.count + behind.count), id: meter.id, profile: profile, unit: meter.unit,
                    endpoint: bus.endpoint,
                    quantities: try quantities(meter, versions.isEmpty ? [profile.profile] : versions, settings),
                    interval: meter.interval, identityInterval: meter.identityInterval)
                configured.versions = versions
                (configured.fast, configured.slow) = try classes(meter, configured.quantities, settings)
                configured.shadow = try meter.shadow.map { name throws(SettingsError) in try library.profile(name) }
                behind.append(configured)
            }
            buses.append(
                BusPlan(
                    number: buses.count, endpoint: bus.place.echoing(behind.contains(where: \.hasEcho)),
                    timing: bus.timing, meters: behind,
                    boundary: settings.boundary, readsAtOnce: readsAtOnce))
            meters += behind
        }
        return (meters, buses)
    }

    /// What is asked for, or energy and power as far as every version of the profile has them. A plan is tried at once
    /// where no device is needed for it.
    private static func quantities(
        _ meter: AgentSettings.Meter, _ profiles: [Profile], _ settings: AgentSettings
    ) throws(SettingsError) -> [ObisCode] {
        let usual: [ObisCode] = [.activeImport, .activeExport, .activePower]
        let common = usual.filter { code in profiles.allSatisfy { $0.quantity(code) != nil } }
        let wanted = meter.quantities.isEmpty ? common : meter.quantities
        for profile in profiles {
            for code in wanted where profile.quantity(code) == nil {
                throw settings.error(
                    "quantities", code.text, "profile \(profile.name) of meter \(meter.id) does not have it",
                    allowed: profile.quantities.map(\.obis.text).joined(separator: ", "))
            }
            guard !wanted.isEmpty else {
                throw settings.error(
                    "quantities", nil, "of meter \(meter.id) are missing: the profile has neither energy nor power",
                    allowed: profile.quantities.map(\.obis.text).joined(separator: ", "))
            }
            guard profile.sunSpec == nil else { continue }
            do throws(PlanError) { _ = try profile.plan(wanted) } catch {
                throw settings.error("quantities", nil, "of meter \(meter.id) cannot be read: \(error.description)")
            }
        }
        return wanted
    }

    /// Each quantity that a class names is read, and stands in one class.
    private static func classes(
        _ meter: AgentSettings.Meter, _ wanted: [ObisCode], _ settings: AgentSettings
    ) throws(SettingsError) -> (PollClassPlan, PollClassPlan) {
        let named = meter.fast.quantities + meter.slow.quantities
        for code in named where !wanted.contains(code) || named.count(where: { $0 == code }) > 1 {
            throw settings.error(
                "fast, slow", code.text, "is not read of meter \(meter.id), or stands there twice",
                allowed: wanted.map(\.text).joined(separator: ", "))
        }
        return (meter.fast, meter.slow)
    }

    // MARK: Keeper

    package var keeper: KeeperSettings {
        var replay: (start: UTCInstant, speed: Int64)?
        if case .replayed(let start, let speed, _) = settings.clock { replay = (start, speed) }
        var keeper = KeeperSettings(
            gateway: settings.gateway, agentVersion: agentVersion, replay: replay, commitEvery: settings.commit,
            limits: settings.limits,
            policy: SpoolPolicy(bytesMax: settings.spool.bytesMax, ageMax: settings.spool.ageMax))
        keeper.live = settings.live
        return keeper
    }
}

/// Goes into births.
package let agentVersion = "kilomint-agent 0.1.0"

extension AgentSettings {
    /// A refusal of a value whose file or meaning is wrong.
    package func error(_ keyPath: String, _ found: String?, _ problem: String, allowed: String? = nil) -> SettingsError
    {
        SettingsError(file: file, keyPath: keyPath, found: found, problem: problem, allowed: allowed)
    }
}
