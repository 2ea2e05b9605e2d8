// Which meters stand behind the gateway, what they are read for and who they say they are: the matter of births.

internal import CBOR
package import Evidence
package import Metering
package import Quantities

/// What a device said about itself; empty where it has no register for it or was not heard yet.
package struct MeterIdentity: Hashable, Sendable {
    package var model = ""
    package var serial = ""
    package var firmware = ""
    /// What it said about its setup: modes, ratios, wiring. Only looked up; the words themselves are in the records.
    private var setup: [Identity.Role: String] = [:]

    package init() {}

    subscript(role: Identity.Role) -> String {
        get {
            switch role {
            case .model: model
            case .serial: serial
            case .firmware: firmware
            default: setup[role] ?? ""
            }
        }
        set {
            switch role {
            case .model: model = newValue
            case .serial: serial = newValue
            case .firmware: firmware = newValue
            default: setup[role] = newValue
            }
        }
    }

    /// What it said in a role; empty: nothing.
    package func text(_ role: Identity.Role) -> String { self[role] }

    package var isEmpty: Bool { model.isEmpty && serial.isEmpty && firmware.isEmpty }
}

/// A device says something else than before.
package struct IdentityChange: Hashable, Sendable {
    package let role: Identity.Role
    package let before: String
    package let now: String
}

/// The meters of a gateway as they are known now: the matter of the next birth.
package struct MeterRegister: Hashable, Sendable {
    /// By position; nil while a SunSpec meter's chain is not known.
    package private(set) var plans: [MeterPlan?]
    package private(set) var identities: [MeterIdentity]
    /// By position: what devices said otherwise than before, since the agent started; one a role, the latest.
    package private(set) var changes: [[IdentityChange]]
    /// By position: other meters that had its serial, and whether one of them came to it since it was commissioned last.
    package private(set) var twins: [Set<Identifier>]
    package private(set) var isClaimed: [Bool]
    /// As they are read: with the version of their profile that was chosen last.
    package private(set) var meters: [ConfiguredMeter]
    /// Meter by number of an identity read; only looked up, never walked.
    private var identityReads: [UInt64: Int] = [:]
    /// Position by index; only looked up. They differ once the configuration changed while running.
    private let positions: [UInt64: Int]

    package init(_ meters: [ConfiguredMeter]) {
        self.meters = meters
        plans = meters.map { _ in nil }
        identities = meters.map { _ in MeterIdentity() }
        changes = meters.map { _ in [] }
        twins = meters.map { _ in [] }
        isClaimed = meters.map { _ in false }
        positions = Dictionary(
            meters.enumerated().map { ($0.element.index, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// Other meters from here on, while the agent runs. What a meter of the same id and profile said of itself is not
    /// forgotten, as after a restart; plans stay where the bus goes on.
    ///
    /// - Parameter kept: indexes of meters whose bus goes on as it is.
    package func exchanged(for meters: [ConfiguredMeter], kept: Set<UInt64>) -> MeterRegister {
        var next = MeterRegister(meters)
        let known = Dictionary(
            self.meters.enumerated().map { ($0.element.id, $0.offset) }, uniquingKeysWith: { first, _ in first })
        for (position, meter) in meters.enumerated() {
            guard let old = known[meter.id], let same = meter.read(withVersion: self.meters[old].profileDigest) else {
                continue
            }
            next.meters[position] = same
            next.identities[position] = identities[old]
            next.changes[position] = changes[old]
            next.twins[position] = twins[old]
            next.isClaimed[position] = isClaimed[old]
            if kept.contains(meter.index), let plan = plans[old] { next.planned(plan) }
        }
        return next
    }

    package mutating func planned(_ plan: MeterPlan) {
        // A plan of a meter that is no longer there explains nothing any more.
        guard let meter = positions[plan.meter.index] else { return }
        for read in plans[meter]?.reads ?? [] { identityReads[read.index] = nil }
        plans[meter] = plan
        meters[meter] = plan.meter
        for read in plan.reads where read.isIdentity { identityReads[read.index] = meter }
    }

    /// Somebody looked at the meter: what it says now is right.
    package mutating func commissioned(_ meter: UInt64) {
        guard let position = positions[meter] else { return }
        changes[position] = []
        isClaimed[position] = false
    }

    /// By serial, the positions of the meters that have it.
    package var bySerial: [String: [Int]] {
        Dictionary(grouping: identities.indices.filter { !identities[$0].serial.isEmpty }) { identities[$0].serial }
    }

    /// Whoever has another one's serial takes its billing grade, and does not give it back by going away.
    private mutating func lookForTwins() {
        for positions in bySerial.values where positions.count > 1 {
            let ids = positions.map { meters[$0].id }
            for position in positions {
                let others = Set(ids.filter { $0 != meters[position].id })
                if !others.isSubset(of: twins[position]) { isClaimed[position] = true }
                twins[position].formUnion(others)
            }
        }
    }

    /// Takes what the stream's last birth said, where it still fits the configuration.
    package mutating func recall(_ birth: Birth) {
        for known in birth.meters {
            guard let index = positions[known.index], meters[index].id == known.id,
                let same = meters[index].read(withVersion: known.profileDigest)
            else { continue }
            meters[index] = same
            identities[index].model = known.model
            identities[index].serial = known.serial
            identities[index].firmware = known.firmware
        }
        lookForTwins()
    }

    /// Looks for identity texts among answers. Unusable texts and failed reads change nothing.
    ///
    /// - Returns: texts that are not what they were; becoming known is no change.
    @discardableResult
    package mutating func observe(_ reads: [FinishedRead]) -> [(meter: ConfiguredMeter, change: IdentityChange)] {
        var found: [(meter: ConfiguredMeter, change: IdentityChange)] = []
        var isNews = false
        defer { if isNews { lookForTwins() } }
        for read in reads where read.status == SampleStatus.good {
            guard let meter = identityReads[read.read], let plan = plans[meter], let planned = plan.read(read.read)
            else {
                continue
            }
            let texts = planned.planned.identityTexts(read.words, plan.meter.profile, chain: plan.chain)
            for case let (role, text?) in texts {
                let before = identities[meter][role]
                identities[meter][role] = text
                isNews = isNews || before != text
                guard !before.isEmpty, before != text else { continue }
                let change = IdentityChange(role: role, before: before, now: text)
                changes[meter].removeAll { $0.role == role }
                changes[meter].append(change)
                found.append((meters[meter], change))
            }
        }
        return found
    }

    /// The birth's body for what is known now.
    package func birth(
        agentVersion: String, predecessor: Birth.Predecessor?, replay: (start: UTCInstant, speed: Int64)?
    ) -> Birth {
        var meters: [Birth.Meter] = []
        var reads: [Birth.Read] = []
        for (index, meter) in self.meters.enumerated() {
            let plan = plans[index]
            let identity = identities[index]
            meters.append(
                Birth.Meter(
                    index: meter.index, id: meter.id, profileName: meter.profile.name,
                    profileDigest: meter.profileDigest, model: identity.model, serial: identity.serial,
                    firmware: identity.firmware, unit: UInt64(meter.unit), endpoint: meter.endpoint,
                    chain: (plan?.chain ?? []).map {
                        Birth.Meter.Model(id: UInt64($0.id), address: UInt64($0.address), length: UInt64($0.length))
                    },
                    identityReads: (plan?.reads ?? []).filter(\.isIdentity).map(\.index)))
            for read in plan?.reads ?? [] {
                let request = read.planned.request
                reads.append(
                    Birth.Read(
                        index: read.index, meter: meter.index, function: UInt64(request.function),
                        address: UInt64(request.address), count: UInt64(request.count),
                        intervalMilliseconds: UInt64(read.interval)))
            }
        }
        return Birth(
            agentVersion: agentVersion, predecessor: predecessor, meters: meters, reads: reads, replay: replay)
    }
}

extension Birth {
    /// Notes for meters that said something else in `before`. Becoming known is no change.
    package func identityNotes(since before: Birth, uptime: UInt64) -> [Note] {
        meters.compactMap { now in
            guard let old = before.meters.first(where: { $0.id == now.id }) else { return nil }
            let was = [old.model, old.serial, old.firmware]
            let texts = [now.model, now.serial, now.firmware]
            guard was != texts, was.contains(where: { !$0.isEmpty }) else { return nil }
            return Note(
                uptimeMilliseconds: uptime, code: .identityChanged,
                details: [
                    (1, .unsigned(now.index)), (2, .array(was.map { .text($0) })), (3, .array(texts.map { .text($0) })),
                ])
        }
    }

    /// The same birth as if its stream had no predecessor: what a restart compares with.
    package var withoutPredecessor: Birth {
        Birth(agentVersion: agentVersion, predecessor: nil, meters: meters, reads: reads, replay: replay)
    }
}
