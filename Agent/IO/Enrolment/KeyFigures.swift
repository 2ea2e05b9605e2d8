// What a person should know of the gateway's key: which it is, how old, and how far a change of it has come. Part of the
// agent's figures; decides nothing.

package import AgentCore
package import Quantities

package struct KeyFigures: Hashable, Sendable {
    /// First 8 bytes of SHA-256 over its SPKI; empty before the keeper's first step.
    package var kid: [UInt8] = []
    /// Real time; nil: not known.
    package var since: UTCInstant?
    package var now = UTCInstant(milliseconds: 0)
    package var step = RekeyStep.rest
    /// Real milliseconds that the step has lasted since the agent's start.
    package var stepMilliseconds: Int64 = 0

    package init() {}

    /// Seconds that it is in force; nil: not known.
    package var ageSeconds: Int64? { since.map { max(0, now - $0) / 1_000 } }
    /// Whole days of it.
    private var days: Int64? { ageSeconds.map { $0 / 86_400 } }

    /// A new key signs from the moment on at which it is in force: those steps are as old as it, over every start.
    package var progress: RekeyProgress {
        var progress = RekeyProgress()
        progress.step = step
        progress.kid = kid.hex
        progress.milliseconds = step == .rest ? 0 : stepMilliseconds
        if step == .awaitReceipt || step == .certify, let ageSeconds {
            progress.milliseconds = max(progress.milliseconds, ageSeconds * 1_000)
        }
        return progress
    }

    var lines: [String] {
        guard !kid.isEmpty else { return [] }
        let age = since.map { " since \($0), \(days ?? 0) days" } ?? ""
        return ["key        \(kid.hex)\(age)" + (step == .rest ? "" : "; re-keying: \(step.words)")]
    }

    var json: String {
        func number(_ value: Int64?) -> String { value.map { String($0) } ?? "null" }
        return "\"key\":{\"kid\":\"\(kid.hex)\",\"since\":\(since.map { "\"\($0)\"" } ?? "null"),"
            + "\"days\":\(number(days)),\"age_s\":\(number(ageSeconds)),\"rekeying\":\"\(step.rawValue)\","
            + "\"rekeying_s\":\(progress.milliseconds / 1_000),\"rekeying_hangs\":\(progress.hangs)}"
    }
}
