// Which commissioning a revenue meter's readings stand under, and which of them stand under none: before the first, after
// something happened to the device, until somebody commissioned it again.

internal import Metering
internal import Proofs
internal import Quantities

/// What becomes of a good reading of a revenue meter.
enum ReadingStanding: Hashable, Sendable {
    /// It counts, under the commissioning of this number.
    case counted(ordinal: Int)
    /// It counts for nothing, and blocks its day: a person has to commission the meter, or to register it anew.
    case blocked(FindingKind)
    /// It counts for nothing, because the meter was commissioned later: the matter is resolved.
    case leftOut
    /// The device has not yet said who it is.
    case unknown
}

/// Time in which nothing was measured for settlement: [from, to); from the beginning where `from` is nil.
struct LeftOutTime: Hashable, Sendable {
    let from: UTCInstant?
    let to: UTCInstant
}

/// The commissionings of one revenue meter in one window, as its readings come in time order.
struct MeterEpochs: Sendable {
    private struct Epoch: Sendable {
        let commissioning: CommissioningInput
        let begins: UTCInstant
        /// 0 for the one that earlier windows settled under, then 1, 2 …
        let ordinal: Int
        /// As first heard, by role.
        var texts: [UInt64: (text: String, heardAt: UTCInstant)] = [:]
        /// From here on nothing counts until the next one.
        var endsAt: UTCInstant?
        /// The device itself is another than the commissioned one; otherwise somebody else claims its serial.
        var isTroubled = false
    }

    private var epochs: [Epoch] = []
    private var current = -1
    private let registeredSerial: String
    private let windowStart: UTCInstant

    /// - Parameter isOpened: the meter has settled readings.
    init(_ meter: Meter, _ plant: InputPlant, _ header: WindowHeader, settledFrom: UTCInstant, isOpened: Bool) {
        registeredSerial = meter.serial
        windowStart = header.start
        let inForce = plant.commissioned(meter.id)
        if let inForce {
            epochs = [
                Epoch(commissioning: inForce.commissioning, begins: inForce.commissioning.time, ordinal: 0)
            ]
            for text in inForce.texts { epochs[0].texts[text.role] = (text.text, inForce.commissioning.time) }
        }
        for input in plant.commissionings(of: meter.id) where input.serial == meter.serial {
            // What was settled stays: one that became known late begins where the settled ends.
            let isLate = (inForce != nil || isOpened) && input.time < settledFrom
            epochs.append(
                Epoch(
                    commissioning: input, begins: isLate ? settledFrom : input.time,
                    ordinal: (epochs.last?.ordinal ?? 0) + 1))
        }
        for claim in plant.claims(on: meter.id) {
            // Before the first commissioning nothing counts anyway.
            guard let index = epochs.lastIndex(where: { $0.commissioning.time < claim.time }),
                epochs[index].endsAt == nil
            else { continue }
            epochs[index].endsAt = max(claim.time, settledFrom)
        }
    }

    /// Readings in time order.
    mutating func place(_ reading: InputReading, _ device: ReadDevice, isGraded: Bool) -> ReadingStanding {
        while current + 1 < epochs.count, epochs[current + 1].begins <= reading.time { current += 1 }
        guard current >= 0 else { return epochs.isEmpty ? .blocked(.notCommissioned) : .leftOut }
        let isLast = current == epochs.count - 1
        if !epochs[current].isTroubled, let end = epochs[current].endsAt, end <= reading.time {
            return isLast ? .blocked(.serialTwice) : .leftOut
        }
        let heard = device.told + device.heard(in: reading.words)
        var trouble = trouble(reading, device, heard)
        if trouble == nil, !isLast, !isGraded { trouble = .notBillingGrade }
        if let trouble {
            epochs[current].endsAt = min(epochs[current].endsAt ?? reading.time, reading.time)
            epochs[current].isTroubled = true
            return isLast ? .blocked(trouble) : .leftOut
        }
        if epochs[current].isTroubled { return isLast ? .blocked(.notCommissioned) : .leftOut }
        if device.serial.isEmpty, device.tellsSerial { return .unknown }
        for each in heard where epochs[current].texts[each.role] == nil {
            epochs[current].texts[each.role] = (each.text, reading.time)
        }
        return .counted(ordinal: epochs[current].ordinal)
    }

    private func trouble(_ reading: InputReading, _ device: ReadDevice, _ heard: [ReadDevice.Heard]) -> FindingKind? {
        let epoch = epochs[current]
        if !device.serial.isEmpty, device.serial != epoch.commissioning.serial { return .identity }
        // The registration in force names another device by now.
        let isLast = current == epochs.count - 1
        if isLast, reading.time > windowStart, epoch.commissioning.serial != registeredSerial { return .identity }
        guard device.profile == epoch.commissioning.profile else { return .deviceChanged }
        for each in heard where epoch.texts[each.role].map({ $0.text != each.text }) ?? false { return .deviceChanged }
        return device.isFit && heard.allSatisfy(\.isExpected) ? nil : .deviceUnfit
    }

    /// After the last reading: time in which nothing counts, though the meter was commissioned after it.
    var leftOut: [LeftOutTime] {
        var found: [LeftOutTime] = []
        if let first = epochs.first, first.ordinal > 0 { found.append(LeftOutTime(from: nil, to: first.begins)) }
        for (epoch, next) in zip(epochs, epochs.dropFirst()) {
            if let end = epoch.endsAt, end < next.begins { found.append(LeftOutTime(from: end, to: next.begins)) }
        }
        return found
    }

    func commissioning(ordinal: Int) -> CommissioningInput? {
        epochs.first { $0.ordinal == ordinal }?.commissioning
    }

    /// What readings through `instant` stand under; nil before any commissioning.
    func inForce(at instant: UTCInstant) -> CommissionedMeter? {
        guard let epoch = epochs.last(where: { $0.begins <= instant }) else { return nil }
        // Roles are few; the dictionary is walked by them, never in its own order.
        let texts = Identity.Role.allCases.compactMap { role -> CommissionedMeter.Text? in
            let role = UInt64(role.rawValue)
            guard let known = epoch.texts[role], known.heardAt <= instant else { return nil }
            return CommissionedMeter.Text(role: role, text: known.text)
        }
        return CommissionedMeter(commissioning: epoch.commissioning, texts: texts)
    }
}
