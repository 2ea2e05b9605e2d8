// kilomint-agent init, enroll, renew: a gateway's key, its certificate, and what the operator says with it.

internal import AgentIO
internal import Keys
internal import Quantities
internal import Settings

extension Commands {
    static func initialise(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config", "gateway"])
        let settings = try settings(arguments)
        if let gateway = arguments.optional("gateway"), gateway != settings.gateway.text {
            throw settings.error(
                "gateway", settings.gateway.text, "is not \(gateway), which --gateway names",
                allowed: "one id: write it into the configuration")
        }
        let done = try Initialisation(settings)
        print("gateway  \(settings.gateway)")
        print("key      \(settings.key)  \(done.publicKey)  \(done.isKeyNew ? "made" : "was there, kept")")
        print("spool    \(settings.spool.path)  \(done.isSpoolNew ? "made" : "was there, kept")")
        print("public   \(done.publicKey.spki.hex)")
        print("")
        print("The agent may run now: it reads, signs and stores. Nothing is sent until the gateway is enrolled.")
        print("Next: ask the operator for a claim code, then")
        print("  kilomint-agent enroll --config \(settings.file) --url https://HOST:8443 --code KM1-...")
    }
}
