// Making and showing keys. A private key never leaves its file; the `.pub` beside it is for others.

internal import ArgumentParser
internal import Foundation
internal import Evidence
internal import Keys
internal import Quantities

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Makes and shows keys.", subcommands: [Create.self, Show.self])

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
