// Notes that a person asks for through the control socket: signed with the next commit, answered when they are durable.

internal import AgentCore
internal import Evidence
internal import Proofs
internal import Quantities

/// Notes to sign, about one meter or none.
package struct NoteRequest: Sendable {
    package enum Reply: Hashable, Sendable {
        /// In the record with this number, durable.
        case stored(UInt64)
        case refused(String)
    }

    /// Requests that wait.
    static let waitingMax = 64

    /// Nil: about no meter.
    let meter: (id: Identifier, profile: Digest)?
    /// From the meter's index in the birth, and uptime in ms.
    let make: @Sendable (UInt64, UInt64) -> [Note]
    let reply: Mailbox<Reply>

    init(
        meter: Identifier, profile: Digest, make: @escaping @Sendable (UInt64, UInt64) -> Note, reply: Mailbox<Reply>
    ) {
        self.meter = (meter, profile)
        self.make = { [make($0, $1)] }
        self.reply = reply
    }

    init(notes: @escaping @Sendable (UInt64) -> [Note], reply: Mailbox<Reply>) {
        meter = nil
        make = { _, uptime in notes(uptime) }
        self.reply = reply
    }
}

/// What the keeper was asked to sign.
struct NoteDesk {
    var waiting: [NoteRequest] = []
    /// In the commit under way.
    var underWay: [NoteRequest] = []
}

extension Keeper {
    func ask(_ request: NoteRequest) {
        guard notes.waiting.count < NoteRequest.waitingMax else {
            request.reply.post(.refused("too many notes wait to be signed"))
            return
        }
        notes.waiting.append(request)
        commitAt = min(commitAt, clock.now().monotonic)
    }

    /// Hands what waits to the planner of the commit that is being prepared.
    func takeNotes(uptime: UInt64) {
        for request in notes.waiting {
            var index: UInt64 = 0
            if let (id, profile) = request.meter {
                // Between the question and the commit the configuration may have changed.
                guard
                    let meter = planner.register.meters.first(where: { $0.id == id && $0.profileDigest == profile })
                else {
                    request.reply.post(.refused("meter \(id) is no longer read as it was: try again"))
                    continue
                }
                index = meter.index
            }
            for note in request.make(index, uptime) { planner.add(note) }
            notes.underWay.append(request)
        }
        notes.waiting = []
    }

    /// The commit is durable.
    func answerNotes() {
        for request in notes.underWay { request.reply.post(.stored(chain.head)) }
        notes.underWay = []
    }
}

extension ControlContext {
    /// Real milliseconds a caller waits for its note to be durable.
    private static let patience: Int64 = 30_000

    /// Signs and stores a note; returns when it is durable.
    ///
    /// - Returns: the number of the last record of its commit.
    func sign(
        about meter: ConfiguredMeter, _ make: @escaping @Sendable (UInt64, UInt64) -> Note
    ) throws(ControlRefusal) -> UInt64 {
        let reply = Mailbox<NoteRequest.Reply>(itemsMax: 1)
        let request = NoteRequest(meter: meter.id, profile: meter.profileDigest, make: make, reply: reply)
        guard let keeper, keeper.post(.note(request)) else { throw ControlRefusal("the agent is too busy: try again") }
        switch reply.take(within: Self.patience * 1_000_000).first {
        case .stored(let number): return number
        case .refused(let words): throw ControlRefusal(words)
        case nil:
            throw ControlRefusal(
                "the note is not durable after \(Self.patience / 1_000) s: the spool refuses writes, see "
                    + "kilomint-agent status; it may still be signed")
        }
    }

    /// The house's time.
    var utc: UTCInstant { clock?.now().utc ?? UTCInstant(milliseconds: 0) }
}
