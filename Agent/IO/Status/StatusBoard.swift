// What the agent says about itself to a person on the machine: written by the keeper, read by the control socket.

package import AgentCore
internal import Evidence
internal import Quantities
internal import Synchronization

/// The keeper's figures at its last step.
package struct AgentFigures: Hashable, Sendable {
    package var gateway = ""
    package var stream = ""
    package var head: UInt64 = 0
    package var receipted: UInt64 = 0
    package var sendingStream = ""
    package var inFlight = 0
    package var resends = 0
    package var isConnected = false
    package var broker = BrokerFigures()
    /// Real seconds since the last receipt that counted; nil: none in this run.
    package var secondsSinceReceipt: Int64?
    package var session: UInt64 = 0
    package var spoolBytes = 0
    package var spoolBytesMax = 0
    package var isWritable = true
    package var enrolment = EnrolmentFigures()
    package var key = KeyFigures()
    package var evidence = UplinkEvidence()
    var clock = ClockFigures()
    package var waiting = 0
    package var unbelieved = UnbelievedMessages()
    /// What a damaged spool still holds is being taken over; nothing is sent meanwhile.
    package var isSalvaging = false
    /// What will cost meters their billing grade.
    package var doubts: [MeterDoubt] = []

    package init() {}
}

/// What came from the broker and changed nothing.
package struct UnbelievedMessages: Hashable, Sendable {
    /// No key of the key list that may sign receipts signed it, or it is none.
    package var receiptsRefused: UInt64 = 0
    /// Signed, and about another gateway, stream or record than ours.
    package var receiptsIgnored: UInt64 = 0
    /// On topics that mean nothing here.
    package var messagesUnknown: UInt64 = 0
    /// Commands that no key of role command signed, another gateway's, and such as were seen before.
    package var commandsUnbelieved: UInt64 = 0

    package init() {}

    /// For people; nothing where there was nothing.
    var lines: [String] {
        guard self != UnbelievedMessages() else { return [] }
        return [
            "unbelieved \(receiptsRefused) receipts not signed by a key that may, \(receiptsIgnored) about other records, "
                + "\(messagesUnknown) messages on other topics, \(commandsUnbelieved) commands"
        ]
    }
}

package final class StatusBoard: Sendable {
    let shadow = ShadowBoard()
    let remote = RemoteBoard()
    private let figures = Mutex(AgentFigures())
    private let service: Mutex<ServiceFigures>
    private let recorder: Recorder
    private let buses: Mutex<[BusPlan]>
    private let book = Mutex<CommissioningFile?>(nil)
    private let register = Mutex<MeterRegister?>(nil)

    package init(recorder: Recorder, buses: [BusPlan]) {
        self.recorder = recorder
        self.buses = Mutex(buses)
        service = Mutex(ServiceFigures(startedAt: steadyNanoseconds()))
    }

    package func set(_ new: AgentFigures) { figures.withLock { $0 = new } }

    /// The buses that run from here on.
    package func set(buses new: [BusPlan]) { buses.withLock { $0 = new } }

    package func set(_ new: CommissioningFile) { book.withLock { $0 = new } }

    /// Who the meters say they are.
    func set(_ new: MeterRegister) { register.withLock { $0 = new } }

    var commissioning: CommissioningFile? { book.withLock { $0 } }
    var identified: MeterRegister? { register.withLock { $0 } }

    func update(_ change: (inout ServiceFigures) -> Void) { service.withLock { change(&$0) } }

    var snapshot: (figures: AgentFigures, service: ServiceFigures) {
        (figures.withLock { $0 }, service.withLock { $0 })
    }

    var latest: (now: UInt64, answers: LatestAnswers) { recorder.latest }
    var readsWaiting: Int { recorder.waiting }

    /// Each bus that runs, with its figures.
    var busStatuses: [BusStatus] {
        let instant = steadyNanoseconds()
        let (figures, recent) = (recorder.figures, recorder.recentFigures)
        let latest = recorder.latest.answers
        return buses.withLock { $0 }.filter { figures.indices.contains($0.number) }.map { plan in
            BusStatus(
                plan: plan.with { latest.meter($0) }, figures: figures[plan.number],
                recent: recent.indices.contains(plan.number) ? recent[plan.number] : figures[plan.number],
                instant: instant)
        }
    }

    /// A meter with the version of its profile that was chosen for it.
    func asRead(_ meter: ConfiguredMeter) -> ConfiguredMeter { recorder.latest.answers.meter(meter) }

    /// One JSON object on one line.
    package var json: String {
        let (now, service) = snapshot
        var fields: [String] = [
            "\"gateway\":\(Self.quoted(now.gateway))", "\"stream\":\(Self.quoted(now.stream))", "\"head\":\(now.head)",
            "\"receipted\":\(now.receipted)", "\"sending\":\(Self.quoted(now.sendingStream))",
            "\"in_flight\":\(now.inFlight)", "\"resends\":\(now.resends)", "\"connected\":\(now.isConnected)",
            "\"session\":\(now.session)", "\"spool_bytes\":\(now.spoolBytes)",
            "\"spool_bytes_max\":\(now.spoolBytesMax)", "\"spool_writable\":\(now.isWritable)",
            "\"reads_waiting\":\(recorder.waiting)", "\"salvaging\":\(now.isSalvaging)",
            "\"receipts_refused\":\(now.unbelieved.receiptsRefused)",
            "\"receipts_ignored\":\(now.unbelieved.receiptsIgnored)",
            "\"messages_unknown\":\(now.unbelieved.messagesUnknown)",
            "\"commands_unbelieved\":\(now.unbelieved.commandsUnbelieved)", "\"remote\":\(remote.now.json)",
        ]
        fields.append("\"seconds_since_receipt\":" + (now.secondsSinceReceipt.map(String.init) ?? "null"))
        let doubts = now.doubts.map {
            "{\"meter\":\(Self.quoted($0.meter.text)),\"what\":\(Self.quoted($0.description))}"
        }
        fields.append("\"no_billing_grade\":[\(doubts.joined(separator: ","))]")
        fields += now.broker.json + now.enrolment.json + [now.key.json, now.clock.json]
        fields.append(
            "\"not_commissioned\":[\(notCommissioned.map { Self.quoted($0.meter.id.text) }.joined(separator: ","))]")
        fields += service.json
        fields.append("\"shadow\":[\(shadow.lines.map(\.json).joined(separator: ","))]")
        fields.append("\"buses\":[\(busStatuses.map(\.json).joined(separator: ","))]")
        return "{" + fields.joined(separator: ",") + "}\n"
    }

    /// For people: aligned lines.
    package var text: String {
        let (now, service) = snapshot
        let percent = now.spoolBytesMax == 0 ? 0 : now.spoolBytes * 100 / now.spoolBytesMax
        var lines = wrong.map { "WRONG      " + $0 }
        lines += [
            "gateway    \(now.gateway)", "stream     \(now.stream)",
            "records    \(now.head) signed, \(now.receipted) receipted of \(now.sendingStream)",
            "uplink     \(now.isConnected ? "connected" : "not connected"), \(now.inFlight) in flight, "
                + "\(now.resends) resends, last receipt "
                + (now.secondsSinceReceipt.map { "\($0) s ago" } ?? "not in this run"),
            "spool      \(now.spoolBytes) of \(now.spoolBytesMax) bytes (\(percent) %)"
                + (now.isWritable ? "" : ", REFUSES WRITES")
                + (now.isSalvaging ? ", a damaged one is being taken over: nothing is sent meanwhile" : ""),
            "waiting    \(recorder.waiting) reads for the next commit", now.clock.line,
        ]
        lines += now.doubts.map { "grade      \($0.meter) WILL NOT SETTLE: \($0)" }
        lines +=
            now.broker.lines + commissioningLines + now.unbelieved.lines + now.enrolment.lines + now.key.lines
            + service.lines + remote.now.lines
            + busStatuses.flatMap(\.lines)
        lines += shadow.lines.map { "shadow     \($0.meter), \($0.shadow): \($0.text)" }
        return lines.joined(separator: "\n") + "\n"
    }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case _ where scalar.value < 0x20: result += "\\u00" + String(scalar.value + 256, radix: 16).dropFirst()
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Keeper {
    func updateBoard() {
        let now = clock.now().monotonic
        guard now - boardAt >= 200 else { return }
        boardAt = now
        var figures = AgentFigures()
        figures.gateway = settings.gateway.text
        figures.stream = chain.stream.description
        figures.head = chain.head
        figures.receipted = window.receipted
        figures.sendingStream = streams[sending].id.description
        figures.inFlight = window.inFlightCount
        figures.resends = window.timeouts
        figures.isConnected = window.isConnected
        figures.broker = BrokerFigures(session, certificateEnds: certificateEnds)
        if evidence.refusal != nil { figures.broker.isRivalled = false }
        figures.secondsSinceReceipt = receiptReceivedAt.map { (now - $0) / 1000 }
        figures.session = agent.session
        // A figure for people: when it cannot be had, the commit says why.
        do { figures.spoolBytes = try spool.usedBytes() } catch { figures.spoolBytes = 0 }
        figures.spoolBytesMax = settings.policy.bytesMax
        figures.isWritable = isWritable
        figures.isSalvaging = holdsBack
        figures.unbelieved = unbelieved
        figures.evidence = evidence
        figures.evidence.isRivalled = figures.broker.isRivalled
        figures.clock = clock.figures(steps: clockSteps)
        figures.enrolment = enrolment.figures
        figures.key = keyFigures
        figures.doubts = doubts
        board.set(figures)
    }
}
