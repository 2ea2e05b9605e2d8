// Which firmware a register map is for, and which of several profiles is a device's. Reading it is the agent's.

/// Versions from one up to another; either end may be open.
package struct FirmwareRange: Hashable, Sendable {
    /// The first version; empty: from the beginning.
    package var from: String
    /// The first version that no longer belongs; empty: without end.
    package var below: String

    package init(from: String = "", below: String = "") {
        self.from = from
        self.below = below
    }

    package func contains(_ version: String) -> Bool {
        (from.isEmpty || !Self.isOlder(version, than: from)) && (below.isEmpty || Self.isOlder(version, than: below))
    }

    /// Compares the numbers in both texts from left to right, so that 1.10 follows 1.9 and `V01.02R` is 1.2. A missing
    /// number is 0.
    package static func isOlder(_ version: String, than other: String) -> Bool {
        let (left, right) = (numbers(version), numbers(other))
        for position in 0..<max(left.count, right.count) {
            let a = position < left.count ? left[position] : 0
            let b = position < right.count ? right[position] : 0
            if a != b { return a < b }
        }
        return false
    }

    /// At most 16; what does not fit in 64 bits is the largest number there is.
    static func numbers(_ text: String) -> [UInt64] {
        let groups = text.utf8.split { !(48...57).contains($0) }
        return groups.prefix(16).map { digits in
            digits.reduce(0) { value, digit in
                let (product, over) = value.multipliedReportingOverflow(by: 10)
                let (sum, carried) = product.addingReportingOverflow(UInt64(digit - 48))
                return over || carried ? .max : sum
            }
        }
    }
}

/// What a device said it is, for the choice of its profile.
package struct DeviceSigns: Hashable, Sendable {
    /// Texts of identity fields; only looked up.
    private var texts: [Identity.Role: String]
    /// Empty for devices that do not speak SunSpec.
    package var chain: [SunSpecModel]

    package init(_ texts: [Identity.Role: String], chain: [SunSpecModel] = []) {
        self.texts = texts
        self.chain = chain
    }

    package subscript(role: Identity.Role) -> String? { texts[role] }
}

extension Profile {
    /// Whether the map is for devices with this firmware. Without ranges it is for all.
    package func covers(firmware version: String) -> Bool {
        firmware.isEmpty || firmware.contains { $0.contains(version) }
    }

    /// Whether a device that says so may be read with this profile: the models are in its chain with a length known
    /// here, it said what the profile expects, its firmware is covered.
    package func fits(_ device: DeviceSigns) -> Bool {
        do throws(PlanError) { try check(device.chain) } catch { return false }
        for (role, field) in identity.fields {
            guard let text = device[role] else {
                if field.expected.isEmpty || field.isOptional { continue }
                return false
            }
            if !field.accepts(text) { return false }
        }
        return device[.firmware].map { covers(firmware: $0) } ?? true
    }

    /// Of the profiles that fit a device, the one to prefer: the one that expects most of it (models, texts, firmware);
    /// then the best confirmed; then the one whose counters are widest; then by name. Nil: none fits.
    package static func choice(_ profiles: [Profile], for device: DeviceSigns) -> Profile? {
        preferred(profiles.filter { $0.fits(device) })
    }

    /// Of profiles that all fit a device, by the same order.
    package static func preferred(_ profiles: [Profile]) -> Profile? {
        profiles.max { a, b in
            let (left, right) = (a.preference, b.preference)
            return left == right
                ? b.name.utf8.lexicographicallyPrecedes(a.name.utf8) : left.lexicographicallyPrecedes(right)
        }
    }

    /// As ``fits(_:)``, and where the map is for some firmware only, the device said that it has one of them.
    package func isFor(_ device: DeviceSigns) -> Bool {
        guard fits(device) else { return false }
        guard !firmware.isEmpty else { return true }
        let version = device[.firmware] ?? ""
        return !version.isEmpty && covers(firmware: version)
    }

    private var preference: [Int] { [closeness, Int(level.rawValue), counterRegisters] }

    private var closeness: Int {
        identity.fields.count { !$0.field.expected.isEmpty } + (firmware.isEmpty ? 0 : 1) + (sunSpec?.models.count ?? 0)
    }

    /// Registers of the totals: 64 bits never pass their end.
    private var counterRegisters: Int {
        [ObisCode.activeImport, .activeExport].compactMap { quantity($0)?.type.registers }.max() ?? 0
    }
}
