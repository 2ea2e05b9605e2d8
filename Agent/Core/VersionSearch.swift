// Which version of a meter's profile is for the device: each is asked for the registers that say who it is. Decides only;
// the bus thread or a tool sends the requests. What they bring is no evidence: the birth and its identity reads are.

package import Metering

/// What a device shall be read with.
package struct VersionChoice: Hashable, Sendable {
    package let profile: Profile
    /// No version is for what the device said: this one was declared for that case.
    package let isFallback: Bool

    package init(profile: Profile, isFallback: Bool) {
        self.profile = profile
        self.isFallback = isFallback
    }
}

package struct VersionSearch: Sendable {
    package enum Step: Hashable, Sendable {
        case read(ReadRequest)
        case chosen(VersionChoice)
    }

    /// Versions of one profile.
    package static let versionsMax = 8

    /// A version with the requests that tell whether it is the device's.
    private struct Candidate {
        let profile: Profile
        let reads: [PlannedRead]
    }

    private let candidates: [Candidate]
    private let fallback: Profile
    private let chain: [SunSpecModel]
    /// Words of each request, empty where the device answered with an exception. Only looked up.
    private var answers: [ReadRequest: [UInt8]] = [:]

    /// - Parameters:
    ///   - meter: with its fallback as profile.
    ///   - chain: what the SunSpec walk found; empty for other devices.
    package init(_ meter: ConfiguredMeter, chain: [SunSpecModel]) {
        fallback = meter.profile
        self.chain = chain
        candidates = meter.versions.compactMap { profile in
            // A version whose models the device lacks is none of its.
            do throws(PlanError) {
                return Candidate(profile: profile, reads: try profile.identityPlan(chain: chain))
            } catch { return nil }
        }
    }

    /// The next request, or what came of all.
    package var step: Step {
        for candidate in candidates {
            if let read = candidate.reads.first(where: { answers[$0.request] == nil }) { return .read(read.request) }
        }
        let fitting = candidates.filter { $0.profile.isFor(signs($0)) }.map(\.profile)
        guard let profile = Profile.preferred(fitting) else {
            return .chosen(VersionChoice(profile: fallback, isFallback: true))
        }
        return .chosen(VersionChoice(profile: profile, isFallback: false))
    }

    /// The answer to the request of ``step``; nil: an exception.
    package mutating func answer(_ words: [UInt8]?) {
        if case .read(let request) = step { answers[request] = words ?? [] }
    }

    /// What the device said in the words of one version. A register it does not have, or unusable text, says nothing.
    private func signs(_ candidate: Candidate) -> DeviceSigns {
        var texts: [Identity.Role: String] = [:]
        for read in candidate.reads {
            guard let words = answers[read.request], !words.isEmpty else { continue }
            for case let (role, text?) in read.identityTexts(words, candidate.profile, chain: chain) {
                texts[role] = text
            }
        }
        return DeviceSigns(texts, chain: chain)
    }
}
