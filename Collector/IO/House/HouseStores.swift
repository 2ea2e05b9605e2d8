// The house's files: two logs, objects, and the keys that sign for it. Opened once, at start.

internal import CollectorCore
package import CollectorJournal
package import Evidence
package import Keys
internal import Proofs
internal import Quantities

/// Where everything of a house lies.
package struct HouseStores: Sendable {
    package let journal: any Journal
    package let evidence: any EvidenceLog
    package let objects: any ObjectStore

    /// Opens the logs below `data` and their witnesses.
    ///
    /// - Parameters:
    ///   - originBase: from genesis; the logs are made with it when they are not there.
    ///   - acceptsMissingWitness: an operator's word that the witness files are lost for good.
    package static func open(
        data: String, witness: String, originBase: String, logKey: PrivateKey, acceptsMissingWitness: Bool = false
    ) throws -> HouseStores {
        func configuration(_ name: LogName) -> LogConfiguration {
            var log = LogConfiguration(
                path: "\(data)/\(name.rawValue).sqlite", base: originBase,
                witnesses: ["\(witness)/\(name.rawValue).checkpoint"])
            log.acceptsMissingWitness = acceptsMissingWitness
            return log
        }
        let key = LogKey(logKey)
        return HouseStores(
            journal: try SQLiteJournal(configuration(.journal), key: key),
            evidence: try SQLiteEvidenceLog(configuration(.evidence), key: key),
            objects: try DirectoryObjectStore(root: data + "/objects"))
    }
}

/// The keys the collector signs with.
package struct HouseKeys: Sendable {
    package let receipt: PrivateKey
    package let log: PrivateKey
    package let seal: PrivateKey
    /// Nil: this collector gives no commands.
    package let command: PrivateKey?

    package init(_ files: CollectorConfiguration.KeyFiles) throws {
        receipt = try PrivateKey.load(path: files.receipt)
        log = try PrivateKey.load(path: files.log)
        seal = try PrivateKey.load(path: files.seal)
        command = try files.command.map { try PrivateKey.load(path: $0) }
    }
}

/// Public keys by their bytes, parsed once: verification of a stream uses one key thousands of times.
struct KeyCache {
    private static let keysMax = 100_000
    private var keys: [[UInt8]: PublicKey] = [:]

    /// Whether `message` is signed by the key `spki`; false for bytes that are no key of ours.
    mutating func isSigned(_ message: SignedMessage, by spki: [UInt8]) -> Bool {
        if let key = keys[spki] { return message.isSigned(by: key) }
        do {
            let key = try PublicKey(spki: spki)
            if keys.count >= Self.keysMax { keys.removeAll() }
            keys[spki] = key
            return message.isSigned(by: key)
        } catch { return false }  // Not a key of ours: nothing can be signed by it.
    }
}

/// A signature check without a cache, for folds that see a key once or twice.
@Sendable package func isSigned(_ message: SignedMessage, _ spki: [UInt8]) -> Bool {
    do { return message.isSigned(by: try PublicKey(spki: spki)) } catch { return false }  // As above.
}

/// Whether a key (SPKI) signed bytes; 64 raw bytes of signature.
@Sendable package func isRawSigned(_ message: [UInt8], _ signature: [UInt8], _ spki: [UInt8]) -> Bool {
    do { return try PublicKey(spki: spki).verify(signature: signature, over: message) } catch { return false }
}
