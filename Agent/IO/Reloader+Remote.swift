// Remote versions while the agent runs: applied like a file that was read again, watched, confirmed or taken back. The reloader
// owns their state; it looks at what keeper and buses leave on the board, and asks them for nothing.

internal import AgentCore
internal import Evidence
internal import Quantities
internal import Settings

/// What the reloader is asked for.
enum ReloadRequest: Sendable {
    /// The site's file is to be read again.
    case file
    case command(TakenCommand)
    /// A person at the gateway takes back what came from afar.
    case rollBack(by: String, reply: Mailbox<String>)
}

/// The version on trial, or in force, and what is under way about it.
struct RemoteWork {
    /// Nanoseconds between two looks while something is under way.
    static let lookEvery: Int64 = 250_000_000
    /// Records not receipted above which a version waits: its own could not be receipted in time.
    static let backlogMax: UInt64 = 1_024

    var keeping: RemoteKeeping
    var watch: TrialWatch?
    /// Believed, and waiting for its turn.
    var held: TakenCommand?
    /// Milliseconds of the steady clock from which on what is in force is to be applied, since it could not be before.
    var standingOwedAt: Int64?
    /// Outcomes under way to the keeper, and its answer.
    var noting: (count: Int, reply: Mailbox<NoteRequest.Reply>)?

    init(_ keeping: RemoteKeeping) { self.keeping = keeping }

    var isIdle: Bool {
        keeping.state.trial == nil && held == nil && keeping.state.outcomes.isEmpty && keeping.isStored
            && standingOwedAt == nil
    }
}

extension Reloader {
    // MARK: Commands

    mutating func take(_ command: TakenCommand) {
        // Judged by the keeper before another one was taken up: once more.
        guard command.number > remote.keeping.state.highest, command.number > remote.held?.number ?? 0 else { return }
        switch command.verdict {
        case .refuse(let reason): refuse(command, reason)
        case .configure:
            if let former = remote.held { refuse(former, "replaced by command \(command.number) before it was tried") }
            remote.held = command
        case .repeated, .unbelieved: break
        }
    }

    private mutating func refuse(_ command: TakenCommand, _ reason: String) {
        log.line(.error, "command refused", [("number", String(command.number)), ("because", reason)])
        remote.keeping.change { $0.refuse(command.number, command.identity, reason) }
        tell { $0.refused += 1 }
    }

    /// Begins the trial of what is held, if now is the time for it.
    private mutating func beginTrial(_ requests: Mailbox<ReloadRequest>) {
        guard let command = remote.held, case .configure(let version) = command.verdict else { return }
        guard remoteTime < command.expiresAt else {
            remote.held = nil
            return refuse(command, "it expired while it waited")
        }
        let figures = board.snapshot.figures
        if let obstacle = obstacle(figures) { return tell { $0.held = "command \(command.number) waits: \(obstacle)" } }
        remote.held = nil
        let parts: AgentParts
        do throws(SettingsError) {
            // The empty text needs the permission as well.
            guard site.settings.remote.isAllowed else {
                return refuse(command, "the site's file does not allow it: `remote.allowed`")
            }
            let wanted = try site.settings(over: version.text.isEmpty ? nil : version)
            parts = try AgentParts(wanted, keys: keys)
        } catch { return refuse(command, error.description) }
        let expected = expected(parts)
        guard remote.keeping.changeDurably({ $0.begin(version, expected: expected) }) else {
            // The disk refuses: tried again until it expires. What it has may be the trial: a crash then starts on it.
            remote.held = command
            return tell { $0.held = "command \(command.number) waits: its trial cannot be stored" }
        }
        remote.watch = nil
        log.line(.info, "remote configuration on trial", [("version", String(version.number))])
        run(parts, expected, requests)
    }

    /// Why a trial could not be judged now.
    private func obstacle(_ figures: AgentFigures) -> String? {
        if !figures.isWritable { return "the spool refuses commits" }
        if remote.standingOwedAt != nil { return "what was in force before is not applied again yet" }
        if let problem = board.snapshot.service.signerProblem { return "the key does not sign: \(problem)" }
        if !board.snapshot.service.isReady || figures.isSalvaging { return "the agent is starting" }
        let isBehind = figures.sendingStream != figures.stream
        guard isBehind || figures.head - min(figures.head, figures.receipted) > RemoteWork.backlogMax else {
            return nil
        }
        return "records from before are not receipted yet"
    }

    /// Meters that answered and stay, with what they say of themselves.
    private func expected(_ parts: AgentParts) -> [RemoteConfiguration.Expected] {
        let (answers, serials) = (board.latest.answers, board.serials)
        var expected: [RemoteConfiguration.Expected] = []
        for (meter, figures) in board.busStatuses.flatMap({ zip($0.plan.meters, $0.figures.meters) }) {
            // Nothing of value may have been due yet: then it is enough that it said who it is.
            let statuses = answers.values(ofMeter: meter.index).map(\.answer.status)
            guard figures.good > 0, statuses.isEmpty || statuses.contains(SampleStatus.good),
                let next = parts.meters.first(where: { $0.id == meter.id })
            else { continue }
            let serial = next.profileDigest == meter.profileDigest ? serials[meter.id.text] ?? "" : ""
            expected.append(RemoteConfiguration.Expected(meter: meter.id.text, serial: serial))
        }
        return expected
    }

    /// Applies what is on trial and watches it.
    private mutating func run(
        _ parts: AgentParts, _ expected: [RemoteConfiguration.Expected], _ requests: Mailbox<ReloadRequest>
    ) {
        do {
            guard let done = try apply(parts, requests) else { return }
            // A bus that goes on as it was is not what the version changed.
            let begun = Set(done.begun.flatMap(\.meters).map(\.id.text))
            remote.watch = TrialWatch(
                expected: expected.filter { begun.contains($0.meter) }, stream: done.stream, head: done.head,
                now: now, patience: site.settings.remote.trial)
        } catch let error as ExchangeWithdrawn {
            // What was in force before runs.
            takeBack("it could not be applied: \(error)")
        } catch { back("it could not be applied: \(error)", requests) }
    }

    // MARK: Trial

    /// Everything that is under way, looked at once.
    mutating func lookAfterRemote(_ requests: Mailbox<ReloadRequest>) {
        payStanding(requests)
        beginTrial(requests)
        judge(requests)
        remote.keeping.store()
        note()
        tell { _ in }
    }

    /// A start on trial: everything begins anew.
    mutating func resumeTrial(stream: String, head: UInt64) {
        guard let trial = remote.keeping.state.trial else { return }
        let names = Set(threads.plans.flatMap(\.meters).map(\.id.text))
        remote.watch = TrialWatch(
            expected: trial.expected.filter { names.contains($0.meter) }, stream: stream, head: head, now: now,
            patience: site.settings.remote.trial)
    }

    private mutating func judge(_ requests: Mailbox<ReloadRequest>) {
        guard let trial = remote.keeping.state.trial, let watch = remote.watch else { return }
        let figures = board.snapshot.figures
        let answers = board.latest.answers
        let answering = threads.plans.flatMap(\.meters).filter { meter in
            answers.values(ofMeter: meter.index).contains { $0.answer.status == SampleStatus.good }
        }.map(\.id.text)
        let sight = TrialWatch.Sight(
            answering: Set(answering), serials: board.serials, stream: figures.stream,
            receipted: figures.sendingStream == figures.stream ? figures.receipted : 0)
        switch watch.verdict(sight, now: now) {
        case .wait(let missing):
            tell {
                $0.waitsFor = missing
                $0.until = watch.until
            }
        case .confirm:
            remote.keeping.change { $0.confirm() }
            remote.watch = nil
            log.line(.info, "remote configuration in force", [("version", String(trial.version.number))])
            tell { $0.applied += 1 }
        case .rollBack(let reason): back(reason, requests)
        }
    }

    /// Stored first: a crash from here on starts with what was in force. Where it cannot be stored, applied all the same.
    private mutating func back(_ reason: String, _ requests: Mailbox<ReloadRequest>) {
        takeBack(reason)
        applyStanding(requests)
    }

    private mutating func takeBack(_ reason: String) {
        let number = remote.keeping.state.trial?.version.number ?? 0
        log.line(
            .error, "remote configuration rolled back", [("version", String(number)), ("because", reason)])
        remote.keeping.change { $0.rollBack(reason) }
        remote.watch = nil
        tell { $0.rolledBack += 1 }
    }

    /// A person at the gateway: what is on trial goes, else what is in force.
    mutating func rollBack(by person: String, _ reply: Mailbox<String>, _ requests: Mailbox<ReloadRequest>) {
        let state = remote.keeping.state
        let reason = "taken back at the gateway by \(person)"
        let held = remote.held
        remote.held = nil
        // Else the broker would give it again with the next connection.
        if let held { refuse(held, reason) }
        if state.trial != nil {
            back(reason, requests)
        } else if let version = state.accepted {
            log.line(
                .warning, "remote configuration taken back", [("version", String(version.number)), ("by", person)])
            remote.keeping.change { $0.forget(reason) }
            tell { $0.rolledBack += 1 }
            applyStanding(requests)
        }
        let now = remote.keeping.state.effective.map { "remote version \($0.number)" } ?? "the site's file alone"
        let changed = state.trial?.version ?? state.accepted
        let use = remote.standingOwedAt == nil ? "in use" : "in use once the spool takes records"
        let numbers = [changed.map { "remote version \($0.number)" }, held.map { "waiting command \($0.number)" }]
        let gone = numbers.compactMap { $0 }.joined(separator: " and ")
        reply.post(gone.isEmpty ? "nothing from afar is in use" : "\(gone) is taken back; \(use): \(now)")
    }

    /// Applies what the state says: the version in force over the site's file, or the file alone.
    mutating func applyStanding(_ requests: Mailbox<ReloadRequest>) {
        do { _ = try apply(try standing(), requests) } catch {
            if error is ExchangeWithdrawn { oweStanding() }
            log.line(.error, "what was in force before cannot be applied", [("problem", "\(error)")])
            board.update { $0.refusal = "\(error)" }
        }
    }

    /// What is to run: a version that no longer can is taken back.
    mutating func standing() throws -> AgentParts {
        while let version = remote.keeping.state.effective {
            do throws(SettingsError) {
                return try AgentParts(try site.settings(over: version), keys: keys)
            } catch {
                log.line(
                    .error, "remote configuration rolled back",
                    [("version", String(version.number)), ("because", error.description)])
                remote.watch = nil
                remote.keeping.change { state in
                    if state.trial != nil { state.rollBack(error.description) } else { state.forget(error.description) }
                }
                tell { $0.rolledBack += 1 }
            }
        }
        return try AgentParts(site.settings, keys: keys)
    }

    // MARK: Notes and figures

    /// Hands outcomes to the keeper; they stay in the state until their notes are durable. A crash in between repeats them.
    private mutating func note() {
        if let under = remote.noting {
            guard let answer = under.reply.take(within: 0).first else { return }
            remote.noting = nil
            if case .stored = answer { remote.keeping.change { $0.noted(under.count) } }
        }
        let outcomes = remote.keeping.state.outcomes
        guard !outcomes.isEmpty else { return }
        let reply = Mailbox<NoteRequest.Reply>(itemsMax: 1)
        let request = NoteRequest(notes: { uptime in outcomes.map { $0.note(uptime: uptime) } }, reply: reply)
        guard inbox.post(.note(request)) else { return }
        remote.noting = (outcomes.count, reply)
    }

    mutating func tell(_ change: (inout RemoteFigures) -> Void) {
        let (state, isHeld) = (remote.keeping.state, remote.held != nil)
        board.remote.set(state) { figures in
            figures.isAllowed = site.settings.remote.isAllowed
            figures.inForce = state.accepted?.number ?? 0
            figures.onTrial = state.trial?.version.number ?? 0
            figures.highest = state.highest
            figures.last = state.last
            figures.isStored = remote.keeping.isStored
            if state.trial == nil { (figures.waitsFor, figures.until) = ("", nil) }
            if !isHeld { figures.held = nil }
            change(&figures)
        }
    }

    private var now: Int64 { steadyNanoseconds() / 1_000_000 }

    private var remoteTime: UTCInstant {
        site.settings.clock == .real ? CertificateClock(settings).instant : clock.now().utc
    }
}

extension StatusBoard {
    /// What meters say their serial numbers are, as the last birth has it.
    var serials: [String: String] {
        guard let register = identified else { return [:] }
        return Dictionary(
            zip(register.meters.map(\.id.text), register.identities.map(\.serial)),
            uniquingKeysWith: { first, _ in first })
    }
}
