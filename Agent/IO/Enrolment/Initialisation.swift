// `init`: the gateway's key and its spool, without any network, so that reading, signing and storing begin before the SIM
// works. Done once or often, the same stands afterwards; nothing that is there is ever replaced.

internal import AgentCore
internal import Evidence
package import Keys
internal import Settings

/// What `init` found and made.
package struct Initialisation: Sendable {
    package let publicKey: PublicKey
    package let isKeyNew: Bool
    package let isSpoolNew: Bool

    /// Makes what is missing. Not while the agent runs: its spool is its own; then only the key is looked at.
    ///
    /// - Throws: ``SettingsError`` for the key, ``SystemError``, ``SpoolError``, ``DatabaseError`` for the spool.
    package init(_ settings: AgentSettings, log: Log = Log()) throws {
        isKeyNew = try Self.makeKey(settings)
        // A crash from here on leaves a key without a spool: the next call, or the first run, makes the spool.
        let parts = try AgentParts(settings)
        isSpoolNew = try Self.makeSpool(parts, log)
        publicKey = parts.keys.inForce(settings).publicKey
    }

    /// Whether there is no key yet, and ``init(_:log:)`` would make one.
    package static func lacksKey(_ settings: AgentSettings) -> Bool {
        guard let path = settings.key.path, !isThere(path) else { return false }
        // Two names: a key that is being changed may have only the second.
        do throws(KeyError) { _ = try KeyRing(settings.key) } catch { return isLacking(path, error) }
        return false
    }

    private static func isLacking(_ path: String, _ error: KeyError) -> Bool {
        guard case .file(action: "open", path: _, reason: _) = error else { return false }
        return !isThere(path)
    }

    /// Whether the spool is there; not whether the key can be read.
    package static func isDone(_ settings: AgentSettings) -> Bool { isThere(Spool.file(settings.spool.path)) }

    /// Makes the gateway's key where there is none; whether it did.
    package static func makeKey(_ settings: AgentSettings) throws -> Bool {
        do throws(KeyError) { _ = try KeyRing(settings.key) } catch {
            // Anything but "no such file" is a key that a person has to look at. In a token or TPM `key create` makes one.
            guard let path = settings.key.path, Self.isLacking(path, error) else {
                throw settings.error("key", settings.key.description, error.description)
            }
            do { _ = try PrivateKey.create(in: settings.key) } catch KeyError.exists {
                return false  // Another init was faster.
            } catch {
                throw settings.error("key", path, "\(error)")
            }
            return true
        }
        return false
    }

    private static func makeSpool(_ parts: AgentParts, _ log: Log) throws -> Bool {
        let folder = parts.settings.spool.path
        guard !isThere(Spool.file(folder)) else { return false }
        let start = try KeeperStart(
            folder: folder, settings: parts.keeper, meters: parts.meters, keys: parts.keys,
            clock: try MachineClock(house: parts.settings.clock), log: log)
        var agent = start.spool.agent
        agent.isClean = true
        // Without it the first run would look at each page of an empty spool.
        try start.spool.commit([], agent: agent, streams: start.spool.streams)
        start.spool.close()
        return true
    }

    private static func isThere(_ path: String) -> Bool { SmallFile.isThere(path) }
}
