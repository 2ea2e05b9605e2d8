// `read --endpoint`: any registers of any device, as words and, where a type is named, as values.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

struct RawRead {
    /// Real milliseconds an answer is waited for unless the person says otherwise.
    private static let patienceDefault: Int64 = 1_500

    private let endpoint: BusEndpoint
    private let request: ModbusRequest
    private let patience: Int64
    private let type: RegisterType?
    private let order: RegisterOrder

    init(_ request: ControlRequest) throws(ControlRefusal) {
        endpoint = try ToolEndpoint.parse(request)
        guard request.optional("meter") == nil else {
            throw ControlRefusal("read: either meters of the configuration or an endpoint")
        }
        let unit = UInt8(try request.number("unit", in: 0...255) ?? 1)
        let function = try request.number("function", in: 3...43) ?? 3
        let address = UInt16(try request.number("address", in: 0...65_535) ?? 0)
        patience = try request.number("timeout", in: 50...60_000) ?? Self.patienceDefault
        type = try request.optional("as").map(Self.type)
        order = try Self.order(request.optional("order") ?? "abcd")
        let usual = Int64(max(1, type?.registers ?? 1))
        let count = UInt16(try request.number("count", in: 1...Int64(ModbusRequest.registersMax)) ?? usual)
        switch function {
        case 3, 4:
            guard let made = ModbusRequest(unit: unit, function: UInt8(function), address: address, count: count),
                Int(address) + Int(count) <= 65_536
            else { throw ControlRefusal("registers \(address) + \(count) end above 65535") }
            self.request = made
        case 17: self.request = .serverID(unit: unit)
        case 43: self.request = .identification(unit: unit, level: .basic)
        default: throw ControlRefusal("function \(function): allowed: 3, 4, 17, 43; nothing else can be asked")
        }
        guard self.request.count > 0 || type == nil else {
            throw ControlRefusal("as: only registers of functions 3 and 4 have a type")
        }
    }

    func run(_ caller: ControlCaller, _ context: ControlContext) throws {
        let line = context.desk.line(to: endpoint)
        defer { line.close() }
        try caller.line("\(line.text), unit \(request.unit)")
        let answer = line.ask(request, patience: patience) { caller.isGone }
        guard answer.answer.status == SampleStatus.good else { throw ControlRefusal(ValueText.failure(answer)) }
        try caller.line("answered in \(answer.took / 1_000) ms")
        for text in lines(answer.answer.bytes) { try caller.line("  " + text) }
    }

    private func lines(_ bytes: [UInt8]) -> [String] {
        switch request.function {
        case .serverID: return ["server id: \(bytes.hex)", "as text:   \(DeviceIdentification.printable(bytes))"]
        case .identification:
            guard let found = DeviceIdentification(bytes) else {
                return ["the answer contradicts itself: \(bytes.hex)"]
            }
            return found.objects.map { "\(DeviceIdentification.name($0.id)): \($0.text)" }
        case .holding, .input:
            return ValueText.registers(bytes, from: request.address) + values(bytes)
        }
    }

    private func values(_ bytes: [UInt8]) -> [String] {
        guard let type else { return [] }
        if type.isText { return ["\(request.address)  \"\(DeviceIdentification.printable(bytes))\""] }
        let size = 2 * type.registers
        let values = stride(from: 0, to: bytes.count - size + 1, by: size).map { start in
            "\(Int(request.address) + start / 2)  \(type.text(order.bits(Array(bytes[start..<start + size]))))"
        }
        let rest = bytes.count % size / 2
        return values + (rest == 0 ? [] : ["\(rest) registers are left: too few for \(type.name)"])
    }

    private static func type(_ name: String) throws(ControlRefusal) -> RegisterType {
        let known = RegisterType.allCases.filter { !$0.isAccumulator && $0 != .chars }
        guard let type = known.first(where: { $0.name == name }) else {
            throw ControlRefusal("as \(name): allowed: \(known.map(\.name).joined(separator: ", "))")
        }
        return type
    }

    /// As vendors spell the order of four bytes.
    private static func order(_ name: String) throws(ControlRefusal) -> RegisterOrder {
        switch name {
        case "abcd": RegisterOrder()
        case "cdab": RegisterOrder(lowWordFirst: true)
        case "badc": RegisterOrder(lowByteFirst: true)
        case "dcba": RegisterOrder(lowWordFirst: true, lowByteFirst: true)
        default: throw ControlRefusal("order \(name): allowed: abcd (big-endian), cdab, badc, dcba")
        }
    }
}

extension RegisterOrder {
    fileprivate func bits(_ bytes: [UInt8]) -> UInt64 {
        let words: [UInt64] = stride(from: 0, to: bytes.count, by: 2).map { index -> UInt64 in
            let (first, second) = (UInt64(bytes[index]), UInt64(bytes[index + 1]))
            return lowByteFirst ? second << 8 | first : first << 8 | second
        }
        return (lowWordFirst ? words.reversed() : words).reduce(UInt64(0)) { $0 << 16 | $1 }
    }
}

extension RegisterType {
    /// For the eye only: what is settled is never a float.
    fileprivate func text(_ bits: UInt64) -> String {
        switch self {
        case .f32: "\(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))"
        case .f64: "\(Double(bitPattern: bits))"
        case .s16: "\(Int16(truncatingIfNeeded: bits))"
        case .s32: "\(Int32(truncatingIfNeeded: bits))"
        case .s64: "\(Int64(bitPattern: bits))"
        default: "\(bits)"
        }
    }
}
