// The commands of kilomint-agent and their exit statuses: 0 done, 1 failed, 2 wrong call, 78 wrong configuration.

internal import AgentIO
internal import Evidence
internal import Glibc
internal import Keys
internal import Settings

enum Commands {
    private static let usageExitCode: Int32 = 2

    static func run(_ words: [String]) -> Int32 {
        do {
            try dispatch(words)
            return 0
        } catch let error as SettingsError {
            say("kilomint-agent: \(error)")
            return SettingsError.exitCode
        } catch let error as Arguments.Wrong {
            say("kilomint-agent: \(error)\nkilomint-agent --help explains the commands.")
            return usageExitCode
        } catch let error as Arguments.Failed where error.description.isEmpty {
            return 1
        } catch {
            say("kilomint-agent: \(error)")
            return 1
        }
    }

    private static func dispatch(_ words: [String]) throws {
        let rest = Array(words.dropFirst())
        switch words.first {
        case let word? where rest.contains("--help") || rest.contains("-h"): print(try Help.of(word))
        case "help" where !rest.isEmpty: print(try Help.of(rest[0]))
        case nil, "--help", "-h", "help": print(Help.text)
        case "version", "--version": print(agentVersion)
        case "run":
            let start = try RemoteStart(path: try Arguments(rest, options: ["config"]).required("config"))
            let keys = try AgentParts.keys(start.settings)
            try RunningAgent.run(
                try AgentParts(start.settings, keys: keys, readsAtOnce: start.isOnTrial), remote: start)
        case "init": try initialise(rest)
        case "enroll": try enroll(rest)
        case "renew": try renew(rest)
        case "config" where rest.first == "check": try checkConfiguration(Array(rest.dropFirst()))
        case "config" where rest.first == "show": try showConfiguration(Array(rest.dropFirst()))
        case "config" where rest.first == "rollback":
            let settings = try Tool.settings(
                try Arguments(Array(rest.dropFirst()), options: ["config"]), isNeeded: true)
            try Tool.run(ControlRequest("rollback"), settings, onlyRunning: true) { print($0) }
        case "profile": try profile(rest)
        case "read": try read(rest)
        case "identify": try identify(rest)
        case "scan": try scan(rest)
        case "watch": try watch(rest)
        case "spool": try spool(rest)
        case "shadow":
            let settings = try Tool.settings(try Arguments(rest, options: ["config"]), isNeeded: true)
            try Tool.run(ControlRequest("shadow"), settings, onlyRunning: true) { print($0) }
        case "plan":
            let figures = try PlanFigures(try settings(try Arguments(rest, options: ["config"])))
            figures.lines.forEach { print($0) }
        case "status": try status(rest)
        case "doctor": try doctor(rest)
        case "commission": try commission(rest)
        case "meter": try meter(rest)
        case "report": try report(rest)
        case "key" where rest.first == "create": try createKey(Array(rest.dropFirst()))
        case "key": throw Arguments.Wrong(description: "key needs one of: create")
        case "config": throw Arguments.Wrong(description: "config needs one of: check, show, rollback")
        case let word?: throw Arguments.Wrong(description: "\(word) is not a command")
        }
    }

    static func settings(_ arguments: Arguments) throws -> AgentSettings {
        try AgentSettings(try SettingsFile.load(path: try Tool.path(arguments)))
    }

    private static func showConfiguration(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config"], flags: ["origin"])
        let sheet = try ConfigurationSheet(path: try Tool.path(arguments))
        print(sheet.text(origin: arguments.has("origin")), terminator: "")
    }

    private static func checkConfiguration(_ words: [String]) throws {
        let settings = try settings(try Arguments(words, options: ["config"]))
        // As the guide has it: the file is written and looked at, then the key is made.
        if Initialisation.lacksKey(settings) {
            print(PlanTable(try AgentParts.buses(settings).1).text)
            print("There is no gateway key yet: kilomint-agent init --config \(settings.file)")
            print("The configuration is sound as far as it can be told without one.")
            return
        }
        let parts = try AgentParts(settings)
        let trust = try parts.trust(believed: 0)
        _ = try parts.broker(session: 0, receipt: nil)
        print(PlanTable(parts.buses).text)
        let list = trust.map { "key list number \($0.number)" } ?? "not enrolled: nothing will be sent"
        print("\(list); gateway key \(parts.keys.inForce(parts.settings).publicKey)")
        print("The configuration is sound.")
    }

    private static func status(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config"], flags: ["json"])
        let request = ControlRequest("status", ["format": arguments.has("json") ? "json" : "text"])
        try Tool.run(request, try Tool.settings(arguments, isNeeded: true), onlyRunning: true) { print($0) }
    }

    private static func createKey(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["out", "store", "module", "pin-file", "device", "algorithm"])
        let algorithm: SignatureAlgorithm
        switch arguments.optional("algorithm") ?? "es256" {
        case "es256": algorithm = .es256
        case "ed25519": algorithm = .eddsa
        case let other: throw Arguments.Wrong(description: "--algorithm \(other) is not known; known: es256, ed25519")
        }
        guard let place = arguments.optional("store") ?? arguments.optional("out") else {
            throw Arguments.Wrong(description: "--out FILE or --store PLACE is missing")
        }
        let store: KeyStore
        do throws(KeyStoreError) {
            store = try KeyStore(
                place, module: arguments.optional("module"), pinFile: arguments.optional("pin-file"),
                device: arguments.optional("device"))
        } catch { throw Arguments.Wrong(description: error.description) }
        let key = try PrivateKey.create(in: store, algorithm)
        print("\(store)  \(key.publicKey)")
        print(key.publicKey.spki.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }

    /// To standard error, after what stands on standard output already.
    static func say(_ text: String) {
        fflush(nil)
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }
}

extension Arguments {
    /// The command did its work, and its result is that something is wrong.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }
}
