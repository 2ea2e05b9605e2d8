// What the object store promises: bytes by their digest, never changed. Segments and raw sources lie here.

package import Proofs

/// Why an object was not stored or read.
package enum ObjectError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than ``ObjectStore/objectBytesMax``. Final.
    case tooLarge(Int)
    /// No room; nothing was stored under the name. Try again when there is.
    case full(String)
    /// What is stored under the name is something else. Final until it is put again or restored.
    case damaged(String)
    /// Outcome unknown: put again, which is safe.
    case storage(String)

    package var description: String {
        switch self {
        case .tooLarge(let count): "an object of \(count) bytes is above the bound of the store"
        case .full(let text), .damaged(let text), .storage(let text): text
        }
    }
}

/// Immutable bytes by their SHA-256.
///
/// **Durable**: what `put` returned is synced on the store's device. **Atomic**: an object is there whole or not at all.
/// **Idempotent**: putting what is there changes nothing, and repairs what was damaged. Never returns bytes that do not
/// have the digest asked for. Calls block on the disk; any number of threads and processes may call.
package protocol ObjectStore: Sendable {
    /// Longest object, bytes.
    static var objectBytesMax: Int { get }

    @discardableResult
    func put(_ bytes: [UInt8]) throws(ObjectError) -> Digest

    /// Nil when it is not there.
    func get(_ digest: Digest) throws(ObjectError) -> [UInt8]?

    func contains(_ digest: Digest) throws(ObjectError) -> Bool

    /// All digests, in order.
    func list() throws(ObjectError) -> [Digest]
}
