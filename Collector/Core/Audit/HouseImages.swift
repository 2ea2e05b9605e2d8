// Both logs of a house with all their epochs, genesis, and the keys that follow from it. Everything else builds on these.

internal import CBOR
package import Proofs

/// What somebody who checks brings along, so that he need not believe the house about who it is.
package struct AuditPins: Hashable, Sendable {
    /// Verifier key of epoch 1 of the Journal.
    package var houseKey: NoteVerifierKey?
    /// A root key (DER SubjectPublicKeyInfo) that genesis must name.
    package var root: [UInt8]?

    package init(houseKey: NoteVerifierKey? = nil, root: [UInt8]? = nil) {
        self.houseKey = houseKey
        self.root = root
    }

    package var isEmpty: Bool { houseKey == nil && root == nil }
}

package struct HouseImages: Sendable {
    package let genesis: Genesis
    /// By epoch, from 1.
    package let journal: [LogImage]
    package let evidence: [LogImage]

    /// The last epoch's.
    package var heads: [LogImage] { [journal.last, evidence.last].compactMap(\.self) }

    /// Reads both logs. The Journal first: whatever of the Evidence log it names was published before.
    package static func load(_ pins: AuditPins, _ tools: AuditTools) async throws -> HouseImages {
        let contents: HouseContents
        do { contents = try HouseContents(decoding: try await tools.file("house")) } catch let error as ShapeError {
            throw AuditFailure(.file("house"), "\(error)")
        }
        let journal = try await epochs(.journal, contents.journalEpochs, tools)
        let genesis = try await genesis(journal[0], tools)
        let evidence = try await epochs(.evidence, contents.evidenceEpochs, tools)
        let images = HouseImages(genesis: genesis, journal: journal, evidence: evidence)
        for image in journal + evidence { try images.requireSigned(image, tools) }
        try images.requireEpochs(journal, tools)
        try images.requireEpochs(evidence, tools)
        try images.require(contents, pins)
        return images
    }

    private static func epochs(_ log: LogName, _ count: UInt64, _ tools: AuditTools) async throws -> [LogImage] {
        // From the last back: each says how much is held of the one before.
        var images: [LogImage] = []
        var held: UInt64?
        for epoch in (1...count).reversed() {
            let image = try await LogImage.load(log, epoch: epoch, held: held, tools)
            images.insert(image, at: 0)
            if epoch > 1 { held = try image.epochEntry().held }
        }
        return images
    }

    /// Genesis alone, for who needs the house's keys and no more: entry 0 and what lies beside it. That it is the one
    /// the log key signed is not checked.
    package static func genesis(_ tools: AuditTools) async throws -> Genesis {
        let path = LogImage.path(.journal, 1)
        guard let note = SignedNote(parsing: try await tools.file(path + "checkpoint")),
            let checkpoint = Checkpoint(text: note.text), let origin = LogOrigin(checkpoint.origin), checkpoint.size > 0
        else { throw AuditFailure(.file(path + "checkpoint"), "is no signed note of a checkpoint") }
        var reader = TreeReader(path: path, log: .journal, epoch: 1, size: min(checkpoint.size, UInt64(Tile.width)))
        try await reader.readEntries(tools)
        return try await genesis(
            LogImage(
                origin: origin, note: note, checkpoint: checkpoint, entries: reader.entries,
                leaves: reader.hashes.first ?? []),
            tools)
    }

    /// Entry 0 of the Journal.
    private static func genesis(_ image: LogImage, _ tools: AuditTools) async throws -> Genesis {
        var reader = JournalReader([image])
        guard let (event, body) = try await reader.next(tools), case .genesis(let value) = body else {
            throw AuditFailure(.entry(.journal, .start), "is not a Genesis")
        }
        let place = AuditPlace.event(.start, kind: event.kind)
        let genesis: Genesis
        do throws(ShapeError) { genesis = try Genesis(decoding: value.encoded()) } catch {
            throw AuditFailure(place, "\(error)")
        }
        guard event.payload?.commandID == genesis.commandID else {
            throw AuditFailure(place, "its command id is not SHA-256(\"genesis\" ‖ genesis)")
        }
        return genesis
    }

    private func requireSigned(_ image: LogImage, _ tools: AuditTools) throws {
        let place = AuditPlace.file(image.path + "checkpoint")
        guard image.origin.base == genesis.originBase else {
            throw AuditFailure(place, "origin \(image.origin) is not under \(genesis.originBase), which genesis fixed")
        }
        guard image.isSigned(byKey: genesis.keys.log, tools) else {
            throw AuditFailure(place, "is not signed by the log key that genesis fixed")
        }
    }

    /// Each epoch after the first begins with how the one before it ended.
    private func requireEpochs(_ images: [LogImage], _ tools: AuditTools) throws {
        for (before, image) in zip(images, images.dropFirst()) {
            let place = AuditPlace.entry(image.origin.log, LogPosition(epoch: image.origin.epoch, index: 0))
            let entry = try image.epochEntry()
            guard entry.ended == before.origin.description else {
                throw AuditFailure(place, "ended \(entry.ended), before it stands \(before.origin)")
            }
            guard let note = SignedNote(parsing: entry.lastPublished), let last = Checkpoint(text: note.text),
                last.origin == entry.ended,
                LogImage(origin: before.origin, note: note, checkpoint: last, entries: [], leaves: [])
                    .isSigned(byKey: genesis.keys.log, tools)
            else { throw AuditFailure(place, "carries no checkpoint of \(entry.ended) signed by the log key") }
            guard last.size > before.size || before.root(size: last.size) == last.root else {
                throw AuditFailure(
                    place, "its checkpoint of \(entry.ended) is not a prefix of what is held of that epoch")
            }
        }
    }

    private func require(_ contents: HouseContents, _ pins: AuditPins) throws {
        let raw = Array(genesis.keys.log.suffix(32))
        guard contents.keys.allSatisfy({ $0.ed25519 == raw }) else {
            throw AuditFailure(.file("house"), "names a log key that is not the one genesis fixed")
        }
        if let pinned = pins.houseKey {
            guard pinned.ed25519 == raw, pinned.name == journal[0].origin.description else {
                throw AuditFailure(.file("house"), "is another house: its log key is not \(pinned)")
            }
        }
        if let root = pins.root, !genesis.keys.roots.contains(root) {
            throw AuditFailure(
                .event(.start, kind: "Genesis"), "is another house: the root key given is not among its roots")
        }
    }
}

extension LogImage {
    /// Entry 0 of an epoch after the first.
    func epochEntry() throws -> EpochEntry {
        let place = AuditPlace.entry(origin.log, LogPosition(epoch: origin.epoch, index: 0))
        guard let first = entries.first else { throw AuditFailure(place, "is missing") }
        do throws(LogEntryError) { return try EpochEntry(decoding: first) } catch {
            throw AuditFailure(place, "\(error)")
        }
    }
}
