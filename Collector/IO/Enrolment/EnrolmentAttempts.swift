// How often enrolment may be tried: in all, by gateway, and wrongly. A secret of 100 bits is not guessed; this keeps those who
// try from costing the house its time, and shows that somebody tries. Kept in memory: a restart forgets it.

internal import Proofs
internal import Quantities

/// Buckets that fill with time, and claims that were tried with wrong secrets. Owned by the house.
struct EnrolmentAttempts {
    /// Attempts at once, and per second, of everybody together who shows no certificate.
    static let totalMax: Int64 = 200
    static let totalPerSecond: Int64 = 20
    /// Attempts at once of one gateway, and how many ms one more takes. Gateways nobody registered share one bucket.
    static let gatewayMax: Int64 = 60
    static let gatewayRefillMilliseconds: Int64 = 2_000
    /// What a wrong secret costs of both.
    static let wrongSecretCost: Int64 = 5
    /// Wrong secrets after which a claim is locked until a person unlocks it or makes another.
    static let wrongSecretsMax = 10
    /// Gateways whose buckets are remembered; more than that and the fullest are as good as new.
    static let gatewaysMax = 10_000

    private struct Bucket {
        var used: Int64 = 0
        var at: Int64

        /// Empties by `amount` per `milliseconds`.
        mutating func settle(_ uptime: Int64, amount: Int64, per milliseconds: Int64) {
            let gone = max(0, uptime - at) / milliseconds
            used = max(0, used - gone * amount)
            at = used == 0 ? uptime : at + gone * milliseconds
        }
    }

    private var total = Bucket(at: 0)
    private var gateways: [Identifier: Bucket] = [:]
    private var strangers = Bucket(at: 0)
    /// By the claim's document id.
    private var wrong: [Digest: Int] = [:]

    /// Counts an attempt.
    ///
    /// - Parameters:
    ///   - gateway: nil for one that is not registered.
    ///   - uptime: ms.
    ///   - isCertified: TLS has checked a certificate, so that no stranger can keep renewals from being answered.
    /// - Returns: false when it is one too many.
    mutating func admit(
        _ gateway: Identifier?, uptime: Int64, cost: Int64 = 1, isCertified: Bool = false
    ) -> Bool {
        total.settle(uptime, amount: Self.totalPerSecond, per: 1000)
        var bucket = gateway.map { gateways[$0] ?? Bucket(at: uptime) } ?? strangers
        bucket.settle(uptime, amount: 1, per: Self.gatewayRefillMilliseconds)
        defer {
            if let gateway { gateways[gateway] = bucket } else { strangers = bucket }
            if gateways.count > Self.gatewaysMax { gateways = gateways.filter { $0.value.used > 0 } }
            if gateways.count > Self.gatewaysMax { gateways.removeAll() }
        }
        guard isCertified || total.used < Self.totalMax, bucket.used < Self.gatewayMax else { return false }
        if !isCertified { total.used += cost }
        bucket.used += cost
        return true
    }

    mutating func noteWrongSecret(_ gateway: Identifier, claim: Digest, uptime: Int64) {
        _ = admit(gateway, uptime: uptime, cost: Self.wrongSecretCost)
        wrong[claim, default: 0] += 1
    }

    func wrongSecrets(_ claim: Digest) -> Int { wrong[claim] ?? 0 }
    func isLocked(_ claim: Digest) -> Bool { wrongSecrets(claim) >= Self.wrongSecretsMax }
    mutating func unlock(_ claim: Digest) { wrong[claim] = nil }
}
