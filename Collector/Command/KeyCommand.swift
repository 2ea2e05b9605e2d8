// Making and showing keys. A private key never leaves its file; the `.pub` beside it is for others.

internal import ArgumentParser
internal import CollectorCore
internal import CollectorIO
internal import Foundation
internal import Evidence
internal import Keys
internal import Quantities

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Makes and shows keys.", subcommands: [Create.self, Show.self, Authorize.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a private key (PKCS#8, mode 0600) and FILE.pub beside it.",
            discussion:
                "es256 works with every key store; eddsa (Ed25519) is needed for the log key. FILE.pub holds the SubjectPublicKeyInfo in hexadecimal."
        )

        @Option(help: "es256 or eddsa") var algorithm = "es256"
        @Option(help: "file to make; refused if it exists") var out: String

        func validate() throws {
            guard ["es256", "eddsa"].contains(algorithm) else {
                throw ValidationError("--algorithm \(algorithm) is not known; allowed: es256, eddsa")
            }
        }

        func run() async throws {
            let key = try PrivateKey.generate(algorithm == "es256" ? .es256 : .eddsa)
            try key.save(to: out)
            try Data((key.publicKey.spki.hex + "\n").utf8).write(
                to: URL(fileURLWithPath: out + ".pub"), options: .withoutOverwriting)
            print("\(out)  \(algorithm)  kid \(key.kid.hex)")
        }
    }

    struct Authorize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Signs the key list anew, with a key that may sign commands to gateways.",
            discussion: """
                The list gets the next number; what stands in it stays, but for former command keys, which end now. Gateways
                take it up at their next renewal.
                """)

        @Option(help: "the key list: replaced") var list: String
        @Option(help: "private root key that signed it") var root: String
        @Option(help: "public key (SubjectPublicKeyInfo in hexadecimal), as `key create` writes it") var command: String
        @Option(help: "instant from which it counts, in the house's time; default: now")
        var from: String?

        func run() async throws {
            let key = try PrivateKey.load(path: root)
            let text = try String(contentsOfFile: command, encoding: .utf8)
            guard let spki = [UInt8](hex: text.filter { !$0.isWhitespace }) else {
                throw ValidationError("\(command) is no public key in hexadecimal")
            }
            _ = try PublicKey(spki: spki)
            guard let from = from.map({ UTCInstant($0) }) ?? SystemClock.realNow() else {
                throw ValidationError("--from: an instant such as 2026-01-01T00:00:00Z")
            }
            let place = URL(fileURLWithPath: list)
            let message = try SignedMessage(
                parsing: Array(try Data(contentsOf: place)), as: .keyList, bytesMax: SignedMessage.documentBytesMax)
            guard message.isSigned(by: key.publicKey) else {
                throw ValidationError("\(list) is not signed by \(root): give the root key that signed it")
            }
            let before = try KeyList(decoding: message.payload)
            let next = before.authorizing(command: spki, from: from)
            let signed = try SignedMessage.signing(next.encoded, as: .keyList, with: key)
            try Data(signed.encoded).write(to: place, options: .atomic)
            print("\(list)  number \(next.number), \(next.entries.count) keys")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a key's algorithm, kid and SubjectPublicKeyInfo.")

        @Argument(help: "private key file") var file: String

        func run() async throws {
            let key = try PrivateKey.load(path: file)
            print("algorithm  \(key.algorithm)\nkid        \(key.kid.hex)\nspki       \(key.publicKey.spki.hex)")
        }
    }
}
