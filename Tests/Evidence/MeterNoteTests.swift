// Commissioning and replacement as notes: what is written is what is read, and what has another form is none.

import CBOR
import Evidence
import Proofs
import Testing

struct MeterNoteTests {
    private static let read = RegisterSeen.Read(
        wattHours: 12_345_600, uptime: 90_000, function: 3, address: 20_480, words: [0, 0, 0, 0, 0, 0x12, 0xD6, 0x80])
    private static let seen = RegisterSeen(obis: "1-0:2.8.0", typedWattHours: 12_345_000, read: read)
    private static let by = Signatory(user: "ann", name: "Ann Example")
    private static let commissioning = Commissioning(
        meter: 7, serialTyped: "12345678", registers: [seen], by: by, profile: Digest(of: [1]), serialRead: "12345678")

    @Test(arguments: [nil, "the display is broken"])
    func commissioningGoesThereAndBack(reason: String?) throws {
        let before = Commissioning(
            meter: 7, serialTyped: "12345678", registers: [Self.seen], by: Self.by, profile: Digest(of: [1]),
            serialRead: "", accepted: reason)
        let payload = Golden.record(3, .note(before.note(uptime: 91_000))).encoded
        guard case .note(let note) = try Record(decoding: payload).body else {
            Issue.record("no note")
            return
        }
        #expect(try Commissioning(note) == before)
        #expect(try MeterReplacement(note) == nil)
    }

    @Test func replacementOfADeadMeterGoesThereAndBack() throws {
        let typed = RegisterSeen(obis: "1-0:2.8.0", typedWattHours: 99_000, read: nil)
        let now = RegisterSeen(obis: "1-0:2.8.0", typedWattHours: nil, read: Self.read)
        let before = MeterReplacement(
            meter: 1, serialBefore: "old", serialNow: "new", last: [typed], first: [now], by: Self.by)
        let note = before.note(uptime: 5)
        #expect(try MeterReplacement(note) == before)
        #expect(try Commissioning(note) == nil)
    }

    /// Field, value in its place (nil: left out), path of the error.
    private static let broken: [(Int64, CBORValue?, String)] = [
        (1, nil, "note.1"), (1, .text("7"), "note.1"), (2, nil, "note.2"),
        (2, .text(String(repeating: "1", count: 201)), "note.2"), (3, .array([]), "note.3"), (3, .null, "note.3"),
        (3, .array([seen(.null, read: true)]), "note.3"), (3, .array([seen(.unsigned(1), read: false)]), "note.3"),
        (3, .array([seen(.null, read: false)]), "note.3[0]"), (3, .array([.array([])]), "note.3[0]"),
        (3, .array([seen(.unsigned(1), read: true), seen(.unsigned(2), read: true)]), "note.3"),
        (3, .array([CBORValue](repeating: seen(.unsigned(1), read: true), count: 9)), "note.3"),
        (3, .array([seen(.unsigned(1), read: true, words: 251)]), "note.3[0][2][4]"), (4, .text("ann"), "note.4"),
        (4, .array([.text("ann"), .null]), "note.4[1]"), (5, .bytes([1]), "note.5"), (6, nil, "note.6"),
        (7, .unsigned(1), "note.7"), (8, .null, "note.8"),
    ]

    private static func seen(_ typed: CBORValue, read: Bool, words: Int = 8) -> CBORValue {
        let bytes = CBORValue.bytes([UInt8](repeating: 1, count: words))
        let answer = CBORValue.array([.unsigned(1), .unsigned(2), .unsigned(3), .unsigned(4), bytes])
        return .array([.text("1-0:2.8.0"), typed, read ? answer : .null])
    }

    @Test(arguments: broken)
    func anotherFormIsNone(key: Int64, value: CBORValue?, path: String) throws {
        guard case .map(let pairs) = Self.commissioning.note(uptime: 1).details else { return }
        var fields = try pairs.map { (try $0.key.int("key"), Optional($0.value)) }.filter { $0.0 != key }
        fields.append((key, value))
        let note = Note(uptimeMilliseconds: 1, code: .commissioned, details: fields)
        let error = #expect(throws: ShapeError.self) { try Commissioning(note) }
        #expect(error?.path == path)
    }
}
