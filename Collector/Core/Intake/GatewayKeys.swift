// Which keys may sign for a gateway. Whether a signature stands is checked by the shell; who may register keys by the registry.

internal import Evidence
package import Quantities

/// Keys of a registered gateway, as the registry has them at the time of receipt.
package struct GatewayKeys: Hashable, Sendable {
    package struct Key: Hashable, Sendable {
        package let spki: [UInt8]
        /// Registered and in force now: it may sign the first record of a stream. One that is not any more still signs
        /// the streams it opened.
        package let mayOpen: Bool
        /// It signs nothing any more, whatever stream it opened.
        package let isRevoked: Bool

        package init(spki: [UInt8], mayOpen: Bool = true, isRevoked: Bool = false) {
            self.spki = spki
            self.mayOpen = mayOpen
            self.isRevoked = isRevoked
        }
    }

    /// Every key ever registered for the gateway.
    package let keys: [Key]
    /// What key records named before this instant signs nothing any more: it followed from keys that were ended then.
    package let vouchedFrom: UTCInstant?

    package init(_ keys: [Key], vouchedFrom: UTCInstant? = nil) {
        self.keys = keys
        self.vouchedFrom = vouchedFrom
    }

    package func isRevoked(_ spki: [UInt8], in gateway: GatewayState?) -> Bool {
        if let key = keys.first(where: { $0.spki == spki }) { return key.isRevoked }
        guard let vouchedFrom, let vouched = gateway?.vouchedKeys.last(where: { $0.spki == spki }) else { return false }
        return vouched.receivedAt < vouchedFrom
    }

    /// Whether the key that signs from there on signs nothing any more.
    func isRevoked(_ period: StreamState.KeyPeriod, in gateway: GatewayState) -> Bool {
        let known = keys.map(\.spki) + gateway.vouchedKeys.map(\.spki)
        guard let spki = period.spki ?? known.first(where: { KeyID.kid(ofSPKI: $0) == period.kid }) else {
            return false
        }
        return isRevoked(spki, in: gateway)
    }

    /// Whether its certificate counts: it may open a stream, or it is asked with for the certificate of the key that took its
    /// place. Not for a revoked one, which is asked for before.
    package func mayEnrol(_ spki: [UInt8], in gateway: GatewayState?) -> Bool {
        mayEnrol(KeyID.kid(ofSPKI: spki), isRegistered: isRegistered(spki), succession(in: gateway))
    }

    /// The same for the key that `kid` names: a certificate of one that may not is listed as revoked.
    package func mayEnrol(kid: [UInt8], in gateway: GatewayState?) -> Bool {
        let known = keys.map(\.spki) + (gateway?.vouchedKeys ?? []).filter { $0.kid == kid }.map(\.spki)
        return known.contains {
            KeyID.kid(ofSPKI: $0) == kid && !isRevoked($0, in: gateway) && mayEnrol($0, in: gateway)
        }
    }

    /// Whether `request` may get a certificate that the owner of `key`, which may enrol, asks for: once it named a successor,
    /// for that one alone.
    package func mayRenew(_ request: [UInt8], with key: [UInt8], in gateway: GatewayState?) -> Bool {
        guard isSuperseded(key, in: gateway) else { return true }
        return succession(in: gateway).last?.spki == request
    }

    private func mayEnrol(_ kid: [UInt8], isRegistered: Bool?, _ succession: Succession) -> Bool {
        if isRegistered == false { return false }
        if kid == succession.last?.signer { return true }
        return isRegistered == nil ? kid == succession.last?.kid : !succession.superseded.contains(kid)
    }

    /// Nil: not registered; false: registered, and not in force.
    private func isRegistered(_ spki: [UInt8]) -> Bool? { keys.first { $0.spki == spki }?.mayOpen }

    // MARK: - Succession

    /// Who took whose place, as far as it counts.
    private struct Succession {
        /// kids. Looked up, never iterated.
        var superseded: Set<[UInt8]> = []
        /// Named last: it opens the gateway's next stream.
        var last: GatewayState.VouchedKey?
    }

    /// In evidence order. A key that named its successor names no other: whoever has it goes on with an old stream of its
    /// time, and no key that is named there counts. A key that a later one names again is in force again. What was named
    /// before keys were ended is void.
    private func succession(in gateway: GatewayState?) -> Succession {
        var found = Succession()
        for each in gateway?.vouchedKeys ?? []
        where vouchedFrom.map({ each.receivedAt >= $0 }) ?? true && !found.superseded.contains(each.signer) {
            found.superseded.insert(each.signer)
            found.superseded.remove(each.kid)
            found.last = each
        }
        return found
    }

    /// Whether another key took its place: it signs the streams it opened, to where they name the other, and opens none.
    package func isSuperseded(_ spki: [UInt8], in gateway: GatewayState?) -> Bool {
        let (kid, succession) = (KeyID.kid(ofSPKI: spki), succession(in: gateway))
        return isRegistered(spki) == nil ? succession.last?.kid != kid : succession.superseded.contains(kid)
    }

    /// The key that key records named last, and since when; nil: none is in force by them.
    package func successor(in gateway: GatewayState?) -> (kid: [UInt8], since: UTCInstant)? {
        succession(in: gateway).last.map { ($0.kid, $0.receivedAt) }
    }

    /// Whether any key of the gateway counts: it may speak to the broker.
    package func maySpeak(_ gateway: GatewayState?) -> Bool {
        if keys.contains(where: \.mayOpen) { return true }
        guard let last = gateway?.vouchedKeys.last else { return false }
        return !isRevoked(last.spki, in: gateway)
    }

    /// The key that must have signed: the one in force at the number; for a stream not seen yet one that may open it.
    func key(of message: SignedMessage, at place: RecordPlace, in gateway: GatewayState?) -> [UInt8]? {
        func isNamed(_ spki: [UInt8]) -> Bool { KeyID.kid(ofSPKI: spki) == message.kid }
        let vouched = (gateway?.vouchedKeys ?? []).map(\.spki)
        guard let stream = gateway?.stream(place.stream) else {
            // A revoked or superseded key is found too, to be refused by its own code.
            return keys.first { ($0.mayOpen || $0.isRevoked) && isNamed($0.spki) }?.spki ?? vouched.last(where: isNamed)
        }
        let period = stream.key(at: place.sequence)
        guard period.kid == message.kid else { return nil }
        return period.spki ?? keys.first { isNamed($0.spki) }?.spki ?? vouched.last(where: isNamed)
    }
}

extension Registry {
    /// Nil when the gateway is not registered at `instant`.
    ///
    /// A registration of a key whose validity ends at or before it takes effect revokes the key; a revocation, and a key
    /// bound in its place, revoke all that were there before.
    package func gatewayKeys(_ id: Identifier, at instant: UTCInstant) -> GatewayKeys? {
        guard gateway(id, at: instant) != nil else { return nil }
        let cut = cuts[id]?.last { $0.from <= instant }
        let inForce = key(of: id, role: .gateway, at: instant)?.spki
        var keys: [GatewayKeys.Key] = []
        let subject = RegistrationSubject(kind: 2, role: KeyRole.gateway.rawValue, id: id)
        for (index, document) in (versions[subject] ?? []).enumerated() where document.inForceFrom <= instant {
            guard case .key(let key) = document.registration.body else { continue }
            keys.removeAll { $0.spki == key.spki }
            let isRevoked = key.validTo <= document.registration.effectiveFrom || index < cut?.keys ?? 0
            keys.append(
                GatewayKeys.Key(spki: key.spki, mayOpen: key.spki == inForce && !isRevoked, isRevoked: isRevoked))
        }
        return GatewayKeys(keys, vouchedFrom: cut?.from)
    }
}
