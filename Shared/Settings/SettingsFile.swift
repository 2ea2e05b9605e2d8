// A configuration file: reading it within bounds, and YAML into a tree. Nothing here knows a key.
//
// The subset: one document of maps, lists and scalars. Refused, because they hide what a file says or let a small
// file grow: anchors and aliases, tags, directives, a second document, duplicate keys, keys that are not plain text.

internal import Glibc

package enum SettingsFile {
    /// Bytes of one file.
    package static let bytesMax = 1 << 20
    /// Nesting of maps and lists.
    package static let depthMax = 16
    /// Scalars, lists and maps of one file.
    package static let nodesMax = 100_000
    /// Bytes of one key: printable ASCII.
    package static let keyBytesMax = 64

    /// Parses YAML whose root is a map.
    ///
    /// - Parameter file: The name in error texts.
    package static func parse(_ bytes: [UInt8], file: String) throws(SettingsError) -> SettingsMap {
        try map(of: try tree(bytes, file: file), file: file)
    }

    /// The reader of a tree whose root is a map.
    ///
    /// - Parameter file: The name in error texts.
    package static func map(of root: SettingsNode, file: String) throws(SettingsError) -> SettingsMap {
        guard case .map(let entries) = root.content else {
            throw SettingsError(
                file: file, line: root.line, problem: "holds \(root.kind)", allowed: "a map of keys at the top")
        }
        return SettingsMap(entries: entries, line: root.line, path: "", file: file)
    }

    /// Parses YAML into a tree without asking what it means.
    package static func tree(_ bytes: [UInt8], file: String) throws(SettingsError) -> SettingsNode {
        guard bytes.count <= bytesMax else { throw tooLarge(file) }
        let parser = try YAMLEvents(bytes, file: file)
        return try parser.document()
    }

    /// Reads and parses the regular file at `path`.
    package static func load(path: String) throws(SettingsError) -> SettingsMap {
        try parse(try read(path: path), file: path)
    }

    /// The bytes of the regular file at `path`, at most `bytesMax`.
    package static func read(path: String) throws(SettingsError) -> [UInt8] {
        guard !path.utf8.contains(0) else { throw SettingsError(file: path, problem: "is not a file name") }
        // O_NONBLOCK: opening a named pipe must fail below, not wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SettingsError(file: path, problem: reason(errno, "opened")) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw SettingsError(file: path, problem: "is not a regular file")
        }
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            if got == 0 { break }
            if got < 0 && errno == EINTR { continue }
            guard got > 0 else { throw SettingsError(file: path, problem: reason(errno, "read")) }
            count += got
        }
        guard count <= bytesMax else { throw tooLarge(path) }
        return Array(bytes[..<count])
    }

    private static func tooLarge(_ file: String) -> SettingsError {
        SettingsError(file: file, problem: "is larger than \(bytesMax) bytes; is it a configuration file?")
    }

    private static func reason(_ code: Int32, _ verb: String) -> String {
        switch code {
        case ENOENT: "does not exist; check the path"
        case EACCES, EPERM: "may not be \(verb) by this user; check owner and mode of the file and its folders"
        default: "could not be \(verb) (errno \(code))"
        }
    }
}
