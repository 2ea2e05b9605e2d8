// The verb `rollback`: a person at the gateway takes back what was configured from afar.

extension ControlVerb {
    /// Real seconds until a bus that waits for its meter has ended.
    private static let rollBackPatience: Int64 = 60

    static let rollBack = ControlVerb("rollback") { _, caller, context in
        guard let reloads = context.reloads else { throw ControlRefusal("no agent runs") }
        let reply = Mailbox<String>(itemsMax: 1)
        guard reloads.post(.rollBack(by: caller.peer.text, reply: reply)) else {
            throw ControlRefusal("the agent is too busy: try again")
        }
        guard let answer = reply.take(within: rollBackPatience * 1_000_000_000).first else {
            throw ControlRefusal("no answer within \(rollBackPatience) s: see kilomint-agent status")
        }
        try caller.line(answer)
    }
}
