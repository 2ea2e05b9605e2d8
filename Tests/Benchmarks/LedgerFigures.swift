// Durable transfers: signed orders verified, decided, folded and in the Journal. Beside it plain rows of the same size in
// a SQLite file with the Journal's settings.

internal import CSQLite
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Glibc
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities

enum LedgerFigures {
    static let batches = [1, 100, 1_000]
    /// Orders signed beforehand for each batch size.
    private static let orders = [1: 2_000, 100: 20_000, 1_000: 40_000]

    static func measure() throws -> [Row] {
        let owner = try PrivateKey.generate(.eddsa)
        var house = try BenchHouse()
        try house.addEntity(0)
        try house.addKey(owner.publicKey, .owner, of: name("e-0"))
        return try batches.flatMap { batch in try measure(batch, orders[batch] ?? batch, owner, house) }
    }

    private static func measure(_ batch: Int, _ count: Int, _ owner: PrivateKey, _ house: BenchHouse) throws -> [Row] {
        let place = try TemporaryDirectory()
        defer { withExtendedLifetime(place) {} }
        let book = try LedgerRoom(house, in: place)
        let envelopes = try (0..<count).map { try order($0, owner) }
        var done = 0
        let end = ContinuousClock.now + .seconds(10)
        let taken = try Machine.time {
            while done + batch <= count, .now < end {
                try book.take(envelopes[done..<(done + batch)])
                done += batch
            }
        }
        try book.close()
        let raw = try RawInserts.rate(batch: batch, bytes: book.payloadBytes, in: place)
        let rate = Double(done) / taken.seconds
        return [
            Row(
                "ledger", "transfers, batches of \(batch)", Figure.perSecond(rate), limit: Figure.perSecond(raw),
                "rows of \(book.payloadBytes) bytes, same settings: \(Figure.percent(rate, of: raw)); "
                    + "\(Figure.count(1e6 * taken.processor / Double(max(done, 1)))) µs of processor each")
        ]
    }

    private static func order(_ number: Int, _ owner: PrivateKey) throws -> [UInt8] {
        // Not beginning with 0: such ids are the credits' own.
        let bytes = (0..<16).map { UInt8(truncatingIfNeeded: $0 < 8 ? 1 : number >> (8 * ($0 - 8))) }
        guard let id = TransferID(bytes) else { throw KitError("sixteen bytes") }
        // There and back, so that balances never run out.
        let (debit, credit) = number % 2 == 0 ? ("alice-0", "bob-0") : ("bob-0", "alice-0")
        let order = Order(
            transfer: id, debit: name(debit), credit: name(credit), amount: Amount(minorUnits: 5), memo: "",
            issuedAt: BenchHouse.anchor)
        return try SignedMessage.signing(order.encoded, as: .order, with: owner).encoded
    }
}

/// What the collector's house does with orders; here also several in one append.
private final class LedgerRoom {
    private let registry: Registry
    private let journal: SQLiteJournal
    private var keys = BenchKeys()
    private var ledger = Ledger()
    private var sequence: UInt64 = 0
    private let now = BenchHouse.anchor
    private(set) var payloadBytes = 0

    init(_ house: BenchHouse, in place: TemporaryDirectory) throws {
        registry = house.registry
        journal = try SQLiteJournal(
            LogConfiguration(
                path: place.file("journal.sqlite"), base: "bench.example/house",
                witnesses: [place.file("journal.witness")]), key: LogKey(try PrivateKey.generate(.eddsa)))
        for principal in ["alice", "bob"] {
            _ = try ledger.apply(
                .accountOpened(
                    Event.AccountOpened(
                        account: name("\(principal)-0"), principal: name(principal), entity: name("e-0"),
                        rule: .debitsWithinCredits)), at: now)
        }
        guard let window = WindowID("W-2016-07-07-1") else { throw KitError("no window's name") }
        let issuance = Event.IssuanceComplete(
            window: window, entity: name("e-0"), principal: name("alice"), account: name("alice-0"),
            amount: Amount(minorUnits: 1_000_000), outputDigest: .zero)
        guard let credit = try ledger.crediting(issuance, eventID: .zero) else { throw KitError("nothing to credit") }
        _ = try ledger.apply(try Event(kind: credit.kind, body: credit.payload.body), at: now)
    }

    func close() throws { try journal.close() }

    func take(_ envelopes: ArraySlice<[UInt8]>) throws {
        var drafts: [JournalDraft] = []
        for envelope in envelopes {
            let signed = try SignedOrder(envelope: envelope, registry: registry, at: now) { keys.isSigned($0, by: $1) }
            guard case .accepted(let draft) = ledger.decide(signed, at: now, isHalted: false) else {
                throw KitError("an order is not followed")
            }
            // Later orders of the batch see it; a failed append ends the measurement.
            _ = try ledger.apply(try Event(kind: draft.kind, body: draft.payload.body), at: now)
            drafts.append(draft)
        }
        payloadBytes = drafts.first?.payload.encoded.count ?? 0
        let batch = JournalBatch(stage: .settlement, after: sequence, drafts: drafts)
        sequence += UInt64(try journal.append(batch, now: now).count)
    }
}

/// SQLite alone: one table, one row each, a commit a batch.
enum RawInserts {
    static func rate(batch: Int, bytes: Int, in place: TemporaryDirectory) throws -> Double {
        var database: OpaquePointer?
        guard sqlite3_open(place.file("raw-\(batch).sqlite"), &database) == SQLITE_OK else {
            throw KitError("SQLite cannot open a file")
        }
        defer { sqlite3_close(database) }
        func run(_ sql: String) throws {
            guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else { throw KitError("SQLite: \(sql)") }
        }
        for setting in [
            "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 1000", "journal_size_limit = 67108864",
            "secure_delete = 1", "cell_size_check = 1", "mmap_size = 0",
        ] { try run("PRAGMA \(setting)") }
        try run("CREATE TABLE row (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT")
        var statement: OpaquePointer?
        sqlite3_prepare_v2(database, "INSERT INTO row VALUES (NULL, ?)", -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        let blob = [UInt8](repeating: 7, count: bytes)
        var done = 0
        let end = ContinuousClock.now + .seconds(3)
        let taken = try Machine.time {
            while .now < end {
                try run("BEGIN IMMEDIATE")
                for _ in 0..<batch {
                    // Static for SQLite: the bytes outlive the step.
                    try blob.withUnsafeBytes { raw in
                        sqlite3_bind_blob(statement, 1, raw.baseAddress, Int32(raw.count), nil)
                        guard sqlite3_step(statement) == SQLITE_DONE else { throw KitError("SQLite inserts nothing") }
                    }
                    sqlite3_reset(statement)
                }
                try run("COMMIT")
                done += batch
            }
        }
        return Double(done) / taken.seconds
    }
}
