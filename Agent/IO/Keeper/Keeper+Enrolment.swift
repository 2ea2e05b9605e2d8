// Trust and broker come and change while the agent runs: before enrolment it reads, signs and stores; from the moment the
// folder is there it sends. A renewed certificate is a changed folder. The start goes the same way as every change.

internal import AgentCore
internal import Keys
internal import Evidence
package import MQTT
internal import Settings

/// Where the keeper gets trust and session from.
package struct Uplink {
    let parts: AgentParts
    /// Connects and passes the session's events on under a number.
    let open: (MQTTOptions, UInt64) throws -> MQTTSession

    package init(parts: AgentParts, open: @escaping (MQTTOptions, UInt64) throws -> MQTTSession) {
        self.parts = parts
        self.open = open
    }
}

/// What a person should know of the enrolment.
package struct EnrolmentFigures: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        /// The configuration names key list and broker itself.
        case configured
        case missing
        /// The folder is there and was not usable: what is wrong.
        case refused(String)
        case enrolled
        /// Receipts could be checked, and there is no broker.
        case noBroker
    }

    package var state = State.missing

    package init() {}

    var short: String {
        switch state {
        case .missing: "not enrolled, nothing is sent"
        case .refused: "the enrolment is not usable, nothing is sent"
        case .configured, .enrolled, .noBroker: "no broker"
        }
    }

    /// For people; nothing while there is nothing to say.
    var lines: [String] {
        switch state {
        case .configured, .enrolled: []
        case .noBroker: ["enrolment  no broker is named: nothing is sent"]
        case .missing:
            [
                "enrolment  NOT ENROLLED: readings are signed and stored, nothing is sent. Ask the operator for a code:",
                "           kilomint-agent enroll --config FILE --url https://HOST:8443",
            ]
        case .refused(let reason): ["enrolment  NOT USABLE, nothing new is taken from it: \(reason)"]
        }
    }

    var json: [String] {
        switch state {
        case .configured: ["\"enrolment\":\"configured\""]
        case .missing: ["\"enrolment\":\"missing\""]
        case .enrolled: ["\"enrolment\":\"enrolled\""]
        case .noBroker: ["\"enrolment\":\"no broker\""]
        case .refused(let reason):
            ["\"enrolment\":\"refused\"", "\"enrolment_refused_because\":\(StatusBoard.quoted(reason))"]
        }
    }
}

/// What the keeper has taken up.
struct EnrolmentWatch {
    /// Real milliseconds between two looks at the folder.
    static let lookEvery: Int64 = 1_000
    /// Real milliseconds until a folder that was not usable is tried again.
    static let tryEvery: Int64 = 60_000
    /// Real milliseconds the former session has for its farewell.
    static let farewell: Duration = .milliseconds(500)

    var figures = EnrolmentFigures()
    /// The session whose events count; 0: none yet.
    var session: UInt64 = 0
    var lookedAt = Int64.min / 2
    var isBegun = false
    var taken: EnrolledFolder.Stamp?
    /// When a folder that was not usable is tried again although it did not change: a disk may have failed.
    var tryAgainAt = Int64.max
}

extension Keeper {
    /// Takes up what is new. Cheap while nothing is: one look at the folder's stamp a second.
    func followEnrolment() throws {
        guard let uplink else { return }
        let now = clock.now().monotonic
        guard now - enrolment.lookedAt >= EnrolmentWatch.lookEvery else { return }
        enrolment.lookedAt = now
        let stamp = uplink.parts.followsEnrolment ? uplink.parts.enrolled.stamp : nil
        guard !enrolment.isBegun || stamp != enrolment.taken || now >= enrolment.tryAgainAt else { return }
        let isFirst = !enrolment.isBegun
        (enrolment.isBegun, enrolment.taken, enrolment.tryAgainAt) = (true, stamp, .max)
        do {
            try takeUp(uplink)
            if isFirst || stamp == nil { return }
            log.line(.info, "enrolment taken up", [("folder", uplink.parts.enrolled.path)])
        } catch let error as SettingsError {
            // What was taken up before goes on.
            enrolment.figures.state = .refused(error.problem)
            log.line(.error, "the enrolment is not usable", [("problem", "\(error)")])
            enrolment.tryAgainAt = now + EnrolmentWatch.tryEvery
        }
    }

    /// The stream that stands goes out first; the one that follows says that another box goes on for the gateway.
    private func beginAsReplacement() {
        let box = ReplacedBox(folder: spool.folder)
        guard box.isMarked, ending == nil, pending == nil else { return }
        ending = Birth.Predecessor(stream: chain.stream, lastSequence: chain.head, reason: ReplacedBox.reason)
        do { if try openStreamIfNeeded() { box.clear() } } catch {
            log.line(.error, "a new stream could not be opened", [("error", "\(error)")], limit: "")
        }
    }

    /// So that an older list of this root is not believed after a restart, and a first one of another root is.
    func rememberList() {
        guard uplink != nil, let trust else { return }
        do throws(SystemError) { try BelievedList(folder: spool.folder).remember(trust.number, of: trust.root) } catch {
            log.line(
                .warning, "which key list is believed could not be stored", [("problem", error.description)], limit: "")
        }
    }

    private func takeUp(_ uplink: Uplink) throws {
        let parts = uplink.parts
        let new = try parts.trust(believed: agent.keyListNumber)
        let options = try parts.broker(session: agent.session, receipt: agent.receipt, keys: signers.ring)
        if let new {
            trust = new
            rememberList()
        }
        enrolment.figures.state =
            trust == nil ? .missing : options == nil ? .noBroker : parts.followsEnrolment ? .enrolled : .configured
        if trust == nil { log.line(.warning, "not enrolled: readings are signed and stored, nothing is sent") }
        if trust != nil { beginAsReplacement() }
        guard let options else { return }
        // Read with the options a moment ago: a file that vanished since is the next connection's to complain about.
        do throws(TLSProblem) { certificateEnds = try options.tls?.ownCertificates().first?.notAfter } catch {
            certificateEnds = nil
        }
        // Two sessions of one client id would throw each other out: the former ends first.
        session?.stop(within: EnrolmentWatch.farewell)
        window.disconnected()
        enrolment.session += 1
        session = nil
        session = try uplink.open(options, enrolment.session)
    }
}
