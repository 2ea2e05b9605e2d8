// The fixed words of each finding: severity, name, what to do on site. No numbers: those are the evidence.

extension FindingID {
    package var severity: FindingSeverity {
        switch self {
        case .spoolRefuses, .busNotOpen, .ttyMissing, .ttyHeld, .ttyPermission, .echoUnexpected, .echoMissing,
            .speedOrParity, .lineSilent, .secondMaster, .addressClash, .unitWrong, .gatewayNoAnswer, .timeoutShort,
            .clientRefused, .registersRefused, .meterSilent, .serialTwice, .directionReversed, .phasesSum,
            .energyPower, .diskReadOnly, .diskFull, .clockUnknown, .certificateMissing, .certificateExpired,
            .certificateName, .notAdmitted, .keyRefused, .clientRival, .brokerUnreachable, .packetsTooLarge:
            .problem
        case .agentNotRunning, .ttyRival, .cycleTooShort, .notCommissioned, .diskSlow, .spoolVolatile,
            .clockUnsynchronised, .clockStepped, .certificateExpiring, .keyChangeHangs, .idleCut, .simQuota:
            .warning
        case .termination, .noise, .characterErrors, .lineRemark, .adapterLatency, .powerFactor, .voltageOdd,
            .frequencyOdd,
            .valueStuck:
            .hint
        case .ports: .note
        }
    }

    /// A few words: the heading.
    package var name: String {
        switch self {
        case .agentNotRunning: "the agent is not running"
        case .spoolRefuses: "the spool takes no records"
        case .busNotOpen: "the bus cannot be opened"
        case .ttyMissing: "the serial device is not there"
        case .ttyHeld: "another program holds the serial line"
        case .ttyPermission: "no permission for the serial line"
        case .ttyRival: "a program that grabs serial lines runs"
        case .echoUnexpected: "what is sent comes back"
        case .echoMissing: "the configured echo does not come"
        case .speedOrParity: "speed or parity is wrong"
        case .lineSilent: "nothing answers on this line"
        case .secondMaster: "a second master is on the line"
        case .addressClash: "two devices have the same unit id"
        case .unitWrong: "another unit answers"
        case .gatewayNoAnswer: "the gateway reaches no such unit"
        case .timeoutShort: "answers come after the timeout"
        case .clientRefused: "the device serves another client"
        case .termination: "long answers break: termination or cable"
        case .noise: "answers break now and then"
        case .characterErrors: "the driver counts broken characters"
        case .registersRefused: "the device refuses what is asked"
        case .meterSilent: "the meter does not answer"
        case .cycleTooShort: "the bus is too slow for its intervals"
        case .lineRemark: "the line is open, but"
        case .adapterLatency: "the USB adapter holds answers back"
        case .serialTwice: "two meters say the same serial number"
        case .notCommissioned: "the meter is not commissioned"
        case .directionReversed: "energy flows the wrong way"
        case .phasesSum: "the phases do not make the total"
        case .energyPower: "energy and power disagree"
        case .powerFactor: "volts times amperes do not fit the power"
        case .voltageOdd: "the voltage is not plausible"
        case .frequencyOdd: "the frequency is not plausible"
        case .valueStuck: "a value never changes"
        case .diskReadOnly, .diskFull, .diskSlow, .spoolVolatile, .clockUnknown, .clockUnsynchronised, .clockStepped,
            .certificateMissing, .certificateExpired, .certificateExpiring, .certificateName, .keyChangeHangs,
            .notAdmitted, .keyRefused, .clientRival, .brokerUnreachable, .packetsTooLarge, .idleCut, .simQuota, .ports:
            // Which of the two speaks of a finding is decided for each: a new one does not compile without a name.
            machineName ?? rawValue
        }
    }

    /// The headings of what is about the machine and the way to the collector.
    private var machineName: String? {
        switch self {
        case .diskReadOnly: "the spool's disk is read-only"
        case .diskFull: "the spool's disk is full"
        case .diskSlow: "the spool's disk is slow"
        case .spoolVolatile: "the spool does not survive a restart"
        case .clockUnknown: "the kernel does not say how good the clock is"
        case .clockUnsynchronised: "the clock is not synchronised"
        case .clockStepped: "the clock was stepped"
        case .certificateMissing: "a certificate is missing"
        case .certificateExpired: "the certificate has expired"
        case .certificateExpiring: "the certificate expires soon"
        case .certificateName: "the certificate is another gateway's"
        case .keyChangeHangs: "a change of keys does not come to its end"
        case .notAdmitted: "the broker gives this gateway no topic"
        case .keyRefused: "the collector takes nothing that this key signs"
        case .clientRival: "another client uses this gateway's id"
        case .brokerUnreachable: "the broker is not reached"
        case .packetsTooLarge: "large packets vanish on the way (MTU)"
        case .idleCut: "the network cuts idle connections"
        case .simQuota: "the SIM's volume will not last"
        case .ports: "ports that must be open, outbound"
        case .agentNotRunning, .spoolRefuses, .busNotOpen, .ttyMissing, .ttyHeld, .ttyPermission, .ttyRival,
            .echoUnexpected, .echoMissing, .speedOrParity, .lineSilent, .secondMaster, .addressClash, .unitWrong,
            .gatewayNoAnswer, .timeoutShort, .clientRefused, .termination, .noise, .characterErrors,
            .registersRefused, .meterSilent, .cycleTooShort, .lineRemark, .adapterLatency, .serialTwice,
            .notCommissioned,
            .directionReversed, .phasesSum, .energyPower, .powerFactor, .voltageOdd, .frequencyOdd, .valueStuck:
            nil
        }
    }
}
