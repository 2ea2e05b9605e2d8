// kilomint-agent renew --rekey: a new key that the old one vouches for in the stream, and a certificate for it. The running agent
// makes and names the key; here its receipt is waited for and the certificate asked for. Called again, it goes on where it was.

internal import AgentCore
internal import AgentIO
internal import Glibc
internal import Keys
internal import Quantities

extension Commands {
    /// Seconds that one call waits for the collector's receipt.
    private static var receiptSecondsMax: Int { 120 }

    static func rekey(_ settings: AgentSettings, _ clock: CertificateClock) throws {
        var answer = try ask("begin", settings)
        if answer.step == .awaitReceipt { say("The new key signs. Waiting for the collector's receipt …") }
        for _ in 0..<receiptSecondsMax where answer.step == .awaitReceipt {
            sleep(1)
            answer = try ask("state", settings)
        }
        switch answer.step {
        case .awaitReceipt:
            throw Arguments.Failed(
                description:
                    "the collector has not receipted the new key within \(receiptSecondsMax) s. Nothing is lost: the "
                    + "next `kilomint-agent renew` goes on; until then both keys stay")
        case .certify: try certify(answer.kid, settings, clock)
        case .rest: print("The key \(answer.kid.hex) is in force; the former one is removed.")
        case .keepFormer, .removeFormer: print("The key \(answer.kid.hex) is in force.")
        case .make, .vouch:
            throw Arguments.Failed(description: "the new key is not named in the stream yet: try again")
        }
    }

    /// The former key's certificate asks for the new key's.
    private static func certify(_ kid: [UInt8], _ settings: AgentSettings, _ clock: CertificateClock) throws {
        let keys = try AgentParts.keys(settings)
        guard let next = keys.key(kid: kid) else {
            throw Arguments.Failed(
                description:
                    "the running agent signs with key \(kid.hex), which is not at \(settings.key) or beside it: "
                    + "restart the agent if `key` was changed")
        }
        let former = keys.key(certificate: EnrolledFolder(settings.enrolled).certificate)
        // A crash before it is stored: the same is asked for again, the collector answers again.
        let enrolled = try Enrolment(settings, key: former, clock: clock).renew(for: next)
        print("\(settings.gateway) has a new key, \(next.publicKey), and a certificate for it")
        report(enrolled, settings)
        print("The former key stays while readings of its time are kept (spool.age_max); then the agent removes it.")
    }

    private static func ask(_ what: String, _ settings: AgentSettings) throws -> RekeyAnswer {
        var answer: RekeyAnswer?
        try Tool.run(ControlRequest("rekey", ["do": what]), settings, onlyRunning: true) { line in
            // Another line is another version's; then there is no answer.
            do { answer = try RekeyAnswer(line) } catch { answer = nil }
        }
        guard let answer else { throw Arguments.Failed(description: "the agent's answer cannot be read") }
        return answer
    }
}
