// What the doctor can find, each with a fixed id, name and remedy. The rules that find it stand beside this file.

/// How much a finding matters.
package enum FindingSeverity: Int, Hashable, Comparable, Sendable {
    /// Readings, records or the way to the collector are lost or wrong now.
    case problem = 1
    /// Something will go wrong, or costs more than it must.
    case warning = 2
    /// Statistics that point somewhere: a person has to look.
    case hint = 3
    /// To know, and no fault.
    case note = 4

    package var name: String {
        switch self {
        case .problem: "problem"
        case .warning: "warning"
        case .hint: "hint"
        case .note: "note"
        }
    }

    package static func < (a: FindingSeverity, b: FindingSeverity) -> Bool { a.rawValue < b.rawValue }
}

/// What was found. The raw value is what programs and people search for: never used for anything else again.
///
/// Declaration order is the order of findings of one severity: what hides others comes first.
package enum FindingID: String, CaseIterable, Hashable, Sendable {
    // The program
    case agentNotRunning = "agent-not-running"
    case spoolRefuses = "spool-refuses"
    // The line
    case busNotOpen = "bus-not-open"
    case ttyMissing = "tty-missing"
    case ttyHeld = "tty-held"
    case ttyPermission = "tty-permission"
    case ttyRival = "tty-rival"
    case echoUnexpected = "echo-unexpected"
    case echoMissing = "echo-missing"
    case speedOrParity = "speed-or-parity"
    case lineSilent = "line-silent"
    case secondMaster = "second-master"
    case addressClash = "address-clash"
    case unitWrong = "unit-wrong"
    case gatewayNoAnswer = "gateway-no-answer"
    case timeoutShort = "timeout-short"
    case clientRefused = "client-refused"
    case termination = "termination"
    case noise = "noise"
    case characterErrors = "character-errors"
    case registersRefused = "registers-refused"
    case meterSilent = "meter-silent"
    case cycleTooShort = "cycle-too-short"
    case lineRemark = "line-remark"
    case adapterLatency = "adapter-latency"
    // The meters
    case serialTwice = "serial-twice"
    case notCommissioned = "not-commissioned"
    case directionReversed = "direction-reversed"
    case phasesSum = "phases-sum"
    case energyPower = "energy-power"
    case powerFactor = "power-factor"
    case voltageOdd = "voltage-odd"
    case frequencyOdd = "frequency-odd"
    case valueStuck = "value-stuck"
    // The machine
    case diskReadOnly = "disk-read-only"
    case diskFull = "disk-full"
    case diskSlow = "disk-slow"
    case spoolVolatile = "spool-volatile"
    case clockUnknown = "clock-unknown"
    case clockUnsynchronised = "clock-unsynchronised"
    case clockStepped = "clock-stepped"
    // The way to the collector
    case certificateMissing = "certificate-missing"
    case certificateExpired = "certificate-expired"
    case certificateExpiring = "certificate-expiring"
    case certificateName = "certificate-name"
    case keyChangeHangs = "key-change-hangs"
    case notAdmitted = "not-admitted"
    case keyRefused = "key-refused"
    case clientRival = "client-rival"
    case brokerUnreachable = "broker-unreachable"
    case packetsTooLarge = "packets-too-large"
    case idleCut = "idle-cut"
    case simQuota = "sim-quota"
    case ports = "ports"
}

/// One finding, with what it was found by.
package struct Finding: Hashable, Sendable {
    package let id: FindingID
    /// Bus, meter, file or address; empty where there is only one.
    package let subject: String
    /// A sentence with numbers.
    package let evidence: String
    /// What to do.
    package let remedy: String

    /// - Parameter remedy: where the fixed text of the id can be made exact: with a process id, a command.
    package init(_ id: FindingID, _ subject: String, _ evidence: String, remedy: String? = nil) {
        self.id = id
        self.subject = subject
        self.evidence = evidence
        self.remedy = remedy ?? id.remedy
    }

    package var severity: FindingSeverity { id.severity }
    package var isFault: Bool { severity != .note }
}

extension [Finding] {
    /// By severity, then in the order of ``FindingID``, then by subject; none twice.
    package var ordered: [Finding] {
        let places = Dictionary(
            FindingID.allCases.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
        let sorted = self.sorted { a, b in
            (a.severity.rawValue, places[a.id] ?? 0, a.subject, a.evidence)
                < (b.severity.rawValue, places[b.id] ?? 0, b.subject, b.evidence)
        }
        return sorted.enumerated().filter { $0.offset == 0 || sorted[$0.offset - 1] != $0.element }.map(\.element)
    }
}
