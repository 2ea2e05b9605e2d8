// The keeper's part in a change of keys: the key record that vouches for the new key, signing with it from then on, and giving
// the former key up. In which order, and what a crash between two steps means: Agent/Core/Rekeying.

package import AgentCore
internal import Evidence
internal import Keys
internal import Quantities

/// Asks the keeper to change its key, or only how far that is.
package struct RekeyRequest: Sendable {
    package enum Reply: Sendable {
        case state(RekeyState)
        case refused(String)
    }

    /// Requests that wait for one key record.
    static let waitingMax = 16

    /// The key that shall take over; nil: only look.
    package let next: KeyRing.Held?
    package let reply: Mailbox<Reply>

    package init(next: KeyRing.Held?, reply: Mailbox<Reply>) {
        self.next = next
        self.reply = reply
    }
}

/// How far a change of keys is.
package struct RekeyState: Hashable, Sendable {
    package var facts: RekeyFacts
    /// In force.
    package var kid: [UInt8]
}

/// What the keeper was asked about its keys, and when it looks next.
struct RekeyDesk {
    /// The key that the next key record names.
    var successor: KeyRing.Held?
    var waiting: [RekeyRequest] = []
    var lookAt = Int64.min / 2
    var step = RekeyStep.rest {
        didSet { if step != oldValue { stepAt = steadyNanoseconds() } }
    }
    /// By ``steadyNanoseconds()``, since this start.
    private(set) var stepAt = steadyNanoseconds()
}

extension Keeper {
    /// Real milliseconds between two looks whether the former key can go.
    private static let lookEvery: Int64 = 2_000
    /// Skips signed for the former key's time between two steps.
    private static let signedMax = 16

    /// In force at the end of the stream.
    var key: PrivateKey { signers.current }

    var keyFigures: KeyFigures {
        var figures = KeyFigures()
        figures.kid = key.kid
        figures.since = signers.book.current.flatMap { $0.key == key.publicKey && $0.isPlausible ? $0.since : nil }
        figures.now = CertificateClock.realTime()
        figures.step = rekeying.step
        figures.stepMilliseconds = (steadyNanoseconds() - rekeying.stepAt) / 1_000_000
        return figures
    }

    func ask(_ request: RekeyRequest) throws {
        let facts: RekeyFacts
        do { facts = try rekeyFacts() } catch let error as DatabaseError where !error.isDamaged {
            _ = request.reply.post(.refused("the spool cannot be read: \(error)"))
            return
        }
        guard let next = request.next, next.key.publicKey != key.publicKey else {
            rekeying.step = facts.next(isWanted: false)
            _ = request.reply.post(.state(RekeyState(facts: facts, kid: key.kid)))
            return
        }
        guard facts.other != .former else {
            _ = request.reply.post(.refused("the change before is not over: \(rekeying.step.words)"))
            return
        }
        guard rekeying.waiting.count < RekeyRequest.waitingMax,
            rekeying.successor.map({ $0.key.publicKey == next.key.publicKey }) ?? true
        else {
            _ = request.reply.post(.refused("another key is being taken over: try again"))
            return
        }
        signers.ring.add(next)
        rekeying.waiting.append(request)
        rekeying.step = .vouch
        if rekeying.successor == nil {
            rekeying.successor = next
            planner.vouch(for: next.key.publicKey.spki)
        }
        commitAt = min(commitAt, clock.now().monotonic)
    }

    /// The key record is durable: nothing is signed with the former key any more but skips for its time.
    func takeOver() {
        guard let next = rekeying.successor else { return }
        rekeying.successor = nil
        log.line(
            .info, "the key changed",
            [("former", key.kid.hex), ("kid", next.key.kid.hex), ("seq", String(chain.head))])
        signers.current = next.key
        // A crash before it, or a refusal: the next start notes the same.
        do throws(SystemError) { try signers.book.note(next.key.publicKey, at: CertificateClock.realTime()) } catch {
            log.line(.warning, "the keys could not be written down", [("error", error.description)])
        }
        // Nobody can have receipted it yet.
        let facts = RekeyFacts(other: .former, isReceipted: false, certificate: .former, isFormerNeeded: true)
        rekeying.step = facts.next(isWanted: false)
        for request in rekeying.waiting { request.reply.post(.state(RekeyState(facts: facts, kid: key.kid))) }
        rekeying.waiting = []
        rekeying.lookAt = .min / 2
    }

    /// The stream ended before anybody took its key record: the former key opens the next one, and the change begins again
    /// when somebody asks.
    func goBack(after stream: StreamState) throws {
        guard let former = signers.ring.key(kid: try spool.kidInForce(after: stream)),
            former.publicKey != key.publicKey
        else { return }
        log.line(.warning, "the key record was not taken: the former key goes on", [("kid", former.kid.hex)])
        signers.current = former
        do throws(SystemError) { try signers.book.note(former.publicKey, at: CertificateClock.realTime()) } catch {
            log.line(.warning, "the keys could not be written down", [("error", error.description)])
        }
    }

    // MARK: How far it is

    func rekeyFacts() throws -> RekeyFacts {
        var facts = RekeyFacts(other: .none, isReceipted: false, certificate: .none, isFormerNeeded: false)
        guard let other = signers.ring.other(than: key)?.key else { return facts }
        facts.other = .candidate
        guard let change = try spool.latestKeyRecord(), change.message.kid == other.kid,
            let stream = streams.first(where: { $0.ordinal == change.ordinal })
        else { return facts }
        facts.other = .former
        facts.isReceipted = stream.receipted >= change.sequence
        if let spki = uplink?.parts.shownCertificate?.spki {
            facts.certificate = spki == other.publicKey.spki ? .former : .inForce
        }
        facts.isFormerNeeded = try spool.needsKey(before: change, in: streams) != nil
        return facts
    }

    /// Finishes a change of keys: signs what only the former key can sign, then gives it up.
    func lookAfterKeys() throws {
        guard signers.ring.held.count > 1, !holdsBack, pending == nil else { return }
        let now = clock.now().monotonic
        guard now >= rekeying.lookAt else { return }
        rekeying.lookAt = now + Self.lookEvery
        do {
            let facts = try rekeyFacts()
            rekeying.step = facts.next(isWanted: false)
            switch rekeying.step {
            case .keepFormer: try signForFormer()
            case .removeFormer: try removeFormer()
            case .rest, .make, .vouch, .awaitReceipt, .certify: break
            }
        } catch let error as DatabaseError where error.isDamaged { throw error } catch {
            // Refused, or done and the answer lost: looked at again from what is there.
            log.line(.error, "the former key could not be given up", [("error", "\(error)")], limit: "")
        }
    }

    /// What was forgotten of the former key's time becomes signed skips, as somebody may still ask for them: a collector
    /// restored from a copy. Readings of its time that are still there may be forgotten later: until then it stays.
    private func signForFormer() throws {
        guard let change = try spool.latestKeyRecord() else { return }
        for _ in 0..<Self.signedMax {
            guard let row = try spool.needsKey(before: change, in: streams), row.isGone,
                let stream = streams.first(where: { $0.ordinal == row.ordinal })
            else { return }
            guard try outgoing(row.sequence, stream) != nil else { return }
        }
        rekeying.lookAt = clock.now().monotonic
    }

    private func removeFormer() throws {
        guard let former = signers.ring.other(than: key),
            let current = signers.ring.held.first(where: { $0.key.publicKey == key.publicKey })
        else { return }
        // A crash in it leaves one key or both: the next start looks again.
        let place = try PrivateKey.retire(former.key.publicKey, at: former.place, for: current.place)
        signers.ring.keepOnly(KeyRing.Held(place: place, key: current.key))
        rekeying.step = .rest
        log.line(.info, "the former key is removed", [("kid", former.key.kid.hex), ("in force", key.kid.hex)])
    }
}
