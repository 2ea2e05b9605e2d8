// Register words and the runs they stand in. Which device shows what is in the meters' files.

/// A run of registers without holes. Address as on the wire (counted from 0).
package struct RegisterBlock: Hashable, Sendable {
    package let address: Int
    package private(set) var words: [UInt16] = []

    package init(address: Int) { self.address = address }

    /// The address after the last word.
    package var end: Int { address + words.count }

    // Values are appended big-endian, high word first.

    mutating func append(_ word: UInt16) { words.append(word) }
    mutating func append(_ value: Int16) { words.append(UInt16(bitPattern: value)) }
    mutating func append(_ value: Int32) { append(UInt32(bitPattern: value)) }

    mutating func append(_ value: UInt32) {
        words.append(UInt16(truncatingIfNeeded: value >> 16))
        words.append(UInt16(truncatingIfNeeded: value))
    }

    mutating func append(_ value: UInt64) {
        append(UInt32(truncatingIfNeeded: value >> 32))
        append(UInt32(truncatingIfNeeded: value))
    }

    mutating func append(_ value: Int64) { append(UInt64(bitPattern: value)) }

    mutating func append(_ word: UInt16, count: Int) {
        for _ in 0..<count { words.append(word) }
    }

    /// ASCII text, two characters a register, cut or filled with NUL to `registers`.
    mutating func append(text: String, registers: Int) {
        var bytes = Array(text.utf8.prefix(registers * 2))
        while bytes.count < registers * 2 { bytes.append(0) }
        for index in 0..<registers {
            words.append(UInt16(bytes[index * 2]) << 8 | UInt16(bytes[index * 2 + 1]))
        }
    }
}

/// A device's registers at one instant.
package protocol RegisterDevice: Sendable {
    /// Vendor name, product code, revision: the basic objects of function 43/14.
    var identification: [String] { get }

    /// The runs this device has: first address and number of registers, ascending, apart from each other.
    var layout: [(address: Int, count: Int)] { get }

    /// The run beginning at `layout[index].address`.
    ///
    /// - Parameter countersZeroed: the energy counters show 0, as after a reboot.
    func block(_ index: Int, at state: PlantState, countersZeroed: Bool) -> RegisterBlock
}

extension RegisterDevice {
    /// The words of `count` registers from `address`; nil when one of them does not exist (exception 2).
    package func words(
        from address: Int, count: Int, at state: PlantState, countersZeroed: Bool
    ) -> ArraySlice<UInt16>? {
        guard count > 0 else { return nil }
        for (index, run) in layout.enumerated()
        where address >= run.address && address + count <= run.address + run.count {
            let block = block(index, at: state, countersZeroed: countersZeroed)
            return block.words[(address - run.address)..<(address - run.address + count)]
        }
        return nil
    }
}

extension PlantState {
    /// Counts of a register of `wattHours` Wh. Counter widths hold more than any file can state: 64 bits of 1 Wh.
    func counts(_ energy: Int128, wattHours: Int64, zeroed: Bool) -> UInt64 {
        zeroed ? 0 : UInt64(clamping: energy / (Int128(wattHours) * ProductionSeries.perWattHour))
    }
}
