// Families of profiles: maps of one device for different firmware. What a name in configuration or registration means.

extension Profile {
    /// Whether the profile has this name, or belongs to the family of this name: `sungrow/sg` has `sungrow/sg` and
    /// `sungrow/sg-fine`.
    package func isOfFamily(_ family: String) -> Bool { Self.isName(name, ofFamily: family) }

    package static func isName(_ name: String, ofFamily family: String) -> Bool {
        name == family || name.utf8.starts(with: family.utf8 + [UInt8(ascii: "-")])
    }
}
