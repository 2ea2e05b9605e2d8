// Whose receipts count: the operator's key list, signed by the root that was pinned. Not what a receipt says.

internal import AgentCore
package import Evidence
internal import Glibc
package import Keys
package import Quantities

/// Why a key list is not believed.
package enum TrustError: Error, Sendable, CustomStringConvertible {
    case file(SystemError)
    case envelope(EnvelopeError)
    case notSignedByRoot
    case content(RecordError)
    /// A lower number than one believed before.
    case older(number: UInt64, believed: UInt64)

    package var description: String {
        switch self {
        case .file(let error): error.description
        case .envelope(let error): "not a signed key list (\(error))"
        case .notSignedByRoot: "not signed by `root_key`: fetch the operator's list again and compare the root key"
        case .content(let error): "not a key list this agent understands (\(error))"
        case .older(let number, let believed):
            "number \(number) is older than \(believed), which was believed before: fetch the operator's current list"
        }
    }
}

/// The key list in force, read again when a receipt carries a key that is not in it.
package final class ReceiptTrust {
    package static let bytesMax = 131_072
    /// Real milliseconds between two looks at the file.
    private static let lookEvery: Int64 = 10_000

    private let path: String
    let root: PublicKey
    private var list: KeyList
    private var keys: [[UInt8]: PublicKey] = [:]
    private var lookedAt = Int64.min

    package var number: UInt64 { list.number }

    /// - Parameter believed: highest number believed before.
    package init(path: String, root: PublicKey, believed: UInt64) throws(TrustError) {
        self.path = path
        self.root = root
        list = try Self.load(path, root, believed)
    }

    /// The receipt in `envelope` if a key that may sign receipts at `now` signed it.
    package func receipt(_ envelope: [UInt8], at now: UTCInstant, monotonic: Int64) -> (Receipt, SignedMessage)? {
        do {
            let message = try SignedMessage(parsing: envelope, as: .receipt)
            guard let key = key(message.kid, now, .receipt) ?? keyAfterLook(message.kid, now, .receipt, monotonic),
                message.isSigned(by: key)
            else { return nil }
            return (try Receipt(decoding: message.payload), message)
        } catch { return nil }  // Whatever is wrong with it, it is no receipt.
    }

    /// Whether a key that may sign commands at `now` signed it.
    func isCommand(_ message: SignedMessage, at now: UTCInstant, monotonic: Int64) -> Bool {
        (key(message.kid, now, .command) ?? keyAfterLook(message.kid, now, .command, monotonic))
            .map { message.isSigned(by: $0) } ?? false
    }

    private func key(_ kid: [UInt8], _ now: UTCInstant, _ role: KeyRole) -> PublicKey? {
        for spki in role == .command ? list.commandKeys(at: now) : list.receiptKeys(at: now) {
            if let known = keys[spki] {
                if known.kid == kid { return known }
                continue
            }
            do throws(KeyError) {
                let key = try PublicKey(spki: spki)
                keys[spki] = key
                if key.kid == kid { return key }
            } catch { continue }  // A list may name kinds of key that this version does not know.
        }
        return nil
    }

    private func keyAfterLook(
        _ kid: [UInt8], _ now: UTCInstant, _ role: KeyRole, _ monotonic: Int64
    ) -> PublicKey? {
        guard lookedAt == .min || monotonic - lookedAt >= Self.lookEvery else { return nil }
        lookedAt = monotonic
        do throws(TrustError) { list = try Self.load(path, root, list.number) } catch { return nil }
        return key(kid, now, role)
    }

    private static func load(_ path: String, _ root: PublicKey, _ believed: UInt64) throws(TrustError) -> KeyList {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try SmallFile.bytes(path, max: bytesMax) } catch { throw .file(error) }
        let message: SignedMessage
        do throws(EnvelopeError) { message = try SignedMessage(parsing: bytes, as: .keyList) } catch {
            throw .envelope(error)
        }
        guard message.isSigned(by: root) else { throw .notSignedByRoot }
        let list: KeyList
        do throws(RecordError) { list = try KeyList(decoding: message.payload) } catch { throw .content(error) }
        guard list.number >= believed else { throw .older(number: list.number, believed: believed) }
        return list
    }
}
