// What an audit is handed from outside: files, signature checks, somebody to tell how far it is. No I/O of its own.

package import Evidence

/// Passed in by the shell; tests pass their own.
package struct AuditTools {
    /// The file at a path of docs/formats/logs.md; nil when there is none.
    package let read: (String) async throws -> [UInt8]?
    /// Whether the message is signed by the key (DER SubjectPublicKeyInfo).
    package let isSigned: (SignedMessage, [UInt8]) -> Bool
    /// Whether bytes are signed: message, signature, key (DER SubjectPublicKeyInfo).
    package let isRawSigned: (_ message: [UInt8], _ signature: [UInt8], _ spki: [UInt8]) -> Bool
    /// Stage, how much of it is done, of how much (nil: not known).
    package let progress: (String, UInt64, UInt64?) -> Void

    package init(
        read: @escaping (String) async throws -> [UInt8]?, isSigned: @escaping (SignedMessage, [UInt8]) -> Bool,
        isRawSigned: @escaping (_ message: [UInt8], _ signature: [UInt8], _ spki: [UInt8]) -> Bool,
        progress: @escaping (String, UInt64, UInt64?) -> Void = { _, _, _ in }
    ) {
        self.read = read
        self.isSigned = isSigned
        self.isRawSigned = isRawSigned
        self.progress = progress
    }

    /// The file, which must be there.
    func file(_ path: String) async throws -> [UInt8] {
        guard let bytes = try await read(path) else {
            throw AuditFailure(.file(path), "is missing: without it nothing behind it can be checked")
        }
        return bytes
    }
}
