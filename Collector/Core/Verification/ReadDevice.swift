// What a read's birth and the words of its answers say of the device: serial, model, firmware, setup. Whether it is the
// one that was commissioned is MeterEpochs' to tell.

internal import Metering
internal import Proofs
internal import Quantities

/// Facts of one read (item 7), made once for all its readings.
struct ReadDevice: Sendable {
    /// A text that an answer holds.
    struct Heard: Hashable, Sendable {
        /// ``Identity/Role``.
        let role: UInt64
        let text: String
        /// Whether the profile is for devices that say so.
        let isExpected: Bool
    }

    let serial: String
    let profile: Digest
    /// Model and firmware as the birth has them, without those it does not know.
    let told: [Heard]
    /// The profile has a register for the serial.
    let tellsSerial: Bool
    /// The profile is of the registered name, and for this firmware.
    let isFit: Bool

    private let count: Int
    private let fields: [(role: Identity.Role, at: Int, field: Identity.Field)]

    /// - Parameter registered: profile name of the meter's registration.
    init(_ read: ReadInput, _ profile: Profile, registered: String) {
        serial = read.serial
        self.profile = read.profile
        count = 2 * Int(clamping: read.count)
        told = [(Identity.Role.model, read.model), (.firmware, read.firmware)].filter { !$0.1.isEmpty }.map {
            Heard(role: UInt64($0.0.rawValue), text: $0.1, isExpected: profile.expects($0.1, $0.0))
        }
        tellsSerial = profile.identity.field(.serial) != nil
        isFit =
            profile.isOfFamily(registered) && (read.firmware.isEmpty || profile.covers(firmware: read.firmware))
        guard let chain = read.sunSpecModels, let function = UInt8(exactly: read.function) else {
            fields = []
            return
        }
        let registers = Int(clamping: read.address)..<Int(clamping: read.address) + count / 2
        fields = profile.identity.fields.compactMap { role, field in
            guard role > .firmware, profile.answers(field.place.function, as: function),
                let start = field.place.resolved(chain), registers.lowerBound <= start,
                start + field.registers <= registers.upperBound
            else { return nil }
            return (role, 2 * (start - registers.lowerBound), field)
        }
    }

    /// Setup texts in an answer, by role. Words of another length, empty texts and such that are none say nothing.
    func heard(in words: [UInt8]) -> [Heard] {
        guard words.count == count else { return [] }
        return fields.compactMap { role, at, field in
            guard let text = field.decode(words[at..<at + 2 * field.registers]), !text.isEmpty else { return nil }
            return Heard(role: UInt64(role.rawValue), text: text, isExpected: field.accepts(text))
        }
    }
}

extension Profile {
    fileprivate func expects(_ text: String, _ role: Identity.Role) -> Bool {
        identity.field(role)?.accepts(text) ?? true
    }
}
