// What a start runs: the site's file, with the version that is in force or on trial over it. A start on trial is counted before
// it runs; a version that cannot run is taken back here, and the start goes on without it.

internal import AgentCore
package import Settings

package struct RemoteStart {
    package let site: SiteFile
    /// As they take effect.
    package private(set) var settings: AgentSettings
    private(set) var keeping: RemoteKeeping
    /// Every meter is asked at once, so that the trial need not wait for an interval.
    package var isOnTrial: Bool { keeping.state.trial != nil }

    /// - Throws: ``SettingsError`` for a site's file that cannot run; never for a remote version.
    package init(path: String, log: Log = Log()) throws(SettingsError) {
        try self.init(site: try SiteFile(path: path), log: log)
    }

    init(site: SiteFile, log: Log, before: @escaping @Sendable (RemoteFile.Step) throws(SystemError) -> Void = { _ in })
        throws(SettingsError)
    {
        self.site = site
        settings = site.settings
        keeping = RemoteKeeping(RemoteFile(folder: site.settings.spool.path, before: before), log: log)
        guard keeping.state.trial != nil || keeping.state.accepted != nil else { return }
        // A crash before this is stored counts nothing, and nothing of the version ran.
        if keeping.state.trial != nil, !keeping.changeDurably({ $0.start() }) {
            keeping.change { $0.rollBack("it could not be stored that it starts on trial") }
        }
        // The version on trial, the one in force, the file alone: the first that can run.
        while let version = keeping.state.effective {
            do throws(SettingsError) {
                let wanted = try site.settings(over: version)
                _ = try AgentParts.buses(wanted)
                settings = wanted
                log.line(
                    .info, "remote configuration",
                    [
                        ("version", String(version.number)),
                        ("state", keeping.state.trial == nil ? "in force" : "on trial"),
                    ])
                return
            } catch {
                log.line(
                    .error, "a remote configuration cannot run",
                    [("version", String(version.number)), ("problem", error.description)])
                keeping.change { state in
                    if state.trial != nil { state.rollBack(error.description) } else { state.forget(error.description) }
                }
            }
        }
    }
}
