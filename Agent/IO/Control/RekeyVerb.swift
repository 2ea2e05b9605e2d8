// The verb `rekey`: the running agent makes a new key in its store and names it in its stream (do=begin), or says how far a change
// of keys is (do=state). The certificate is the caller's to ask for: kilomint-agent renew.

package import AgentCore
internal import Glibc
internal import Keys
internal import Quantities

extension ControlVerb {
    static let rekey = ControlVerb("rekey", keys: ["do"]) { request, caller, context in
        let what = try request.required("do")
        guard ["begin", "state"].contains(what) else {
            throw ControlRefusal("rekey: do is \(what); allowed: begin, state")
        }
        // Reading is for everybody who may use the socket, a key for whoever may read the present one.
        guard what == "state" || caller.peer.user == 0 || caller.peer.user == geteuid() else {
            throw ControlRefusal("rekey: only root or the agent's own user may change the key")
        }
        var state = try context.rekeying(nil)
        if what == "begin", [.make, .vouch].contains(state.facts.next(isWanted: true)) {
            state = try context.rekeying(try context.candidate(beside: state.kid))
        }
        try caller.line(
            ControlRequest(
                "state",
                [
                    "step": state.facts.next(isWanted: false).rawValue, "kid": state.kid.hex,
                    "words": state.facts.next(isWanted: false).words,
                ]))
    }
}

extension ControlContext {
    /// Real milliseconds until the key record is durable.
    private static let patience: Int64 = 30_000

    fileprivate func candidate(beside kid: [UInt8]) throws -> KeyRing.Held {
        let settings = try configured()
        guard settings.mqtt?.certificateFile == nil || settings.mqtt?.keyFile != nil else {
            throw ControlRefusal(
                "`mqtt.certificate_file` is for the present key and nobody would renew it: remove `mqtt` from the "
                    + "configuration, so that enrolment's certificate is used")
        }
        do { return try KeyRing.candidate(settings.key, beside: kid) } catch {
            throw ControlRefusal(
                "no new key could be made beside \(settings.key): \(error). The agent must be able to write there: "
                    + "under systemd a key file belongs into /var/lib/kilomint-agent")
        }
    }

    fileprivate func rekeying(_ next: KeyRing.Held?) throws(ControlRefusal) -> RekeyState {
        guard let keeper else {
            throw ControlRefusal("no agent runs, and its stream must name the new key: systemctl start kilomint-agent")
        }
        let reply = Mailbox<RekeyRequest.Reply>(itemsMax: 1)
        guard keeper.post(.rekey(RekeyRequest(next: next, reply: reply))) else {
            throw ControlRefusal("the agent is too busy: try again")
        }
        switch reply.take(within: Self.patience * 1_000_000).first {
        case .state(let state): return state
        case .refused(let words): throw ControlRefusal(words)
        case nil:
            throw ControlRefusal(
                "the key record is not durable after \(Self.patience / 1_000) s: see kilomint-agent status; "
                    + "ask again, it goes on from there")
        }
    }
}

/// How far the running agent is, as a tool hears it.
package struct RekeyAnswer: Sendable {
    package let step: RekeyStep
    /// In force.
    package let kid: [UInt8]

    /// - Throws: ``ControlRefusal`` for a line of another form.
    package init(_ line: String) throws {
        let fields = try ControlRequest(longLine: line)
        guard fields.verb == "state", let step = RekeyStep(rawValue: fields.optional("step") ?? ""),
            let kid = [UInt8](hex: fields.optional("kid") ?? "")
        else { throw ControlRefusal("the agent's answer cannot be read: is it of the same version?") }
        self.step = step
        self.kid = kid
    }
}
