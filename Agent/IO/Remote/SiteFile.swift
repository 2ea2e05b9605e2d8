// The site's configuration file as it was read, and what takes effect with a remote version over it. The file is never
// written; what a version may say is the file's own section `remote`.

internal import AgentCore
internal import Quantities
package import Settings

package struct SiteFile: Sendable {
    package let path: String
    /// As they were read, and not the tree, which takes eight times as much; a version is put over it now and then.
    private let bytes: [UInt8]
    /// Of the file alone.
    package let settings: AgentSettings

    /// - Throws: ``SettingsError`` for a file that cannot be used.
    package init(path: String) throws(SettingsError) {
        self.path = path
        bytes = try SettingsFile.read(path: path)
        settings = try AgentSettings(try SettingsFile.parse(bytes, file: path))
    }

    /// What takes effect with `version` over the file: everything checked but the files that it names.
    ///
    /// - Throws: ``SettingsError`` saying what the site does not allow, or what is wrong with it.
    func settings(over version: RemoteConfiguration.Version?) throws(SettingsError) -> AgentSettings {
        guard let version else { return settings }
        let part = try Self.part(version)
        var new = try AgentSettings(try map(over: part))
        new.file = path
        try check(part, new)
        return new
    }

    /// The file's tree with a remote part over it, for whoever looks at single keys.
    func map(over part: RemotePart?) throws(SettingsError) -> SettingsMap {
        guard let part else { return try SettingsFile.parse(bytes, file: path) }
        let root = try SettingsFile.tree(bytes, file: path)
        return try SettingsFile.map(of: try part.over(root, settings), file: "\(path) with \(part.name)")
    }

    static func part(_ version: RemoteConfiguration.Version) throws(SettingsError) -> RemotePart {
        try RemotePart(version.text, name: "remote version \(version.number)")
    }

    /// What the site allows.
    private func check(_ part: RemotePart, _ new: AgentSettings) throws(SettingsError) {
        let remote = settings.remote
        guard remote.isAllowed else {
            throw part.error("", "is not allowed by the site's file: `remote.allowed` is false or missing")
        }
        for use in part.uses where !remote.parts.contains(use.part) {
            throw part.error(
                use.key, "is of the part \(use.part.rawValue), which `remote.parts` of the site's file does not name",
                line: use.line, allowed: remote.parts.map(\.rawValue).sorted().joined(separator: ", "))
        }
        try checkIntervals(part, new)
        let (own, wanted) = (settings.limits, new.limits)
        guard wanted.bytesPerSecondMax <= own.bytesPerSecondMax else {
            throw part.error(
                "window.bytes_per_second_max", "is more than the site's file has",
                found: SettingsValue.size(wanted.bytesPerSecondMax),
                allowed: "at most \(SettingsValue.size(own.bytesPerSecondMax))")
        }
        guard wanted.resendAfter >= own.resendAfter else {
            throw part.error(
                "resend_after", "is shorter than the site's file has",
                found: SettingsValue.duration(wanted.resendAfter),
                allowed: "at least \(SettingsValue.duration(own.resendAfter))")
        }
        guard let most = remote.bytesADayMax else { return }
        let (before, now) = (try PlanFigures(settings).bytesADay, try PlanFigures(new).bytesADay)
        guard now <= max(most, before) else {
            throw part.error(
                "", "would send \(now / 1_000) kB a day", allowed: "\(most / 1_000) kB, `remote.bytes_a_day_max`")
        }
    }

    private func checkIntervals(_ part: RemotePart, _ new: AgentSettings) throws(SettingsError) {
        var own: [Identifier: (Int64, Int64)] = [:]
        for meter in settings.buses.flatMap(\.meters) { own[meter.id] = (meter.interval, meter.identityInterval) }
        let least = settings.remote.intervalMin
        for meter in new.buses.flatMap(\.meters) {
            let site = own[meter.id] ?? (.max, .max)
            let intervals = [
                ("interval", meter.interval, site.0), ("identity_interval", meter.identityInterval, site.1),
            ]
            for (key, wanted, had) in intervals where wanted < min(least, had) {
                throw part.error(
                    "meters: \(meter.id).\(key)", "is too short", found: SettingsValue.duration(wanted),
                    allowed: "at least \(SettingsValue.duration(least)), `remote.interval_min` of the site's file")
            }
        }
    }
}
