// What stood in the registry at an instant. Answers are sorted by id.

package import Evidence
package import Quantities

extension Registry {
    /// The manifest in force. Genesis' own until governance can activate another.
    package func manifest(at instant: UTCInstant) -> Manifest { firstManifest }

    package func organisation(_ id: Identifier, at instant: UTCInstant) -> Organisation? {
        if case .organisation(let body) = inForce(1, id, instant)?.registration.body { body } else { nil }
    }

    package func entity(_ id: Identifier, at instant: UTCInstant) -> Entity? {
        if case .entity(let body) = inForce(3, id, instant)?.registration.body { body } else { nil }
    }

    package func meteringPoint(_ id: Identifier, at instant: UTCInstant) -> MeteringPoint? {
        if case .meteringPoint(let body) = inForce(4, id, instant)?.registration.body { body } else { nil }
    }

    package func meter(_ id: Identifier, at instant: UTCInstant) -> Meter? {
        if case .meter(let body) = inForce(5, id, instant)?.registration.body { body } else { nil }
    }

    package func gateway(_ id: Identifier, at instant: UTCInstant) -> Gateway? {
        if case .gateway(let body) = inForce(6, id, instant)?.registration.body { body } else { nil }
    }

    /// The key that `kid` names, if it is of this role and in force: registered for then, not replaced, not expired.
    package func key(kid: [UInt8], role: KeyRole, at instant: UTCInstant) -> RegisteredKey? {
        for document in keysByKid[kid] ?? [] {
            guard case .key(let key) = document.registration.body, key.role == role else { continue }
            let subject = RegistrationSubject(document.registration.body)
            if self.document(subject, at: instant)?.id == document.id, instant < key.validTo { return key }
        }
        return nil
    }

    /// The key of a subject in a role, in force.
    package func key(of subject: Identifier, role: KeyRole, at instant: UTCInstant) -> RegisteredKey? {
        let document = document(RegistrationSubject(kind: 2, role: role.rawValue, id: subject), at: instant)
        guard case .key(let key) = document?.registration.body, instant < key.validTo else { return nil }
        return key
    }

    /// The version in force: the last one whose effective instant is not later.
    package func document(_ subject: RegistrationSubject, at instant: UTCInstant) -> RegisteredDocument? {
        versions[subject]?.last { $0.inForceFrom <= instant }
    }

    private func inForce(_ kind: UInt64, _ id: Identifier, _ instant: UTCInstant) -> RegisteredDocument? {
        document(RegistrationSubject(kind: kind, id: id), at: instant)
    }

    /// Everything in force of one kind (1 … 8), sorted by id (keys: by id, then role).
    package func documents(ofKind kind: UInt64, at instant: UTCInstant) -> [RegisteredDocument] {
        subjects.filter { $0.kind == kind }
            .sorted { ($0.id, $0.role) < ($1.id, $1.role) }
            .compactMap { document($0, at: instant) }
    }

    /// All that windows, lists and the API ask for at once: one pass instead of one scan per question.
    package func plant(at instant: UTCInstant) -> RegisteredPlant { RegisteredPlant(self, at: instant) }
}

/// Entities with their metering points, meters and gateways as in force at one instant.
package struct RegisteredPlant: Sendable {
    package struct Site: Sendable {
        package let entity: Entity
        /// By id.
        package let meteringPoints: [MeteringPoint]
        /// By id.
        package let gateways: [Gateway]
    }

    /// By entity id.
    package let sites: [Site]
    /// Registrations of entities, metering points and the meters they name, by document id: transcript items 2.
    package let documents: [RegisteredDocument]
    private let metersByID: [Identifier: Meter]

    init(_ registry: Registry, at instant: UTCInstant) {
        var points: [Identifier: [MeteringPoint]] = [:]
        var gateways: [Identifier: [Gateway]] = [:]
        var meters: [Identifier: Meter] = [:]
        var documents: [RegisteredDocument] = []
        for document in registry.documents(ofKind: 4, at: instant) {
            guard case .meteringPoint(let point) = document.registration.body else { continue }
            points[point.entity, default: []].append(point)
            documents.append(document)
            for id in point.meters {
                let subject = RegistrationSubject(kind: 5, id: id)
                guard let document = registry.document(subject, at: instant),
                    case .meter(let meter) = document.registration.body
                else { continue }
                meters[id] = meter
                documents.append(document)
            }
        }
        for document in registry.documents(ofKind: 6, at: instant) {
            guard case .gateway(let gateway) = document.registration.body else { continue }
            gateways[gateway.entity, default: []].append(gateway)
        }
        var sites: [Site] = []
        for document in registry.documents(ofKind: 3, at: instant) {
            guard case .entity(let entity) = document.registration.body else { continue }
            documents.append(document)
            sites.append(
                Site(entity: entity, meteringPoints: points[entity.id] ?? [], gateways: gateways[entity.id] ?? []))
        }
        self.sites = sites
        self.documents = documents.sorted { $0.id < $1.id }
        metersByID = meters
    }

    /// A meter that a metering point names.
    package func meter(_ id: Identifier) -> Meter? { metersByID[id] }

    /// Gateways whose word a site's days rest on, by id: its own, and those that read its meters.
    package func gatewayIDs(of site: Site) -> [Identifier] {
        let readers = site.meteringPoints.flatMap(\.meters).compactMap { meter($0)?.gateway }
        return Set(site.gateways.map(\.id) + readers).sorted()
    }
}
