// What the doctor could not look at, and why: silence about something must never pass for its health. Each noun says it of
// itself here; findings are its rules' matter.

internal import Metering
package import Quantities

/// A check that was not made.
package struct NotLookedAt: Hashable, Sendable {
    /// The check, with what it is about.
    package let what: String
    /// Goes on after "because".
    package let why: String

    package init(_ what: String, because why: String) {
        self.what = what
        self.why = why
    }

    /// Things in a list, and how many there are beyond it.
    static func listed(_ names: [String]) -> String {
        let shown = names.prefix(namesMax).joined(separator: ", ")
        return names.count > namesMax ? shown + " and \(names.count - namesMax) more" : shown
    }

    private static let namesMax = 6
}

extension MachineFacts {
    /// In the order of the report.
    package var notLookedAt: [NotLookedAt] {
        var rest: [NotLookedAt] = []
        if ttys.isEmpty { rest.append(NotLookedAt("serial lines", because: "no bus is one")) }
        for tty in ttys where tty.isThere {
            if tty.hidesHolders {
                rest.append(
                    NotLookedAt(
                        "who holds \(tty.device)",
                        because: "user \(tty.user) may not see what others have open; root may")
                )
            }
            if tty.latencyMilliseconds == nil {
                rest.append(
                    NotLookedAt("the latency timer of \(tty.device)", because: "its driver shows none: no FTDI adapter")
                )
            }
        }
        if disk == nil {
            rest.append(NotLookedAt("the spool's disk", because: "its folder and the one above it are not there"))
        } else if let disk, !disk.isReadOnly, disk.syncMilliseconds == nil {
            rest.append(
                NotLookedAt("how fast the spool's disk is", because: "nothing could be written in \(disk.path)"))
        }
        if clock == nil { rest.append(NotLookedAt("the machine's clock", because: "`clock` is replayed")) }
        return rest
    }

    /// - Parameter hidden: a file or folder that whoever looks may not read.
    package func certificatesNotLookedAt(hidden: String?) -> [NotLookedAt] {
        if let hidden { return [NotLookedAt("certificates", because: "this user may not read \(hidden)")] }
        guard certificates.isEmpty else { return [] }
        return [NotLookedAt("certificates", because: "the gateway is not enrolled, and `mqtt` names none")]
    }
}

extension UplinkFacts {
    /// - Parameter hidden: the folder with the brokers, which whoever looks may not read.
    package func notLookedAt(hidden: String?) -> [NotLookedAt] {
        guard !brokers.isEmpty else {
            return [
                NotLookedAt(
                    "the way to the broker",
                    because: hidden.map { "this user may not read \($0), and no agent tells who it is" }
                        ?? "the gateway is not enrolled, and there is no `mqtt`")
            ]
        }
        return brokers.compactMap { broker in
            let what = "large packets to \(broker.address)"
            guard let segments = broker.segments else {
                return NotLookedAt(what, because: "there is no connection")
            }
            return segments.unknown.map { NotLookedAt(what, because: $0) }
        }
    }
}

extension UplinkEvidence {
    /// - Parameter quota: bytes a month of the SIM; nil: none is configured.
    package func notLookedAt(quota: Int64?, now: Int64) -> [NotLookedAt] {
        let what = "the SIM's volume"
        if quota == nil { return [NotLookedAt(what, because: "`sim_quota` is not set")] }
        return bytesAMonth(now: now) == nil
            ? [NotLookedAt(what, because: "nothing was sent yet, or for less than ten minutes")] : []
    }
}

extension LineCase {
    package var notLookedAt: [NotLookedAt] {
        if figures.problem != nil {
            return [NotLookedAt("the meters on \(name)", because: "the bus is not open")]
        }
        var rest: [NotLookedAt] = []
        let few = zip(meters, figures.meters).filter { $1.requests < LineRules.askedMin }.map { $0.0.id.text }
        if !few.isEmpty {
            rest.append(
                NotLookedAt(
                    "how \(NotLookedAt.listed(few)) on \(name) answer\(few.count == 1 ? "s" : "")",
                    because: "fewer than \(LineRules.askedMin) requests were sent lately"))
        }
        if kind == .serial, figures.characters == nil {
            rest.append(
                NotLookedAt("broken characters on \(name)", because: "the line's driver does not count them"))
        }
        return rest
    }
}

// MARK: Installation

extension InstallationChecks {
    private struct Check {
        let name: String
        /// Any of these sets is enough, each in one round.
        let needs: [[ObisCode]]
        let rounds: Int
    }

    private static let checks: [Check] = [
        Check(name: "phases against the total", needs: [ObisCode.phasePowers + [.activePower]], rounds: roundsMin),
        Check(name: "the direction", needs: [[.activePower]], rounds: roundsMin),
        Check(
            name: "energy against power", needs: [[.activePower, .activeImport], [.activePower, .activeExport]],
            rounds: roundsMin),
        Check(
            name: "volts times amperes against power",
            needs: (0..<3).map { [ObisCode.phasePowers[$0], ObisCode.phaseVoltages[$0], ObisCode.phaseCurrents[$0]] },
            rounds: roundsMin),
        Check(name: "the voltage", needs: ObisCode.phaseVoltages.map { [$0] }, rounds: roundsMin),
        Check(name: "the frequency", needs: [[.frequency]], rounds: roundsMin),
        Check(
            name: "values that never change", needs: ([.activePower] + ObisCode.phaseVoltages).map { [$0] },
            rounds: stuckRounds),
    ]

    /// One entry a check and reason, with the meters it stands for.
    ///
    /// - Parameter ids: every meter that is configured.
    package static func notLookedAt(_ meters: [MeterSeries], of ids: [Identifier]) -> [NotLookedAt] {
        var rest: [NotLookedAt] = []
        let spoke = meters.filter { !$0.rounds.isEmpty }
        let mute = ids.filter { id in !spoke.contains { $0.id == id } }.map(\.text)
        if !mute.isEmpty {
            rest.append(
                NotLookedAt(
                    "the installation of \(NotLookedAt.listed(mute))",
                    because: "no reading of the last minutes is there"))
        }
        for check in checks {
            var unread: [String] = []
            var young: [String] = []
            for meter in spoke where !(check.name == "the direction" && meter.role == .exchange) {
                let counts = check.needs.map { codes in
                    meter.rounds.count { round in codes.allSatisfy { round.values[$0] != nil } }
                }
                switch counts.max() ?? 0 {
                case 0: unread.append(meter.id.text)
                case ..<check.rounds: young.append(meter.id.text)
                default: break
                }
            }
            if !unread.isEmpty {
                rest.append(
                    NotLookedAt(
                        "\(check.name) of \(NotLookedAt.listed(unread))", because: "what it needs is not read"))
            }
            if !young.isEmpty {
                rest.append(
                    NotLookedAt(
                        "\(check.name) of \(NotLookedAt.listed(young))",
                        because: "fewer than \(check.rounds) readings are there yet"))
            }
        }
        return rest + span(spoke) + unnamed(spoke)
    }

    /// Meters whose energy has not moved enough to be compared.
    private static func span(_ meters: [MeterSeries]) -> [NotLookedAt] {
        let still = meters.filter { meter in
            let rounds = meter.rounds.filter { $0.values[.activePower] != nil && net($0) != nil }
            return rounds.count >= roundsMin && !isComparable(rounds, step: meter.energyStep)
        }
        guard !still.isEmpty else { return [] }
        return [
            NotLookedAt(
                "energy against power of \(NotLookedAt.listed(still.map(\.id.text)))",
                because: "too little energy flowed in the last minutes")
        ]
    }

    private static func unnamed(_ meters: [MeterSeries]) -> [NotLookedAt] {
        let names = meters.filter { $0.serial.isEmpty }.map(\.id.text)
        guard !names.isEmpty else { return [] }
        return [
            NotLookedAt(
                "serial numbers that come twice, of \(NotLookedAt.listed(names))", because: "the device tells none")
        ]
    }
}
