// The verb `spool`: what is stored (status), whether it is what was signed (verify), and the bytes themselves (export),
// through the running agent's keeper or from a folder that no agent has.

internal import AgentCore
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities

extension ControlVerb {
    static let spool = ControlVerb("spool", keys: ["do", "folder", "key", "after", "stream"], isLong: true) {
        request, caller, context in
        let view = try SpoolView(request, context)
        switch try request.required("do") {
        case "status": try view.status(caller)
        case "verify": try view.verify(caller)
        case "export": try view.export(caller)
        case let other: throw ControlRefusal("spool: do is \(other); allowed: status, verify, export")
        }
    }
}

private struct SpoolView {
    private let source: SpoolSource
    private let settings: AgentSettings?
    /// Empty: nobody said which.
    private let keys: [PublicKey]
    private let stream: String?

    init(_ request: ControlRequest, _ context: ControlContext) throws {
        settings = context.settings
        stream = request.optional("stream")
        if let folder = request.optional("folder") {
            // The agent opens nothing for a caller that the caller may not open.
            guard context.board == nil else {
                throw ControlRefusal("spool: the running agent shows its own spool only")
            }
            source = try SpoolSource.folder(folder)
        } else if let keeper = context.keeper {
            source = .keeper(keeper)
        } else {
            source = try SpoolSource.folder(try context.configured().spool.path)
        }
        if let hex = request.optional("key") {
            guard let spki = [UInt8](hex: hex) else {
                throw ControlRefusal("key: allowed: a public key (SPKI) in hexadecimal")
            }
            keys = [try PublicKey(spki: spki)]
        } else {
            // Those that were removed since are still written down beside the spool.
            let folder = request.optional("folder") ?? settings?.spool.path
            let written = folder.map { KeyBook(folder: $0).keys } ?? []
            let isTold = !written.isEmpty
            keys = isTold ? written : try settings.map { try KeyRing($0.key).held.map(\.key.publicKey) } ?? []
        }
    }

    /// Every row, oldest first.
    private func eachRow(_ caller: ControlCaller, _ body: (SpoolPage, SpoolPage.Row) throws -> Void) throws -> String? {
        var after: Int64 = 0
        while true {
            guard !caller.isGone else { throw ControlGone() }
            let page = try source.page(after: after)
            for row in page.rows { try body(page, row) }
            if let problem = page.problem { return problem }
            guard let last = page.rows.last else { return nil }
            after = last.position
        }
    }

    private static func id(_ page: SpoolPage, _ row: SpoolPage.Row) -> StreamID? {
        page.streams.first { $0.ordinal == row.ordinal }?.id
    }

    // MARK: Status

    func status(_ caller: ControlCaller) throws {
        var count: [Int64: (records: Int, bytes: Int, unreceipted: Int)] = [:]
        var oldest: UTCInstant?
        var newest: UTCInstant?
        var readings = 0
        var head: SpoolPage?
        let problem = try eachRow(caller) { page, row in
            head = page
            guard let record = row.record, let envelope = record.envelope else { return }
            let receipted = page.streams.first { $0.ordinal == row.ordinal }?.receipted ?? 0
            count[row.ordinal, default: (0, 0, 0)].records += 1
            count[row.ordinal, default: (0, 0, 0)].bytes += envelope.count
            if record.first > receipted { count[row.ordinal, default: (0, 0, 0)].unreceipted += 1 }
            guard record.kind == .readings, let clock = record.range(reason: "")?.lastClock else { return }
            readings += envelope.count
            oldest = min(oldest ?? clock.utc, clock.utc)
            newest = max(newest ?? clock.utc, clock.utc)
        }
        let page = try head ?? source.page(after: 0)
        try caller.line("spool      \(source.text)")
        let limit = settings?.spool.bytesMax ?? 0
        let share = limit > 0 ? " of \(limit / 1_048_576) MiB (\(page.usedBytes * 100 / limit) %)" : ""
        try caller.line("fill       \(page.usedBytes / 1_024) KiB\(share)")
        for stream in page.streams {
            let held = count[stream.ordinal] ?? (0, 0, 0)
            try caller.line(
                "stream     \(stream.id)\(stream.isEnded ? ", ended" : ""): \(stream.head) signed, \(stream.receipted) receipted; "
                    + "\(held.records) held in \(held.bytes / 1_024) KiB, \(held.unreceipted) of them unreceipted")
        }
        if let oldest, let newest {
            try caller.line("readings   \(oldest) … \(newest)")
            let span = newest - oldest
            if limit > 0, span > 60_000, readings > 0 {
                let perDay = Int64(readings) * 86_400_000 / span
                let room = Int64(limit) * 9 / 10 - Int64(page.usedBytes)
                try caller.line(
                    "left       \(max(0, room / max(1, perDay))) days at \(perDay / 1_024) KiB a day, as in the span above"
                )
            }
        }
        if let problem { throw ControlRefusal("the spool is damaged: \(problem)") }
    }

    // MARK: Verify

    func verify(_ caller: ControlCaller) throws {
        guard !keys.isEmpty else {
            throw ControlRefusal("spool verify needs --config FILE, or --key with the gateway's public key")
        }
        var named: [PublicKey] = []
        for key in keys where !named.contains(key) { named.append(key) }
        try caller.line("\(source.text), key \(named.map(\.description).joined(separator: ", "))")
        var check = SpoolCheck(gateway: settings?.gateway)
        var told = 0
        let problem = try eachRow(caller) { page, row in
            let stream = Self.id(page, row)
            let sequence = UInt64(row.position & (1 << Spool.sequenceBits - 1))
            guard let record = row.record, let stream else {
                return check.damaged(stream: stream, sequence: sequence, "the row is damaged")
            }
            check.take(
                SpoolCheck.Row(
                    stream: stream, first: record.first, through: record.through, kind: record.kind, link: record.link,
                    envelope: record.envelope), isSigned: { message in named.contains { message.isSigned(by: $0) } })
            while told < check.findings.count {
                try caller.line("\(check.findings[told])")
                told += 1
            }
            if check.records % 1_000 == 0 { try caller.line("… \(check.records) records") }
        }
        let range = check.ranges == 0 ? "" : ", \(check.ranges) ranges whose envelopes are gone"
        try caller.line("\(check.records) records, \(check.bytes) bytes\(range)")
        if let problem {
            throw ControlRefusal("reading ended early: \(problem); the next start of the agent salvages what it can")
        }
        guard check.found == 0 else { throw ControlRefusal("\(check.found) things are wrong") }
        try caller.line("every signature, chain, size and hash holds")
    }

    // MARK: Export

    /// `record stream= first= through= kind= bytes=…` with the envelope in hexadecimal; gone ranges without bytes.
    func export(_ caller: ControlCaller) throws {
        let held = try source.page(after: 0).streams.map(\.id.description)
        if let stream, !held.contains(stream) {
            throw ControlRefusal("stream \(stream) is not in the spool; it has: \(held.joined(separator: ", "))")
        }
        let problem = try eachRow(caller) { page, row in
            guard let record = row.record, let id = Self.id(page, row) else {
                throw ControlRefusal(
                    "record \(row.position & (1 << Spool.sequenceBits - 1)) is damaged: see spool verify")
            }
            if let stream, stream != id.description { return }
            try caller.line(
                ControlRequest(
                    "record",
                    [
                        "stream": id.description, "first": "\(record.first)", "through": "\(record.through)",
                        "kind": "\(record.kind.rawValue)", "bytes": record.envelope?.hex ?? "",
                    ]))
        }
        if let problem { throw ControlRefusal("reading ended early: \(problem)") }
    }
}
