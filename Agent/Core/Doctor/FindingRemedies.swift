// What to do about each finding, in words for the person in front of the cabinet.

extension FindingID {
    /// Sentences. Where a rule knows more, it says so in its place.
    package var remedy: String { lineRemedy ?? meterRemedy ?? machineRemedy ?? uplinkRemedy ?? "" }

    private var lineRemedy: String? {
        switch self {
        case .agentNotRunning:
            "Start it: systemctl start kilomint-agent. Without it there are no statistics of the lines."
        case .busNotOpen: "See the reason; check cable, address and `buses` in the configuration."
        case .ttyMissing:
            "Plug the adapter in; `ls -l /dev/serial/by-id /dev/serial/by-path` shows the names there are."
        case .ttyHeld: "End the other program, or give it another line."
        case .ttyPermission: "Add the user to the line's group: usermod -aG dialout USER, then log in anew."
        case .ttyRival: "Keep it off the meters' lines."
        case .echoUnexpected: "Set `echo: true` for this bus, or switch the adapter's echo off (RE tied to DE)."
        case .echoMissing: "Remove `echo: true` from this bus."
        case .speedOrParity:
            "Compare `baud`, `parity` and `stop_bits` with the meters' displays; `kilomint-agent scan` tries all of them."
        case .lineSilent:
            "Check in this order: power of the meters, A and B not swapped, common ground, unit ids, speed and parity."
        case .secondMaster:
            "Find what else reads this line (inverter, energy manager, data logger) and take it off: RS-485 has one "
                + "master. Or read through that device."
        case .addressClash:
            "Unplug the devices one by one until the errors stop, and give one of the two another unit id at its display."
        case .unitWrong: "Set the `unit` of this meter to the one that answers, or change it at the meter's display."
        case .gatewayNoAnswer:
            "Compare `unit` with the meter's display; check the RS-485 side of the gateway: wiring, speed, parity."
        case .timeoutShort: "Raise `timeout_max` (and `timeout`) of this bus to twice what the answers take."
        case .clientRefused:
            "Find the other Modbus client (portal, energy manager, an open test tool) and stop it; many devices serve one."
        case .termination:
            "Put 120 ohm at both ends of the line and nowhere else, no stubs, shield on one side; or lower the speed."
        case .noise: "Look for loose clamps, a missing common ground, cables beside the inverter's power lines."
        case .characterErrors: "Compare `baud`, `parity` and `stop_bits` with the meters' displays."
        case .registersRefused: "Check that the profile is for this model and firmware: `kilomint-agent identify`."
        case .meterSilent: "Check the meter's power, its unit id, and its stretch of the line."
        case .cycleTooShort: "Raise `interval`, ask for fewer quantities, raise the speed, or split the bus."
        case .lineRemark: "See the reason."
        case .adapterLatency: "Install the package's udev rule, or set it by hand."
        default: nil
        }
    }

    private var meterRemedy: String? {
        switch self {
        case .serialTwice:
            "One meter is configured twice, or a gateway answers for another: compare both with their labels."
        case .notCommissioned:
            "Read serial and energy from its display: kilomint-agent commission --meter ID --serial … --export KWH."
        case .directionReversed:
            "The meter sits the other way round: swap its supply and load side, or turn the current transformers (S1, S2)."
        case .phasesSum:
            "One phase is turned or missing: check each current transformer's direction and phase, and the wiring mode."
        case .energyPower: "Check the transformer ratio in the meter, and the scale of the profile for this model."
        case .powerFactor: "Voltage and current of a phase may be of different phases: check the order of L1, L2, L3."
        case .voltageOdd: "Check the voltage taps, the transformer ratio and the wiring mode in the meter."
        case .frequencyOdd: "Check that the profile is for this model: a frequency that is wrong means wrong registers."
        case .valueStuck: "Compare with the display: the device may hold old values, or the register may not be served."
        default: nil
        }
    }

    private var machineRemedy: String? {
        switch self {
        case .spoolRefuses: "See the disk below; the log says why: journalctl -u kilomint-agent -p warning."
        case .diskReadOnly: "Flash that wears out turns read-only: look at dmesg, replace the card, keep the spool."
        case .diskFull: "Make room; reading goes on, but what memory cannot hold is lost."
        case .diskSlow: "Use an industrial card or eMMC; raise `commit` so that it is written less often."
        case .spoolVolatile: "Put `spool.path` on the flash: a power cut would take everything not receipted."
        case .clockUnknown:
            "No reading counts. The unit must not have ProtectClock=yes and must have SystemCallFilter=adjtimex "
                + "clock_adjtime clock_adjtime64, as the shipped one has: systemctl cat kilomint-agent."
        case .clockUnsynchronised:
            "Let the machine reach a time server (UDP 123 outbound): timedatectl. Readings count once it has."
        case .clockStepped:
            "A step once after the start is normal; again and again it is a broken clock or two time servers."
        default: nil
        }
    }

    private var uplinkRemedy: String? {
        switch self {
        case .certificateMissing: "Enrol the gateway, or correct the path in `mqtt`."
        case .certificateExpired, .certificateExpiring: "Renew it: kilomint-agent renew, and look at its timer."
        case .certificateName: "This is another gateway's certificate: enrol this gateway anew."
        case .keyChangeHangs: "Call kilomint-agent renew: it goes on from where the change stands."
        case .notAdmitted:
            "It is revoked or not known: ask the operator. A box that is to go on enrols with a new code and, where its "
                + "key was revoked, a new key."
        case .keyRefused:
            "Ask the operator for a claim code, then: kilomint-agent enroll --replace; where the key was revoked, first another "
                + "`key` and kilomint-agent init. What was read is kept. If this box is a copy of one that works elsewhere, switch it off instead."
        case .clientRival:
            "Find the second program or cloned disk; if somebody copied it, have the gateway revoked and enrolled anew."
        case .brokerUnreachable: "Check SIM, APN, firewall and name server; outbound TCP must be open."
        case .packetsTooLarge:
            "Lower the MTU of the interface (ip link set dev wwan0 mtu 1300) and make it permanent, or let ICMP through."
        case .idleCut: "Set `mqtt.keep_alive` below the age at which connections die."
        case .simQuota: "Read slower or fewer quantities, lower `bytes_per_second_max`, or book a larger volume."
        case .ports: "Ask whoever owns the network to let these out; nothing has to be open inbound."
        default: nil
        }
    }
}
