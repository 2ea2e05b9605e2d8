// How often enrolment may be tried: in all, by gateway, and wrongly. A secret of 100 bits is not guessed; this keeps those who
// try from costing the house its time, and shows that somebody tries. Wrong secrets are kept beside the logs; buckets are not: they
// are empty again within minutes.

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

        /// Counts an attempt of one gateway, unless it is one too many.
        mutating func admit(_ uptime: Int64, _ cost: Int64) -> Bool {
            settle(uptime, amount: 1, per: gatewayRefillMilliseconds)
            guard used < gatewayMax else { return false }
            used += cost
            return true
        }
    }

    private var total = Bucket(at: 0)
    private var gateways: [Identifier: Bucket] = [:]
    /// Of those that showed a certificate: naming a gateway costs nothing, and must not use up what it has for its renewal.
    private var certified: [Identifier: Bucket] = [:]
    private var strangers = Bucket(at: 0)
    /// Of each gateway's last claim that was tried wrongly.
    private var wrong: [Identifier: WrongSecrets] = [:]

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
        if isCertified, let gateway { return Self.admit(gateway, &certified, uptime, cost) }
        total.settle(uptime, amount: Self.totalPerSecond, per: 1000)
        guard total.used < Self.totalMax else { return false }
        let isAdmitted =
            if let gateway { Self.admit(gateway, &gateways, uptime, cost) } else { strangers.admit(uptime, cost) }
        if isAdmitted { total.used += cost }
        return isAdmitted
    }

    private static func admit(
        _ gateway: Identifier, _ buckets: inout [Identifier: Bucket], _ uptime: Int64, _ cost: Int64
    ) -> Bool {
        defer {
            if buckets.count > gatewaysMax { buckets = buckets.filter { $0.value.used > 0 } }
            if buckets.count > gatewaysMax { buckets.removeAll() }
        }
        return buckets[gateway, default: Bucket(at: uptime)].admit(uptime, cost)
    }

    mutating func noteWrongSecret(_ gateway: Identifier, claim: Digest, uptime: Int64) {
        _ = admit(gateway, uptime: uptime, cost: Self.wrongSecretCost)
        // Beyond the lock it need not be known how often.
        wrong[gateway] = WrongSecrets(
            claim: claim, count: min(wrongSecrets(gateway, claim: claim) + 1, WrongSecrets.countMax))
    }

    func wrongSecrets(_ gateway: Identifier, claim: Digest) -> Int {
        wrong[gateway].flatMap { $0.claim == claim ? $0.count : nil } ?? 0
    }

    func isLocked(_ gateway: Identifier, claim: Digest) -> Bool {
        wrongSecrets(gateway, claim: claim) >= Self.wrongSecretsMax
    }

    mutating func unlock(_ gateway: Identifier) { wrong[gateway] = nil }

    /// What is to be kept of a gateway.
    func kept(_ gateway: Identifier) -> WrongSecrets? { wrong[gateway] }

    /// As it was kept before a restart.
    mutating func restore(_ gateway: Identifier, _ kept: WrongSecrets) { wrong[gateway] = kept }
}

/// How often a claim was tried with a wrong secret.
struct WrongSecrets: Hashable, Sendable {
    static let countMax = 1_000_000

    /// Of the claim's document.
    let claim: Digest
    let count: Int

    var line: String { "\(claim) \(count)\n" }

    init(claim: Digest, count: Int) { (self.claim, self.count) = (claim, count) }

    /// Nil for what nobody wrote here.
    init?(line: String) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let bytes = [UInt8](hex: String(words[0])), let claim = Digest(bytes),
            let count = Int(words[1]), (1...Self.countMax).contains(count)
        else { return nil }
        self.init(claim: claim, count: count)
    }
}
