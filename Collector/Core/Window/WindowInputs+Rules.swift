// What must hold between a window's inputs: order inside a kind, and that each reference leads somewhere.

internal import CBOR
internal import Proofs
internal import Quantities

extension WindowInputs {
    /// Readings are checked as they are read.
    func requireOrder() throws(ShapeError) {
        try require(registrations.map(\.id).isStrictlyAscending, "items 2", "by document id, none twice")
        try require(profiles.map(\.digest).isStrictlyAscending, "items 3", "by digest, none twice")
        try require(
            openings.map(\.key).isStrictlyAscending, "items 5", "by (metering point, meter, quantity), none twice")
        try require(spans.map(\.entity).isStrictlyAscending, "items 6", "by entity, none twice")
        let areReadsOrdered = zip(reads, reads.dropFirst()).allSatisfy { ReadInput.isOrdered($0, $1) }
        try require(areReadsOrdered, "items 7", "by (meter, birth identity, read index), none twice")
        try require(statements.map(\.identity).isStrictlyAscending, "items 9", "by identity, none twice")
        try require(reviews.map(\.identity).isStrictlyAscending, "items 10", "by identity, none twice")
        try require(lifts.map(\.meteringPoint).isStrictlyAscending, "items 11", "by metering point, none twice")
        try require(commissioned.map(\.meter).isStrictlyAscending, "items 12", "by meter, none twice")
        let areNotesOrdered = zip(commissionings, commissionings.dropFirst()).allSatisfy {
            CommissioningInput.isOrdered($0, $1)
        }
        try require(areNotesOrdered, "items 13", "by (meter, time, record), none twice")
        let areClaimsOrdered = zip(claims, claims.dropFirst()).allSatisfy { SerialClaim.isOrdered($0, $1) }
        try require(areClaimsOrdered, "items 14", "by (meter, time, birth, gateway, other meter), none twice")
    }

    func requireReferences() throws(ShapeError) {
        let dayLength = manifest.manifest.dayLength
        try require(header.start < header.end, "item 0", "a start before the end")
        try require(carries.map(\.entity) == spans.map(\.entity), "items 4", "one for each entity of items 6")
        try require(carries.allSatisfy { $0.asset == header.asset }, "items 4", "the asset of item 0")
        for span in spans {
            let length = span.completeThrough - span.settledFrom
            try require(
                length >= 0 && length % dayLength == 0, "items 6", "whole days from settled from to complete through")
            try require(length / dayLength <= Self.daysMax, "items 6", "at most \(Self.daysMax) days")
            try require(span.completeThrough <= header.end, "items 6", "nothing after the window's end")
        }
        let profileDigests = Set(profiles.map(\.digest))
        for read in reads { try require(profileDigests.contains(read.profile), "items 7", "a profile of items 3") }
        try requirePlaces()
        try requireMarks()
    }

    /// What happened to meters stands under revenue meters, after what is in force.
    private func requireMarks() throws(ShapeError) {
        let plant = InputPlant(self)
        var inForce: [Identifier: UTCInstant] = [:]
        for item in commissioned {
            try require(plant.isRevenueMeter(item.meter), "items 12", "revenue meters of items 2")
            inForce[item.meter] = item.commissioning.time
        }
        for (name, marks) in [
            ("items 13", commissionings.map { ($0.meter, $0.time) }), ("items 14", claims.map { ($0.meter, $0.time) }),
        ] {
            for (meter, time) in marks {
                try require(plant.isRevenueMeter(meter), name, "revenue meters of items 2")
                try require(inForce[meter].map { $0 < time } ?? true, name, "times after the meter's item 12")
            }
        }
    }

    /// Readings stand under registered metering points and their meters, inside their span.
    private func requirePlaces() throws(ShapeError) {
        let plant = InputPlant(self)
        for span in spans { try require(plant.entity(span.entity) != nil, "items 6", "entities of items 2") }
        for point in points {
            guard let site = plant.point(point.meteringPoint), site.entity == point.entity else {
                throw ShapeError("items 8", expected: "metering points of items 2 under their entity")
            }
            guard let span = plant.span(of: point.entity) else {
                throw ShapeError("items 8", expected: "entities of items 6")
            }
            let meters = site.meters
            let bridge = manifest.manifest.bridgeMax
            let begins = meters.map { meter in
                plant.opened(meter: meter, at: site.id).map { max($0, span.settledFrom) }
                    ?? span.settledFrom + (0 - bridge)
            }
            for reading in point.readings {
                guard let index = meters.firstIndex(of: reads[reading.read].meter) else {
                    throw ShapeError("items 8", expected: "meters of the metering point")
                }
                try require(
                    begins[index] < reading.time && reading.time <= span.completeThrough, "items 8",
                    "times after settled from and the meter's openings (of an unopened meter: after settled from less the "
                        + "longest bridge), at most complete through"
                )
            }
        }
    }

    private func require(_ holds: Bool, _ path: String, _ expected: String) throws(ShapeError) {
        if !holds { throw ShapeError(path, expected: expected) }
    }
}
