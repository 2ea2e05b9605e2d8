// Admission: evidence as it was stored becomes readings with a time. State in memory, one stream after the other; what
// it holds depends on each stream's records alone, never on the order in which gateways arrived.

package import Evidence
package import Proofs
package import Quantities

/// A record as stored, in the form admission reads it.
package struct StoredRecord: Hashable, Sendable {
    package let record: Record
    package let identity: Digest
    package let receivedAt: UTCInstant

    package init(record: Record, identity: Digest, receivedAt: UTCInstant) {
        self.record = record
        self.identity = identity
        self.receivedAt = receivedAt
    }
}

/// Why samples of a record are not readings, or what a person should know of it.
package struct AdmissionFinding: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A boot ended without ever being synchronised: its samples have no time.
        case timeUncertain = "TIME_UNCERTAIN"
        /// A time before 1970 or after 9999.
        case timeOutOfRange = "TIME_OUT_OF_RANGE"
        /// Samples of a read that the stream's latest birth does not have.
        case unknownRead = "UNKNOWN_READ"
        /// A birth with an index twice, or with a read of a meter it does not list: it bears nothing.
        case birthContradicts = "BIRTH_CONTRADICTS"
        /// More samples wait for their time than a stream may keep.
        case tooManyUntimed = "TOO_MANY_UNTIMED"
        /// A skip stands for records lost at the gateway.
        case recordsSkipped = "RECORDS_SKIPPED"
    }

    package let kind: Kind
    package let gateway: Identifier
    package let stream: StreamID
    package let sequence: UInt64
    /// Samples or records concerned.
    package let count: UInt64

    package init(kind: Kind, gateway: Identifier, stream: StreamID, sequence: UInt64, count: UInt64) {
        self.kind = kind
        self.gateway = gateway
        self.stream = stream
        self.sequence = sequence
        self.count = count
    }
}

/// A sample whose time is known.
struct AdmittedSample: Hashable, Sendable {
    let time: UTCInstant
    let record: Digest
    let sampleIndex: UInt64
    let status: UInt64
    let words: [UInt8]
    /// Of the record, in ``stream``.
    let sequence: UInt64
    let stream: StreamID
    /// Number of the read at its gateway.
    let read: Int
}

/// Every gateway's streams, and the samples no window has settled yet.
package struct Admission: Sendable {
    private var gateways: [Identifier: AdmittedGateway] = [:]
    private(set) var marked = MarkedMeters()

    package init() {}

    /// Takes the next record of its stream. Records of one gateway in the order of the Evidence log, those that are not
    /// understood left out. What Intake holds is taken too: the cut asks, because a person may release it.
    ///
    /// - Parameter clockError: the gateway's registered one, ms: completeness reaches at most received at + this.
    package mutating func admit(_ stored: StoredRecord, clockError: Int64) -> [AdmissionFinding] {
        let id = stored.record.place.gateway
        let (findings, marks) = gateways[id, default: AdmittedGateway(id)].admit(stored, clockError: clockError)
        marked.take(marks, of: id)
        return findings
    }

    /// How far the gateway is complete; never goes back. Nil: nothing is known yet.
    package func completeThrough(_ gateway: Identifier) -> UTCInstant? { gateways[gateway]?.completeThrough }

    /// What the gateway said of a meter, `after` < time ≤ `through`, without what is held.
    func samples(
        ofMeter meter: Identifier, gateway: Identifier, after: UTCInstant, through: UTCInstant,
        isHeld: (Identifier, StreamID, UInt64) -> Bool
    ) -> MeterSamples {
        guard let state = gateways[gateway] else { return MeterSamples(reads: []) }
        return state.samples(ofMeter: meter, after: after, through: through) { isHeld(gateway, $0, $1) }
    }

    /// The last commissioning of a meter at its gateway, for people; a window asks more (``MarkedMeters``).
    package func commissioning(of meter: Meter, through: UTCInstant) -> CommissioningInput? {
        marked.commissionings(of: meter, after: nil, through: through) { _, _, _ in false }.last
    }

    /// Forgets samples of a gateway at or before `instant`: no window reads them any more.
    package mutating func forget(_ gateway: Identifier, through instant: UTCInstant) {
        gateways[gateway]?.forget(through: instant)
    }

    /// Forgets what no window reads again: of each gateway what all entities that it reads meters for, or that own it,
    /// have settled, less `bridge`, which a counter without a settled reading may still look back.
    ///
    /// - Parameter plant: as in force at the end of the last window.
    package mutating func forgetSettled(_ plant: RegisteredPlant, _ standing: Standing, bridge: Int64) {
        var settled: [Identifier: UTCInstant?] = [:]
        for site in plant.sites where !site.meteringPoints.isEmpty {
            let own = standing.settledThrough(site.entity.id)
            let meters = site.meteringPoints.flatMap(\.meters).compactMap { plant.meter($0) }
            for gateway in site.gateways.map(\.id) + meters.map(\.gateway) {
                guard let known = settled[gateway] else {
                    settled[gateway] = .some(own)
                    continue
                }
                // Nil: an entity that no window has had yet needs all there is.
                settled[gateway] = .some(known.flatMap { known in own.map { min(known, $0) } })
            }
        }
        for gateway in settled.keys {
            if let through = settled[gateway] ?? nil { forget(gateway, through: through + (0 - bridge)) }
        }
    }

    /// Samples held of a gateway: what memory goes by.
    package func sampleCount(_ gateway: Identifier) -> Int { gateways[gateway]?.sampleCount ?? 0 }
}
