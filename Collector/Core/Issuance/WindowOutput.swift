// A window's output as signed by its seal: header, allocations, and what the next window starts from.

package import CBOR
package import Proofs
package import Quantities

/// `{1: header, 2: allocations, 3: trailer}`. Its digest is the window's.
package struct WindowOutput: Hashable, Sendable {
    /// How readings were ordered, by name: stands in every trailer.
    package static let foldOrder = "entity/metering-point/time/event"

    package struct Settled: Hashable, Sendable {
        package let entity: Identifier
        package let through: UTCInstant

        package init(entity: Identifier, through: UTCInstant) {
            self.entity = entity
            self.through = through
        }
    }

    /// `mode` of the inputs does not stand in the output; it is 0 in one that was decoded.
    package let header: WindowHeader
    /// By (entity, principal); only of entities with a settled day.
    package let allocations: [Allocation]
    /// By entity, all of the window.
    package let settled: [Settled]
    package let manifest: Digest
    package let inputDigest: Digest
    /// By key.
    package let openings: [CounterOpening]
    /// By entity.
    package let carries: [Carry]
    /// SHA-256 of the day verdicts as CBOR sequence, by (entity, metering point, day).
    package let verdictsDigest: Digest
    /// By metering point.
    package let lifts: [Lift]
    /// By meter.
    package let commissioned: [CommissionedMeter]

    package init(
        header: WindowHeader, allocations: [Allocation], settled: [Settled], manifest: Digest, inputDigest: Digest,
        openings: [CounterOpening], carries: [Carry], verdictsDigest: Digest, lifts: [Lift],
        commissioned: [CommissionedMeter]
    ) {
        self.header = header
        self.allocations = allocations
        self.settled = settled
        self.manifest = manifest
        self.inputDigest = inputDigest
        self.openings = openings
        self.carries = carries
        self.verdictsDigest = verdictsDigest
        self.lifts = lifts
        self.commissioned = commissioned
    }

    /// The bytes whose SHA-256 is the output digest.
    package var encoded: [UInt8] {
        let trailer = CBORValue.numbered([
            .array(settled.map { .array([.id($0.entity), .ms($0.through)]) }), .text(Self.foldOrder), .digest(manifest),
            .digest(inputDigest), .array(openings.map { .array($0.fields) }), .array(carries.map { .array($0.fields) }),
            .digest(verdictsDigest), .array(lifts.map { .array($0.fields) }),
            .array(commissioned.map { .array($0.fields) }),
        ])
        let lines = allocations.map { CBORValue.array($0.fields) }
        return CBORValue.numbered([.array(header.fields), .array(lines), trailer]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(ShapeError) {
        let fields = try CBORValue.item(bytes, "output").fields(1...3, "output")
        let trailer = try fields.value(3).fields(1...9, "output.3")
        guard try trailer.text(2) == Self.foldOrder else { throw ShapeError("output.3.2", expected: Self.foldOrder) }
        let most = Self.linesMax
        self.init(
            header: try WindowHeader(fields: try fields.array(count: 5, 1)[...], mode: 0, "output.1"),
            allocations: try fields.value(2).list("output.2", max: most) { (value, path) throws(ShapeError) in
                try Allocation(value, path)
            },
            settled: try trailer.value(1).list("output.3.1", max: most) { (value, path) throws(ShapeError) in
                let parts = try value.array(count: 2, path)
                return Settled(entity: try parts[0].identifier(path), through: try parts[1].instant(path))
            },
            manifest: try trailer.digest(3), inputDigest: try trailer.digest(4),
            openings: try trailer.value(5).list("output.3.5", max: most) { (value, path) throws(ShapeError) in
                try CounterOpening(try value.array(path)[...], path)
            },
            carries: try trailer.value(6).list("output.3.6", max: most) { (value, path) throws(ShapeError) in
                try Carry(try value.array(path)[...], path)
            },
            verdictsDigest: try trailer.digest(7),
            lifts: try trailer.value(8).list("output.3.8", max: most) { (value, path) throws(ShapeError) in
                try Lift(try value.array(path)[...], path)
            },
            commissioned: try trailer.value(9).list("output.3.9", max: most) { (value, path) throws(ShapeError) in
                try CommissionedMeter(try value.array(path)[...], path)
            })
    }

    /// Lines of one list.
    package static let linesMax = 4_194_304
}

extension Allocation {
    /// As outputs and `AllocationCalculated` carry it.
    package var fields: [CBORValue] {
        [.id(entity), .id(principal), .id(account), .int(ppm), .int(amount.minorUnits), .int(verifiedWattHours)]
    }

    package init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 6, path)
        self.init(
            entity: try parts[0].identifier(path), principal: try parts[1].identifier(path),
            account: try parts[2].identifier(path), ppm: try parts[3].ppm(path),
            amount: Amount(minorUnits: try parts[4].number(0...Int64.max, path)),
            verifiedWattHours: try parts[5].energy(path))
    }
}
