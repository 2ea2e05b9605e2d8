// The meter profiles that ship with the collector, by name and by digest. A profile that is not here cannot be decoded:
// its readings stay, and are decoded when it is.

internal import Foundation
package import Metering
package import Proofs
internal import Settings

package struct ProfileShelf: Sendable {
    /// Files below the folder at most.
    private static let filesMax = 10_000

    private let byDigest: [Digest: Profile]
    private let byName: [String: Digest]

    /// Reads every `*.yaml` below `folder` that is not a frames file.
    ///
    /// - Throws: `SettingsError` for a profile that does not parse, `ProfileShelfError` for two of one name.
    package static func load(folder: String) throws -> ProfileShelf {
        guard let files = FileManager.default.enumerator(atPath: folder) else {
            throw ProfileShelfError(
                description: "\(folder): cannot be read: point `profiles` to the folder firmware-profiles")
        }
        var byDigest: [Digest: Profile] = [:]
        var byName: [String: Digest] = [:]
        for case let file as String in files.prefix(filesMax)
        where file.hasSuffix(".yaml") && !file.hasSuffix(".frames.yaml") {
            let map = try SettingsFile.load(path: folder + "/" + file)
            let profile = try Profile(map)
            try map.finish()
            guard byName[profile.name] == nil else {
                throw ProfileShelfError(description: "\(folder)/\(file): a second profile is called \(profile.name)")
            }
            byName[profile.name] = profile.digest
            byDigest[profile.digest] = profile
        }
        guard !byDigest.isEmpty else {
            throw ProfileShelfError(
                description: "\(folder): there is no profile: point `profiles` to the folder firmware-profiles")
        }
        return ProfileShelf(byDigest: byDigest, byName: byName)
    }

    package func profile(_ digest: Digest) -> Profile? { byDigest[digest] }
    /// Encoded profiles by digest, as transcripts carry them.
    package var bytesByDigest: [Digest: [UInt8]] { byDigest.mapValues { $0.encoded() } }
    /// In order.
    package var names: [String] { byName.keys.sorted() }
    package func digest(named name: String) -> Digest? { byName[name] }
    package func profile(named name: String) -> Profile? { byName[name].flatMap { byDigest[$0] } }
}

package struct ProfileShelfError: Error, CustomStringConvertible {
    package let description: String
}
