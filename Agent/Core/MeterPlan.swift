// A configured meter and the reads that come of it: profile, wanted quantities, SunSpec chain. Not when they are due.

package import Metering
package import Proofs
package import Quantities

/// A meter as configured.
package struct ConfiguredMeter: Hashable, Sendable {
    /// Position in the configuration, from 0, over all buses.
    package var index: UInt64
    package let id: Identifier
    private var held: HeldProfile
    private var heldShadow: HeldProfile?
    /// Maps of the device for different firmware, where it has several; which one it is, it says itself.
    package var versions: [Profile] = []
    /// None of ``versions`` was for what the device said: it is read with the fallback meanwhile.
    package private(set) var isReadWithFallback = false
    package let unit: UInt8
    /// `tcp://host:port`.
    package let endpoint: String
    package let quantities: [ObisCode]
    /// House milliseconds.
    package let interval: Int64
    package let identityInterval: Int64
    /// House milliseconds of quantities that are asked more or less often than others, and which these are beside those
    /// that the profile says it of.
    package var fast = PollClassPlan()
    package var slow = PollClassPlan()

    package init(
        index: UInt64, id: Identifier, profile: HeldProfile, unit: UInt8, endpoint: String, quantities: [ObisCode],
        interval: Int64, identityInterval: Int64
    ) {
        self.index = index
        self.id = id
        held = profile
        self.unit = unit
        self.endpoint = endpoint
        self.quantities = quantities
        self.interval = interval
        self.identityInterval = identityInterval
    }

    package init(
        index: UInt64, id: Identifier, profile: Profile, unit: UInt8, endpoint: String, quantities: [ObisCode],
        interval: Int64, identityInterval: Int64
    ) {
        self.init(
            index: index, id: id, profile: HeldProfile(profile), unit: unit, endpoint: endpoint,
            quantities: quantities, interval: interval, identityInterval: identityInterval)
    }

    /// What it is read with: the only one, or of ``versions`` the fallback until one of them was chosen.
    package var profile: Profile { held.profile }
    package var profileDigest: Digest { held.digest }

    /// A second profile that is compared with the first; it never becomes evidence.
    package var shadow: Profile? {
        get { heldShadow?.profile }
        set { heldShadow = newValue.map { HeldProfile($0) } }
    }

    /// One of its profiles says that what is sent to it comes back.
    package var hasEcho: Bool { profile.limits.hasEcho || versions.contains(where: \.limits.hasEcho) }

    /// The meter read with what was chosen for it.
    package func read(with choice: VersionChoice) -> ConfiguredMeter {
        var meter = self
        if choice.profile != profile { meter.held = HeldProfile(choice.profile) }
        meter.isReadWithFallback = choice.isFallback
        return meter
    }

    /// The meter read with the version that has this digest; nil: there is none.
    package func read(withVersion digest: Digest) -> ConfiguredMeter? {
        if profileDigest == digest { return self }
        let version = versions.first { $0.digest == digest }
        return version.map { read(with: VersionChoice(profile: $0, isFallback: false)) }
    }
}

/// How often one poll class of a meter is read.
package struct PollClassPlan: Hashable, Sendable {
    /// House milliseconds; nil: as often as everything else.
    package var interval: Int64?
    package var quantities: [ObisCode] = []

    package init(interval: Int64? = nil, quantities: [ObisCode] = []) {
        self.interval = interval
        self.quantities = quantities
    }
}

extension ConfiguredMeter {
    /// What is asked together: quantities of one interval never wait for those of another.
    fileprivate var classes: [(interval: Int64, quantities: [ObisCode])] {
        var fast: [ObisCode] = []
        var slow: [ObisCode] = []
        var normal: [ObisCode] = []
        for code in quantities {
            let said = profile.quantity(code)?.poll
            if self.fast.quantities.contains(code) {
                fast.append(code)
            } else if self.slow.quantities.contains(code) {
                slow.append(code)
            } else if said == .fast {
                fast.append(code)
            } else if said == .slow {
                slow.append(code)
            } else {
                normal.append(code)
            }
        }
        return [(interval, normal), (self.fast.interval ?? interval, fast), (self.slow.interval ?? interval, slow)]
            .filter { !$0.quantities.isEmpty }
    }
}

/// The requests of one meter, with the numbers they have in the birth.
package struct MeterPlan: Hashable, Sendable {
    package struct Read: Hashable, Sendable {
        package let index: UInt64
        package let planned: PlannedRead
        package let interval: Int64
        package var isIdentity: Bool { !planned.identity.isEmpty }
    }

    /// Reads of one meter: 64 quantities and three identity fields stay below it.
    private static let readsMax: UInt64 = 100
    /// Meters of one gateway: configuration allows fewer.
    private static let metersMax: UInt64 = 10_000

    package let meter: ConfiguredMeter
    package let chain: [SunSpecModel]
    /// Identity first, so that a meter says who it is before anything else.
    package let reads: [Read]

    /// - Parameters:
    ///   - chain: what the SunSpec walk found; empty for other devices.
    ///   - generation: rises when a meter is planned anew while the agent runs: a number never means two requests.
    /// - Throws: ``PlanError``.
    package init(_ meter: ConfiguredMeter, chain: [SunSpecModel], generation: UInt64 = 0) throws(PlanError) {
        self.meter = meter
        self.chain = chain
        let first = (generation * Self.metersMax + meter.index) * Self.readsMax
        var reads: [Read] = []
        for planned in try meter.profile.identityPlan(chain: chain) {
            reads.append(
                Read(index: first + UInt64(reads.count), planned: planned, interval: meter.identityInterval))
        }
        for part in meter.classes {
            for planned in try meter.profile.plan(part.quantities, chain: chain) {
                reads.append(Read(index: first + UInt64(reads.count), planned: planned, interval: part.interval))
            }
        }
        self.reads = reads
    }

    package func read(_ index: UInt64) -> Read? { reads.first { $0.index == index } }

    /// What the schedule needs.
    ///
    /// - Parameter readsAtOnce: every read comes once before its first multiple: replay mode.
    package func schedule(readsAtOnce: Bool) -> [ScheduledRead] {
        reads.map { read in
            ScheduledRead(
                read: read.index, meter: meter.index, interval: read.interval,
                opening: read.isIdentity ? .untilAnswered : readsAtOnce ? .once : .none,
                length: Int(read.planned.request.count))
        }
    }
}
