// What may be asked of a device, and what came of it. How both travel is ModbusFraming's.

internal import Evidence

/// A question to one unit. Only the four reading functions can be spelled: the agent cannot write to a device.
package struct ModbusRequest: Hashable, Sendable {
    package enum Function: UInt8, CaseIterable, Hashable, Sendable {
        case holding = 3
        case input = 4
        /// Report Server ID.
        case serverID = 17
        /// Encapsulated interface transport, type 14: Read Device Identification.
        case identification = 43
    }

    /// How much a device shall say about itself (Modbus Application Protocol V1.1b3 §6.21).
    package enum Level: UInt8, Hashable, Sendable {
        /// Vendor, product code, revision.
        case basic = 1
        /// And URL, product name, model name, application.
        case regular = 2
    }

    /// MEI type of Read Device Identification.
    static let identificationType: UInt8 = 14
    package static let registersMax: UInt16 = 125

    package let unit: UInt8
    package let function: Function
    /// Wire address, base 0; 0 where none is asked for.
    package let address: UInt16
    /// 1 … 125; 0 where no registers are asked for.
    package let count: UInt16
    /// Of an identification; else basic.
    package let level: Level
    /// The object an identification begins with.
    package let object: UInt8

    private init(
        unit: UInt8, function: Function, address: UInt16 = 0, count: UInt16 = 0, level: Level = .basic,
        object: UInt8 = 0
    ) {
        self.unit = unit
        self.function = function
        self.address = address
        self.count = count
        self.level = level
        self.object = object
    }

    /// - Returns: nil for another function than 3 and 4, or a count outside 1 … 125.
    package init?(unit: UInt8, function: UInt8, address: UInt16, count: UInt16) {
        guard let known = Function(rawValue: function), known == .holding || known == .input,
            (1...Self.registersMax).contains(count)
        else { return nil }
        self.init(unit: unit, function: known, address: address, count: count)
    }

    package static func serverID(unit: UInt8) -> ModbusRequest {
        ModbusRequest(unit: unit, function: .serverID)
    }

    package static func identification(unit: UInt8, level: Level, from object: UInt8 = 0) -> ModbusRequest {
        ModbusRequest(unit: unit, function: .identification, level: level, object: object)
    }

    /// Function code and what follows it.
    package var pdu: [UInt8] {
        switch function {
        case .holding, .input:
            [
                function.rawValue, UInt8(address >> 8), UInt8(address & 0xFF), UInt8(count >> 8), UInt8(count & 0xFF),
            ]
        case .serverID: [function.rawValue]
        case .identification: [function.rawValue, Self.identificationType, level.rawValue, object]
        }
    }

    /// Whether bytes of a PDU are one of the four reading functions: asked once more before anything is sent.
    package static func isReading(_ pdu: some Collection<UInt8>) -> Bool {
        guard let code = pdu.first, let function = Function(rawValue: code) else { return false }
        return function != .identification || pdu.dropFirst().first == identificationType
    }

    /// The longest PDU a good answer has.
    package var answerMax: Int { count > 0 ? 2 + 2 * Int(count) : ModbusFraming.pduMax }
}

/// What is wrong with bytes that are no sound answer. For counters and the person at the bus; records say it coarser.
package enum AnswerDefect: Hashable, Sendable {
    /// A sound frame of another unit.
    case unit
    /// A sound frame of another function, length or object.
    case shape
    /// A TCP answer of another transaction.
    case transaction
    /// Bytes whose checksum is wrong.
    case checksum
    /// Bytes that are no frame.
    case header
    /// It began and did not end in time.
    case partial
    /// What was sent came back and no answer with it, or something else came where the echo should be.
    case echo
}

/// What came back: good with bytes, or why there are none.
package struct ModbusAnswer: Hashable, Sendable {
    /// ``SampleStatus``.
    package let status: UInt64
    /// Registers: big-endian, two bytes each. Identification: from the level on. Server id: its bytes.
    package let bytes: [UInt8]
    package let defect: AnswerDefect?

    package init(status: UInt64, bytes: [UInt8] = [], defect: AnswerDefect? = nil) {
        self.status = status
        self.bytes = bytes
        self.defect = defect
    }

    package static func good(_ bytes: [UInt8]) -> ModbusAnswer {
        ModbusAnswer(status: SampleStatus.good, bytes: bytes)
    }

    package static func odd(_ defect: AnswerDefect) -> ModbusAnswer {
        switch defect {
        case .checksum: ModbusAnswer(status: SampleStatus.checksum, defect: defect)
        case .partial: ModbusAnswer(status: SampleStatus.timeout, defect: defect)
        case .echo: ModbusAnswer(status: SampleStatus.busError, defect: defect)
        case .unit, .shape, .transaction, .header: ModbusAnswer(status: SampleStatus.wrongAnswer, defect: defect)
        }
    }
}
