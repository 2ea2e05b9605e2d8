// Where the configuration says the gateway's key lies. Opening it is AgentParts'.

package import Keys
package import Settings

extension KeyStore {
    /// A path, `{pkcs11: "pkcs11:…", module: PATH, pin_file: PATH}` or `{tpm2: "0x81000001", device: PATH, pin_file: PATH}`.
    package init(_ value: SettingsValue) throws(SettingsError) {
        guard value.isMap else {
            self = .file(try value.path())
            return
        }
        let map = try value.map()
        let pin = try map.optional("pin_file")?.path(absolute: true)
        let module = try map.optional("module")?.path(absolute: true)
        let device = try map.optional("device")?.path(absolute: true)
        let pkcs11 = try map.optional("pkcs11")?.text(1...512)
        let tpm2 = try map.optional("tpm2")?.text(1...32)
        do throws(KeyStoreError) {
            switch (pkcs11, tpm2) {
            case (let uri?, nil):
                guard uri.hasPrefix("pkcs11:") else { throw KeyStoreError("\(uri) is no pkcs11: URI") }
                try self.init(uri, module: module, pinFile: pin, device: device)
            case (nil, let handle?): try self.init("tpm2:" + handle, module: module, pinFile: pin, device: device)
            default: throw KeyStoreError("a key lies in one place")
            }
        } catch {
            throw value.error(
                "names no key: \(error)",
                allowed:
                    "a path, or {pkcs11: URI, module: PATH, pin_file: PATH}, or {tpm2: \"0x81000001\", pin_file: PATH}")
        }
    }
}

extension AgentParts {
    /// The gateway's keys: one, and a second one while they are changed.
    ///
    /// - Throws: ``SettingsError`` for what a person must mend; ``KeyError`` for a token or TPM that is not there and may
    ///   come back: then starting again helps.
    package static func keys(_ settings: AgentSettings) throws -> KeyRing {
        do throws(KeyError) { return try KeyRing(settings.key) } catch {
            if case .store(_, _, isPassing: true) = error { throw error }
            throw settings.error(
                "key", settings.key.description, error.description,
                allowed: Initialisation.lacksKey(settings)
                    ? "a key, which kilomint-agent init --config \(settings.file) makes" : nil)
        }
    }
}
