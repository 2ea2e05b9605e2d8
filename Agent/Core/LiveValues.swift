// What screens show between two records: the latest values, unsigned, never stored, never money.

internal import CBOR
internal import Metering
package import Quantities

/// The message on the topic `live` (docs/formats/evidence.md).
package struct LiveValues: Sendable {
    /// Values of one message, about 16 KiB; what does not fit comes with the next one.
    package static let valuesMax = 512

    private let gateway: Identifier
    private let utc: UTCInstant
    private var meters: [CBORValue] = []
    private var count = 0

    package init(gateway: Identifier, utc: UTCInstant) {
        self.gateway = gateway
        self.utc = utc
    }

    package var isEmpty: Bool { meters.isEmpty }

    /// Adds what a meter answered since the last message.
    ///
    /// - Parameters:
    ///   - now: uptime, ms.
    ///   - isNews: of an answer's uptime; the others were sent before.
    /// - Returns: false: the message is full, and nothing of this meter is in it.
    package mutating func add(
        _ meter: Identifier, _ values: [LatestAnswers.Value], now: UInt64, isNews: (UInt64) -> Bool
    ) -> Bool {
        let items = values.compactMap { value -> CBORValue? in
            guard isNews(value.answer.ended), let (count, unit) = Self.parts(value.value) else { return nil }
            return .array([
                .text(value.obis.text), count, .array([.unsigned(unit.numerator), .unsigned(unit.denominator)]),
                .unsigned(now - min(now, value.answer.ended)),
            ])
        }
        guard !items.isEmpty else { return true }
        guard count + items.count <= Self.valuesMax else { return false }
        count += items.count
        meters.append(.array([.text(meter.text), .array(items)]))
        return true
    }

    private static func parts(_ value: DecodedValue?) -> (CBORValue, Rational)? {
        switch value {
        case .counter(let count): (.unsigned(count.count), count.unit)
        case .gauge(let gauge): (.int(gauge.count), gauge.unit)
        case .notAvailable, nil: nil
        }
    }

    package var encoded: [UInt8] {
        let fields: [(Int64, CBORValue?)] = [
            (1, .int(1)), (2, .text(gateway.text)), (3, .int(utc.milliseconds)), (4, .array(meters)),
        ]
        return CBORValue.fields(fields).encoded()
    }
}
