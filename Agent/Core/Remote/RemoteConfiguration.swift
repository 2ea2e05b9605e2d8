// Which version of the remote part is in force and which is being tried: a value that is stored whole at each change, so
// that a crash between any two steps finds either the state before it or the one after. No files, no clock.

package import Evidence
package import Proofs

/// The site's configuration with at most one accepted version over it, and at most one on trial instead of that.
///
/// A version is on trial from before it is applied until readings and uplink are seen to work with it. Whatever happens
/// meanwhile, crash, power cut, a start that fails, it is either confirmed or taken back: starts on trial are counted, and
/// each run gives it a bounded time.
package struct RemoteConfiguration: Hashable, Sendable {
    /// Starts of the agent with the same version on trial.
    package static let startsMax: UInt64 = 3
    /// Outcomes that wait for their note; the oldest goes first.
    package static let outcomesMax = 16
    /// Meters that a trial waits for.
    package static let expectedMax = 2_000

    package struct Version: Hashable, Sendable {
        package let number: UInt64
        /// Of the command that brought it.
        package let identity: Digest
        /// YAML; empty: the site's file alone.
        package let text: String

        package init(number: UInt64, identity: Digest, text: String) {
            self.number = number
            self.identity = identity
            self.text = text
        }
    }

    /// A meter that answered before the trial: it must answer again, as the same device.
    package struct Expected: Hashable, Sendable {
        package let meter: String
        /// As it said before; empty: it says none, or has another profile now.
        package let serial: String

        package init(meter: String, serial: String) {
            self.meter = meter
            self.serial = serial
        }
    }

    package struct Trial: Hashable, Sendable {
        package let version: Version
        package internal(set) var starts: UInt64
        package let expected: [Expected]
    }

    /// The highest number taken up; commands at or below it are replays.
    package internal(set) var highest: UInt64 = 0
    /// Identity of the command with that number: the broker retains it and gives it again with each connection.
    package internal(set) var latest: Digest = .zero
    package internal(set) var accepted: Version?
    package internal(set) var trial: Trial?
    /// Whose notes are not durable yet, in their order.
    package internal(set) var outcomes: [CommandOutcome] = []
    /// For people: what was said last.
    package internal(set) var last: CommandOutcome?

    package init() {}

    /// What is to run; nil: the site's file alone.
    package var effective: Version? {
        let version = trial.map(\.version) ?? accepted
        return version?.text.isEmpty == true ? nil : version
    }

    // MARK: Steps

    /// A version is to be applied. To be stored before it is: a crash from then on is a start on trial.
    package mutating func begin(_ version: Version, expected: [Expected]) {
        rollBack("replaced by command \(version.number) before it was confirmed")
        take(version.number, version.identity)
        trial = Trial(version: version, starts: 0, expected: Array(expected.prefix(Self.expectedMax)))
        say(version, .tried, "")
    }

    /// A command that is believed and not followed. What is on trial or in force stays.
    package mutating func refuse(_ number: UInt64, _ identity: Digest, _ reason: String) {
        take(number, identity)
        say(Version(number: number, identity: identity, text: ""), .refused, reason)
    }

    /// The agent starts. To be stored before the version on trial runs.
    package mutating func start() {
        guard trial != nil else { return }
        trial?.starts += 1
        if let trial, trial.starts > Self.startsMax {
            rollBack("the agent was started \(Self.startsMax) times without it being confirmed")
        }
    }

    /// Readings and uplink work with the version on trial.
    package mutating func confirm() {
        guard let version = trial?.version else { return }
        accepted = version.text.isEmpty ? nil : version
        trial = nil
        say(version, .applied, "")
    }

    /// Back to what was accepted. Applied even where it cannot be stored: the next start is then one more on trial.
    package mutating func rollBack(_ reason: String) {
        guard let version = trial?.version else { return }
        trial = nil
        say(version, .rolledBack, reason)
    }

    /// Back to the site's file: a person at the gateway said so, or the file no longer allows what was accepted.
    package mutating func forget(_ reason: String) {
        rollBack(reason)
        guard let version = accepted else { return }
        accepted = nil
        say(version, .rolledBack, reason)
    }

    /// The notes of the first outcomes are durable.
    package mutating func noted(_ count: Int) { outcomes.removeFirst(min(count, outcomes.count)) }

    private mutating func take(_ number: UInt64, _ identity: Digest) {
        guard number > highest else { return }
        (highest, latest) = (number, identity)
    }

    private mutating func say(_ version: Version, _ word: CommandOutcome.Word, _ reason: String) {
        let outcome = CommandOutcome(identity: version.identity, word: word, number: version.number, reason: reason)
        last = outcome
        outcomes.append(outcome)
        if outcomes.count > Self.outcomesMax { outcomes.removeFirst() }
    }
}
