// What people look at: who is online, and what each meter said last. Volatile; nothing here decides anything.

internal import CBOR
internal import CollectorCore
internal import Evidence
internal import Metering
internal import Proofs
internal import Quantities

struct GatewayBoard {

    struct Meter {
        let id: Identifier
        let model: String
        let serial: String
        var energy: (obis: ObisCode, energy: Energy)?
        var watts: Int64?
        var readAt: UTCInstant?
        /// Sum and number of power samples by quarter hour.
        var power: [(at: UTCInstant, sum: Int64, count: Int64)] = []
    }

    struct Gateway {
        var isOnline = false
        var session: UInt64 = 0
        var checkpoint: Checkpoint?
        var records: UInt64 = 0
        var readings: UInt64 = 0
        var meters: [Meter] = []
        var lastRecordAt: UTCInstant?
        /// Of commands: what was said last, and the highest number that was taken up.
        var outcome: SaidOutcome?
        var commandsSeen: UInt64 = 0
        fileprivate var decoders: [UInt64: (meter: Int, decoder: ReadDecoder)] = [:]
    }

    private var gateways: [Identifier: Gateway] = [:]

    var ids: [Identifier] { gateways.keys.sorted() }
    func gateway(_ id: Identifier) -> Gateway? { gateways[id] }
    func checkpoint(of id: Identifier) -> Checkpoint? { gateways[id]?.checkpoint }

    mutating func note(_ status: GatewayStatus, checkpoint: Checkpoint?) {
        gateways[status.gateway, default: Gateway()].isOnline = status.isOnline
        gateways[status.gateway, default: Gateway()].session = status.session
        gateways[status.gateway, default: Gateway()].checkpoint = checkpoint
    }

    mutating func take(_ record: TakenRecord, profiles: ProfileShelf) {
        // Taken out and put back: a copy in the dictionary would make every meter's plot be copied for each record.
        var gateway = gateways.removeValue(forKey: record.place.gateway) ?? Gateway()
        gateway.records += 1
        if case .success(let content) = record.content {
            gateway.lastRecordAt = content.clock.utc
            switch content.body {
            case .birth(let birth): gateway.begin(birth, profiles)
            case .readings(let readings): gateway.take(readings, content.clock, receivedAt: record.receivedAt)
            case .note(let note): gateway.take(note, content.clock)
            case .skip, .key: break
            }
        }
        gateways[record.place.gateway] = gateway
    }
}

extension GatewayBoard.Gateway {
    fileprivate mutating func begin(_ birth: Birth, _ profiles: ProfileShelf) {
        let before = meters
        meters = birth.meters.map { meter in
            var fresh = GatewayBoard.Meter(id: meter.id, model: meter.model, serial: meter.serial)
            if let known = before.first(where: { $0.id == meter.id }) {
                (fresh.energy, fresh.watts, fresh.readAt, fresh.power) = (
                    known.energy, known.watts, known.readAt, known.power
                )
            }
            return fresh
        }
        decoders = [:]
        for read in birth.reads {
            guard let index = birth.meters.firstIndex(where: { $0.index == read.meter }),
                let profile = profiles.profile(birth.meters[index].profileDigest),
                let function = UInt8(exactly: read.function),
                let address = UInt16(exactly: read.address), let count = UInt16(exactly: read.count)
            else { continue }
            let chain = birth.meters[index].chain.compactMap { model -> SunSpecModel? in
                guard let id = UInt16(exactly: model.id), let address = UInt16(exactly: model.address),
                    let length = UInt16(exactly: model.length)
                else { return nil }
                return SunSpecModel(id: id, address: address, length: length)
            }
            decoders[read.index] = (
                index,
                ReadDecoder(profile, ReadRequest(function: function, address: address, count: count), chain: chain)
            )
        }
    }

    fileprivate mutating func take(_ note: Note, _ clock: RecordClock) {
        // A note of another form is kept in the log and means nothing here; one about what was not believed says nothing
        // of what the gateway was told.
        do throws(ShapeError) {
            guard let said = try CommandOutcome(note), said.word != .unbelieved else { return }
            outcome = SaidOutcome(outcome: said, at: clock.utc)
            commandsSeen = max(commandsSeen, said.number)
        } catch { return }
    }

    fileprivate mutating func take(_ body: Readings, _ clock: RecordClock, receivedAt: UTCInstant) {
        readings += UInt64(body.samples.count)
        for sample in body.samples where sample.status == SampleStatus.good {
            guard let (index, decoder) = decoders[sample.read] else { continue }
            let uptime = Int64(clamping: body.base) &+ Int64(clamping: sample.dt)
            let at = UTCInstant(
                milliseconds: clock.utc.milliseconds &- Int64(clamping: clock.uptimeMilliseconds) &+ uptime)
            for decoded in decoder.decode(sample.words) { meters[index].take(decoded, at, receivedAt: receivedAt) }
        }
    }
}

extension GatewayBoard.Meter {
    /// How far ahead of its receipt a reading may be to stand in a plot, ms: a clock may not be further off.
    private static let aheadMax: Int64 = 300_000

    fileprivate mutating func take(_ decoded: ReadDecoder.Decoded, _ at: UTCInstant, receivedAt: UTCInstant) {
        switch decoded.value {
        case .counter(let count):
            guard decoded.obis == .activeExport, let value = count.energy() else { return }
            energy = (decoded.obis, value)
            readAt = at
        case .gauge(let gauge):
            guard decoded.obis == .activePower else { return }
            // What no plant has is no figure: words in a wrong order may say anything, and pages compute with it.
            watts = gauge.floored(to: Rational.one).flatMap {
                $0.magnitude <= HouseBounds.wattsMax.magnitude ? $0 : nil
            }
            guard let watts else { return }
            readAt = at
            // One that is ahead would keep all that come after it out.
            if at <= receivedAt + Self.aheadMax { add(power: watts, at) }
        case .notAvailable: break
        }
    }

    private mutating func add(power watts: Int64, _ at: UTCInstant) {
        let start = UTCInstant(milliseconds: at.milliseconds / 900_000 * 900_000)
        if let last = power.last, last.at == start {
            power[power.count - 1].sum &+= watts
            power[power.count - 1].count += 1
        } else if power.last.map({ $0.at < start }) ?? true {
            power.append((start, watts, 1))
            if power.count > 200 { power.removeFirst() }
        }
    }
}
