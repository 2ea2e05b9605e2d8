// The folder around the spool: its marks (which machine, which stream) and the room kept for a full disk.

internal import Evidence
internal import Glibc
internal import Proofs
internal import Quantities

/// The folder that holds `spool.db`, `marks`, `reserve` and what was quarantined.
struct SpoolFolder {
    /// What stands beside the database, so that a moved, cloned or unreadable one is noticed.
    struct Marks: Hashable, Sendable {
        /// SHA-256 of /etc/machine-id in hexadecimal; empty where the machine has none.
        let machine: String
        let stream: StreamID
    }

    let path: String

    init(_ path: String) { self.path = path }

    /// Makes the folder, for its owner only, unless it is there. Its parent must exist.
    static func create(_ path: String) throws(SystemError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("create folder \(path)") }
    }

    /// This machine's mark.
    static func machine() -> String {
        do {
            let text = try SmallFile.text("/etc/machine-id")
            return text.isEmpty ? "" : Digest(of: Array(text.utf8)).description
        } catch { return "" }  // Not every system has one; then a clone cannot be told.
    }

    // MARK: Damage

    /// Pages were found damaged while the agent ran: the next start salvages.
    var isDamaged: Bool { access(path + "/damaged", F_OK) == 0 }

    /// Best effort: without it the next start finds the same damage in the same place, later.
    func markDamaged() {
        let descriptor = open(path + "/damaged", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    func clearDamage() { unlink(path + "/damaged") }

    /// Lines that are kept in the file of names; what is older stays for a person.
    private static let namesMax = 2 * Salvage.quarantinesMax

    /// The quarantined folders that are not taken over wholly yet, oldest first.
    var salvaging: [String] {
        do {
            let names = try SmallFile.text(path + "/salvaging").split(separator: "\n")
            return names.filter { $0.hasPrefix("quarantine-") && !$0.contains("/") }.map { path + "/" + $0 }
        } catch { return [] }  // Nothing is under way; or the names are lost, and the folders stay for a person.
    }

    /// The log is moved, the database is not: a crash came between. Alone it would be another, older database.
    var isMoveBegun: Bool {
        guard let last = salvaging.last else { return false }
        return access(last + "/spool.db", F_OK) != 0 && access(last + "/spool.db-wal", F_OK) == 0
    }

    /// The folder to move a damaged database to: that of a move that a crash has interrupted, or a new one.
    ///
    /// Its name is durable before anything is moved: a crash from then on takes the salvage up again. The names before it stay.
    func beginSalvage(at now: UTCInstant) throws(SystemError) -> String {
        let begun = salvaging
        if let last = begun.last, access(last + "/spool.db", F_OK) != 0 {
            guard mkdir(last, 0o700) == 0 || errno == EEXIST else { throw SystemError("create \(last)") }
            return last
        }
        // A clock may say the same twice: what is in a folder already is not replaced.
        var number = now.milliseconds
        var quarantine = path + "/quarantine-\(number)"
        while mkdir(quarantine, 0o700) != 0 {
            guard errno == EEXIST else { throw SystemError("create \(quarantine)") }
            number += 1
            quarantine = path + "/quarantine-\(number)"
        }
        try write(salvaging: begun + [quarantine])
        return quarantine
    }

    /// Whole or not at all: a crash leaves the names that were there.
    private func write(salvaging quarantines: [String]) throws(SystemError) {
        let lines = quarantines.suffix(Self.namesMax).map { $0.dropFirst(path.utf8.count + 1) + "\n" }
        try SmallFile.replace(path + "/salvaging", with: Array(lines.joined().utf8))
    }

    /// What is still to be taken over. Best effort: a name too many is gone over again, and what is there is passed over.
    func setSalvaging(_ quarantines: [String]) {
        guard !quarantines.isEmpty else {
            unlink(path + "/salvaging")
            return
        }
        do throws(SystemError) { try write(salvaging: quarantines) } catch {}  // As if a crash had come before.
    }

    // MARK: Marks

    /// Nil when there are none, or the disk does not give them, or they cannot be understood: they are only a hint.
    func marks() throws(SystemError) -> Marks? {
        let text: String
        do { text = try SmallFile.text(path + "/marks") } catch {
            // Sectors that cannot be read are written anew with the next marks; not being allowed to read is for a person.
            guard error.code == ENOENT || error.code == EIO else { throw error }
            return nil
        }
        let lines = text.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: false) }
        guard lines.count == 2, lines[0].count == 2, lines[1].count == 2, lines[0][0] == "machine",
            lines[1][0] == "stream", let bytes = [UInt8](hex: String(lines[1][1])), let stream = StreamID(bytes)
        else { return nil }
        return Marks(machine: String(lines[0][1]), stream: stream)
    }

    /// Whole or not at all: a crash leaves the old marks, perhaps with a temporary file beside them.
    func write(_ marks: Marks) throws(SystemError) {
        try SmallFile.replace(path + "/marks", with: Array("machine \(marks.machine)\nstream \(marks.stream)\n".utf8))
    }
}

/// Room on the disk that is given back when the disk is full, so that a skip can be written and the log folded in: more
/// than the log is long when it is folded in (``Spool/logBytes``) and than what is written to make room.
package final class SpoolReserve {
    static let bytes = 2_097_152

    private let path: String
    private var isHeld = false

    init(folder: String) { path = folder + "/reserve" }

    /// Takes the room if there is any. Called after each commit that worked; does nothing while it is held.
    func restore() {
        guard !isHeld else { return }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Real blocks, not a hole: only these can be given back.
        isHeld = posix_fallocate(descriptor, 0, Self.bytes) == 0
        if !isHeld { unlink(path) }
    }

    func release() {
        unlink(path)
        isHeld = false
    }
}
