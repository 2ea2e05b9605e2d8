// A registration that waits for signatures: made in one place, signed by persons in others, handed in by whoever has them all.
// Holds no key and no secret.

internal import ArgumentParser
internal import CBOR
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Keys
internal import Quantities

/// A file `{1: 1, 2: payload bstr, 3: [* envelope bstr]}`.
struct DeviceDraft {
    /// Bytes of a file that are read.
    static let bytesMax = 1 << 20

    let payload: [UInt8]
    var envelopes: [SignedMessage] = []

    init(_ registration: Registration) { payload = registration.encoded }

    init(reading path: String) throws {
        guard let bytes = FileManager.default.contents(atPath: path), bytes.count <= Self.bytesMax else {
            throw ValidationError("\(path) cannot be read, or is no draft")
        }
        do {
            let fields = try CBORValue(decoding: Array(bytes)).fields(1...3, "draft")
            guard try fields.uint(1) == 1 else { throw ShapeError("draft.1", expected: "version 1") }
            payload = try fields.bytes(2)
            for item in try fields.array(3) {
                envelopes.append(try SignedMessage(parsing: try item.bytes("draft.3[]"), as: .registration))
            }
        } catch { throw ValidationError("\(path) is no draft: \(error)") }
    }

    var registration: Registration {
        get throws {
            do { return try Registration(decoding: payload) } catch {
                throw ValidationError("what is to be signed is no registration: \(error)")
            }
        }
    }

    /// Replaces the file whole; a crash leaves the one of before.
    func write(to path: String) throws {
        let bytes = CBORValue.fields([
            (1, .int(1)), (2, .bytes(payload)), (3, .array(envelopes.map { .bytes($0.encoded) })),
        ]).encoded()
        try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// What a person is about to sign, in words.
    var words: String {
        get throws {
            let own = try registration
            let head = "number \(own.number), from \(own.effectiveFrom)"
            switch own.body {
            case .claim(let claim):
                return """
                    A CLAIM: gateway \(claim.gateway) may bind a key of its own, once, until \(claim.expires).
                      key of organisation \(claim.organisation); \(head)
                    """
            case .revocation(let revocation):
                return """
                    A REVOCATION: every key and claim of gateway \(revocation.gateway) ends at once.
                      reason: \(revocation.reason); \(head)
                    """
            default: return "A REGISTRATION of kind \(own.body.kind): \(own.body); \(head)"
            }
        }
    }
}

struct SignDraft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Shows what a draft says and adds a signature to it. Needs no network.")

    @Argument(help: "draft file, e.g. of `device claim --draft FILE`") var draft: String
    @Option(help: "private key that signs; leave it out to look only") var key: String?

    func run() async throws {
        try await withExitStatus {
            var own = try DeviceDraft(reading: draft)
            print(try own.words)
            guard let key else { return print("  signatures so far: \(own.envelopes.count)") }
            let signer = try PrivateKey.load(path: key)
            own.envelopes.removeAll { $0.kid == signer.kid }
            own.envelopes.append(try SignedMessage.signing(own.payload, as: .registration, with: signer))
            try own.write(to: draft)
            print("  signed by \(signer.kid.hex); signatures: \(own.envelopes.count)")
        }
    }
}

struct SubmitDraft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Hands in a draft with its signatures; several copies of one are put together."
    )

    @Argument(help: "draft files of the same registration") var drafts: [String]
    @OptionGroup var options: HouseOptions

    func run() async throws {
        try await withExitStatus {
            let copies = try drafts.map { try DeviceDraft(reading: $0) }
            guard let first = copies.first, copies.allSatisfy({ $0.payload == first.payload }) else {
                throw ValidationError("these are drafts of different registrations: hand them in one by one")
            }
            var envelopes: [SignedMessage] = []
            for envelope in copies.flatMap(\.envelopes) where !envelopes.contains(where: { $0.kid == envelope.kid }) {
                envelopes.append(envelope)
            }
            guard !envelopes.isEmpty else {
                throw ValidationError("nobody has signed it: kilomint-collector device sign")
            }
            _ = try await options.client().post("/v1/registrations", try Document(envelopes).encoded)
            print(try first.words + "\n  taken, with \(envelopes.count) signature(s)")
        }
    }
}
