// Runs the frames of a profile: the words in, the values, texts and requests out, and what does not agree.

package struct FrameCheck: Sendable {
    /// Frames, identity frames and plans run.
    package let run: Int
    /// Sentences that name the frame and both values. Empty: everything agrees.
    package private(set) var problems: [String] = []
    /// Quantities that at least one frame gives a value for.
    package private(set) var shown: Set<ObisCode> = []

    package init(_ profile: Profile, _ frames: ProfileFrames) {
        run = frames.answers.count + frames.identity.count + frames.plans.count
        if frames.profile != profile.name {
            problems.append("`profile` says \(frames.profile), the profile is \(profile.name)")
        }
        let digest = "\(profile.digest)"
        if frames.digest != digest { problems.append("`digest` is not the profile's, which is \(digest)") }
        for frame in frames.answers { values(of: frame, profile) }
        for frame in frames.identity { texts(of: frame, profile) }
        for plan in frames.plans { requests(of: plan, profile) }
    }

    /// Quantities that no frame gives a value for.
    package func unshown(_ profile: Profile) -> [ObisCode] {
        profile.quantities.map(\.obis).filter { !shown.contains($0) }
    }

    private mutating func values(of frame: ProfileFrames.Answer, _ profile: Profile) {
        let decoded = ReadDecoder(profile, frame.request, chain: frame.chain).decode(frame.words)
        guard decoded.map(\.obis) == frame.values.map(\.obis) else {
            let held = decoded.map(\.obis.text).joined(separator: ", ")
            return problems.append("\(frame.name): the request holds \(held.isEmpty ? "nothing" : held)")
        }
        for (actual, expected) in zip(decoded, frame.values) {
            let (isEqual, text) = Self.compare(actual.value, expected)
            if !isEqual { problems.append("\(frame.name): \(actual.obis) gives \(text)") }
            if case .notAvailable = actual.value { continue }
            shown.insert(actual.obis)
        }
    }

    private static func compare(_ value: DecodedValue, _ expected: ProfileFrames.Value) -> (Bool, String) {
        switch value {
        case .counter(let count):
            let isEqual = expected.count == Int128(count.count) && expected.unit == count.unit
            return (isEqual, "count \(count.count), unit \(count.unit)")
        case .gauge(let gauge):
            let isEqual = expected.count == Int128(gauge.count) && expected.unit == gauge.unit
            return (isEqual, "count \(gauge.count), unit \(gauge.unit)")
        case .notAvailable(let reason): return (expected.notAvailable == reason, "not-available \(reason.name)")
        }
    }

    private mutating func texts(of frame: ProfileFrames.Answer, _ profile: Profile) {
        do throws(PlanError) {
            let reads = try profile.identityPlan(chain: frame.chain)
            guard let read = reads.first(where: { $0.request == frame.request }) else {
                return problems.append("\(frame.name): no identity read asks so")
            }
            let texts = read.identityTexts(frame.words, profile, chain: frame.chain)
            guard texts.map(\.role) == frame.texts.map(\.role) else {
                let held = texts.map(\.role.name).joined(separator: ", ")
                return problems.append("\(frame.name): the request holds \(held)")
            }
            for (actual, expected) in zip(texts, frame.texts) {
                // An empty text stands for an unusable one.
                let text = actual.text ?? ""
                let isAccepted = actual.text.map { profile.accepts($0, actual.role) } ?? false
                if text != expected.text || isAccepted != expected.isAccepted {
                    problems.append("\(frame.name): \(actual.role.name) gives \(text), accepted: \(isAccepted)")
                }
            }
        } catch { problems.append("\(frame.name): \(error.description)") }
    }

    private mutating func requests(of plan: ProfileFrames.Plan, _ profile: Profile) {
        let name = plan.isIdentity ? "plan of identity" : "plan of " + plan.wanted.map(\.text).joined(separator: ", ")
        do throws(PlanError) {
            let reads =
                plan.isIdentity
                ? try profile.identityPlan(chain: plan.chain) : try profile.plan(plan.wanted, chain: plan.chain)
            guard reads.map(\.request) != plan.requests else { return }
            let made = reads.map { "\($0.request.function): \($0.request.address) + \($0.request.count)" }
            problems.append("\(name): the requests are \(made.joined(separator: "; "))")
        } catch { problems.append("\(name): \(error.description)") }
    }
}

extension Profile {
    /// Whether a device of this profile may say so: an expected text, and of its firmware a covered one.
    package func accepts(_ text: String, _ role: Identity.Role) -> Bool {
        guard identity.field(role)?.accepts(text) ?? true else { return false }
        return role != .firmware || covers(firmware: text)
    }
}
