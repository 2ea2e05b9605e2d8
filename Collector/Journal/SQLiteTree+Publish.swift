// Signing: checkpoints and the first entry of an epoch. The order of the steps is what keeps a log from telling two
// histories.

internal import CollectorCore
internal import Foundation
internal import GRDB
internal import Keys
internal import Proofs

extension SQLiteTree {
    func publish() throws(LogError) -> PublishedCheckpoint {
        try withState { state in try publish(&state) }
    }

    private func publish(_ state: inout TreeState) throws -> PublishedCheckpoint {
        // Another copy of this log may have signed since: what it left with a witness stops this one.
        let behindWitnesses = try compareWitnesses(&state)
        guard state.standing == .current else { throw LogError.behind(state.standing) }
        if let published = state.published, published.checkpoint.size == state.edge.size {
            // Signed already. A witness that lost its file gets it again.
            for witness in behindWitnesses { try witness.write(published.note) }
            return published
        }
        // Everything up to this size was durable before its append returned, so what is signed here cannot be lost by
        // a crash, only by losing the device.
        let checkpoint = Checkpoint(
            origin: "\(origin(state.epoch))", size: state.edge.size, root: state.edge.frontier.root)
        let published = PublishedCheckpoint(checkpoint: checkpoint, note: try signed(checkpoint))
        try step(.witness)
        for witness in witnesses { try witness.write(published.note) }
        try step(.record)
        try record(published, state.epoch)
        state.published = published
        try step(.show)
        return published
    }

    /// Reads every witness and learns from it.
    ///
    /// - Returns: those that do not hold the checkpoint this log published last.
    private func compareWitnesses(_ state: inout TreeState) throws -> [WitnessFile] {
        var others: [WitnessFile] = []
        for witness in witnesses {
            let note = try witness.read()
            if note == nil || note != state.published?.note { others.append(witness) }
            if let note, note != state.published?.note { try learn(note, of: witness, &state) }
        }
        return others
    }

    private func signed(_ checkpoint: Checkpoint) throws -> [UInt8] {
        guard let raw = key.publicKey.rawEd25519, let verifier = NoteVerifierKey(name: checkpoint.origin, ed25519: raw)
        else {
            throw LogError.unsuitable("the log key is not Ed25519: make one with `openssl genpkey -algorithm ed25519`")
        }
        let signature = SignedNote.Signature(
            name: checkpoint.origin, keyID: verifier.keyID, signature: try key.sign(Array(checkpoint.text.utf8)))
        let note = Array(SignedNote(text: checkpoint.text, signatures: [signature]).encoded.utf8)
        guard verified(note) != nil else {
            throw LogError.unsuitable("the log key's two halves do not belong together: restore the key file")
        }
        return note
    }

    /// Into the log's own file, where readers see it. Never a smaller one over a larger.
    func record(_ published: PublishedCheckpoint, _ epoch: UInt64) throws(LogError) {
        try file.write { db in
            try db.execute(
                sql: """
                    INSERT INTO checkpoint VALUES (?, ?, ?) ON CONFLICT (epoch) DO UPDATE
                    SET size = excluded.size, note = excluded.note WHERE excluded.size >= size
                    """,
                arguments: [
                    Int64(clamping: epoch), Int64(clamping: published.checkpoint.size), Data(published.note),
                ])
        }
    }

    func learned(checkpoint note: [UInt8], from holder: String) throws(LogError) -> LogStanding {
        guard let known = verified(note), let origin = LogOrigin(known.checkpoint.origin), origin.base == base,
            origin.log == name
        else { return try standing() }
        return try withState { state in try learn(known.checkpoint, origin, holder, &state) }
    }

    func standing() throws(LogError) -> LogStanding { try file.read { db in try knownStanding(db) } }

    // MARK: Epochs

    func openEpoch(ended: String, lastPublished note: [UInt8]) throws(LogError) -> LogPosition {
        try withState { state in
            let entry = EpochEntry(ended: ended, lastPublished: note, held: 0)
            guard let last = verified(note), last.checkpoint.origin == ended, let origin = LogOrigin(ended),
                origin.base == base, origin.log == name, note.count <= EpochEntry.noteBytesMax
            else {
                throw LogError.refused(
                    "the epoch document's note is not a checkpoint of \(ended) signed by the log key")
            }
            let next = LogPosition(epoch: origin.epoch + 1, index: 0)
            if origin.epoch < state.epoch {
                try requireSame(entry, at: next, in: state)
            } else {
                try requireLargest(last.checkpoint, origin, state)
                let held = origin.epoch == state.epoch ? state.edge.size : 0
                try begin(next.epoch, EpochEntry(ended: ended, lastPublished: note, held: held), &state)
            }
            // A crash before this line leaves an open epoch without a checkpoint: asking again publishes it.
            _ = try publish(&state)
            return next
        }
    }

    /// The epoch was begun by the same order before: asking twice is asking once.
    private func requireSame(_ entry: EpochEntry, at position: LogPosition, in state: TreeState) throws {
        let stored = try file.read { db in try Self.entry(db, position) }
        guard position.epoch == state.epoch, let first = try stored.map(EpochEntry.init(decoding:)),
            first.ended == entry.ended, first.lastPublished == entry.lastPublished
        else {
            throw LogError.refused("\(entry.ended) has ended already; this log writes to \(origin(state.epoch))")
        }
    }

    private func requireLargest(_ last: Checkpoint, _ origin: LogOrigin, _ state: TreeState) throws {
        var least = state.published.map { [(origin: self.origin(state.epoch), size: $0.checkpoint.size)] } ?? []
        switch state.standing {
        case .current:
            throw LogError.refused("nobody is known to hold more than this log: it needs no new epoch")
        case .behind(let head), .contradicted(let head):
            // A receipt may prove entries that no checkpoint covered yet; only its epoch binds.
            least.append((head.origin, head.root == nil ? 0 : head.size))
        }
        for known in least where (origin.epoch, last.size) < (known.origin.epoch, known.size) {
            throw LogError.refused(
                "the epoch document names \(last.size) entries of \(last.origin), but \(known.size) of \(known.origin) "
                    + "were published: sign one that names the last checkpoint")
        }
    }

    private func begin(_ epoch: UInt64, _ entry: EpochEntry, _ state: inout TreeState) throws {
        guard epoch < 1 << 22 else { throw LogError.refused("epoch \(epoch): no log has so many") }
        let first = state.epoch + 1
        let (_, edge) = try write(epoch, TreeEdge()) { db, appender in
            // Epochs that only others know were never held: they stand here as empty trees.
            for number in first...epoch {
                try db.execute(
                    sql: "INSERT INTO epoch VALUES (?, ?)", arguments: [Int64(clamping: number), "\(origin(number))"])
            }
            try db.execute(sql: "DELETE FROM known")
            try appender.append(entry.encoded)
        }
        (state.epoch, state.edge, state.published, state.standing) = (epoch, edge, nil, .current)
        try step(.answer)
    }
}
