// A profile as meters hold it: once for all that are read with it, with its digest. What is in it is Metering's.

package import Metering
package import Proofs

/// A meter is copied into plans, notices, figures and registers: each copy has a reference to this, not a quarter kilobyte of
/// profile, and the digest is not computed for each of a thousand meters.
package final class HeldProfile: Sendable {
    package let profile: Profile
    package let digest: Digest

    package init(_ profile: Profile) {
        self.profile = profile
        digest = profile.digest
    }
}

extension HeldProfile: Hashable {
    package static func == (a: HeldProfile, b: HeldProfile) -> Bool { a === b || a.profile == b.profile }
    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
