// The signed tree under both SQLite logs: entries, tiles, checkpoints, epochs, and who else knows what of it. Not what
// lies beside an entry: that is the logs'.

internal import CollectorCore
internal import Foundation
internal import GRDB
internal import Keys
internal import Proofs
internal import Synchronization

/// Where a log lies, and where its checkpoints are witnessed.
package struct LogConfiguration: Sendable {
    /// The SQLite file. `.lock`, `-wal` and `-shm` stand beside it.
    package let path: String
    /// Of the origins: stands in genesis.
    package let base: String
    /// Files that hold the last signed checkpoint, on other volumes than `path`. At least one, or a restored copy can
    /// be noticed only through what gateways hold.
    package let witnesses: [String]
    /// Opens although a witness file is gone. Only by an operator's word: without it nobody knows how far this log was.
    package var acceptsMissingWitness = false
    /// Runs SQLite's quick_check on opening. It reads the whole file.
    package var quickCheck = false
    /// Largest size of the SQLite file in bytes; nil for no bound but the device's.
    package var bytesMax: Int64?

    package init(path: String, base: String, witnesses: [String]) {
        self.path = path
        self.base = base
        self.witnesses = witnesses
    }
}

/// The steps of the writes, each about to be done. Tests fail or copy there; an error thrown there counts as that
/// step's failure.
package enum LogStep: Hashable, Sendable, CaseIterable {
    /// An append stands in the open transaction. A crash leaves nothing of it.
    case commit
    /// It is durable, the caller was not told. A crash leaves all of it.
    case answer
    /// A checkpoint is signed and nobody has it. A crash leaves nothing: the same size gives the same root again.
    case witness
    /// Every witness has it, the log's own file not yet. A crash leaves it there, unseen: the next call signs the same
    /// tree or a larger one.
    case record
    /// It is in the log's own file, and so visible; the caller was not told.
    case show
}

/// In memory, owned by the lock of ``SQLiteTree``: what an append needs and what it changes.
struct TreeState: Sendable {
    var epoch: UInt64
    var edge: TreeEdge
    var published: PublishedCheckpoint?
    var standing: LogStanding
}

final class SQLiteTree: Sendable {
    static let schema = """
        CREATE TABLE epoch (number INTEGER PRIMARY KEY, origin TEXT NOT NULL) STRICT;
        CREATE TABLE entry (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
        CREATE TABLE tile (
            epoch INTEGER NOT NULL, level INTEGER NOT NULL, number INTEGER NOT NULL, hashes BLOB NOT NULL,
            PRIMARY KEY (epoch, level, number)) STRICT;
        CREATE TABLE checkpoint (epoch INTEGER PRIMARY KEY, size INTEGER NOT NULL, note BLOB NOT NULL) STRICT;
        CREATE TABLE known (
            one INTEGER PRIMARY KEY CHECK (one = 1), contradicts INTEGER NOT NULL, origin TEXT NOT NULL,
            size INTEGER NOT NULL, root BLOB, holder TEXT NOT NULL) STRICT;
        """

    let file: LogFile
    let name: LogName
    let base: String
    let key: LogKey
    let witnesses: [WitnessFile]
    let step: @Sendable (LogStep) throws -> Void
    private let acceptsMissingWitness: Bool
    /// Nil after an error with an unknown outcome: the next call reads the file again, as opening does.
    private let state = Mutex<TreeState?>(nil)

    /// Opens the file and reads the tree's edge; compares with the witnesses.
    init(
        _ configuration: LogConfiguration, name: LogName, schema: LogSchema, key: LogKey,
        step: @escaping @Sendable (LogStep) throws -> Void
    ) throws(LogError) {
        file = try LogFile(
            path: configuration.path, schema: schema, quickCheck: configuration.quickCheck,
            bytesMax: configuration.bytesMax)
        self.name = name
        base = configuration.base
        self.key = key
        witnesses = configuration.witnesses.map { WitnessFile(path: $0) }
        acceptsMissingWitness = configuration.acceptsMissingWitness
        self.step = step
        try withState { _ in }
    }

    /// Runs `body` on the state, one caller at a time. The lock is held while the disk syncs: appends wait for each
    /// other anyway, and readers do not come here.
    func withState<T: Sendable>(_ body: (inout TreeState) throws -> T) throws(LogError) -> T {
        try state.withLock { held throws(LogError) in
            var current: TreeState
            if let before = held { current = before } else { current = try load() }
            let before = current
            held = nil
            do {
                let result = try body(&current)
                held = current
                return result
            } catch {
                let error = LogFile.logError(error, file.path)
                switch error {
                case .duplicateID, .moved, .refused: held = before
                case .behind: held = current
                case .full, .damaged, .storage, .inUse, .unsuitable: break
                }
                throw error
            }
        }
    }

    /// Runs `body` in a transaction in which it may append entries. All of it is durable on return, or nothing is in.
    func append<T: Sendable>(_ body: (Database, inout TreeAppender) throws -> T) throws(LogError) -> T {
        try withState { state in
            guard state.standing == .current else { throw LogError.behind(state.standing) }
            let (result, edge) = try write(state.epoch, state.edge, body)
            state.edge = edge
            try step(.answer)
            return result
        }
    }

    func write<T>(
        _ epoch: UInt64, _ edge: TreeEdge, _ body: (Database, inout TreeAppender) throws -> T
    ) throws(LogError) -> (T, TreeEdge) {
        try file.write { db in
            var appender = try TreeAppender(db, epoch: epoch, edge: edge)
            let result = try body(db, &appender)
            try appender.storeTiles()
            try step(.commit)
            return (result, appender.edge)
        }
    }

    // MARK: Reading the state

    /// The state as the file and the witnesses have it: on opening, and after an unknown outcome.
    private func load() throws(LogError) -> TreeState {
        if try file.read({ db in try Self.epochs(db).isEmpty }) {
            try file.write { db in
                try db.execute(sql: "INSERT INTO epoch VALUES (1, ?)", arguments: ["\(origin(1))"])
            }
        }
        var state = try file.read { db in
            let epochs = try Self.epochs(db)
            for (index, epoch) in epochs.enumerated() where epoch.origin != "\(origin(UInt64(index) + 1))" {
                throw LogError.unsuitable(
                    "\(file.path) is the log \(epoch.origin), not \(origin(epoch.number)): name its own file, or set log_origin to the first one's base"
                )
            }
            let epoch = UInt64(epochs.count)
            let edge = try TreeEdge(size: try Self.size(db, epoch)) { level, number in
                try Self.tile(db, epoch, level, number)
            }
            let published = try publishedChecked(db, epoch, edge)
            return TreeState(epoch: epoch, edge: edge, published: published, standing: try knownStanding(db))
        }
        try compareWitnessesOnOpening(&state)
        return state
    }

    func origin(_ epoch: UInt64) -> LogOrigin { LogOrigin(base: base, log: name, epoch: epoch) }

    /// The published checkpoint of the file, if its signature and its root hold.
    private func publishedChecked(_ db: Database, _ epoch: UInt64, _ edge: TreeEdge) throws -> PublishedCheckpoint? {
        guard let note = try Self.note(db, epoch) else { return nil }
        guard let published = verified(note) else {
            throw LogError.unsuitable(
                "\(file.path) holds a checkpoint that the log key did not sign: give the log's own key")
        }
        guard published.checkpoint.origin == "\(origin(epoch))", published.checkpoint.size <= edge.size,
            try root(db, epoch, published.checkpoint.size) == published.checkpoint.root
        else { throw LogError.damaged(LogFile.damageText(file.path, "its tree is not the one its checkpoint signed")) }
        return published
    }

    private func compareWitnessesOnOpening(_ state: inout TreeState) throws(LogError) {
        for witness in witnesses {
            if let note = try witness.read() {
                try learn(note, of: witness, &state)
            } else if state.published != nil, !acceptsMissingWitness {
                throw witness.missing
            }
        }
    }

    /// What a witness file tells. It may be further than the log's own file: a publication was interrupted.
    func learn(_ note: [UInt8], of witness: WitnessFile, _ state: inout TreeState) throws(LogError) {
        guard let known = verified(note), let origin = LogOrigin(known.checkpoint.origin), origin.base == base,
            origin.log == name
        else { throw witness.foreign }
        _ = try learn(known.checkpoint, origin, "witness \(witness.path)", &state)
    }

    /// The checkpoint of a note, nil unless the log key signed it under its origin's name.
    func verified(_ note: [UInt8]) -> PublishedCheckpoint? {
        guard let signed = SignedNote(parsing: note), let checkpoint = Checkpoint(text: signed.text),
            let verifier = NoteVerifierKey(name: checkpoint.origin, ed25519: key.publicKey.rawEd25519 ?? []),
            verifier.verifies(signed, verify: { key.publicKey.verify(signature: $0, over: $1) })
        else { return nil }
        return PublishedCheckpoint(checkpoint: checkpoint, note: note)
    }

    // MARK: What others know

    /// Compares a head somebody else holds with the tree; what is found is remembered in the file before it counts.
    func learn(
        _ checkpoint: Checkpoint, _ origin: LogOrigin, _ holder: String, _ state: inout TreeState
    ) throws(LogError) -> LogStanding {
        let head = KnownHead(origin: origin, size: checkpoint.size, root: checkpoint.root, holder: holder)
        guard origin.epoch >= state.epoch else { return state.standing }
        if origin.epoch > state.epoch || head.size > state.edge.size { return try remember(.behind(head), &state) }
        let epoch = state.epoch
        let own = try file.read { db in try root(db, epoch, head.size) }
        return own == checkpoint.root ? state.standing : try remember(.contradicted(head), &state)
    }

    /// Keeps the worst that is known: a later epoch, then a checkpoint before a receipt, then a larger size.
    func remember(_ standing: LogStanding, _ state: inout TreeState) throws(LogError) -> LogStanding {
        guard let head = standing.head else { return state.standing }
        if let known = state.standing.head, known.rank >= head.rank { return state.standing }
        let contradicts = standing == .contradicted(head)
        guard let size = Int64(exactly: head.size) else {
            throw .refused("a log of \(head.size) entries: no log is so large")
        }
        try file.write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO known VALUES (1, ?, ?, ?, ?, ?)",
                arguments: [contradicts, "\(head.origin)", size, head.root.map { Data($0.bytes) }, head.holder])
        }
        state.standing = standing
        return standing
    }

    func knownStanding(_ db: Database) throws -> LogStanding {
        guard let row = try Row.fetchOne(db, sql: "SELECT contradicts, origin, size, root, holder FROM known") else {
            return .current
        }
        guard let origin = LogOrigin(row[1]), let size = UInt64(exactly: row[2] as Int64) else {
            throw LogError.damaged(LogFile.damageText(file.path, "what others hold of it cannot be read"))
        }
        let root = (row[3] as Data?).flatMap { Digest($0) }
        let head = KnownHead(origin: origin, size: size, root: root, holder: row[4])
        return row[0] ? .contradicted(head) : .behind(head)
    }
}
