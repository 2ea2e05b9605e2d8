// What one gateway's births and notes say of meters beside their readings: who was commissioned, whose serial they name.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

/// What a record says of meters.
enum MeterMark: Sendable {
    case commissioned(meter: Identifier, serial: String, profile: Digest)
    case born([MeterSeen])

    /// A meter as a birth has it.
    struct MeterSeen: Hashable, Sendable {
        let meter: Identifier
        let model: String
        let serial: String
    }
}

/// A mark whose time is known.
struct TimedMark: Sendable {
    let time: UTCInstant
    let record: Digest
    let sequence: UInt64
    let stream: StreamID
    let mark: MeterMark
}

extension MeterMark {
    /// - Parameter meters: index of the stream's latest birth → meter.
    init?(_ note: Note, meters: [UInt64: Identifier]) {
        let told: Commissioning?
        // Another shape commissions nothing; the record is kept all the same.
        do throws(ShapeError) { told = try Commissioning(note) } catch { return nil }
        guard let told, let meter = meters[told.meter], !told.serialTyped.isEmpty, told.accepted == nil,
            told.serialRead.isEmpty || Self.plain(told.serialRead) == Self.plain(told.serialTyped)
        else { return nil }
        // What the device itself says is what its births say.
        let serial = told.serialRead.isEmpty ? told.serialTyped : told.serialRead
        self = .commissioned(meter: meter, serial: serial, profile: told.profile)
    }

    /// Without blanks, hyphens, dots, leading zeros and letters' case: labels are not always what a register has.
    private static func plain(_ serial: String) -> [UInt8] {
        let bytes = serial.utf8.filter { ![0x20, 0x2D, 0x2E].contains($0) }.map {
            (0x41...0x5A).contains($0) ? $0 + 0x20 : $0
        }
        return Array(bytes.drop { $0 == 0x30 })
    }

    init(_ birth: Birth) {
        self = .born(
            birth.meters.filter { !$0.serial.isEmpty }.map {
                MeterSeen(meter: $0.id, model: $0.model, serial: $0.serial)
            })
    }
}

/// A commissioning where it stands.
struct AdmittedCommissioning: Sendable {
    let input: CommissioningInput
    let stream: StreamID
    let sequence: UInt64
}

/// That a gateway has a meter of this serial behind it.
struct AdmittedClaim: Sendable {
    let gateway: Identifier
    let seen: MeterMark.MeterSeen
    let time: UTCInstant
    let birth: Digest
    let stream: StreamID
    let sequence: UInt64
}

/// Commissionings and claims of all gateways. Kept for ever: they are few, and a window may ask for old ones.
struct MarkedMeters: Sendable {
    /// Commissionings of one meter, and claims of one serial.
    static let commissioningsMax = 1_024
    static let claimsMax = 64

    private struct Place: Hashable, Sendable {
        let gateway: Identifier
        let meter: Identifier
    }

    private struct Claimant: Hashable, Sendable {
        let stream: StreamID
        let seen: MeterMark.MeterSeen
    }

    private var commissionings: [Place: [AdmittedCommissioning]] = [:]
    private var claims: [String: [AdmittedClaim]] = [:]
    private var known: Set<Claimant> = []

    mutating func take(_ marks: [TimedMark], of gateway: Identifier) {
        for mark in marks {
            switch mark.mark {
            case .commissioned(let meter, let serial, let profile):
                let place = Place(gateway: gateway, meter: meter)
                guard commissionings[place, default: []].count < Self.commissioningsMax else { continue }
                let input = CommissioningInput(
                    meter: meter, time: mark.time, record: mark.record, serial: serial, profile: profile)
                commissionings[place, default: []].append(
                    AdmittedCommissioning(input: input, stream: mark.stream, sequence: mark.sequence))
            case .born(let meters):
                for seen in meters where known.insert(Claimant(stream: mark.stream, seen: seen)).inserted {
                    guard claims[seen.serial, default: []].count < Self.claimsMax else { continue }
                    claims[seen.serial, default: []].append(
                        AdmittedClaim(
                            gateway: gateway, seen: seen, time: mark.time, birth: mark.record, stream: mark.stream,
                            sequence: mark.sequence))
                }
            }
        }
    }

    /// Commissionings of a meter at its gateway, `after` < time ≤ `through`, in order.
    func commissionings(
        of meter: Meter, after: UTCInstant?, through: UTCInstant, isHeld: (Identifier, StreamID, UInt64) -> Bool
    ) -> [CommissioningInput] {
        (commissionings[Place(gateway: meter.gateway, meter: meter.id)] ?? []).filter { known in
            (after.map { $0 < known.input.time } ?? true) && known.input.time <= through
                && !isHeld(meter.gateway, known.stream, known.sequence)
        }.map(\.input).sorted(by: CommissioningInput.isOrdered)
    }

    /// Whether it was made at the meter's gateway.
    func isCommissioning(_ input: CommissioningInput, of meter: Meter) -> Bool {
        commissionings[Place(gateway: meter.gateway, meter: meter.id)]?.contains { $0.input == input } ?? false
    }

    /// Who else has the device that the meter's own births name: the same serial, and the same model where both tell one.
    func claims(
        on meter: Meter, after: UTCInstant?, through: UTCInstant, isHeld: (Identifier, StreamID, UInt64) -> Bool
    ) -> [SerialClaim] {
        let all = (claims[meter.serial] ?? []).filter { !isHeld($0.gateway, $0.stream, $0.sequence) }
        let own = all.filter { $0.gateway == meter.gateway && $0.seen.meter == meter.id }
        var found: [SerialClaim] = []
        for claim in all where claim.gateway != meter.gateway || claim.seen.meter != meter.id {
            let isSame = own.contains { mine in
                mine.seen.model == claim.seen.model || mine.seen.model.isEmpty || claim.seen.model.isEmpty
            }
            guard isSame, after.map({ $0 < claim.time }) ?? true, claim.time <= through else { continue }
            let input = SerialClaim(
                meter: meter.id, time: claim.time, birth: claim.birth, gateway: claim.gateway,
                other: claim.seen.meter)
            if !found.contains(input) { found.append(input) }
        }
        return found.sorted(by: SerialClaim.isOrdered)
    }
}
