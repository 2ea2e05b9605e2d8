// What stands at the plant as registered: metering points, meters, gateways. Bodies of registrations 4 to 6.

internal import CBOR
package import Quantities

/// Where energy is measured for settlement: one revenue meter, and meters that check it.
package struct MeteringPoint: Hashable, Sendable {
    package enum Direction: Int64, Hashable, Sendable {
        case export = 1
        /// Where storage stands behind the meter.
        case exportMinusImport = 2
    }

    package let id: Identifier
    package let entity: Identifier
    package let nameplateWatts: Int64
    package let direction: Direction
    package let revenueMeter: Identifier
    /// Sorted.
    package let checkMeters: [Identifier]
    /// Millionths of a degree.
    package let latitude: Int64
    package let longitude: Int64
    package let performanceRatio: Int64

    package init(
        id: Identifier, entity: Identifier, nameplateWatts: Int64, direction: Direction, revenueMeter: Identifier,
        checkMeters: [Identifier], latitude: Int64, longitude: Int64, performanceRatio: Int64
    ) {
        self.id = id
        self.entity = entity
        self.nameplateWatts = nameplateWatts
        self.direction = direction
        self.revenueMeter = revenueMeter
        self.checkMeters = checkMeters.sorted()
        self.latitude = latitude
        self.longitude = longitude
        self.performanceRatio = performanceRatio
    }

    /// The revenue meter first, then the check meters in order.
    package var meters: [Identifier] { [revenueMeter] + checkMeters }

    var cbor: CBORValue {
        .numbered([
            .id(id), .id(entity), .int(nameplateWatts), .int(direction.rawValue),
            .id(revenueMeter), .ids(checkMeters), .numbers([latitude, longitude]),
            .int(performanceRatio),
        ])
    }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...8, "metering point")
        guard let direction = Direction(rawValue: try fields.int(4)) else {
            throw ShapeError("metering point.4", expected: "1 (export) or 2 (export − import)")
        }
        let revenue = try fields.identifier(5)
        let checks = try fields.value(6).identifiers("metering point.6")
        guard checks.isStrictlyAscending, !checks.contains(revenue) else {
            throw ShapeError("metering point.6", expected: "check meters in order, none twice, none the revenue meter")
        }
        let place = try fields.value(7).array(count: 2, "metering point.7")
        self.init(
            id: try fields.identifier(1), entity: try fields.identifier(2),
            nameplateWatts: try fields.number(1...HouseBounds.wattsMax, 3), direction: direction, revenueMeter: revenue,
            checkMeters: checks, latitude: try place[0].number(-90_000_000...90_000_000, "metering point.7[0]"),
            longitude: try place[1].number(-180_000_000...180_000_000, "metering point.7[1]"),
            performanceRatio: try fields.number(1...1_000_000, 8))
    }
}

/// A meter as a person saw and registered it.
package struct Meter: Hashable, Sendable {
    package enum Class: Int64, Hashable, Sendable {
        case midMeter = 1
        case inverter = 2
    }

    package let id: Identifier
    package let vendor: String
    package let model: String
    package let serial: String
    package let gateway: Identifier
    package let profileName: String
    /// CT/PT: what a count is multiplied by.
    package let ratioNumerator: Int64
    package let ratioDenominator: Int64
    package let meterClass: Class

    package init(
        id: Identifier, vendor: String, model: String, serial: String, gateway: Identifier, profileName: String,
        ratioNumerator: Int64 = 1, ratioDenominator: Int64 = 1, meterClass: Class
    ) {
        self.id = id
        self.vendor = vendor
        self.model = model
        self.serial = serial
        self.gateway = gateway
        self.profileName = profileName
        self.ratioNumerator = ratioNumerator
        self.ratioDenominator = ratioDenominator
        self.meterClass = meterClass
    }

    var cbor: CBORValue {
        .numbered([
            .id(id), .array([.text(vendor), .text(model)]), .text(serial), .id(gateway),
            .text(profileName), .numbers([ratioNumerator, ratioDenominator]), .int(meterClass.rawValue),
        ])
    }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...7, "meter")
        guard let meterClass = Class(rawValue: try fields.int(7)) else {
            throw ShapeError("meter.7", expected: "1 (MID meter) or 2 (inverter)")
        }
        let type = try fields.value(2).array(count: 2, "meter.2")
        let ratio = try fields.numbers(2, in: 1...HouseBounds.ratioMax, 6)
        self.init(
            id: try fields.identifier(1), vendor: try type[0].shortText("meter.2[0]"),
            model: try type[1].shortText("meter.2[1]"), serial: try fields.shortText(3),
            gateway: try fields.identifier(4), profileName: try fields.shortText(5), ratioNumerator: ratio[0],
            ratioDenominator: ratio[1], meterClass: meterClass)
    }
}

package struct Gateway: Hashable, Sendable {
    package let id: Identifier
    package let entity: Identifier
    /// How far its clock may run ahead of the collector's, ms: completeness counts up to received at + this.
    package let clockError: Int64

    package init(id: Identifier, entity: Identifier, clockError: Int64) {
        self.id = id
        self.entity = entity
        self.clockError = clockError
    }

    var cbor: CBORValue { .numbered([.id(id), .id(entity), .int(clockError)]) }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...3, "gateway")
        self.init(
            id: try fields.identifier(1), entity: try fields.identifier(2),
            clockError: try fields.number(0...300_000, 3))
    }
}
