// Registrations that come after genesis: devices, keys, entities. The registry decides; accounts are opened with them.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import HTTPTypes
internal import Proofs

extension House {
    /// Takes a registration document, or tells that exactly this one stands already.
    ///
    /// - Returns: the document's id, and whether it is new.
    func take(registration document: Document) throws -> (id: Digest, isNew: Bool) {
        try catchUp()
        var registry = state.registry
        let instant = decisionTime()
        let isNew: Bool
        do throws(RegistrationRefusal) {
            isNew = try registry.register(document, at: instant, check: isSigned)
        } catch {
            throw Problem(
                .unprocessableContent, "registration-refused", "The registration is not taken", detail: "\(error)",
                code: Int64(error.rawValue))
        }
        let draft = Event.registered(Event.Registered(document: document.cbor)).draft(commandID: document.id)
        if isNew { try append([draft], at: instant) }
        // A crash before this line leaves accounts unopened: they are opened at start, and when the document comes again.
        let registration = try Registration(decoding: document.payload)
        try append(try missing(ledger.opening(registration, eventID: draft.eventID)))
        return (document.id, isNew)
    }
}
