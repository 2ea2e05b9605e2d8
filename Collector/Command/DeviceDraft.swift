// Drafts as files: read, shown to whoever signs, signed, handed in. A draft holds no private key and no secret.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Keys
internal import Quantities

extension RegistrationDraft {
    init(reading path: String) throws {
        guard let bytes = FileManager.default.contents(atPath: path), bytes.count <= Self.bytesMax else {
            throw ValidationError("\(path) cannot be read, or is no draft")
        }
        do { try self.init(decoding: Array(bytes)) } catch { throw ValidationError("\(path) is no draft: \(error)") }
    }

    /// Replaces the file whole; a crash leaves the one of before.
    func write(to path: String) throws {
        try Data(encoded).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Adds this key's signature to each registration, in place of what it signed before.
    mutating func sign(with key: PrivateKey) throws {
        for index in items.indices {
            put(try SignedMessage.signing(items[index].payload, as: .registration, with: key), at: index)
        }
    }

    /// Hands in one after the other. What stands already is answered as taken, so that a draft that was cut short, or
    /// whose answer was lost, is handed in again.
    func submit(to client: HouseClient) async throws {
        for (index, item) in items.enumerated() {
            do {
                _ = try await client.post("/v1/registrations", try Document(item.envelopes).encoded)
            } catch let error as HouseAnswerError {
                throw HouseAnswerError(
                    status: error.status,
                    description: """
                        \(Self.title(item.registration)) is not taken: \(error)
                        \(index) of \(items.count) stand. When what it says is mended, submit the same draft again: \
                        what stands is left as it is.
                        """)
            }
        }
    }
}

private struct Judgement: Decodable {
    struct Item: Decodable { let problem: String? }
    let items: [Item]
}

extension RegistrationDraft {
    /// Asks the house before anybody signs, and names everything that stands against it.
    func requireAccepted(by client: HouseClient, file: String) async throws {
        let bytes = try await client.post("/v1/registrations/check", encoded)
        let items = try JSONDecoder().decode(Judgement.self, from: Data(bytes)).items
        let problems = zip(registrations, items).compactMap { registration, item in
            item.problem.map { "\(Self.title(registration)): \($0)" }
        }
        guard problems.isEmpty else {
            throw DraftRefused(
                description: "\(file) is refused, nothing was registered:\n  " + problems.joined(separator: "\n  "))
        }
    }
}

struct SignDraft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Shows what a draft says and adds a signature to it. Needs no network.")

    @Argument(help: "draft file, e.g. of `device add --draft FILE`") var draft: String
    @Option(help: "private key that signs; leave it out to look only") var key: String?

    func run() async throws {
        try await withExitStatus {
            var own = try RegistrationDraft(reading: draft)
            print(own.words)
            guard let key else { return print("  signatures so far: \(own.signatureCount)") }
            let signer = try PrivateKey.load(path: key)
            try own.sign(with: signer)
            try own.write(to: draft)
            print("  signed by \(signer.kid.hex); signatures: \(own.signatureCount)")
        }
    }
}

struct SubmitDraft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Hands in a draft with its signatures; several copies of one are put together."
    )

    @Argument(help: "draft files of the same registrations") var drafts: [String]
    @OptionGroup var options: HouseOptions

    func run() async throws {
        try await withExitStatus {
            guard let path = drafts.first else { return }
            var own = try RegistrationDraft(reading: path)
            for path in drafts.dropFirst() {
                guard own.join(try RegistrationDraft(reading: path)) else {
                    throw ValidationError("these are drafts of different registrations: hand them in one by one")
                }
            }
            guard own.items.allSatisfy({ !$0.envelopes.isEmpty }) else {
                throw ValidationError("nobody has signed it: kilomint-collector device sign")
            }
            try await own.submit(to: try options.client())
            print(own.words + "\n  taken, with \(own.signatureCount) signature(s)")
        }
    }
}
