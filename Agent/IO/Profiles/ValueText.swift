// Decoded values, register words and failures as a person reads them.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

enum ValueText {
    /// Without its unit.
    static func of(_ value: DecodedValue) -> String {
        switch value {
        case .counter(let count): product(Int128(count.count), count.unit)
        case .gauge(let gauge): product(Int128(gauge.count), gauge.unit)
        case .notAvailable(let why): "not available (\(why.name))"
        }
    }

    /// count × unit with up to three decimals, cut.
    static func product(_ count: Int128, _ unit: Rational) -> String {
        let thousandths = count * Int128(unit.numerator) * 1000 / Int128(unit.denominator)
        let (whole, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1000)
        let digits = String(rest)
        let fraction = rest == 0 ? "" : "." + String(repeating: "0", count: 3 - digits.count) + digits
        return (thousandths < 0 ? "-" : "") + String(whole) + fraction
    }

    /// Registers ten a line: the first address, then each in four hexadecimal digits.
    static func registers(_ bytes: [UInt8], from address: UInt16) -> [String] {
        stride(from: 0, to: bytes.count, by: 20).map { start in
            let words = stride(from: start, to: min(start + 20, bytes.count), by: 2).map {
                Array(bytes[$0..<min($0 + 2, bytes.count)]).hex
            }
            let first = String(Int(address) + start / 2)
            return String(repeating: " ", count: max(0, 5 - first.count)) + first + "  " + words.joined(separator: " ")
        }
    }

    /// What a failed request means and what to do.
    static func failure(_ answer: ToolAnswer) -> String {
        if let problem = answer.problem { return problem }
        return switch answer.answer.defect {
        case .unit: "a sound answer of another unit: two masters, or a gateway that mixes up its devices"
        case .checksum: "an answer with a wrong checksum: noise, baud rate, parity or termination"
        case .echo: "what was sent came back: set `echo: true`, or no device answers"
        case .partial: "an answer that began and did not end within \(answer.within) ms"
        default: status(answer.answer.status, within: answer.within)
        }
    }

    static func status(_ status: UInt64, within milliseconds: Int64) -> String {
        switch status {
        case SampleStatus.good: "good"
        case SampleStatus.timeout:
            "no answer within \(milliseconds) ms: address, unit, wiring, or raise `timeout`"
        case SampleStatus.wrongAnswer: "an answer that does not fit the request: another device or a busy gateway"
        case SampleStatus.disconnected: "the device closed the connection: does it serve another client?"
        case SampleStatus.connectFailed: "no connection: host, port, cable"
        case 1: "exception 1: the device does not know this function"
        case 2: "exception 2: the device has no such registers"
        case 3: "exception 3: the device does not take this number of registers"
        case 6: "exception 6: the device is busy; try again"
        case 10, 11: "exception \(status): the gateway does not reach the device behind it; is the unit right?"
        case 1...SampleStatus.exceptionMax: "exception \(status)"
        default: "failed (status \(status))"
        }
    }
}
