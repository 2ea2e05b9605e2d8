// Which profile is a device's: what to ask it, question by question, and what its answers say for and against each profile.
// Decides only; whoever owns the line asks, and a person chooses.

package import Metering
internal import Evidence

/// The questions to one unit. First what a device says of itself (functions 43/14 and 17), then SunSpec's marker, then the
/// identity registers of every profile, and of those profiles that are left some values that must be plausible.
package struct DeviceSearch: Sendable {
    /// Questions to one device.
    package static let questionsMax = 400
    /// Questions in a row without a sound answer after which the device counts as silent.
    package static let silentMax = 8
    package static let bases: [UInt16] = [40_000, 50_000, 0]

    private enum Phase {
        case identification(ModbusRequest.Level)
        case serverID
        case sunSpec(SunSpecWalk)
        case identity
        case proof
        case done
    }

    package let unit: UInt8
    package let profiles: [Profile]
    private var phase = Phase.identification(.basic)
    private var waiting: ArraySlice<ReadRequest> = []
    private var answers: [ReadRequest: ModbusAnswer] = [:]
    private var unanswered = 0
    /// Questions asked, and answered soundly: exceptions are answers.
    package private(set) var asked = 0
    package private(set) var answered = 0
    /// What function 43/14 told: object and text.
    package private(set) var said: [DeviceIdentification.Object] = []
    /// What function 17 told.
    package private(set) var serverID: [UInt8] = []
    package private(set) var chain: [SunSpecModel] = []

    package init(unit: UInt8, profiles: [Profile]) {
        self.unit = unit
        self.profiles = profiles
    }

    /// At most so many questions are to come.
    package var questionsLeft: Int {
        switch phase {
        case .identification, .serverID, .sunSpec: min(Self.questionsMax, 12 + 3 * profiles.count)
        case .identity, .proof: waiting.count
        case .done: 0
        }
    }

    /// The next question; nil: that was all.
    package var next: ModbusRequest? {
        switch phase {
        case .identification(let level): .identification(unit: unit, level: level)
        case .serverID: .serverID(unit: unit)
        case .sunSpec(let walk):
            if case .read(let request) = walk.step { request.asked(of: unit) } else { nil }
        case .identity, .proof: waiting.first.flatMap { $0.asked(of: unit) }
        case .done: nil
        }
    }

    /// What came of ``next``.
    package mutating func answer(_ answer: ModbusAnswer) {
        asked += 1
        let isSound = answer.status <= SampleStatus.exceptionMax
        answered += isSound ? 1 : 0
        unanswered = isSound ? 0 : unanswered + 1
        let bytes = answer.status == SampleStatus.good ? answer.bytes : nil
        switch phase {
        case .identification(let level):
            let objects = bytes.flatMap(DeviceIdentification.init)?.objects ?? []
            said += objects.filter { object in !said.contains { $0.id == object.id } }
            phase = level == .basic && !objects.isEmpty ? .identification(.regular) : .serverID
        case .serverID:
            serverID = bytes ?? []
            phase = .sunSpec(SunSpecWalk(bases: Self.bases))
        case .sunSpec(var walk):
            walk.answer(bytes)
            phase = .sunSpec(walk)
            if case .read = walk.step { break }
            if case .found(let found) = walk.step { chain = found }
            let chain = chain
            begin(
                .identity,
                requests { profile throws(PlanError) in try profile.identityPlan(chain: chain) })
        case .identity, .proof:
            if let request = waiting.popFirst() { answers[request] = answer }
            guard waiting.isEmpty else { break }
            if case .identity = phase {
                begin(.proof, proofRequests)
            } else {
                phase = .done
            }
        case .done: break
        }
        if unanswered >= Self.silentMax || asked >= Self.questionsMax { phase = .done }
    }

    private mutating func begin(_ next: Phase, _ requests: [ReadRequest]) {
        waiting = requests[...]
        phase = next
        guard waiting.isEmpty else { return }
        if case .identity = next {
            begin(.proof, proofRequests)
        } else {
            phase = .done
        }
    }

    private var proofRequests: [ReadRequest] {
        let (left, chain) = (Set(candidates.map(\.profile.name)), chain)
        return requests { profile throws(PlanError) in
            left.contains(profile.name) ? try profile.plan(profile.proofs, chain: chain) : []
        }
    }

    /// What the profiles would ask, each once, without what was asked.
    private func requests(_ plan: (Profile) throws(PlanError) -> [PlannedRead]) -> [ReadRequest] {
        var found: Set<ReadRequest> = []
        for profile in profiles where profile.sunSpec == nil || !chain.isEmpty {
            // A profile that cannot be planned for this device is no candidate.
            do throws(PlanError) {
                let reads = try plan(profile)
                found.formUnion(reads.map(\.request))
            } catch { continue }
        }
        return found.subtracting(answers.keys).sorted()
    }
}

// MARK: Candidates

extension DeviceSearch {
    /// A profile that nothing speaks against, with what speaks for it.
    package struct Candidate: Hashable, Sendable {
        package let profile: Profile
        package fileprivate(set) var score = 0
        package fileprivate(set) var reasons: [String] = []
        package fileprivate(set) var texts: [Identity.Role: String] = [:]

        /// How sure one may be.
        package var words: String { score >= 100 ? "likely" : isPlausible ? "plausible" : "possible" }
        package var isPlausible: Bool { score >= 40 }

        fileprivate mutating func count(_ points: Int, _ reason: String) {
            score += points
            reasons.append(reason)
        }
    }

    /// By what speaks for them, best first.
    package var candidates: [Candidate] {
        profiles.compactMap(judge).sorted { a, b in
            (a.score, a.profile.level.rawValue) == (b.score, b.profile.level.rawValue)
                ? a.profile.name < b.profile.name
                : (a.score, a.profile.level.rawValue) > (b.score, b.profile.level.rawValue)
        }
    }

    private func judge(_ profile: Profile) -> Candidate? {
        var candidate = Candidate(profile: profile)
        if let models = profile.sunSpec?.models {
            do throws(PlanError) { try profile.check(chain) } catch { return nil }
            let names = models.map { String($0.id) }.joined(separator: ", ")
            candidate.count(40 + models.count, "SunSpec models \(names) at \(chain.first?.address ?? 0)")
        }
        guard isWhatItExpects(&candidate) else { return nil }
        let told =
            said.map { $0.text.lowercased() }.joined(separator: " ") + " "
            + DeviceIdentification.printable(serverID).lowercased()
        let vendor = profile.vendor.split(separator: " ").first.map { $0.lowercased() } ?? ""
        if !vendor.isEmpty, told.has(vendor) { candidate.count(60, "it says its vendor is \(profile.vendor)") }
        if let model = profile.models.first(where: { told.has($0.lowercased()) }) {
            candidate.count(60, "it says it is a \(model)")
        }
        return isPlausible(&candidate) ? candidate : nil
    }

    /// Identity registers: what the profile expects must be there.
    private func isWhatItExpects(_ candidate: inout Candidate) -> Bool {
        let profile = candidate.profile
        let plan: [PlannedRead]
        do throws(PlanError) { plan = try profile.identityPlan(chain: chain) } catch { return false }
        for read in plan {
            guard let answer = answers[read.request] else { continue }
            let texts = read.identityTexts(
                answer.status == SampleStatus.good ? answer.bytes : [], profile, chain: chain)
            for (role, text) in texts {
                guard let field = profile.identity[role] else { continue }
                guard let text, !text.isEmpty else {
                    if field.isOptional || field.expected.isEmpty && answer.status == SampleStatus.good { continue }
                    return false
                }
                candidate.texts[role] = text
                guard field.accepts(text) else { return false }
                if !field.expected.isEmpty {
                    candidate.count(100, "\(role.name) \(text) is what it expects")
                } else if role == .serial, text != "0" {
                    candidate.count(15, "its serial number stands where the profile has it")
                }
            }
        }
        let firmware = candidate.texts[.firmware]
        return firmware.map { profile.covers(firmware: $0) } ?? true
    }

    /// Values: they must be answered, and a mains voltage or frequency must be one.
    private func isPlausible(_ candidate: inout Candidate) -> Bool {
        let profile = candidate.profile
        let plan: [PlannedRead]
        do throws(PlanError) { plan = try profile.plan(profile.proofs, chain: chain) } catch { return false }
        var isAnswered = !plan.isEmpty
        for read in plan {
            guard let answer = answers[read.request] else { continue }
            guard answer.status == SampleStatus.good else {
                isAnswered = false
                if read.quantities.allSatisfy({ profile.quantity($0)?.isOptional ?? false }) { continue }
                return false
            }
            for decoded in ReadDecoder(profile, read.request, chain: chain).decode(answer.bytes) {
                guard case .gauge(let gauge) = decoded.value, let range = decoded.obis.mains,
                    let value = gauge.thousandths, value != 0
                else { continue }
                guard range.contains(value) else { return false }
                let unit = profile.quantity(decoded.obis)?.unit.rawValue ?? ""
                candidate.count(30, "\(decoded.obis) is \(value / 1_000) \(unit)")
            }
        }
        if isAnswered, !answers.isEmpty { candidate.count(10, "it answers the profile's registers") }
        return true
    }
}

extension GaugeReading {
    /// Thousandths of the base unit, cut; nil when they do not fit.
    fileprivate var thousandths: Int64? {
        Int64(exactly: Int128(count) * 1_000 * Int128(unit.numerator) / Int128(unit.denominator))
    }
}

extension ReadRequest {
    fileprivate func asked(of unit: UInt8) -> ModbusRequest? {
        ModbusRequest(unit: unit, function: function, address: address, count: count)
    }
}

extension Profile {
    /// Quantities whose values show whether the map is the device's.
    fileprivate var proofs: [ObisCode] {
        quantities.filter { $0.obis.mains != nil || [.activeImport, .activeExport, .activePower].contains($0.obis) }
            .map(\.obis)
    }
}

extension ObisCode {
    /// Thousandths of volts and hertz between which a low-voltage mains lies; nil for other quantities.
    fileprivate var mains: ClosedRange<Int64>? {
        guard d == 7 else { return nil }
        switch c {
        case 32, 52, 72: return 80_000...500_000
        case 14: return 15_000...66_000
        default: return nil
        }
    }
}
