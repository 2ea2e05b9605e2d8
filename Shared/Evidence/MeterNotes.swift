// The notes a person stands behind: a meter commissioned (code 5), a meter replaced (code 4). Whether what was typed is
// what was read is the agent's to check and the collector's to check again; here is only their form.

package import CBOR
package import Proofs

/// Who stood before the meter: the system's user at the socket, and the name that was typed.
package struct Signatory: Hashable, Sendable {
    /// Bytes of each text.
    package static let textBytesMax = 200

    package let user: String
    package let name: String

    package init(user: String, name: String) {
        self.user = user
        self.name = name
    }

    var cbor: CBORValue { .array([.text(user), .text(name)]) }

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 2, path)
        user = try parts[0].shortText(path + "[0]")
        name = try parts[1].shortText(path + "[1]")
    }
}

/// One energy register as a display showed it to a person, as the meter answered it, or both.
package struct RegisterSeen: Hashable, Sendable {
    /// The answer the value was decoded from.
    package struct Read: Hashable, Sendable {
        /// ⌊count × unit⌋ of the register under the profile, without the registration's ratio.
        package let wattHours: UInt64
        /// Uptime of this boot in ms when the last byte arrived.
        package let uptime: UInt64
        package let function: UInt64
        package let address: UInt64
        /// Every register of the answer, big-endian.
        package let words: [UInt8]

        package init(wattHours: UInt64, uptime: UInt64, function: UInt64, address: UInt64, words: [UInt8]) {
            self.wattHours = wattHours
            self.uptime = uptime
            self.function = function
            self.address = address
            self.words = words
        }
    }

    /// OBIS code, `1-0:2.8.0`.
    package let obis: String
    /// From the display. Nil: nobody read it there.
    package let typedWattHours: UInt64?
    /// Nil: the meter did not answer; then there is only what was typed.
    package let read: Read?

    package init(obis: String, typedWattHours: UInt64?, read: Read?) {
        self.obis = obis
        self.typedWattHours = typedWattHours
        self.read = read
    }

    var cbor: CBORValue {
        let answer = read.map {
            CBORValue.array([
                .unsigned($0.wattHours), .unsigned($0.uptime), .unsigned($0.function), .unsigned($0.address),
                .bytes($0.words),
            ])
        }
        return .array([.text(obis), typedWattHours.map { .unsigned($0) } ?? .null, answer ?? .null])
    }

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 3, path)
        obis = try parts[0].shortText(path + "[0]")
        typedWattHours = parts[1].isNull ? nil : try parts[1].uint(path + "[1]")
        if parts[2].isNull {
            read = nil
        } else {
            let answer = try parts[2].array(count: 5, path + "[2]")
            read = Read(
                wattHours: try answer[0].uint(path + "[2][0]"), uptime: try answer[1].milliseconds(path + "[2][1]"),
                function: try answer[2].uint(path + "[2][2]"), address: try answer[3].uint(path + "[2][3]"),
                words: try answer[4].bytes(path + "[2][4]"))
        }
        guard typedWattHours != nil || read != nil else { throw ShapeError(path, expected: "a value typed or read") }
        guard (read?.words.count ?? 0) <= 250 else { throw ShapeError(path + "[2][4]", expected: "at most 250 bytes") }
    }
}

/// A person compared a meter's display with what the agent reads (note 5). Without it no billing grade.
package struct Commissioning: Hashable, Sendable {
    /// Registers of one meter.
    package static let registersMax = 8

    package let meter: UInt64
    /// From the label or display.
    package let serialTyped: String
    /// At least one; each typed and read.
    package let registers: [RegisterSeen]
    package let by: Signatory
    /// The profile that the registers were read with.
    package let profile: Digest
    /// What the meter said; empty: its profile has no register for it.
    package let serialRead: String
    /// Why a value that differs was accepted. Nil: none does.
    package let accepted: String?

    package init(
        meter: UInt64, serialTyped: String, registers: [RegisterSeen], by: Signatory, profile: Digest,
        serialRead: String, accepted: String? = nil
    ) {
        self.meter = meter
        self.serialTyped = serialTyped
        self.registers = registers
        self.by = by
        self.profile = profile
        self.serialRead = serialRead
        self.accepted = accepted
    }

    package func note(uptime: UInt64) -> Note {
        Note(
            uptimeMilliseconds: uptime, code: .commissioned,
            details: [
                (1, .unsigned(meter)), (2, .text(serialTyped)), (3, .array(registers.map(\.cbor))), (4, by.cbor),
                (5, .bytes(profile.bytes)), (6, .text(serialRead)), (7, accepted.map { .text($0) }),
            ])
    }

    /// Nil when the note is of another code.
    ///
    /// - Throws: ``ShapeError``: it calls itself one and is none. That is no reason to refuse its record.
    package init?(_ note: Note) throws(ShapeError) {
        guard note.code == NoteCode.commissioned.rawValue else { return nil }
        let fields = try note.details.fields(1...7, extensible: true, "note")
        meter = try fields.uint(1)
        serialTyped = try fields.value(2).shortText("note.2")
        registers = try RegisterSeen.list(try fields.value(3), "note.3")
        by = try Signatory(try fields.value(4), "note.4")
        guard let digest = Digest(try fields.bytes(count: 32, 5)) else {
            throw ShapeError("note.5", expected: "32 bytes")
        }
        profile = digest
        serialRead = try fields.value(6).shortText("note.6")
        accepted = try fields.optional(7)?.shortText("note.7")
        guard !registers.isEmpty, registers.allSatisfy({ $0.typedWattHours != nil && $0.read != nil }) else {
            throw ShapeError("note.3", expected: "registers that were both typed and read")
        }
    }
}

/// A meter was exchanged for another (note 4): where the old one ended and where the new one begins.
package struct MeterReplacement: Hashable, Sendable {
    package let meter: UInt64
    package let serialBefore: String
    package let serialNow: String
    /// Of the old meter; typed only where it was dead already.
    package let last: [RegisterSeen]
    /// Of the new one; each read.
    package let first: [RegisterSeen]
    package let by: Signatory

    package init(
        meter: UInt64, serialBefore: String, serialNow: String, last: [RegisterSeen], first: [RegisterSeen],
        by: Signatory
    ) {
        self.meter = meter
        self.serialBefore = serialBefore
        self.serialNow = serialNow
        self.last = last
        self.first = first
        self.by = by
    }

    package func note(uptime: UInt64) -> Note {
        Note(
            uptimeMilliseconds: uptime, code: .meterReplaced,
            details: [
                (1, .unsigned(meter)), (2, .text(serialBefore)), (3, .text(serialNow)),
                (4, .array(last.map(\.cbor))), (5, .array(first.map(\.cbor))), (6, by.cbor),
            ])
    }

    /// Nil when the note is of another code.
    ///
    /// - Throws: ``ShapeError``: it calls itself one and is none. That is no reason to refuse its record.
    package init?(_ note: Note) throws(ShapeError) {
        guard note.code == NoteCode.meterReplaced.rawValue else { return nil }
        let fields = try note.details.fields(1...6, extensible: true, "note")
        meter = try fields.uint(1)
        serialBefore = try fields.value(2).shortText("note.2")
        serialNow = try fields.value(3).shortText("note.3")
        last = try RegisterSeen.list(try fields.value(4), "note.4")
        first = try RegisterSeen.list(try fields.value(5), "note.5")
        by = try Signatory(try fields.value(6), "note.6")
        guard first.allSatisfy({ $0.read != nil }) else {
            throw ShapeError("note.5", expected: "registers that were read")
        }
    }
}

extension RegisterSeen {
    fileprivate static func list(_ value: CBORValue, _ path: String) throws(ShapeError) -> [RegisterSeen] {
        let items = try value.array(path)
        guard items.count <= Commissioning.registersMax else {
            throw ShapeError(path, expected: "at most \(Commissioning.registersMax) registers")
        }
        var seen: [RegisterSeen] = []
        for (index, item) in items.enumerated() { seen.append(try RegisterSeen(item, path + "[\(index)]")) }
        guard Set(seen.map(\.obis)).count == seen.count else { throw ShapeError(path, expected: "each register once") }
        return seen
    }
}

extension CBORValue {
    fileprivate func shortText(_ path: String) throws(ShapeError) -> String {
        let value = try text(path)
        guard value.utf8.count <= Signatory.textBytesMax else {
            throw ShapeError(path, expected: "at most \(Signatory.textBytesMax) bytes")
        }
        return value
    }
}
