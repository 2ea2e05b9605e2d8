// The profiles that meters of a configuration name: one file, or the versions of a map for different firmware. Which
// version a device is read with is not decided here.

internal import AgentCore
internal import Metering
internal import Settings

/// Reads each file once.
struct MeterProfiles {
    private let settings: AgentSettings
    /// By name; only looked up.
    private var known: [String: HeldProfile] = [:]
    /// By name: the profiles beside it that say for which firmware they are. Only looked up.
    private var beside: [String: [Profile]] = [:]
    /// By name: of what a meter's is chosen, once for all meters. Only looked up.
    private var together: [String: [Profile]] = [:]

    init(_ settings: AgentSettings) { self.settings = settings }

    /// - Throws: ``SettingsError`` for a file that is missing, no profile, or calls itself otherwise.
    mutating func profile(_ name: String) throws(SettingsError) -> Profile { try held(name).profile }

    private mutating func held(_ name: String) throws(SettingsError) -> HeldProfile {
        if let profile = known[name] { return profile }
        let profile = try Profile(try SettingsFile.load(path: path(name)))
        guard profile.name == name else {
            throw settings.error("profile", name, "the file calls itself \(profile.name): rename one of them")
        }
        let held = HeldProfile(profile)
        known[name] = held
        return held
    }

    /// What a meter is read with, and of what that is chosen.
    ///
    /// - Returns: the profile until one is chosen, and where none is for the device; the versions, none where there is
    ///   nothing to choose.
    mutating func profiles(of meter: AgentSettings.Meter) throws(SettingsError) -> (HeldProfile, [Profile]) {
        let name = meter.profile
        let others = try versions(beside: name)
        let own = others.isEmpty || ProfileTools.isFile(path(name)) ? try held(name) : nil
        let versions = together[name] ?? (own.map { [$0.profile] } ?? []) + others
        together[name] = versions
        guard versions.count <= VersionSearch.versionsMax else {
            throw settings.error(
                "profile", name, "has \(versions.count) versions", allowed: "at most \(VersionSearch.versionsMax)")
        }
        let names = versions.map(\.name).joined(separator: ", ")
        guard Set(versions.map(\.sunSpec?.bases)).count == 1 else {
            throw settings.error(
                "profile", name, "has versions that look for SunSpec models at different places: \(names)")
        }
        if let fallback = meter.fallback {
            guard let profile = versions.first(where: { $0.name == fallback }) else {
                throw settings.error("fallback", fallback, "is no version of \(name)", allowed: names)
            }
            return (try held(profile.name), others.isEmpty ? [] : versions)
        }
        guard let own else {
            throw settings.error(
                "profile", name,
                "names several versions: `fallback` must say with which one meter \(meter.id) is read "
                    + "while none is for it", allowed: names)
        }
        return (own, others.isEmpty ? [] : versions)
    }

    /// `vendor/model-…` with firmware conditions.
    private mutating func versions(beside name: String) throws(SettingsError) -> [Profile] {
        if let found = beside[name] { return found }
        let vendor = String(name.prefix { $0 != "/" })
        var found: [Profile] = []
        let folder = settings.profiles + "/" + vendor
        for file in ProfileTools.isFolder(folder) ? try ProfileTools.names(folder) : [] {
            let other = vendor + "/" + file
            guard other != name, Profile.isName(other, ofFamily: name) else { continue }
            // Of those that say nothing about firmware none is kept: they are other devices' maps.
            let known = self.known[other]
            let profile = try self.profile(other)
            if !profile.firmware.isEmpty { found.append(profile) } else if known == nil { self.known[other] = nil }
        }
        beside[name] = found
        return found
    }

    private func path(_ name: String) -> String { settings.profiles + "/" + name + ".yaml" }
}
