// What a start finds in the spool folder, and which stream it goes on with: the same one, or a new one that says why.

package import AgentCore
internal import CBOR
internal import Evidence
internal import Glibc
internal import Keys
internal import Quantities

/// The spool, opened and ready for a keeper.
package struct KeeperStart {
    package let spool: Spool
    package let reserve: SpoolReserve
    package let opening: Spool.Opening
    package var chain: Chain
    package var planner: CommitPlanner
    package var lastBirth: [UInt8]?
    /// The keys that are there, and which one signs.
    package let signers: Signers
    /// As it is to be remembered: the spool's own, unless the disk is full.
    package private(set) var agent: AgentState

    /// Opens the folder, salvages what is damaged, decides about the stream and remembers that a run has begun.
    ///
    /// - Throws: ``SpoolError``, ``SystemError``, ``DatabaseError``: the agent cannot keep anything then.
    package init(
        folder: String, settings: KeeperSettings, meters: [ConfiguredMeter], keys: KeyRing, clock: MachineClock,
        log: Log
    ) throws {
        do {
            self = try Self(of: folder, settings, meters, keys, clock, log)
        } catch let error as DatabaseError where error.isDamaged {
            // A page that opening does not need, and the start does: now it is known, and the start salvages.
            log.line(.error, "the spool is damaged", [("error", error.description)])
            SpoolFolder(folder).markDamaged()
            self = try Self(of: folder, settings, meters, keys, clock, log)
        } catch let error where Self.isFull(error) {
            // The room that is kept for this: it is taken again once a commit has worked.
            log.line(.error, "the disk is full: the reserve is given back", [("error", "\(error)")])
            SpoolReserve(folder: folder).release()
            self = try Self(of: folder, settings, meters, keys, clock, log, isFull: true)
        }
    }

    private static func isFull(_ error: any Error) -> Bool {
        switch error {
        case let error as DatabaseError: error.isFull
        case SpoolError.database(let error): error.isFull
        case let error as SystemError: error.code == ENOSPC || error.code == EDQUOT
        case SpoolError.system(let error): error.code == ENOSPC || error.code == EDQUOT
        default: false
        }
    }

    private init(
        of folder: String, _ settings: KeeperSettings, _ meters: [ConfiguredMeter], _ keys: KeyRing,
        _ clock: MachineClock, _ log: Log, isFull: Bool = false
    ) throws {
        let now = clock.now()
        try SpoolFolder.create(folder)
        let marks = try SpoolFolder(folder).marks()
        let machine = SpoolFolder.machine()
        let book = KeyBook(folder: folder)
        (spool, opening) = try Spool.openOrSalvage(
            folder: folder, gateway: settings.gateway, bytesMax: settings.policy.bytesMax,
            keys: SpoolKeys(keys: keys.held.map(\.key.publicKey) + book.keys), at: now.utc, log: log)
        reserve = SpoolReserve(folder: folder)
        if !isFull { reserve.restore() }
        agent = spool.agent

        // The stream says which key is in force, also after a crash in the middle of a change.
        var kid: [UInt8]?
        if let last = spool.streams.last { kid = try spool.kidInForce(after: last) }
        let change = Self.change(opening, spool, marks, machine, keys, kid)
        var predecessor: Birth.Predecessor?
        if spool.streams.isEmpty || change != nil {
            predecessor = Self.predecessor(spool, marks, reason: change ?? "the spool was lost")
            guard let id = StreamID(secureRandom(count: 8)) else { throw SpoolError.damaged("no stream id") }
            let before = max(spool.streams.last?.ordinal ?? 0, spool.claimedOrdinalMax)
            try spool.open(StreamState(ordinal: before + 1, id: id))
            log.line(
                .info, "new stream",
                [("stream", id.description), ("reason", change ?? (predecessor?.reason ?? "first"))])
        }
        guard let stream = spool.streams.last else { throw SpoolError.damaged("no stream is open") }
        // After the stream is durable: a crash in between makes one more stream, never two gateways with one.
        let found = SpoolFolder.Marks(machine: machine, stream: stream.id)
        if found != marks { try SpoolFolder(folder).write(found) }

        chain = Chain(gateway: settings.gateway, stream: stream.id, head: stream.head, link: stream.link)
        lastBirth = try spool.latestBirth(of: stream)
        let born = lastBirth.flatMap(Self.birth)
        signers = Self.signers(keys, book, kid, log)
        planner = CommitPlanner(
            register: MeterRegister(meters), agentVersion: settings.agentVersion, replay: settings.replay,
            born: born?.withoutPredecessor, predecessor: predecessor, monotonic: now.monotonic)
        noteLeftAside(now)
        try noteCrash(born, settings, clock, now)
        try begin(isFull, log)
    }

    /// Damaged spools that nobody takes over.
    private mutating func noteLeftAside(_ now: Moment) {
        for quarantine in spool.leftAside {
            let name = String(quarantine.dropFirst(spool.folder.utf8.count + 1))
            planner.note(
                .quarantined(0, 0, reason: "not taken over: \(name)", uptime: now.uptime), subject: name,
                monotonic: now.monotonic)
        }
    }

    /// A run has begun.
    private mutating func begin(_ isFull: Bool, _ log: Log) throws {
        agent.isClean = false
        agent.session += 1
        do { try spool.commit([], agent: agent, streams: spool.streams) } catch let error as DatabaseError
            where isFull && error.isFull
        {
            // The keeper makes room and remembers it with its first commit. A crash before that is one that nobody is told of: of
            // this run nothing was kept.
            log.line(.error, "the spool cannot remember this start", [("error", error.description)])
            try spool.reload()
        }
    }

    /// Why the stream that is there cannot go on; nil when it can.
    private static func change(
        _ opening: Spool.Opening, _ spool: Spool, _ marks: SpoolFolder.Marks?, _ machine: String, _ keys: KeyRing,
        _ kid: [UInt8]?
    ) -> String? {
        if case .salvaging = opening { return "the spool was damaged" }
        // A crash came between: the last stream is a damaged file's, and its end is not here yet.
        if let last = spool.streams.last, last.ordinal <= spool.claimedOrdinalMax { return "the spool was damaged" }
        if spool.streams.last?.isEnded == true { return "the stream was ended" }
        if let marks, !machine.isEmpty, !marks.machine.isEmpty, marks.machine != machine {
            return "another machine: the disk was moved or cloned"
        }
        // Nobody vouched in the stream for a key that is there: what it signed would be refused for ever.
        if let kid, keys.key(kid: kid) == nil { return "another key: \(kid.hex) signed until here" }
        return nil
    }

    /// The key that the stream knows; in a new stream the one that was in force last, else the configured one.
    private static func signers(_ keys: KeyRing, _ book: KeyBook, _ kid: [UInt8]?, _ log: Log) -> Signers {
        var book = book
        let current = keys.key(kid: kid) ?? keys.key(book.current?.key) ?? keys.held[0].key
        do throws(SystemError) { try book.note(current.publicKey, at: CertificateClock.realTime()) } catch {
            log.line(.warning, "the keys could not be written down", [("error", error.description)])
        }
        return Signers(keys, current: current, book: book)
    }

    private static func predecessor(
        _ spool: Spool, _ marks: SpoolFolder.Marks?, reason: String
    ) -> Birth.Predecessor? {
        if let last = spool.streams.last {
            // What the damaged file says there was, whether or not it can be read.
            return Birth.Predecessor(
                stream: last.id, lastSequence: max(last.head, spool.claimedHead(of: last.id)), reason: reason)
        }
        return marks.map { Birth.Predecessor(stream: $0.stream, lastSequence: 0, reason: reason) }
    }

    private static func birth(_ envelope: [UInt8]) -> Birth? {
        do {
            let message = try SignedMessage(parsing: envelope, as: .record)
            guard case .birth(let birth) = try Record(decoding: message.payload).body else { return nil }
            return birth
        } catch { return nil }  // Unreadable: another birth explains the reads from here on.
    }

    private mutating func noteCrash(
        _ born: Birth?, _ settings: KeeperSettings, _ clock: MachineClock, _ now: Moment
    ) throws {
        guard let born, !spool.agent.isClean else { return }
        let before = try spool.lastCommit()
        let isComparable = settings.replay != nil || before.boot == clock.boot
        let speed = UInt64(settings.replay?.speed ?? 1)
        let lost =
            isComparable && now.uptime >= before.uptime
            ? now.uptime - before.uptime : 2 * UInt64(settings.commitEvery) * speed
        planner.note(
            born.crashNote(committed: before.uptime, lost: lost, uptime: now.uptime), subject: "",
            monotonic: now.monotonic)
    }
}
