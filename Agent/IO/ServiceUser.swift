// Whose the agent's files are. What root makes in the service's folder only root may read: the service could not start with it.

internal import Glibc

package enum ServiceUser {
    /// Called by root, goes on as the user whose folder holds the spool, or will; for good. Nobody else's call does anything.
    ///
    /// - Returns: that user's name; nil: nothing changed.
    /// - Throws: ``SystemError`` where that user is not known here, or the system refuses.
    package static func become(ownerOf path: String) throws(SystemError) -> String? {
        guard geteuid() == 0 else { return nil }
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        // The packages make the folder above the spool; sample.yaml has the spool in the service's folder itself.
        guard let user = owner(of: path) ?? owner(of: parent) else { return nil }
        guard let entry = getpwuid(user) else {
            throw SystemError("go on as user \(user), whose \(path) is: no such user", code: ENOENT)
        }
        let name = String(cString: entry.pointee.pw_name)
        // Groups first: afterwards there is no right to take them. Serial lines and the TPM are open to groups alone.
        guard initgroups(name, entry.pointee.pw_gid) == 0, setgid(entry.pointee.pw_gid) == 0,
            setuid(entry.pointee.pw_uid) == 0
        else { throw SystemError("go on as \(name)") }
        return name
    }

    /// Nil: root's, or not there.
    private static func owner(of path: String) -> uid_t? {
        var status = stat()
        return stat(path, &status) == 0 && status.st_uid != 0 ? status.st_uid : nil
    }
}
