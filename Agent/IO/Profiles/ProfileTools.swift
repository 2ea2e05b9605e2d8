// The work of `profile lint`, `show` and `test`: finds the files, asks the Metering room, makes the text. Prints nothing.

internal import Glibc
internal import Metering
package import Settings

package enum ProfileTools {
    /// What a tool found: lines to print, and whether they say that something is wrong.
    package struct Report {
        package fileprivate(set) var lines: [String] = []
        package fileprivate(set) var failures = 0

        package var text: String { lines.joined(separator: "\n") }
    }

    /// Files below one folder.
    private static let filesMax = 10_000

    /// Reads each profile at `paths` (files, or folders with files in them and in the folders below) and says what is
    /// wrong with it: file, key, value, what is allowed. Warnings are failures, notes are not.
    ///
    /// - Throws: ``SettingsError`` for a path that leads nowhere.
    package static func lint(_ paths: [String]) throws(SettingsError) -> Report {
        var report = Report()
        var names: [String: String] = [:]
        for path in paths {
            for file in try files(path) {
                do throws(SettingsError) {
                    let profile = try profile(file)
                    lint(profile, file, &report)
                    if let other = names.updateValue(file, forKey: profile.name) {
                        report.fail(
                            "\(file): `profile: \(profile.name)` is the name of \(other) too; rename one of them")
                    }
                } catch { report.fail("\(error)") }
            }
        }
        return report
    }

    private static func lint(_ profile: Profile, _ file: String, _ report: inout Report) {
        let before = report.failures
        var lines: [String] = []
        for finding in profile.lint {
            if finding.severity == .warning { report.failures += 1 }
            lines.append("  \(finding)")
        }
        if !file.hasSuffix("/\(profile.name).yaml"), file != "\(profile.name).yaml" {
            report.failures += 1
            lines.append("  warning: `profile: \(profile.name)` is not the file's path; allowed: vendor/model.yaml")
        }
        do throws(SettingsError) {
            let check = FrameCheck(profile, try frames(file))
            report.failures += check.problems.count
            lines += check.problems.map { "  warning: frames: \($0)" }
            let unshown = check.unshown(profile)
            if !unshown.isEmpty {
                report.failures += 1
                lines.append("  warning: frames: no value for \(unshown.map(\.text).joined(separator: ", "))")
            }
        } catch {
            report.failures += 1
            lines.append("  warning: \(error)")
        }
        let verdict = report.failures == before ? "clean" : "not clean"
        report.lines.append("\(file): \(profile.name) revision \(profile.revision), \(verdict)")
        report.lines += lines
    }

    /// The profile as a table.
    package static func show(_ path: String) throws(SettingsError) -> Report {
        var report = Report()
        report.lines = ProfileSheet(try profile(path)).lines
        return report
    }

    /// Runs the frames beside each profile.
    package static func test(_ paths: [String]) throws(SettingsError) -> Report {
        var report = Report()
        for path in paths {
            for file in try files(path) {
                let check = FrameCheck(try profile(file), try frames(file))
                report.lines.append("\(file): \(check.run) frames and plans, \(check.problems.count) of them wrong")
                for problem in check.problems { report.fail("  \(problem)") }
            }
        }
        return report
    }

    // MARK: Files

    private static func profile(_ path: String) throws(SettingsError) -> Profile {
        try Profile(try SettingsFile.load(path: path))
    }

    private static func frames(_ path: String) throws(SettingsError) -> ProfileFrames {
        let stem = path.hasSuffix(".yaml") ? String(path.dropLast(5)) : path
        return try ProfileFrames(try SettingsFile.load(path: stem + ".frames.yaml"))
    }

    /// The profile at `path`, or those in the folder there and in the folders below it, by path.
    static func files(_ path: String) throws(SettingsError) -> [String] {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return [path] }
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        var found: [String] = []
        for name in try entries(trimmed) {
            if isProfile(name) {
                found.append("\(trimmed)/\(name)")
            } else if !name.contains(".") {
                found += try entries("\(trimmed)/\(name)").filter(isProfile).map { "\(trimmed)/\(name)/\($0)" }
            }
        }
        guard (1...filesMax).contains(found.count) else {
            throw SettingsError(
                file: path, problem: "holds \(found.count) profiles", allowed: "1 … \(filesMax) of them")
        }
        return found
    }

    /// Names of the profiles in one folder, without `.yaml`, sorted.
    static func names(_ folder: String) throws(SettingsError) -> [String] {
        try entries(folder).filter(isProfile).map { String($0.dropLast(5)) }
    }

    static func isFolder(_ path: String) -> Bool { isThere(path, as: S_IFDIR) }
    static func isFile(_ path: String) -> Bool { isThere(path, as: S_IFREG) }

    private static func isThere(_ path: String, as kind: mode_t) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == kind
    }

    private static func isProfile(_ name: String) -> Bool {
        name.hasSuffix(".yaml") && !name.hasSuffix(".frames.yaml")
    }

    /// Names in a folder, sorted; none for what is no folder.
    private static func entries(_ path: String) throws(SettingsError) -> [String] {
        guard let folder = opendir(path) else {
            guard errno == ENOTDIR else { throw SettingsError(file: path, problem: "cannot be read (errno \(errno))") }
            return []
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder), names.count <= filesMax {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}

extension ProfileTools.Report {
    fileprivate mutating func fail(_ line: String) {
        failures += 1
        lines.append(line)
    }
}
