// A site file: what an operator writes down to register a new site, or new devices at one. The same sections as the house
// file's, each of which may be left out; nothing in it is signed, and it holds no key.

package import CollectorCore
internal import Quantities
internal import Settings

package struct SiteFile: Sendable {
    /// In the order in which they refer to each other.
    package let bodies: [Registration.Body]

    /// - Throws: `SettingsError` with file, key, value and what is allowed. What stands at the house is asked later.
    package static func load(path: String) throws -> SiteFile {
        try SiteFile(bytes: try SettingsFile.read(path: path), file: path)
    }

    /// - Parameter file: the name in error texts.
    package init(bytes: [UInt8], file: String) throws {
        let root = try SettingsFile.parse(bytes, file: file)
        var bodies: [Registration.Body] = []
        if let section = root.optional("organisations") {
            bodies += try HouseSections.organisations(section).map { .organisation($0) }
        }
        if let section = root.optional("entities") {
            bodies += try HouseSections.entities(section).map { .entity($0) }
        }
        if let section = root.optional("gateways") {
            bodies += try HouseSections.gateways(section).map { .gateway($0) }
        }
        if let section = root.optional("meters") {
            bodies += try HouseSections.meters(section, isProfile: nil).map { .meter($0) }
        }
        if let section = root.optional("metering_points") {
            bodies += try HouseSections.meteringPoints(section).map { .meteringPoint($0) }
        }
        try root.finish()
        // A claim for each gateway may come to them.
        let count = bodies.count { if case .gateway = $0 { true } else { false } } + bodies.count
        guard !bodies.isEmpty, count <= RegistrationDraft.registrationsMax else {
            throw root.error(
                bodies.isEmpty ? "registers nothing" : "registers \(bodies.count) things, too many for one draft",
                allowed:
                    "1 … \(RegistrationDraft.registrationsMax) of organisations, entities, gateways (each counts twice), meters, metering_points"
            )
        }
        self.bodies = bodies
    }
}
