// What a person is about to sign, in words. Texts in a draft come from whoever made it: nothing in them moves the cursor,
// hides a line, or runs backwards.

internal import CollectorCore
internal import Evidence
internal import Quantities

extension RegistrationDraft {
    /// Signatures that every registration has.
    var signatureCount: Int { items.map(\.envelopes.count).min() ?? 0 }

    /// All of it.
    var words: String { registrations.map(Self.words).joined(separator: "\n") }

    /// `gateway gw-west`.
    static func title(_ registration: Registration) -> String {
        let subject = RegistrationSubject(registration.body)
        return switch registration.body {
        case .organisation: "organisation \(subject.id)"
        case .key: "the key of \(subject.id)"
        case .entity: "entity \(subject.id)"
        case .meteringPoint: "metering point \(subject.id)"
        case .meter: "meter \(subject.id)"
        case .gateway: "gateway \(subject.id)"
        case .claim: "the claim of \(subject.id)"
        case .revocation: "the revocation of \(subject.id)"
        }
    }

    /// What is said otherwise: `- ` as it stands, `+ ` as it is to be.
    static func difference(from old: Registration, to new: Registration) -> [String] {
        let (before, after) = (lines(old), lines(new))
        let gone = before.filter { !after.contains($0) }.map { "  - " + $0 }
        return gone + after.filter { !before.contains($0) }.map { "  + " + $0 }
    }

    private static func words(_ own: Registration) -> String { lines(own).joined(separator: "\n  ") }

    private static func lines(_ own: Registration) -> [String] {
        let lines: [String]
        switch own.body {
        case .claim(let claim):
            lines = [
                "A CLAIM: gateway \(claim.gateway) may bind a key of its own, once, until \(claim.expires).",
                "key of organisation \(claim.organisation)",
            ]
        case .revocation(let revocation):
            lines = [
                "A REVOCATION: every key and claim of gateway \(revocation.gateway) ends at once.",
                "reason: \(shown(revocation.reason))",
            ]
        case .organisation(let body): lines = ["AN ORGANISATION: \(body.id), \(shown(body.name))"]
        case .key(let key): lines = words(key)
        case .entity(let entity):
            lines =
                ["AN ENTITY: \(entity.id) of organisation \(entity.organisation), \(entity.population) people"]
                + entity.shares.map { "\($0.ppm) ppm of its money to \($0.principal), account \($0.account)" }
        case .gateway(let gateway):
            lines = [
                "A GATEWAY: \(gateway.id) at entity \(gateway.entity)",
                "clock wrong by at most \(gateway.clockError) ms",
            ]
        case .meter(let meter): lines = words(meter)
        case .meteringPoint(let point): lines = words(point)
        }
        let number =
            own.number > 1 && own.body.isReplaced
            ? "number \(own.number), in place of what stands" : "number \(own.number)"
        return lines + ["\(number), from \(own.effectiveFrom)"]
    }

    private static func words(_ key: RegisteredKey) -> [String] {
        [
            "A KEY: \(KeyID.kid(ofSPKI: key.spki).hex) of \(key.subject), role \(key.role), until \(key.validTo)",
            "organisation \(key.organisation); may not prove for: "
                + (key.affiliated.isEmpty
                    ? "nobody in particular" : key.affiliated.map(\.text).joined(separator: ", ")),
        ]
    }

    private static func words(_ meter: Meter) -> [String] {
        [
            "A METER: \(meter.id) behind gateway \(meter.gateway)",
            "\(shown(meter.vendor)) \(shown(meter.model)), serial \(shown(meter.serial))",
            "profile \(shown(meter.profileName)), as a \(meter.meterClass == .inverter ? "inverter" : "MID meter")",
            "its counts times \(meter.ratioNumerator)/\(meter.ratioDenominator)",
        ]
    }

    private static func words(_ point: MeteringPoint) -> [String] {
        let direction = point.direction == .export ? "export" : "export minus import"
        let checks = point.checkMeters.isEmpty ? "none" : point.checkMeters.map(\.text).joined(separator: ", ")
        return [
            "A METERING POINT: \(point.id) of entity \(point.entity)",
            "\(direction) of meter \(point.revenueMeter); check meters: \(checks)",
            "nameplate \(point.nameplateWatts) W at \(degrees(point.latitude)), \(degrees(point.longitude)); performance ratio \(point.performanceRatio) ppm",
        ]
    }

    /// Millionths of a degree.
    private static func degrees(_ value: Int64) -> String {
        let digits = String(value.magnitude % 1_000_000)
        return (value < 0 ? "−" : "") + "\(value.magnitude / 1_000_000)."
            + String(repeating: "0", count: 6 - digits.count) + digits + "°"
    }

    /// Without what a terminal would obey: control characters, and marks that turn the direction of text around.
    static func shown(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: "�"
                    default: scalar
                    }
                }))
    }
}

extension Registration.Body {
    /// A later one takes the place of the one before; claims and revocations come one after the other.
    fileprivate var isReplaced: Bool {
        switch self {
        case .claim, .revocation: false
        case .organisation, .key, .entity, .meteringPoint, .meter, .gateway: true
        }
    }
}
