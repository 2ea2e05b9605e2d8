// What a commit consists of: births before the readings they explain, readings, notes. Decides only; nothing is signed.

internal import CBOR
package import Evidence
internal import Metering
package import Quantities

/// A body with the instant its record is complete through.
package struct PlannedBody: Hashable, Sendable {
    package let body: RecordBody
    package let completeThrough: UInt64
}

/// Turns what was read and noticed into the bodies of records, and remembers what the stream was last told.
package struct CommitPlanner: Sendable {
    /// What a commit is planned from.
    package struct Input: Sendable {
        package let cut: OpenCommit.Cut
        package let notices: [BusNotice]
        package let clock: RecordClock
        /// Real milliseconds.
        package let monotonic: Int64

        package init(cut: OpenCommit.Cut, notices: [BusNotice], clock: RecordClock, monotonic: Int64) {
            self.cut = cut
            self.notices = notices
            self.clock = clock
            self.monotonic = monotonic
        }
    }

    /// Without anything to say, `complete through` is still told this often. Real milliseconds.
    static let idleMax: Int64 = 300_000
    /// The same note about the same thing at most so often: notes stay as long as the stream. Real milliseconds.
    static let noteEvery: Int64 = 3_600_000
    /// Notes of one commit.
    static let notesMax = 64
    /// Subjects remembered before those noted too long ago to matter are forgotten.
    static let notedMax = 256
    /// How long the first birth waits for meters to say who they are. Real milliseconds.
    static let openingMax: Int64 = 5_000

    package private(set) var register: MeterRegister
    private let agentVersion: String
    private let replay: (start: UTCInstant, speed: Int64)?
    /// The stream's latest birth; nil: the next commit begins with one.
    private var born: Birth?
    private var predecessor: Birth.Predecessor?
    /// Notes decided outside commits, waiting for the next one.
    private var waiting: [Note] = []
    private var opened: Set<UInt64> = []
    /// The key that signs after the next commit.
    private var successor: [UInt8]?
    private var notedAt: [String: Int64] = [:]
    private var recordAt: Int64

    package init(
        register: MeterRegister, agentVersion: String, replay: (start: UTCInstant, speed: Int64)?, born: Birth?,
        predecessor: Birth.Predecessor?, monotonic: Int64
    ) {
        self.register = register
        self.agentVersion = agentVersion
        self.replay = replay
        self.born = born
        self.predecessor = predecessor
        recordAt = monotonic
        if let born { self.register.recall(born) }
    }

    /// Takes notices in: plans before the readings that follow them. Returns the same for logs.
    package mutating func take(_ notices: [BusNotice]) {
        for notice in notices {
            switch notice {
            case .planned(let plan): register.planned(plan)
            case .opened(let meter): opened.insert(meter)
            case .overrun, .cycle, .line, .silent, .answering, .unreadable: break
            }
        }
    }

    /// Whether every meter was asked once who it is, or there was time enough for it.
    package func isOpen(since start: Int64, now: Int64) -> Bool {
        opened.count >= register.meters.count || now - start >= Self.openingMax
    }

    /// Other meters from here on: ``isOpen(since:now:)`` waits for those whose bus begins anew.
    ///
    /// Everything read before must be in bodies by now: the next birth no longer explains it.
    package mutating func exchange(_ meters: [ConfiguredMeter], kept: Set<UInt64>) {
        register = register.exchanged(for: meters, kept: kept)
        opened.formIntersection(kept)
    }

    /// The next stream begins: its first record is a birth.
    package mutating func begin(after predecessor: Birth.Predecessor?) {
        born = nil
        self.predecessor = predecessor
    }

    /// The stream's birth was lost: another one explains the reads from here on.
    package mutating func bearAgain() { born = nil }

    /// The next commit ends with a record that names the key (SPKI) which signs from then on.
    package mutating func vouch(for spki: [UInt8]) { successor = spki }

    /// Adds a note to the next commit, at most one an hour about the same subject.
    package mutating func note(_ note: Note, subject: String, monotonic: Int64) {
        let key = "\(note.code) \(subject)"
        if let last = notedAt[key], monotonic - last < Self.noteEvery { return }
        guard waiting.count < Self.notesMax else { return }
        if notedAt.count >= Self.notedMax { notedAt = notedAt.filter { monotonic - $0.value < Self.noteEvery } }
        notedAt[key] = monotonic
        waiting.append(note)
    }

    /// Adds a note that a person stands behind: always.
    package mutating func add(_ note: Note) {
        waiting.append(note)
        // Who stood before the meter has seen what changed before.
        do throws(ShapeError) {
            if let told = try Commissioning(note) { register.commissioned(told.meter) }
        } catch { return }
    }

    /// The bodies of a commit, in their order; empty when there is nothing to say yet.
    package mutating func bodies(_ input: Input) -> [PlannedBody] {
        take(input.notices)
        let changes = register.observe(input.cut.reads)
        let uptime = input.clock.uptimeMilliseconds
        remark(input)
        remark(changes, input)
        let former = born
        let next = nextBirth(uptime)
        let (earlier, reads) = Self.parted(input.cut.reads, former: former, next: next?.0)
        let before = reads.map(\.began).min() ?? .max
        let now = min(uptime, input.cut.openSince ?? uptime)
        // What the former birth alone explains stands before the next one.
        var bodies = Batch(earlier, now: uptime, openSince: input.cut.openSince).parts.map {
            PlannedBody(body: .readings($0.readings), completeThrough: min($0.completeThrough, before))
        }
        if let (birth, notes) = next {
            bodies.append(PlannedBody(body: .birth(birth), completeThrough: min(before, now)))
            waiting = notes + waiting
        }
        bodies += Batch(reads, now: uptime, openSince: input.cut.openSince).parts.map {
            PlannedBody(body: .readings($0.readings), completeThrough: $0.completeThrough)
        }
        bodies += waiting.map { PlannedBody(body: .note($0), completeThrough: now) }
        waiting = []
        // The very last: whatever stands behind it is signed by the next key.
        if let spki = successor { bodies.append(PlannedBody(body: .key(spki), completeThrough: now)) }
        successor = nil
        if bodies.isEmpty, input.monotonic - recordAt >= Self.idleMax {
            bodies = [PlannedBody(body: .readings(Readings(base: uptime, samples: [])), completeThrough: now)]
        }
        if !bodies.isEmpty { recordAt = input.monotonic }
        return bodies
    }

    /// Reads that only the former birth explains, and all others: when a meter is planned anew, its numbers change with the
    /// next birth, and what was read under the old ones may not be committed yet.
    private static func parted(
        _ reads: [FinishedRead], former: Birth?, next: Birth?
    ) -> (earlier: [FinishedRead], others: [FinishedRead]) {
        guard let former, let next else { return ([], reads) }
        let gone = Set(former.reads.map(\.index)).subtracting(next.reads.map(\.index))
        return (reads.filter { gone.contains($0.read) }, reads.filter { !gone.contains($0.read) })
    }

    /// A birth if the stream has none, or if meters, reads or identities are not what the last one said.
    private mutating func nextBirth(_ uptime: UInt64) -> (Birth, [Note])? {
        let birth = register.birth(agentVersion: agentVersion, predecessor: predecessor, replay: replay)
        let plain = birth.withoutPredecessor
        guard plain != born else { return nil }
        let notes = born.map { plain.identityNotes(since: $0, uptime: uptime) } ?? []
        born = plain
        predecessor = nil
        return (birth, notes)
    }

    /// A note for each meter whose setup is not what it was: mode, wiring, transformers. Model, serial and firmware are
    /// told with the birth that has them.
    private mutating func remark(
        _ changes: [(meter: ConfiguredMeter, change: IdentityChange)], _ input: Input
    ) {
        for (meter, change) in changes where change.role > .firmware {
            guard let index = register.meters.firstIndex(of: meter) else { continue }
            let identity = register.identities[index]
            let texts = CBORValue.array([identity.model, identity.serial, identity.firmware].map { .text($0) })
            let role = CBORValue.unsigned(UInt64(change.role.rawValue))
            waiting.append(
                Note(
                    uptimeMilliseconds: input.clock.uptimeMilliseconds, code: .identityChanged,
                    details: [
                        (1, .unsigned(meter.index)), (2, texts), (3, texts),
                        (4, .array([.array([role, .text(change.before), .text(change.now)])])),
                    ]))
        }
    }

    /// Notes for what the buses noticed.
    private mutating func remark(_ input: Input) {
        let uptime = input.clock.uptimeMilliseconds
        func add(_ code: NoteCode, _ details: [(Int64, CBORValue?)], _ subject: String) {
            note(
                Note(uptimeMilliseconds: uptime, code: code, details: details), subject: subject,
                monotonic: input.monotonic)
        }
        for notice in input.notices {
            switch notice {
            case .overrun(let overrun, let bus):
                let late = CBORValue.unsigned(UInt64(max(0, overrun.late)))
                add(.cycleTooShort, [(1, .unsigned(overrun.read)), (2, late)], "bus \(bus)")
            case .silent(let meter, let status):
                add(.meterSilent, [(1, .unsigned(meter)), (2, .text("status \(status)"))], "\(meter)")
            case .unreadable(let meter, let reason):
                add(.meterSilent, [(1, .unsigned(meter)), (2, .text(reason))], "\(meter)")
            case .cycle, .line, .answering, .opened, .planned: break
            }
        }
        guard !input.cut.dropped.isEmpty else { return }
        let losses = input.cut.dropped.map { CBORValue.array([.unsigned($0.read), .unsigned($0.samples)]) }
        waiting.append(
            Note(uptimeMilliseconds: uptime, code: .samplesDropped, details: [(1, .array(losses))]))
    }
}

extension Birth {
    /// What a crash may have taken: per read, the samples between the last commit and now, or of a longest commit.
    ///
    /// - Parameters:
    ///   - through: uptime of the last commit known.
    ///   - lost: house milliseconds that are not accounted for, at most.
    package func crashNote(committed through: UInt64, lost: UInt64, uptime: UInt64) -> Note {
        let losses = reads.map { read in
            CBORValue.array([.unsigned(read.index), .unsigned(lost / max(1, read.intervalMilliseconds) + 1)])
        }
        return Note(
            uptimeMilliseconds: uptime, code: .startedAfterCrash,
            details: [(1, .unsigned(through)), (2, .array(losses))])
    }
}

extension Note {
    package static func clockStepped(by step: Int64, before: Int, now: Int, uptime: UInt64) -> Note {
        Note(
            uptimeMilliseconds: uptime, code: .clockStepped,
            details: [(1, .int(step)), (2, .int(Int64(before))), (3, .int(Int64(now)))])
    }

    package static func receiptWentBack(stream: StreamID, to sequence: UInt64, held: UInt64, uptime: UInt64) -> Note {
        Note(
            uptimeMilliseconds: uptime, code: .receiptWentBack,
            details: [(1, .bytes(stream.bytes)), (2, .unsigned(sequence)), (3, .unsigned(held))])
    }

    package static func quarantined(_ first: UInt64, _ last: UInt64, reason: String, uptime: UInt64) -> Note {
        Note(
            uptimeMilliseconds: uptime, code: .quarantined,
            details: [(1, .unsigned(first)), (2, .unsigned(last)), (3, .text(reason))])
    }
}
