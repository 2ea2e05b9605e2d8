// A registration: what is made known about one subject from an instant on. Who must sign it is the registry's business.

package import CBOR
package import Evidence
package import Quantities

/// One of eight kinds; a later one of the same kind and subject replaces it from its effective instant on.
package struct Registration: HousePayload {
    package static let contentType = ContentType.registration

    package enum Body: Hashable, Sendable {
        case organisation(Organisation)
        case key(RegisteredKey)
        case entity(Entity)
        case meteringPoint(MeteringPoint)
        case meter(Meter)
        case gateway(Gateway)
        case claim(Claim)
        case revocation(Revocation)

        /// The number on the wire.
        package var kind: UInt64 {
            switch self {
            case .organisation: 1
            case .key: 2
            case .entity: 3
            case .meteringPoint: 4
            case .meter: 5
            case .gateway: 6
            case .claim: 7
            case .revocation: 8
            }
        }
    }

    /// Rises for the same subject.
    package let number: UInt64
    package let effectiveFrom: UTCInstant
    package let body: Body

    package init(number: UInt64, effectiveFrom: UTCInstant, body: Body) {
        self.number = number
        self.effectiveFrom = effectiveFrom
        self.body = body
    }

    package var cbor: CBORValue {
        let content: CBORValue =
            switch body {
            case .organisation(let body): body.cbor
            case .key(let body): body.cbor
            case .entity(let body): body.cbor
            case .meteringPoint(let body): body.cbor
            case .meter(let body): body.cbor
            case .gateway(let body): body.cbor
            case .claim(let body): body.cbor
            case .revocation(let body): body.cbor
            }
        return .numbered([
            .int(1), .unsigned(body.kind), .unsigned(number), .ms(effectiveFrom), content,
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...5, "registration")
        try fields.requireVersion()
        let content = try fields.value(5)
        let body: Body =
            switch try fields.uint(2) {
            case 1: .organisation(try Organisation(content))
            case 2: .key(try RegisteredKey(content))
            case 3: .entity(try Entity(content))
            case 4: .meteringPoint(try MeteringPoint(content))
            case 5: .meter(try Meter(content))
            case 6: .gateway(try Gateway(content))
            case 7: .claim(try Claim(content))
            case 8: .revocation(try Revocation(content))
            default: throw ShapeError("registration.2", expected: "a kind 1 … 8")
            }
        self.init(number: try fields.uint(3), effectiveFrom: try fields.instant(4), body: body)
    }
}

package struct Organisation: Hashable, Sendable {
    package let id: Identifier
    package let name: String

    package init(id: Identifier, name: String) {
        self.id = id
        self.name = name
    }

    fileprivate var cbor: CBORValue { .numbered([.id(id), .text(name)]) }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...2, "organisation")
        self.init(id: try fields.identifier(1), name: try fields.shortText(2))
    }
}

/// A key of a gateway, an owner, a verifier, a source or a person.
package struct RegisteredKey: Hashable, Sendable {
    /// DER SubjectPublicKeyInfo.
    package let spki: [UInt8]
    package let role: KeyRole
    /// Gateway, entity (owner), verifier, source or person.
    package let subject: Identifier
    package let organisation: Identifier
    /// Principals the holder must not prove anything for. Sorted.
    package let affiliated: [Identifier]
    /// Exclusive.
    package let validTo: UTCInstant

    package init(
        spki: [UInt8], role: KeyRole, subject: Identifier, organisation: Identifier, affiliated: [Identifier] = [],
        validTo: UTCInstant
    ) {
        self.spki = spki
        self.role = role
        self.subject = subject
        self.organisation = organisation
        self.affiliated = affiliated.sorted()
        self.validTo = validTo
    }

    fileprivate var cbor: CBORValue {
        .numbered([
            .bytes(spki), .unsigned(role.rawValue), .id(subject), .id(organisation),
            .ids(affiliated), .ms(validTo),
        ])
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...6, "key")
        guard let role = KeyRole(rawValue: try fields.uint(2)) else {
            throw ShapeError("key.2", expected: "a role 1 … 13")
        }
        let spki = try fields.bytes(1)
        guard (1...512).contains(spki.count) else { throw ShapeError("key.1", expected: "1 … 512 bytes") }
        let affiliated = try fields.value(5).identifiers("key.5")
        guard affiliated.isStrictlyAscending else {
            throw ShapeError("key.5", expected: "principals in order, none twice")
        }
        self.init(
            spki: spki, role: role, subject: try fields.identifier(3), organisation: try fields.identifier(4),
            affiliated: affiliated, validTo: try fields.instant(6))
    }
}

/// Who produces, and who receives what it earns.
package struct Entity: Hashable, Sendable {
    /// The account that K$ come from: the house's own, no entity may name it.
    package static let issuanceAccount: Identifier = {
        guard let id = Identifier("issuance") else { preconditionFailure("issuance is an identifier") }
        return id
    }()

    package struct Share: Hashable, Sendable {
        package let principal: Identifier
        package let account: Identifier
        package let ppm: Int64

        package init(principal: Identifier, account: Identifier, ppm: Int64) {
            self.principal = principal
            self.account = account
            self.ppm = ppm
        }
    }

    package let id: Identifier
    package let organisation: Identifier
    package let population: Int64
    /// By principal; together 1 000 000 ppm.
    package let shares: [Share]

    package init(id: Identifier, organisation: Identifier, population: Int64, shares: [Share]) {
        self.id = id
        self.organisation = organisation
        self.population = population
        self.shares = shares.sorted { $0.principal < $1.principal }
    }

    fileprivate var cbor: CBORValue {
        .numbered([
            .id(id), .id(organisation), .int(population),
            .array(shares.map { .array([.id($0.principal), .id($0.account), .int($0.ppm)]) }),
        ])
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...4, "entity")
        let shares = try fields.value(4).list("entity.4", min: 1) { (value, path) throws(ShapeError) in
            let parts = try value.array(count: 3, path)
            return Share(
                principal: try parts[0].identifier(path + "[0]"), account: try parts[1].identifier(path + "[1]"),
                ppm: try parts[2].ppm(path + "[2]"))
        }
        guard shares.map(\.principal).isStrictlyAscending else {
            throw ShapeError("entity.4", expected: "principals in order, none twice")
        }
        guard shares.reduce(0, { $0 + $1.ppm }) == 1_000_000 else {
            throw ShapeError("entity.4", expected: "shares of together 1000000 ppm")
        }
        self.init(
            id: try fields.identifier(1), organisation: try fields.identifier(2),
            population: try fields.number(0...HouseBounds.populationMax, 3), shares: shares)
    }
}
