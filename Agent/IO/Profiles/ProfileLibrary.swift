// All profiles of a folder at once, for the tools that look for one. What is broken there is left out and named.

package import Metering
package import Settings

package struct ProfileLibrary {
    package private(set) var profiles: [Profile] = []
    /// Files that are no profile, and why.
    package private(set) var broken: [String] = []

    /// - Throws: ``SettingsError`` when the folder cannot be read, or holds no profile.
    package init(folder: String) throws(SettingsError) {
        for file in try ProfileTools.files(folder) {
            do throws(SettingsError) { profiles.append(try Profile(try SettingsFile.load(path: file))) } catch {
                broken.append("\(error)")
            }
        }
    }

    package func named(_ name: String) -> Profile? { profiles.first { $0.name == name } }
}
