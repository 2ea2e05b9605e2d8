// What can be wrong with an answer, and when: fault specifications and their draw. Acting on it is the command's.

package import Quantities

/// What a fault does to one answer.
package enum FaultKind: String, CaseIterable, Sendable {
    case timeout  // no answer
    case exception  // a Modbus exception instead
    case unit  // another unit id in the answer
    case garbage  // bytes that are no Modbus instead
    case late  // the answer after `ms`, when the client may have given up
    case zero  // a reboot: energy counters show 0 for `seconds` of the house's time, then return
    case disconnect  // the connection is closed instead
    case drip  // the answer byte by byte, one every `ms`
}

/// Which devices a fault touches.
package enum FaultTarget: Hashable, Sendable {
    case all, meters, inverter
}

/// One `--fault`: a kind, when (house time), how often, and the kind's own value.
package struct FaultSpecification: Hashable, Sendable {
    package var kind: FaultKind
    package var target: FaultTarget = .all
    /// Half-open, in the house's time; nil is open.
    package var from: UTCInstant?
    package var to: UTCInstant?
    /// How many of a million requests in that time.
    package var ratePpm: UInt64 = 1_000_000
    /// Exception code.
    package var code: UInt8 = 4
    /// Machine milliseconds: an answer's lateness, or the pause before each byte of a drip.
    package var milliseconds: Int64
    /// Seconds of the house's time that counters stay 0.
    package var seconds: Int64 = 60

    package init(kind: FaultKind) {
        self.kind = kind
        milliseconds = kind == .drip ? 20 : 2000
    }
}

/// A `--fault` that cannot be understood: the key and what is allowed.
package struct FaultSyntaxError: Error, Hashable, Sendable {
    package let key: String
    package let allowed: String
}

extension FaultSpecification {
    /// Longest lateness or drip pause: a minute.
    package static let millisecondsMax: Int64 = 60_000

    /// Parses `kind=late,ms=3000,rate=1000,from=2016-07-08T00:00:00Z,to=…,meter=b23|inverter|all`.
    package static func parse(_ text: String) throws(FaultSyntaxError) -> FaultSpecification {
        var pairs: [(key: String, value: String)] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2 else { throw FaultSyntaxError(key: String(part), allowed: "key=value, …") }
            guard !pairs.contains(where: { $0.key == sides[0] }) else {
                throw FaultSyntaxError(key: sides[0], allowed: "each key once")
            }
            pairs.append((sides[0], sides[1]))
        }
        let kinds = FaultKind.allCases.map(\.rawValue).joined(separator: ", ")
        guard let named = pairs.first(where: { $0.key == "kind" }), let kind = FaultKind(rawValue: named.value) else {
            throw FaultSyntaxError(key: "kind", allowed: "one of \(kinds)")
        }
        var specification = FaultSpecification(kind: kind)
        for (key, value) in pairs where key != "kind" { try specification.set(key, value) }
        if let from = specification.from, let to = specification.to, from >= to {
            throw FaultSyntaxError(key: "to", allowed: "an instant after from")
        }
        return specification
    }

    private mutating func set(_ key: String, _ value: String) throws(FaultSyntaxError) {
        func instant() throws(FaultSyntaxError) -> UTCInstant {
            guard let instant = UTCInstant(value) else {
                throw FaultSyntaxError(key: key, allowed: "an instant of the house's time such as 2016-07-08T00:00:00Z")
            }
            return instant
        }
        func number(_ range: ClosedRange<Int64>) throws(FaultSyntaxError) -> Int64 {
            guard let number = Int64(value), range.contains(number) else {
                throw FaultSyntaxError(key: key, allowed: "\(range.lowerBound) … \(range.upperBound)")
            }
            return number
        }
        switch (key, kind) {
        case ("rate", _): ratePpm = UInt64(try number(0...1_000_000))
        case ("from", _): from = try instant()
        case ("to", _): to = try instant()
        case ("meter", _):
            switch value {
            case "all": target = .all
            case "b23": target = .meters
            case "inverter": target = .inverter
            default: throw FaultSyntaxError(key: key, allowed: "one of all, b23, inverter")
            }
        case ("code", .exception): code = UInt8(try number(1...255))
        case ("ms", .late), ("ms", .drip): milliseconds = try number(1...Self.millisecondsMax)
        case ("seconds", .zero): seconds = try number(1...86_400)
        default:
            throw FaultSyntaxError(
                key: key, allowed: "rate, from, to, meter; code (exception), ms (late, drip), seconds (zero)")
        }
    }
}

/// One device's faults: the same seed and the same sequence of requests give the same faults, whatever other devices
/// do.
package struct DeviceFaults: Sendable {
    private let specifications: [FaultSpecification]
    private let seed: UInt64
    private var requests: UInt64 = 0
    /// The house's time until which counters show 0.
    private var zeroedUntil: UTCInstant?

    /// - Parameter device: distinguishes devices under one seed.
    package init(_ specifications: [FaultSpecification], seed: UInt64, device: UInt64, isInverter: Bool) {
        self.specifications = specifications.filter {
            $0.target == .all || ($0.target == .inverter) == isInverter
        }
        self.seed = Self.mix(seed ^ Self.mix(device))
    }

    /// What happens to the next request.
    package struct Outcome: Hashable, Sendable {
        /// The first fault in the order given that applies; never `.zero`.
        package var fault: FaultSpecification?
        package var countersZeroed = false
        /// For what else must look random about this answer.
        package var random: UInt64 = 0
    }

    package mutating func next(at house: UTCInstant) -> Outcome {
        guard !specifications.isEmpty else { return Outcome() }
        requests &+= 1
        let request = Self.mix(seed &+ requests)
        var outcome = Outcome(random: Self.mix(request))
        for (index, specification) in specifications.enumerated() {
            if let from = specification.from, house < from { continue }
            if let to = specification.to, house >= to { continue }
            let draw = Self.mix(request ^ UInt64(index + 1)) % 1_000_000
            guard draw < specification.ratePpm else { continue }
            if specification.kind == .zero {
                reboot(specification, at: house)
            } else if outcome.fault == nil {
                outcome.fault = specification
            }
        }
        if let zeroedUntil { outcome.countersZeroed = house < zeroedUntil }
        return outcome
    }

    /// A reboot at a stated time happens once, then; a drawn one at the request that drew it, unless still rebooting.
    private mutating func reboot(_ specification: FaultSpecification, at house: UTCInstant) {
        let isDrawn = specification.ratePpm < 1_000_000
        if isDrawn, let zeroedUntil, house < zeroedUntil { return }
        let start = isDrawn ? house : specification.from ?? house
        zeroedUntil = max(zeroedUntil ?? start, start + specification.seconds * 1000)
    }

    /// SplitMix64's finaliser (Steele, Lea, Flood 2014): well mixed bits, the same on every machine.
    package static func mix(_ value: UInt64) -> UInt64 {
        var bits = value &+ 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}

/// Bytes that a fault sends.
package enum Fault {
    /// 1 … 32 bytes that depend on `random` alone.
    package static func garbage(_ random: UInt64) -> [UInt8] {
        (0...(random % 32)).map { UInt8(truncatingIfNeeded: DeviceFaults.mix(random &+ $0)) }
    }
}
