// What the driver of a serial line counted of single characters, and what it means: a wrong parity, a wrong speed, a machine
// that is too slow, a line that is held low. Statistics that point somewhere, no proof. How they are asked for is IO's.

/// Characters and what was wrong with them (TIOCGICOUNT, tty_ioctl(4)).
package struct CharacterErrors: Hashable, Sendable {
    /// Received, sound or not.
    package var received: UInt64 = 0
    /// No stop bit where one should be.
    package var framing: UInt64 = 0
    package var parity: UInt64 = 0
    /// Lost, for nobody took them from the UART or the driver's buffer in time.
    package var overruns: UInt64 = 0
    /// The line was low for longer than a character.
    package var breaks: UInt64 = 0

    package init() {}

    package var all: UInt64 { framing &+ parity &+ overruns &+ breaks }

    private static var counters: [WritableKeyPath<CharacterErrors, UInt64>] {
        [\.received, \.framing, \.parity, \.overruns, \.breaks]
    }

    /// What came after `earlier`. A counter that went back began anew.
    package func since(_ earlier: CharacterErrors) -> CharacterErrors {
        var rest = self
        for counter in Self.counters where self[keyPath: counter] >= earlier[keyPath: counter] {
            rest[keyPath: counter] -= earlier[keyPath: counter]
        }
        return rest
    }

    package func adding(_ more: CharacterErrors) -> CharacterErrors {
        var sum = self
        for counter in Self.counters { sum[keyPath: counter] &+= more[keyPath: counter] }
        return sum
    }
}

/// What they point to.
package enum CharacterFault: Hashable, Sendable {
    case speed
    case parity
    case overrun
    case heldLow
    case noise

    /// Errors below which nothing is concluded.
    package static let errorsMin: UInt64 = 5
    /// Percent of the characters from which on it is a setting and no disturbance.
    package static let settingPercentMin: UInt64 = 5

    /// - Parameter errors: of some minutes.
    /// - Returns: nil: too few errors to say anything.
    package init?(_ errors: CharacterErrors) {
        guard errors.all >= Self.errorsMin else { return nil }
        // Drivers differ in whether a broken character counts as received.
        let characters = max(errors.received, errors.all)
        let isMost = { (count: UInt64) in count * 2 > errors.all }
        let isSetting = characters.percent(errors.all) >= Self.settingPercentMin
        if isMost(errors.overruns) {
            self = .overrun
        } else if isMost(errors.breaks), isSetting {
            self = .heldLow
        } else if !isSetting {
            self = .noise
        } else {
            self = errors.parity > errors.framing ? .parity : .speed
        }
    }

    fileprivate var words: String {
        switch self {
        case .speed: "that points to the speed, or to a parity bit that nobody expects"
        case .parity: "that points to the parity"
        case .overrun: "that points to a machine that takes them too late"
        case .heldLow: "that points to A and B swapped, or to a line without bias"
        case .noise: "that points to a disturbance"
        }
    }

    fileprivate var remedy: String {
        switch self {
        case .speed:
            "Compare `baud` and `parity` with the meters' displays; where `parity` is none, try even: a parity bit then "
                + "stands where the stop bit is looked for."
        case .parity: "Compare `parity` with the meters' displays: even, odd or none; Modbus' own default is even."
        case .overrun:
            "Lower the load of the machine or the speed of the line; a UART without FIFO, or a USB hub that is full, does "
                + "this too."
        case .heldLow: "Swap A and B; see that one device of the line gives bias, and that ground is common."
        case .noise: "Look for loose clamps, a missing common ground, cables beside the inverter's power lines."
        }
    }
}

extension LineCase {
    /// A hint beside what the answers themselves say.
    var characterFinding: Finding? {
        guard let errors = figures.characters, let fault = CharacterFault(errors) else { return nil }
        return Finding(
            .characterErrors, name,
            "of \(errors.received) characters the driver counts \(errors.framing) framing errors, \(errors.parity) parity "
                + "errors, \(errors.overruns) overruns and \(errors.breaks) breaks: \(fault.words)",
            remedy: fault.remedy)
    }
}
