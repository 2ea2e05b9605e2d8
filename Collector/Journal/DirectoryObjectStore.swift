// The object store in a directory: `<root>/<first two hex digits>/<64 hex digits>`, one file an object.

internal import Glibc
package import Proofs
internal import Quantities

package struct DirectoryObjectStore: ObjectStore {
    package static let objectBytesMax = 268_435_456

    private let root: String

    /// Makes the directory when it is not there; its parent must be.
    package init(root: String) throws(ObjectError) {
        self.root = root
        try Self.wrapped { () throws(FileError) in try DurableFile.makeDirectory(root) }
    }

    @discardableResult
    package func put(_ bytes: [UInt8]) throws(ObjectError) -> Digest {
        guard bytes.count <= Self.objectBytesMax else { throw .tooLarge(bytes.count) }
        let digest = Digest(of: bytes)
        let path = path(digest)
        return try Self.wrapped { () throws(FileError) in
            try DurableFile.makeDirectory(DurableFile.directory(of: path))
            if try DurableFile.write(bytes, to: path, .keeping) { return digest }
            // The name was taken. Bytes that do not have it were damaged by the device: replaced, since we hold the
            // right ones.
            if try DurableFile.read(path, bytesMax: Self.objectBytesMax) != bytes {
                try DurableFile.write(bytes, to: path, .replacing)
            }
            return digest
        }
    }

    package func get(_ digest: Digest) throws(ObjectError) -> [UInt8]? {
        let path = path(digest)
        let bytes = try Self.wrapped { () throws(FileError) in
            try DurableFile.read(path, bytesMax: Self.objectBytesMax)
        }
        guard let bytes else { return nil }
        guard Digest(of: bytes) == digest else {
            throw .damaged("\(path) does not have the digest it is named by: restore it from a copy or an export")
        }
        return bytes
    }

    package func contains(_ digest: Digest) throws(ObjectError) -> Bool {
        var status = stat()
        if stat(path(digest), &status) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw .storage("\(FileError("examine", path(digest)))") }
        return false
    }

    package func list() throws(ObjectError) -> [Digest] {
        try Self.wrapped { () throws(FileError) in
            var digests: [Digest] = []
            for directory in try DurableFile.names(in: root) where directory.utf8.count == 2 {
                for name in try DurableFile.names(in: "\(root)/\(directory)") {
                    // Temporary files of an interrupted put have other names.
                    guard let bytes = [UInt8](hex: name), bytes.hex == name, let digest = Digest(bytes) else {
                        continue
                    }
                    digests.append(digest)
                }
            }
            return digests
        }
    }

    private func path(_ digest: Digest) -> String {
        let name = "\(digest)"
        return "\(root)/\(name.prefix(2))/\(name)"
    }

    private static func wrapped<T>(_ body: () throws(FileError) -> T) throws(ObjectError) -> T {
        do throws(FileError) { return try body() } catch {
            throw error.isFull ? .full("\(error)") : .storage("\(error): look at the device, then put again")
        }
    }
}
