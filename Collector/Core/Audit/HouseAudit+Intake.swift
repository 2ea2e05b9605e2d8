// Intake's events compared with the evidence they speak of, when all of it is folded.

internal import Evidence
internal import Proofs

extension HouseAudit {
    /// Findings, ends, clones and changed identities follow from evidence alone; forks carry their proof.
    func judgeIntake() throws {
        for (event, body) in intakeEvents {
            let place = AuditPlace.event(event.position, kind: event.kind)
            switch body {
            case .streamForked(let fork): try judge(fork, event, place)
            case .streamEnded(let end) where end.reason == IntakeState.closed: continue  // A person's choice.
            default:
                guard let id = event.id, let expected = evidence.drafts[id] else {
                    throw AuditFailure(place, "follows from no record of the Evidence log")
                }
                guard expected == event.body else {
                    throw AuditFailure(place, "says something else than its record gives")
                }
            }
        }
    }

    /// Two records of the gateway's key for one place, or one that follows another than the one held.
    private func judge(_ fork: Event.StreamForked, _ event: JournalEvent, _ place: AuditPlace) throws {
        let message = try message(fork.otherEnvelope, as: .record, place)
        guard let other = TakenRecord(message, receivedAt: event.time), other.place.gateway == fork.gateway,
            other.place.stream == fork.stream
        else { throw AuditFailure(place, "its other envelope is of another stream") }
        let state = evidence.intake.gateway(fork.gateway)
        let key = registry.gatewayKeys(fork.gateway, at: event.time)?.key(of: message, at: other.place, in: state)
        guard let key, tools.isSigned(message, key) else {
            throw AuditFailure(place, "its other envelope is not signed by a key of \(fork.gateway)")
        }
        let isSamePlace = other.place.sequence == fork.sequence && other.identity != fork.identityHeld
        let isOtherChain = other.place.sequence == fork.sequence &+ 1 && other.place.previous != fork.identityHeld
        guard isSamePlace || isOtherChain else { throw AuditFailure(place, "its other envelope contradicts nothing") }
    }
}
