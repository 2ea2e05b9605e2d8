// One read of every meter of a bus, now, as a table: what an installer compares with the displays. Nothing is recorded.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

package enum LiveRead {
    package struct Table {
        package let text: String
        package let failures: Int
    }

    /// Connects, asks, closes.
    package static func table(_ bus: BusPlan) -> Table {
        let never = Mailbox<Never>(itemsMax: 1)
        var line = BusLine(bus)
        var lines = ["bus \(bus.endpoint.text)"]
        var failures = 0
        for meter in bus.meters {
            lines.append("  meter \(meter.id), unit \(meter.unit), \(meter.profile.name)")
            guard let chain = chain(meter, &line, never) else {
                lines.append("    no SunSpec models found: is it this device, and does it speak SunSpec?")
                failures += 1
                continue
            }
            do throws(PlanError) {
                for read in try MeterPlan(meter, chain: chain).reads {
                    let (text, failed) = ask(read, meter, chain, &line, never)
                    lines += text
                    failures += failed ? 1 : 0
                }
            } catch {
                lines.append("    cannot be read: \(error.description)")
                failures += 1
            }
        }
        line.close()
        return Table(text: lines.joined(separator: "\n"), failures: failures)
    }

    private static func chain(
        _ meter: ConfiguredMeter, _ line: inout BusLine, _ never: Mailbox<Never>
    ) -> [SunSpecModel]? {
        guard let sunSpec = meter.profile.sunSpec else { return [] }
        var walk = SunSpecWalk(bases: sunSpec.bases)
        while case .read(let request) = walk.step {
            guard let asked = ModbusRequest(request, unit: meter.unit) else { return nil }
            line.makeRoom(for: asked, stop: never)
            let answer = line.ask(asked)
            walk.answer(answer.status == SampleStatus.good ? answer.bytes : nil)
        }
        guard case .found(let chain) = walk.step else { return nil }
        return chain
    }

    private static func ask(
        _ read: MeterPlan.Read, _ meter: ConfiguredMeter, _ chain: [SunSpecModel], _ line: inout BusLine,
        _ never: Mailbox<Never>
    ) -> (lines: [String], failed: Bool) {
        let request = read.planned.request
        guard let asked = ModbusRequest(request, unit: meter.unit) else { return ([], true) }
        line.makeRoom(for: asked, stop: never)
        let answer = line.ask(asked)
        let head = "    function \(request.function), registers \(request.address) + \(request.count): "
        guard answer.status == SampleStatus.good else { return ([head + words(answer.status, line.problem)], true) }
        var lines = [head + answer.bytes.hex]
        for (role, text) in read.planned.identityTexts(answer.bytes, meter.profile, chain: chain) {
            let isExpected = text.map { meter.profile.accepts($0, role) } ?? false
            lines.append(
                "      \(role.name): \(text ?? "unusable")\(isExpected ? "" : "  (not what the profile expects)")")
        }
        for value in ReadDecoder(meter.profile, request, chain: chain).decode(answer.bytes) {
            let unit = meter.profile.quantity(value.obis)?.unit.rawValue ?? ""
            lines.append("      \(value.obis)  \(shown(value.value)) \(unit)")
        }
        return (lines, false)
    }

    private static func shown(_ value: DecodedValue) -> String {
        switch value {
        case .counter(let count): product(Int128(count.count), count.unit)
        case .gauge(let gauge): product(Int128(gauge.count), gauge.unit)
        case .notAvailable(let why): "not available (\(why))"
        }
    }

    /// count × unit with up to three decimals, cut.
    private static func product(_ count: Int128, _ unit: Rational) -> String {
        let thousandths = count * Int128(unit.numerator) * 1000 / Int128(unit.denominator)
        let (whole, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1000)
        let digits = String(rest)
        let fraction = rest == 0 ? "" : "." + String(repeating: "0", count: 3 - digits.count) + digits
        return (thousandths < 0 ? "-" : "") + String(whole) + fraction
    }

    private static func words(_ status: UInt64, _ problem: String?) -> String {
        switch status {
        case SampleStatus.timeout: "no answer in time: address, unit, wiring, or raise `timeout`"
        case SampleStatus.wrongAnswer: "an answer that does not fit the request: another device or a busy gateway"
        case SampleStatus.disconnected: "the device closed the connection: does it serve another client?"
        case SampleStatus.connectFailed: problem ?? "no connection: host, port, cable"
        case 1: "exception 1: the device does not know this function"
        case 2: "exception 2: the device has no such registers; is the profile the right one?"
        case 10, 11: "exception \(status): the gateway does not reach the device behind it; is the unit right?"
        case 1...SampleStatus.exceptionMax: "exception \(status)"
        default: "failed (status \(status))"
        }
    }
}
