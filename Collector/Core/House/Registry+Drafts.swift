// What the registry would say to registrations that nobody has signed yet. Changes nothing; a draft's author learns early what
// a signature would be wasted on.

internal import Proofs
package import Quantities

extension Registry {
    /// Whether something of this kind and id was ever registered.
    package func isRegistered(_ body: Registration.Body) -> Bool { versions[RegistrationSubject(body)] != nil }

    /// The last version of what this is about, though it may not be in force yet; nil: there is none.
    package func last(_ body: Registration.Body) -> RegisteredDocument? { versions[RegistrationSubject(body)]?.last }

    /// The answer to each of `drafts`, taken one after the other as if those who must had signed them; nil: taken.
    package func refusals(of drafts: [Registration], at instant: UTCInstant) -> [RegistrationRefusal?] {
        var copy = self
        return drafts.map { draft in
            let payload = draft.encoded
            do throws(RegistrationRefusal) {
                _ = try copy.take(draft, id: Digest(of: payload), payload: payload, at: instant)
                return nil
            } catch { return error }
        }
    }
}
