// Options that several commands share, and how their ends become exit statuses.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities

/// Exit statuses beside 0 (all held) and 64 (usage), as sysexits(3) names them.
enum Status {
    static let unreachable = ExitCode(69)
    static let checkFailed = ExitCode(70)
}

/// Where the house is, when only its HTTP interface will do.
struct HouseOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The house's address.", valueName: "url"))
    var url: String

    @Option(help: ArgumentHelp("File whose first line is the bearer token.", valueName: "file"))
    var tokenFile: String?

    func archive() throws -> Archive { try Archive(url: url, tokenFile: tokenFile) }
    func client() throws -> HouseClient { try HouseClient(url: url, tokenFile: tokenFile) }
}

/// Where the house's files are: a URL or an exported directory.
struct ArchiveOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The house's address.", valueName: "url"))
    var url: String?

    @Option(help: ArgumentHelp("File whose first line is the bearer token.", valueName: "file"))
    var tokenFile: String?

    func archive(directory: String?) throws -> Archive {
        switch (url, directory) {
        case (let url?, nil): try Archive(url: url, tokenFile: tokenFile)
        case (nil, let directory?): try Archive(directory: directory)
        default: throw ValidationError("name the house: either --url URL or an exported DIRECTORY, not both")
        }
    }
}

/// What who checks knows of the house beforehand.
struct PinOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Verifier key of the Journal's first epoch that this house must have.", valueName: "vkey"))
    var houseKey: String?

    @Option(
        help: ArgumentHelp(
            "A root key that genesis must name: SubjectPublicKeyInfo (DER) in hex or base64.", valueName: "spki"))
    var root: String?

    func pins() throws -> AuditPins {
        var pins = AuditPins()
        if let houseKey {
            guard let key = NoteVerifierKey(parsing: houseKey) else {
                throw ValidationError("--house-key: give a verifier key as in name+8 hex digits+base64")
            }
            pins.houseKey = key
        }
        if let root {
            guard let spki = [UInt8](hex: root) ?? [UInt8](base64: root) else {
                throw ValidationError("--root: give the key's SubjectPublicKeyInfo (DER) in hex or base64")
            }
            pins.root = try PublicKey(spki: spki).spki
        }
        return pins
    }
}

extension Identifier: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension UTCInstant: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension WindowID: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

/// Runs a command's body; what stopped it goes to standard error, and its kind becomes the exit status.
func reporting(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as ArchiveError {
        Terminal.complain(error.description)
        throw Status.unreachable
    } catch let error as HouseAnswerError {
        Terminal.complain(error.description)
        throw (400..<500).contains(error.status) ? Status.checkFailed : Status.unreachable
    } catch let error as AuditFailure {
        Terminal.complain(error.description)
        throw Status.checkFailed
    } catch let error as KeyError {
        throw ValidationError(error.description)
    }
}

/// Signature checks with parsed keys kept: parsing one costs as much as using it. Owned by one command.
final class KeyRing {
    /// Keys kept at a time; a house has fewer.
    private static let keysMax = 100_000
    private var keys: [[UInt8]: PublicKey?] = [:]

    private func key(_ spki: [UInt8]) -> PublicKey? {
        if let known = keys[spki] { return known }
        if keys.count >= Self.keysMax { keys = [:] }
        let key: PublicKey?
        // A key that is no key of ours has signed nothing: every check with it says no.
        do throws(KeyError) { key = try PublicKey(spki: spki) } catch { key = nil }
        keys[spki] = .some(key)
        return key
    }

    func isSigned(_ message: SignedMessage, by spki: [UInt8]) -> Bool { key(spki).map(message.isSigned(by:)) ?? false }

    func isSigned(_ bytes: [UInt8], _ signature: [UInt8], by spki: [UInt8]) -> Bool {
        key(spki)?.verify(signature: signature, over: bytes) ?? false
    }
}
