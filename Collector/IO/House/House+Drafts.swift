// Drafts: what the house says to registrations before anybody signs them. Nothing is kept; signatures are made elsewhere.

internal import CollectorCore
internal import Proofs
internal import Quantities

/// What stands against one registration of a draft.
struct DraftFinding: Hashable, Sendable {
    /// Of a ``RegistrationRefusal``; nil for what only this collector says.
    let code: UInt64?
    /// What to do.
    let text: String
}

extension House {
    /// One for each registration, nil where nothing stands against it once it is signed.
    func findings(_ drafts: [Registration]) -> [DraftFinding?] {
        let refusals = state.registry.refusals(of: drafts, at: decisionTime())
        return zip(drafts, refusals).map { draft, refusal in
            let subject = RegistrationSubject(draft.body)
            if draft.number == 1, refusal == .numberTaken || refusal == .numberTooLow {
                let stands = state.registry.isRegistered(draft.body)
                return DraftFinding(
                    code: refusal?.rawValue,
                    text: stands
                        ? "\(subject.id) is registered already: choose another id, or leave it out"
                        : "\(subject.id) stands twice in this draft: choose another id")
            }
            if let refusal { return DraftFinding(code: refusal.rawValue, text: "\(refusal)") }
            if case .meter(let meter) = draft.body, profiles.digest(named: meter.profileName) == nil {
                return DraftFinding(
                    code: nil,
                    text: "\(meter.profileName) is no profile of this collector: its folder `profiles` has them by name"
                )
            }
            return nil
        }
    }

    /// Takes a signed draft, one registration after the other, until one is refused: those before it stand. What stands
    /// already is left as it is, so that a draft whose answer was lost is handed in again.
    func submit(_ draft: RegistrationDraft) throws -> SubmittedDraft {
        var done = SubmittedDraft(
            items: draft.registrations.map { SubmittedDraft.Item(registration: $0, state: .left) })
        for (index, item) in draft.items.enumerated() {
            do {
                // A crash between two leaves those before it: the same draft goes on from there.
                let (_, isNew) = try take(registration: try Document(item.envelopes))
                done.items[index].state = isNew ? .taken : .stood
            } catch let problem as Problem {
                (done.items[index].state, done.items[index].problem) = (.refused, (problem.code, problem.detail))
                return done
            } catch let error as DocumentError {
                (done.items[index].state, done.items[index].problem) = (.refused, (nil, "\(error)"))
                return done
            }
        }
        return done
    }

    /// In a draft's order: `{items: [{kind, id, code, problem}]}`.
    func draftView(_ draft: RegistrationDraft) -> JSON {
        let registrations = draft.registrations
        let items = zip(registrations, findings(registrations)).map { registration, finding -> JSON in
            .object([
                ("kind", .count(registration.body.kind)),
                ("id", .string(RegistrationSubject(registration.body).id.text)),
                ("code", .optional(finding?.code.map { Int64(clamping: $0) })),
                ("problem", .optional(finding?.text)),
            ])
        }
        return .object([("now", .string(decisionTime().description)), ("items", .array(items))])
    }

    /// What stands of each thing that a draft is about: `{now, items: [{kind, id, registration (base64) / null}]}`.
    func standingView(_ draft: RegistrationDraft) -> JSON {
        let items = draft.registrations.map { registration -> JSON in
            let last = state.registry.last(registration.body)
            return .object([
                ("kind", .count(registration.body.kind)),
                ("id", .string(RegistrationSubject(registration.body).id.text)),
                ("registration", .optional(last?.payload.base64)),
            ])
        }
        return .object([("now", .string(decisionTime().description)), ("items", .array(items))])
    }

    /// What whoever makes claims needs of the enrolment port.
    func enrolmentView() -> JSON {
        .object([("now", .string(decisionTime().description))] + enrolmentMembers)
    }

    var enrolmentMembers: [(String, JSON)] {
        [
            ("ca_certificate", .optional(enrolment?.authority.pem)),
            ("enrolment_port", .optional(enrolment.map { Int64($0.configuration.port) })),
            ("server_names", .array((enrolment?.configuration.serverNames ?? []).map { .string($0) })),
            ("claim_lifetime_ms", .optional(enrolment?.configuration.claimLifetime)),
        ]
    }
}
