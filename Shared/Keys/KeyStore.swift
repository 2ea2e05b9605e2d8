// Where a gateway's private key lies: a file, a PKCS#11 token, a TPM 2. Names only; nothing is opened here.

/// One place for a key.
package enum KeyStore: Hashable, Sendable, CustomStringConvertible {
    /// PKCS#8 PEM, mode 0600.
    case file(String)
    case pkcs11(PKCS11Place)
    case tpm2(TPMPlace)

    package var description: String {
        switch self {
        case .file(let path): path
        case .pkcs11(let place): place.description
        case .tpm2(let place): place.description
        }
    }

    /// The path of a key file; nil for other stores.
    package var path: String? { if case .file(let path) = self { path } else { nil } }

    /// - Parameters:
    ///   - text: `pkcs11:…` (RFC 7512), `tpm2:0x81000001`, or a path.
    ///   - module: the PKCS#11 library's path.
    ///   - device: of a TPM; default ``TPMPlace/usual``.
    /// - Throws: ``KeyStoreError``.
    package init(
        _ text: String, module: String? = nil, pinFile: String? = nil, device: String? = nil
    ) throws(KeyStoreError) {
        if text.hasPrefix("pkcs11:") {
            guard let module else {
                throw KeyStoreError("a PKCS#11 key needs the path of its library, such as opensc-pkcs11.so")
            }
            guard device == nil else { throw KeyStoreError("a device belongs to tpm2 keys alone") }
            self = .pkcs11(try PKCS11Place(uri: text, module: module, pinFile: pinFile))
        } else if text.hasPrefix("tpm2:") {
            guard module == nil else { throw KeyStoreError("a module belongs to pkcs11 keys alone") }
            self = .tpm2(try TPMPlace(handle: String(text.dropFirst(5)), device: device, pinFile: pinFile))
        } else {
            guard module == nil, pinFile == nil, device == nil else {
                throw KeyStoreError("a key file has no module, no device and no PIN")
            }
            self = .file(text)
        }
    }
}

/// A place for a key that cannot be meant.
package struct KeyStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A key on a PKCS#11 token. Empty fields are not compared; together they must name exactly one key.
package struct PKCS11Place: Hashable, Sendable, CustomStringConvertible {
    /// Absolute path of the shared object that speaks PKCS#11.
    package let module: String
    /// A file whose first line is the user's PIN, mode 0600; nil for tokens without a login.
    package let pinFile: String?
    package private(set) var token = ""
    package private(set) var serial = ""
    /// CKA_LABEL.
    package private(set) var object = ""
    /// CKA_ID.
    package private(set) var id: [UInt8] = []
    private let uri: String

    /// - Parameter uri: RFC 7512 with the attributes token, serial, object, id and type=private.
    package init(uri: String, module: String, pinFile: String?) throws(KeyStoreError) {
        self.module = module
        self.pinFile = pinFile
        self.uri = uri
        guard module.hasPrefix("/") else { throw KeyStoreError("module \(module) is not an absolute path") }
        guard uri.hasPrefix("pkcs11:"), uri.utf8.count <= 512 else { throw KeyStoreError("\(uri) is no pkcs11: URI") }
        for part in uri.dropFirst(7).split(separator: ";", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let bytes = Self.decoded(pair[1]), !bytes.isEmpty else {
                throw KeyStoreError("\(part) in \(uri) is not name=value")
            }
            let text = String(decoding: bytes, as: UTF8.self)
            switch pair[0] {
            case "token": token = text
            case "serial": serial = text
            case "object": object = text
            case "id": id = bytes
            case "type" where text == "private": break
            case let name:
                throw KeyStoreError("\(name) in \(uri) is not known; known: token, serial, object, id, type=private")
            }
        }
        guard !token.isEmpty || !serial.isEmpty else { throw KeyStoreError("\(uri) names no token= and no serial=") }
        guard !object.isEmpty || !id.isEmpty else { throw KeyStoreError("\(uri) names no object= and no id=") }
    }

    package var description: String { uri }

    /// The same token, an object of another name: label with `.next`, id with a zero byte behind it.
    func beside() throws(KeyStoreError) -> PKCS11Place {
        let parts = uri.dropFirst(7).split(separator: ";").map { part in
            part.hasPrefix("object=") ? part + ".next" : part.hasPrefix("id=") ? part + "%00" : part
        }
        return try PKCS11Place(uri: "pkcs11:" + parts.joined(separator: ";"), module: module, pinFile: pinFile)
    }

    private static func decoded(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                guard byte != UInt8(ascii: "?") else { return nil }
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
        }
        return bytes
    }
}

/// A key at a persistent handle of a TPM 2.
package struct TPMPlace: Hashable, Sendable, CustomStringConvertible {
    /// The kernel's resource manager, for members of the group tss.
    package static let usual = "/dev/tpmrm0"
    /// TPM 2 Part 2, 7.4: persistent objects of the owner hierarchy.
    package static let handles: ClosedRange<UInt32> = 0x8100_0000...0x817F_FFFF

    package let handle: UInt32
    /// A character device or a Unix socket that takes TPM commands.
    package let device: String
    /// A file whose first line is the key's password, mode 0600; nil for none.
    package let pinFile: String?

    /// - Parameter handle: `0x81000000` … `0x817fffff`.
    package init(handle text: String, device: String?, pinFile: String?) throws(KeyStoreError) {
        guard text.hasPrefix("0x"), text.utf8.count == 10, let handle = UInt32(text.dropFirst(2), radix: 16),
            Self.handles.contains(handle)
        else { throw KeyStoreError("\(text) is no persistent handle; allowed: 0x81000000 … 0x817fffff") }
        self.handle = handle
        self.device = device ?? Self.usual
        self.pinFile = pinFile
        guard self.device.hasPrefix("/") else { throw KeyStoreError("device \(self.device) is not an absolute path") }
    }

    package var description: String { "tpm2:0x" + String(handle, radix: 16) }
}
