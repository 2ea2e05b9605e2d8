// What the registry says about gateways as devices. Answers are sorted by id.

internal import Evidence
package import Quantities

extension Registry {
    /// Gateways registered at `instant`.
    package func gatewayIDs(at instant: UTCInstant) -> [Identifier] {
        documents(ofKind: 6, at: instant).compactMap { document in
            if case .gateway(let gateway) = document.registration.body { gateway.id } else { nil }
        }
    }

    /// Meters that stand behind a gateway.
    package func meters(of gateway: Identifier, at instant: UTCInstant) -> [Meter] {
        documents(ofKind: 5, at: instant).compactMap { document in
            if case .meter(let meter) = document.registration.body, meter.gateway == gateway { meter } else { nil }
        }
    }

    /// The key registered or bound last, and since when.
    package func standingKey(of gateway: Identifier, at instant: UTCInstant) -> (spki: [UInt8], since: UTCInstant)? {
        let subject = RegistrationSubject(kind: 2, role: KeyRole.gateway.rawValue, id: gateway)
        guard let document = document(subject, at: instant), case .key(let key) = document.registration.body else {
            return nil
        }
        return (key.spki, document.inForceFrom)
    }

    /// The last revocation.
    package func revocation(of gateway: Identifier, at instant: UTCInstant) -> Revocation? {
        guard let document = document(RegistrationSubject(kind: 8, id: gateway), at: instant),
            case .revocation(let body) = document.registration.body
        else { return nil }
        return body
    }
}
