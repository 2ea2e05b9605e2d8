// What both logs promise, whatever they are built on: a signed, append-only tree that never tells two histories.

package import CollectorCore
package import Keys
package import Proofs

/// Why a log did not do what it was asked. All of them leave the log sound.
package enum LogError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Somebody else holds a later or another history. Nothing was written. Final until an epoch is opened.
    case behind(LogStanding)
    /// Something with this id stands here already. Nothing was written. Final.
    case duplicateID(existing: LogPosition)
    /// Another append came first. Nothing was written. Read and decide again.
    case moved(expected: UInt64, actual: UInt64)
    /// Outside a bound, or an order that does not fit. Nothing was written. Final.
    case refused(String)
    /// No room. Nothing was written. Try again when there is.
    case full(String)
    /// What is stored contradicts itself. Final until an operator restores it.
    case damaged(String)
    /// The outcome is unknown: read and decide again. Deciding again is safe, because ids are accepted once.
    case storage(String)
    /// Another process has this log open for writing.
    case inUse(String)
    /// The file is not this log, is newer than this program, or SQLite did not take a setting. Final.
    case unsuitable(String)

    package var description: String {
        switch self {
        case .behind(let standing): standing.description
        case .duplicateID(let existing): "already in the log at \(existing)"
        case .moved(let expected, let actual): "expected \(expected) and found \(actual): read and decide again"
        case .refused(let text), .full(let text), .damaged(let text), .storage(let text), .inUse(let text),
            .unsuitable(let text):
            text
        }
    }
}

/// A head of this log that somebody else holds.
package struct KnownHead: Hashable, Sendable {
    package let origin: LogOrigin
    /// Entries it proves at least.
    package let size: UInt64
    /// Nil when only a receipt tells.
    package let root: Digest?
    /// Who holds it, for the operator: `witness PATH`, `receipt of GATEWAY/STREAM` …
    package let holder: String

    package init(origin: LogOrigin, size: UInt64, root: Digest?, holder: String) {
        self.origin = origin
        self.size = size
        self.root = root
        self.holder = holder
    }

    /// What binds more: a later epoch, then a checkpoint before a receipt, then more entries.
    var rank: (UInt64, Int, UInt64) { (origin.epoch, root == nil ? 0 : 1, size) }
}

/// How this log compares with what is known of it outside its own file.
package enum LogStanding: Hashable, Sendable, CustomStringConvertible {
    /// Nobody is known to hold more or something else.
    case current
    /// Entries are missing here that were promised: an older copy was restored.
    case behind(KnownHead)
    /// The same place holds something else: a second history was begun.
    case contradicted(KnownHead)

    /// The head that makes it so; nil when current.
    package var head: KnownHead? {
        switch self {
        case .current: nil
        case .behind(let head), .contradicted(let head): head
        }
    }

    package var description: String {
        switch self {
        case .current: "nobody is known to hold more"
        case .behind(let head):
            "\(head.holder) holds \(head.size) entries of \(head.origin), this log has fewer: it appends and signs "
                + "nothing until `kilomint-collector epoch open` (first restore a newer copy, if there is one)"
        case .contradicted(let head):
            "\(head.holder) holds another history of \(head.origin) at \(head.size) entries: this log appends and "
                + "signs nothing until `kilomint-collector epoch open`"
        }
    }
}

/// A checkpoint and its signed note, as published.
package struct PublishedCheckpoint: Hashable, Sendable {
    package let checkpoint: Checkpoint
    package let note: [UInt8]

    package init(checkpoint: Checkpoint, note: [UInt8]) {
        self.checkpoint = checkpoint
        self.note = note
    }
}

/// One tree of a log.
package struct LogEpoch: Hashable, Sendable {
    package let origin: LogOrigin
    /// Entries held.
    package let size: UInt64

    package init(origin: LogOrigin, size: UInt64) {
        self.origin = origin
        self.size = size
    }
}

/// The key that signs checkpoints (Ed25519).
package struct LogKey: Sendable {
    package let publicKey: PublicKey
    package let sign: @Sendable ([UInt8]) throws -> [UInt8]

    /// - Parameter sign: 64 raw bytes over what it is given, by the private half of `publicKey`, which is Ed25519.
    package init(publicKey: PublicKey, sign: @escaping @Sendable ([UInt8]) throws -> [UInt8]) {
        self.publicKey = publicKey
        self.sign = sign
    }

    package init(_ key: PrivateKey) {
        self.init(publicKey: key.publicKey) { bytes in try key.sign(bytes) }
    }
}

/// What the Evidence log and the Journal have in common.
///
/// **Durable.** What a call returned, and what a reader sees, is synced on the log's own device; a checkpoint also on
/// the device of every witness file. **Atomic.** An append is in the log whole or not at all, with everything that
/// belongs to it. **One history.** Entries are never changed; for a tree size at most one root is ever signed, and no
/// smaller tree after a larger one. **Final errors**: see ``LogError``; after `.storage` the outcome is unknown and the
/// log has read itself again before the next call.
///
/// Calls block on the disk: they belong on dedicated threads, never on the cooperative pool. Any number of threads may
/// call; appends wait for each other, readers for nobody.
package protocol TransparencyLog: Sendable {
    var name: LogName { get }

    /// Where the next entry goes.
    func end() throws(LogError) -> LogPosition

    /// All trees, the one written to last.
    func epochs() throws(LogError) -> [LogEpoch]

    func standing() throws(LogError) -> LogStanding

    /// Hands in a checkpoint somebody else holds. One that is not signed by this log's key is ignored: anyone could
    /// have written it. The answer is remembered over restarts.
    @discardableResult
    func learned(checkpoint note: [UInt8], from holder: String) throws(LogError) -> LogStanding

    /// Signs the tree as it is, leaves the note with every witness, then in the log's own file, then shows it. The same
    /// note again when nothing was appended.
    func publish() throws(LogError) -> PublishedCheckpoint

    /// The newest published checkpoint of `epoch`, of the newest epoch for nil. Nil when there is none.
    func published(epoch: UInt64?) throws(LogError) -> PublishedCheckpoint?

    /// Ends an epoch that others know better than this log, and begins the next tree with an ``EpochEntry``. Its first
    /// checkpoint is published before this returns. The same call again changes nothing.
    ///
    /// - Parameters:
    ///   - ended: origin of the ended epoch, as the epoch document names it.
    ///   - lastPublished: the last checkpoint note published of it: at least the largest one known.
    /// - Returns: the position of the epoch entry.
    @discardableResult
    func openEpoch(ended: String, lastPublished: [UInt8]) throws(LogError) -> LogPosition

    /// The entries of one epoch as they were hashed, from `from` on, at most `limit`. Fewer only at the end.
    func entries(from: LogPosition, limit: Int) throws(LogError) -> [[UInt8]]

    /// Root of the first `size` entries of an epoch. Refused when fewer are held.
    func root(epoch: UInt64, size: UInt64) throws(LogError) -> Digest

    /// RFC 6962 §2.1.1, leaf to root, in the tree of the first `size` entries of the position's epoch.
    func inclusionProof(of position: LogPosition, size: UInt64) throws(LogError) -> [Digest]

    /// RFC 6962 §2.1.2.
    func consistencyProof(epoch: UInt64, old: UInt64, new: UInt64) throws(LogError) -> [Digest]

    /// What is served below `log/<name>/<epoch>/`: `checkpoint`, `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`.
    /// Nil for anything the published checkpoint does not cover (in an ended epoch: for what is not held).
    func file(epoch: UInt64, path: String) throws(LogError) -> [UInt8]?

    /// What is served as `records/<name>/<epoch>/<bundle>`: a CBOR array of what lies beside entries 256·bundle …
    /// 256·bundle + 255, null where there is nothing or it was erased. Nil when none of them is held.
    func records(epoch: UInt64, bundle: UInt64) throws(LogError) -> [UInt8]?

    /// Reads every entry of every epoch and computes everything again: leaf hashes, tiles, roots, signatures, and that
    /// what lies beside an entry is what the entry says.
    ///
    /// - Throws: `.damaged` with the first place where they differ.
    func audit() throws(LogError) -> LogAudit

    /// Waits for running calls and lets another process open the log. Every later call throws `.storage`. A log that
    /// is not closed when its process ends loses nothing.
    func close() throws(LogError)
}

/// What an audit went through.
package struct LogAudit: Hashable, Sendable {
    package var entries: UInt64 = 0
    /// Entries with nothing beside them any more.
    package var erased: UInt64 = 0

    package init() {}
}
