// What intake's state becomes when something was taken, and which events follow. The same for a record that just came and
// for one read back after a restart: events are caused by the record, so a second time they have the same ids.

internal import CBOR
package import Evidence
package import Proofs
package import Quantities

extension IntakeState {
    /// Events of one record by place, so that a record's events have the same ids whatever else it causes.
    private enum Ordinal {
        /// Findings stand at their own number.
        static let ended: UInt64 = 100
        static let cloned: UInt64 = 101
        static let identities: UInt64 = 200
    }

    /// Folds a record that stands durably in the Evidence log, and tells what intake's stream of the Journal must hold
    /// of it.
    ///
    /// A crash between the log and the Journal loses nothing: the record is folded again from the log and gives the
    /// same drafts, whose ids the Journal accepts once.
    ///
    /// - Returns: nothing for a record that is routine, or was folded before.
    package mutating func apply(_ record: TakenRecord, position: LogPosition) -> [JournalDraft] {
        let (place, id) = (record.place, record.identity)
        // Taken out while it changes, so that nothing in it is copied.
        var gateway = gateways.removeValue(forKey: place.gateway) ?? GatewayState()
        defer { gateways[place.gateway] = gateway }
        var drafts: [JournalDraft] = []
        var stream: StreamState
        var first = place.sequence
        var tail: MissingTail?
        if let known = gateway.streams[place.stream] {
            guard record.through > known.head.through else { return [] }
            (stream, first) = (known, known.head.through + 1)
        } else {
            drafts += Self.ending(gateway.open, of: place.gateway, in: gateway).map {
                $0.draft(commandID: id, ordinal: Ordinal.ended)
            }
            stream = StreamState(
                head: StreamState.Head(
                    through: 0, identity: .zero, position: position, receivedAt: record.receivedAt),
                keys: [StreamState.KeyPeriod(from: 0, kid: record.message.kid, spki: nil)])
            tail = gateway.missingTail(record)
            stream.missingTail = tail
            gateway.births.append(place.stream)
        }
        var findings = IntakeFinding.findings(of: record, clock: clock)
        if let tail { findings.append((.tailMissing, tail.description)) }
        for (finding, text) in findings {
            let event = Event.findingMade(
                Event.FindingMade(
                    gateway: place.gateway, stream: place.stream, sequence: place.sequence, identity: id,
                    finding: finding.rawValue, text: String(text.prefix(200))))
            drafts.append(event.draft(commandID: id, ordinal: finding.rawValue))
        }
        if findings.contains(where: { $0.finding == .otherClock }) { stream.isOtherClock = true }
        if findings.contains(where: { $0.finding.holdsRecord }) { stream.findings.append(place.sequence) }
        stream.advance(record, position: position, first: first)
        if case .success(let content) = record.content {
            if case .key(let spki) = content.body {
                gateway.vouchedKeys.append(
                    .init(spki: spki, signer: record.message.kid, receivedAt: record.receivedAt))
            }
            drafts += gateway.identityChanges(in: content, meters: stream.meters).map {
                Event.identityChanged($0.event).draft(commandID: id, ordinal: Ordinal.identities + $0.ordinal)
            }
        }
        gateway.streams[place.stream] = stream
        drafts += gateway.cloning(place).map { $0.draft(commandID: id, ordinal: Ordinal.cloned) }
        return drafts
    }

    /// Reason of a ``Event/StreamEnded`` by the birth of the gateway's next stream.
    package static let superseded = "superseded"

    /// The open stream ends with the birth of the next one.
    private static func ending(_ open: StreamID?, of gateway: Identifier, in state: GatewayState) -> [Event] {
        guard let open, let stream = state.streams[open], !stream.isEnded else { return [] }
        return [
            .streamEnded(
                Event.StreamEnded(
                    gateway: gateway, stream: open, lastSequence: stream.head.through, reason: Self.superseded))
        ]
    }

    /// Folds an event of intake's stream. Those that ``apply(_:position:)`` drafts change nothing here: the Evidence log
    /// has told already. So the state is the Evidence log's fold first and the Journal's after it, in any interleaving.
    package mutating func apply(_ event: Event) {
        switch event {
        case .streamForked(let fork):
            let known = gateways[fork.gateway]?.streams[fork.stream]?.forkedAt ?? .max
            gateways[fork.gateway]?.streams[fork.stream]?.forkedAt = min(known, fork.sequence)
        case .streamEnded(let end) where end.reason == Self.closed:
            gateways[end.gateway]?.streams[end.stream]?.isClosed = true
        default: break
        }
    }

    /// Reason of a ``Event/StreamEnded`` by which a person ended a stream.
    package static let closed = "closed"

    /// A person chose which stream of a cloned gateway is the real one: the others that are not ended are closed.
    ///
    /// - Parameter commandID: the session or message that vouches for the person.
    /// - Returns: nothing when there is nothing to choose.
    package func choosing(
        _ stream: StreamID, of gateway: Identifier, commandID: Digest
    ) -> [JournalDraft] {
        guard let state = gateways[gateway], state.isCloned(stream) else { return [] }
        let others = state.births.filter { other in
            state.clones.contains { ($0.ended == stream && $0.now == other) || ($0.now == stream && $0.ended == other) }
                && state.streams[other]?.isClosed == false
        }
        return others.enumerated().map { index, other in
            Event.streamEnded(
                Event.StreamEnded(
                    gateway: gateway, stream: other, lastSequence: state.streams[other]?.head.through ?? 0,
                    reason: Self.closed)
            ).draft(commandID: commandID, ordinal: UInt64(index))
        }
    }
}

extension GatewayState {
    /// What the record that opens a stream names of the one before it and did not come. It is the evidence so far that
    /// counts, so a fold of the log finds the same again.
    fileprivate func missingTail(_ record: TakenRecord) -> MissingTail? {
        guard case .success(let content) = record.content, case .birth(let birth) = content.body,
            let former = birth.predecessor
        else { return nil }
        let held = streams[former.stream]?.head.through ?? 0
        // An agent that does not know the last number says 0.
        guard former.lastSequence > held else { return nil }
        return MissingTail(stream: former.stream, last: former.lastSequence, held: held)
    }

    /// The stream of `place` went on although a later one was born: told once for each pair.
    fileprivate mutating func cloning(_ place: RecordPlace) -> [Event] {
        guard let now = successor(of: place.stream) else { return [] }
        let pair = ClonePair(ended: place.stream, now: now)
        guard !clones.contains(pair) else { return [] }
        clones.append(pair)
        return [.gatewayCloned(Event.GatewayCloned(gateway: place.gateway, ended: pair.ended, now: pair.now))]
    }

    /// Meters that answer otherwise than before, as a birth or a note tells. Ordinals are places in the birth.
    fileprivate mutating func identityChanges(
        in record: Record, meters: [StreamState.MeterIndex]
    ) -> [(event: Event.IdentityChanged, ordinal: UInt64)] {
        typealias Identity = Event.IdentityChanged.Identity
        var changes: [(Event.IdentityChanged, UInt64)] = []
        switch record.body {
        case .birth(let birth):
            for (ordinal, meter) in birth.meters.enumerated() {
                let now = Identity(model: meter.model, serial: meter.serial, firmware: meter.firmware)
                let before = identities.updateValue(now, forKey: meter.id)
                guard let before, before != now else { continue }
                changes.append(
                    (
                        Event.IdentityChanged(gateway: record.place.gateway, meter: meter.id, before: before, now: now),
                        UInt64(ordinal)
                    ))
            }
        case .note(let note) where note.code == NoteCode.identityChanged.rawValue:
            guard let told = note.identityChange, let meter = meters.first(where: { $0.index == told.index })?.meter
            else { break }
            let before = identities.updateValue(told.now, forKey: meter) ?? told.before
            guard before != told.now else { break }
            changes.append(
                (Event.IdentityChanged(gateway: record.place.gateway, meter: meter, before: before, now: told.now), 0))
        case .readings, .note, .skip, .key: break
        }
        return changes
    }
}

extension Note {
    /// `{1: meter index, 2: [model, serial, firmware] before, 3: now, ? 4: setup}`; nil in another shape, which is no reason to refuse
    /// the record: its words are kept.
    fileprivate var identityChange:
        (index: UInt64, before: Event.IdentityChanged.Identity, now: Event.IdentityChanged.Identity)?
    {
        do throws(ShapeError) {
            let fields = try details.fields(1...4, extensible: true, "note")
            return (
                try fields.uint(1), try Event.IdentityChanged.Identity(try fields.value(2), "note.2"),
                try Event.IdentityChanged.Identity(try fields.value(3), "note.3")
            )
        } catch { return nil }
    }
}
