// A keeper without threads, bus or broker: tests put reads in, commit by hand and look at what would be sent.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Keys
internal import Kit
internal import Metering
internal import Proofs
internal import Quantities
internal import Settings

final class SpoolBench {
    private let place: TemporaryDirectory
    let folder: String
    private(set) var key: PrivateKey
    let trust: ReceiptTrust
    let receiptKey: PrivateKey
    let clock: MachineClock
    let settings: KeeperSettings
    private(set) var recorder: Recorder
    private(set) var keeper: Keeper
    private(set) var opening: Spool.Opening

    static let gateway = Identifier("gw-1")!

    /// - Parameter bytesMax: bound of the spool.
    init(
        _ place: TemporaryDirectory, folder: String? = nil, bytesMax: Int = 64 << 20, house: HouseClock = .real
    ) throws {
        self.place = place
        self.folder = folder ?? place.file("spool")
        key = try PrivateKey.generate(.eddsa)
        receiptKey = try PrivateKey.generate(.eddsa)
        let root = try PrivateKey.generate(.eddsa)
        let list = KeyList(
            number: 1, issuedAt: UTCInstant(milliseconds: 0),
            entries: [
                KeyList.Entry(
                    spki: receiptKey.publicKey.spki, role: .receipt, validFrom: UTCInstant(milliseconds: 0),
                    validTo: UTCInstant(milliseconds: 4_000_000_000_000))
            ])
        try Workplace.write(
            try SignedMessage.signing(list.encoded, as: .keyList, with: root).encoded, to: place.file("list"))
        trust = try ReceiptTrust(path: place.file("list"), root: root.publicKey, believed: 0)
        clock = try MachineClock(house: house)
        settings = KeeperSettings(
            gateway: Self.gateway, agentVersion: "test", replay: nil, commitEvery: 1_000, limits: .init(),
            policy: SpoolPolicy(bytesMax: bytesMax, ageMax: 1_209_600_000))
        (keeper, recorder, opening) = try Self.open(self.folder, settings, KeyRing(key), trust, clock)
    }

    private static func open(
        _ folder: String, _ settings: KeeperSettings, _ keys: KeyRing, _ trust: ReceiptTrust, _ clock: MachineClock
    ) throws -> (Keeper, Recorder, Spool.Opening) {
        let recorder = Recorder(clock: clock, meters: [1])
        let log = Log(write: { _ in })
        let start = try KeeperStart(
            folder: folder, settings: settings, meters: try meters(), keys: keys, clock: clock, log: log)
        let keeper = Keeper(
            settings: settings, start: start, trust: trust, clock: clock, recorder: recorder,
            inbox: Mailbox(itemsMax: 8), uplink: nil, log: log,
            board: StatusBoard(recorder: recorder, buses: []))
        for meter in try meters() { recorder.notice(.planned(try MeterPlan(meter, chain: [])), bus: 0) }
        return (keeper, recorder, start.opening)
    }

    static func meters() throws -> [ConfiguredMeter] {
        let profile = try Profile(
            try SettingsFile.load(path: Workplace.root + "/firmware-profiles/abb/b23.yaml"))
        return [
            ConfiguredMeter(
                index: 0, id: Identifier("meter-1")!, profile: profile, unit: 1, endpoint: "tcp://x:502",
                quantities: [.activeExport], interval: 60_000, identityInterval: 3_600_000)
        ]
    }

    /// The process dies; the next one starts. SQLite's file lock goes with the connection.
    func restart(with other: PrivateKey? = nil) throws {
        keeper.spool.close()
        if let other { key = other }
        (keeper, recorder, opening) = try Self.open(folder, settings, KeyRing(key), trust, clock)
    }

    /// The same with the keys that a store has.
    func restart(keys: KeyRing) throws {
        keeper.spool.close()
        (keeper, recorder, opening) = try Self.open(folder, settings, keys, trust, clock)
    }

    /// Looks at all rows as a running agent does, and starts again should it find damage.
    func findDamage() throws {
        do {
            while keeper.spool.examination != nil { try keeper.lookAfterPages() }
        } catch {
            keeper.remember(error)
            try restart()
        }
    }

    /// Finished reads of `words` bytes each, and a commit.
    func commit(reads: Int = 3, words: Int = 16) throws {
        for _ in 0..<reads {
            let began = recorder.begin(bus: 0)
            recorder.end(
                bus: 0, read: 3, began: began, status: 0, words: [UInt8](repeating: 0xAB, count: words))
        }
        try keeper.commit(isFinal: false)
    }

    /// Everything that would be sent from `sequence` of a stream on, checked as a collector checks it.
    func outgoing(
        from sequence: UInt64 = 1, stream ordinal: Int? = nil, signedBy signer: PrivateKey? = nil
    ) throws -> [Record] {
        let stream = keeper.streams[ordinal ?? keeper.streams.count - 1]
        var records: [Record] = []
        var next = sequence
        var link: Digest?
        var inForce: PublicKey?
        while next <= stream.head {
            // The first attempt relieves a full disk.
            guard let (envelope, through) = try keeper.outgoing(next, stream) ?? keeper.outgoing(next, stream) else {
                throw KitError("stuck at \(next)")
            }
            let message = try SignedMessage(parsing: envelope, as: .record)
            let record = try Record(decoding: message.payload)
            guard message.isSigned(by: inForce ?? (signer ?? key).publicKey), record.place.stream == stream.id,
                record.place.sequence == next, record.place.previous == link ?? record.place.previous,
                next > 1 || record.place.previous == .zero
            else { throw KitError("not next: \(record.place)") }
            if next == 1 {
                guard [RecordKind.birth, .skip].contains(record.body.kind) else { throw KitError("not born") }
            }
            link = message.identity
            if case .key(let spki) = record.body { inForce = try PublicKey(spki: spki) }
            if case .skip(let skip) = record.body { link = skip.identity }
            records.append(record)
            next = through + 1
        }
        return records
    }

    /// A signed receipt as the collector would send it.
    func receipt(
        through: UInt64, identity: Digest? = nil, stream: StreamID? = nil,
        at receivedAt: UTCInstant = UTCInstant(milliseconds: 0), _ change: (inout Receipt) -> Void = { _ in }
    ) throws -> [UInt8] {
        let current = keeper.streams[keeper.streams.count - 1]
        let own = through == 0 ? nil : try keeper.spool.record(covering: through, in: current)
        var receipt = Receipt(
            gateway: Self.gateway, stream: stream ?? current.id, durableThrough: through,
            identity: identity ?? own?.link ?? .zero, receivedAt: receivedAt, logOrigin: "t",
            leafIndex: 0, devicesSynced: 1, versionsAccepted: [1])
        change(&receipt)
        return try SignedMessage.signing(receipt.encoded, as: .receipt, with: receiptKey).encoded
    }
}

extension Workplace {
    static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw KitError("cannot write \(path)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw KitError("cannot write \(path)") }
    }
}
