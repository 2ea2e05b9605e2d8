// Everything a window is computed from, as values. Its bytes stand in WindowInputs+Encoding and InputReader.

package import Metering
package import Proofs
package import Quantities

/// What the computation of a window reads, and nothing else: docs/formats/transcript.md.
package struct WindowInputs: Hashable, Sendable {
    /// Item 0.
    package var header: WindowHeader
    /// Item 1.
    package var manifest: ManifestInput
    /// Items 2: entities, metering points and their meters in force at the window's start, by document id.
    package var registrations: [RegisteredDocument]
    /// Items 3, by digest.
    package var profiles: [ProfileInput]
    /// Items 4, one for each entity of `spans`, by entity.
    package var carries: [Carry]
    /// Items 5, by (metering point, meter, quantity).
    package var openings: [CounterOpening]
    /// Items 6, by entity.
    package var spans: [EntitySpan]
    /// Items 7: a reading's `read` is an index into them.
    package var reads: [ReadInput]
    /// Items 8, by (entity, metering point).
    package var points: [PointReadings]
    /// Items 9, by identity.
    package var statements: [StatementInput]
    /// Items 10, by identity.
    package var reviews: [ReviewInput]
    /// Items 11, by metering point.
    package var lifts: [Lift]
    /// Items 12, by meter: what settled readings of revenue meters stood under.
    package var commissioned: [CommissionedMeter]
    /// Items 13, by (meter, time, record).
    package var commissionings: [CommissioningInput]
    /// Items 14, by (meter, time, birth, gateway, other meter).
    package var claims: [SerialClaim]

    package init(
        header: WindowHeader, manifest: ManifestInput, registrations: [RegisteredDocument], profiles: [ProfileInput],
        carries: [Carry], openings: [CounterOpening], spans: [EntitySpan], reads: [ReadInput], points: [PointReadings],
        statements: [StatementInput], reviews: [ReviewInput], lifts: [Lift], commissioned: [CommissionedMeter],
        commissionings: [CommissioningInput], claims: [SerialClaim]
    ) {
        self.header = header
        self.manifest = manifest
        self.registrations = registrations
        self.profiles = profiles
        self.carries = carries
        self.openings = openings
        self.spans = spans
        self.reads = reads
        self.points = points
        self.statements = statements
        self.reviews = reviews
        self.lifts = lifts
        self.commissioned = commissioned
        self.commissionings = commissionings
        self.claims = claims
    }

    /// Days of one entity in one window; more wait for the next window.
    package static let daysMax: Int64 = 4096
}

package struct WindowHeader: Hashable, Sendable {
    package let window: WindowID
    package let start: UTCInstant
    package let end: UTCInstant
    package let tenant: Identifier
    package let asset: String
    /// 0 real, 1 replay.
    package let mode: UInt64

    package init(window: WindowID, start: UTCInstant, end: UTCInstant, tenant: Identifier, asset: String, mode: UInt64)
    {
        self.window = window
        self.start = start
        self.end = end
        self.tenant = tenant
        self.asset = asset
        self.mode = mode
    }
}

package struct ManifestInput: Hashable, Sendable {
    /// SHA-256 of `payload`.
    package let id: Digest
    package let payload: [UInt8]
    package let manifest: Manifest

    package init(id: Digest, payload: [UInt8], manifest: Manifest) {
        self.id = id
        self.payload = payload
        self.manifest = manifest
    }
}

package struct ProfileInput: Hashable, Sendable {
    /// SHA-256 of `bytes`.
    package let digest: Digest
    package let bytes: [UInt8]
    package let profile: Profile

    package init(digest: Digest, bytes: [UInt8], profile: Profile) {
        self.digest = digest
        self.bytes = bytes
        self.profile = profile
    }
}

/// What an entity's earlier windows left below one minor unit, or, negative, owe.
package struct Carry: Hashable, Sendable {
    package let entity: Identifier
    package let asset: String
    package let numerator: Int64
    package let denominator: Int64

    package init(entity: Identifier, asset: String, numerator: Int64, denominator: Int64) {
        self.entity = entity
        self.asset = asset
        self.numerator = numerator
        self.denominator = denominator
    }
}

/// A counter of a metering point: what is settled.
package struct CounterKey: Hashable, Comparable, Sendable {
    package let meteringPoint: Identifier
    package let meter: Identifier
    package let quantity: ObisCode

    package init(meteringPoint: Identifier, meter: Identifier, quantity: ObisCode) {
        self.meteringPoint = meteringPoint
        self.meter = meter
        self.quantity = quantity
    }

    package static func < (a: CounterKey, b: CounterKey) -> Bool {
        (a.meteringPoint, a.meter, a.quantity) < (b.meteringPoint, b.meter, b.quantity)
    }
}

/// Where a counter's next difference starts: its last settled good reading.
package struct CounterOpening: Hashable, Sendable {
    package let key: CounterKey
    package let epoch: UInt64
    /// Carried on past rollovers.
    package let count: UInt64
    /// Wh one count is worth before CT/PT.
    package let unit: Rational
    package let time: UTCInstant
    package let record: Digest
    package let sampleIndex: UInt64

    package init(
        key: CounterKey, epoch: UInt64, count: UInt64, unit: Rational, time: UTCInstant, record: Digest,
        sampleIndex: UInt64
    ) {
        self.key = key
        self.epoch = epoch
        self.count = count
        self.unit = unit
        self.time = time
        self.record = record
        self.sampleIndex = sampleIndex
    }
}

/// From where and how far an entity can settle in this window.
package struct EntitySpan: Hashable, Sendable {
    package let entity: Identifier
    package let settledFrom: UTCInstant
    /// A whole number of days after `settledFrom`.
    package let completeThrough: UTCInstant
    /// Gateways not complete through the window's end, by id.
    package let late: [Identifier]

    package init(entity: Identifier, settledFrom: UTCInstant, completeThrough: UTCInstant, late: [Identifier]) {
        self.entity = entity
        self.settledFrom = settledFrom
        self.completeThrough = completeThrough
        self.late = late
    }
}

/// A read of a birth, with what was known of its meter.
package struct ReadInput: Hashable, Sendable {
    package let meter: Identifier
    package let profile: Digest
    package let function: UInt64
    package let address: UInt64
    package let count: UInt64
    package let interval: UInt64
    package let chain: [SunSpecEntry]
    package let model: String
    package let serial: String
    package let firmware: String
    /// Identity of the birth record and the read's index in it.
    package let birth: Digest
    package let index: UInt64

    package init(
        meter: Identifier, profile: Digest, function: UInt64, address: UInt64, count: UInt64, interval: UInt64,
        chain: [SunSpecEntry], model: String, serial: String, firmware: String, birth: Digest, index: UInt64
    ) {
        self.meter = meter
        self.profile = profile
        self.function = function
        self.address = address
        self.count = count
        self.interval = interval
        self.chain = chain
        self.model = model
        self.serial = serial
        self.firmware = firmware
        self.birth = birth
        self.index = index
    }

    /// The order in which reads are numbered.
    static func isOrdered(_ a: ReadInput, _ b: ReadInput) -> Bool {
        (a.meter, a.birth, a.index) < (b.meter, b.birth, b.index)
    }
}

/// A SunSpec model as the birth found it.
package struct SunSpecEntry: Hashable, Sendable {
    package let model: UInt64
    package let address: UInt64
    package let length: UInt64

    package init(model: UInt64, address: UInt64, length: UInt64) {
        self.model = model
        self.address = address
        self.length = length
    }
}

/// All readings of one metering point.
package struct PointReadings: Hashable, Sendable {
    package let entity: Identifier
    package let meteringPoint: Identifier
    /// By (time, record, sample index). Never empty.
    package var readings: [InputReading]

    package init(entity: Identifier, meteringPoint: Identifier, readings: [InputReading]) {
        self.entity = entity
        self.meteringPoint = meteringPoint
        self.readings = readings
    }
}

package struct InputReading: Hashable, Sendable {
    package let time: UTCInstant
    /// Identity of the record it stands in, and its place there.
    package let record: Digest
    package let sampleIndex: UInt64
    /// Index into ``WindowInputs/reads``.
    package let read: Int
    package let status: UInt64
    package let words: [UInt8]

    package init(time: UTCInstant, record: Digest, sampleIndex: UInt64, read: Int, status: UInt64, words: [UInt8]) {
        self.time = time
        self.record = record
        self.sampleIndex = sampleIndex
        self.read = read
        self.status = status
        self.words = words
    }

    /// The fold order inside a metering point.
    static func isOrdered(_ a: InputReading, _ b: InputReading) -> Bool {
        if a.time != b.time { return a.time < b.time }
        if a.record != b.record { return a.record < b.record }
        return a.sampleIndex < b.sampleIndex
    }
}

package struct StatementInput: Hashable, Sendable {
    /// Of the envelope.
    package let identity: Digest
    package let payload: [UInt8]
    package let statement: SourceStatement

    package init(identity: Digest, payload: [UInt8], statement: SourceStatement) {
        self.identity = identity
        self.payload = payload
        self.statement = statement
    }
}

package struct ReviewInput: Hashable, Sendable {
    /// Of the envelope.
    package let identity: Digest
    package let payload: [UInt8]
    package let review: Review

    package init(identity: Digest, payload: [UInt8], review: Review) {
        self.identity = identity
        self.payload = payload
        self.review = review
    }
}

/// The latest auditor's or grid operator's statement of a settled day that agreed fully: it lifts later days.
package struct Lift: Hashable, Sendable {
    package let meteringPoint: Identifier
    /// Start of the day it was about.
    package let day: UTCInstant
    package let source: SourceKind
    package let statement: Digest
    package let agreement: Int64

    package init(meteringPoint: Identifier, day: UTCInstant, source: SourceKind, statement: Digest, agreement: Int64) {
        self.meteringPoint = meteringPoint
        self.day = day
        self.source = source
        self.statement = statement
        self.agreement = agreement
    }
}
