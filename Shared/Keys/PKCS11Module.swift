// A PKCS#11 library opened by its path, and its calls with their errors in words. One session at most; no key rules.

internal import CPKCS11
internal import Glibc
internal import Synchronization

/// An opened library. Not for use by two threads at once: ``PKCS11Key`` keeps them apart.
final class PKCS11Module {
    /// Why a call failed.
    struct Failure: Error {
        let call: String
        let code: CK_RV
    }

    /// How many of us use a library: its state is the process's, and ends with the last one.
    private static let users = Mutex<[String: Int]>([:])
    private let path: String
    private let handle: UnsafeMutableRawPointer
    private let functions: UnsafeMutablePointer<CK_FUNCTION_LIST>
    private(set) var session: CK_SESSION_HANDLE?
    /// Tokens looked at, and objects of one name.
    static let tokensMax = 32
    static let objectsMax = 8

    /// - Throws: ``KeyError/store(place:problem:isPassing:)`` when there is no such library.
    init(path: String) throws(KeyError) {
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown"
            throw .store(place: path, problem: "is not a library that can be loaded: \(reason)", isPassing: false)
        }
        typealias Entry = @convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<CK_FUNCTION_LIST>?>?) -> CK_RV
        var list: UnsafeMutablePointer<CK_FUNCTION_LIST>?
        guard let symbol = dlsym(handle, "C_GetFunctionList"),
            unsafeBitCast(symbol, to: Entry.self)(&list) == CKR_OK, let list
        else {
            dlclose(handle)
            throw .store(place: path, problem: "is no PKCS#11 library: it has no C_GetFunctionList", isPassing: false)
        }
        self.path = path
        self.handle = handle
        functions = list
        Self.users.withLock { $0[path, default: 0] += 1 }
    }

    deinit {
        close()
        Self.users.withLock { $0[path, default: 1] -= 1 }
        dlclose(handle)
    }

    // MARK: Session

    func initialize() throws(Failure) {
        var arguments = CK_C_INITIALIZE_ARGS()
        arguments.flags = CK_FLAGS(CKF_OS_LOCKING_OK)
        let code = functions.pointee.C_Initialize?(&arguments) ?? CK_RV(CKR_FUNCTION_NOT_SUPPORTED)
        guard code == CKR_OK || code == CKR_CRYPTOKI_ALREADY_INITIALIZED else {
            throw Failure(call: "C_Initialize", code: code)
        }
    }

    /// Slots with a token in them, each with what the token says of itself.
    func tokens() throws(Failure) -> [(slot: CK_SLOT_ID, info: CK_TOKEN_INFO)] {
        // Asking for the number alone makes the library look again (PKCS#11 v2.40, 5.5).
        var seen: CK_ULONG = 0
        try check("C_GetSlotList", functions.pointee.C_GetSlotList?(1, nil, &seen))
        var slots = [CK_SLOT_ID](repeating: 0, count: Self.tokensMax)
        var count = CK_ULONG(slots.count)
        try check("C_GetSlotList", functions.pointee.C_GetSlotList?(1, &slots, &count))
        var found: [(CK_SLOT_ID, CK_TOKEN_INFO)] = []
        for slot in slots.prefix(Int(min(count, CK_ULONG(slots.count)))) {
            var info = CK_TOKEN_INFO()
            // A token that is pulled between the two calls is no token any more.
            guard functions.pointee.C_GetTokenInfo?(slot, &info) == CKR_OK else { continue }
            found.append((slot, info))
        }
        return found
    }

    func open(_ slot: CK_SLOT_ID, writing: Bool) throws(Failure) {
        var session: CK_SESSION_HANDLE = 0
        let flags = CK_FLAGS(CKF_SERIAL_SESSION) | (writing ? CK_FLAGS(CKF_RW_SESSION) : 0)
        try check("C_OpenSession", functions.pointee.C_OpenSession?(slot, flags, nil, nil, &session))
        self.session = session
    }

    func login(_ pin: inout [UInt8]) throws(Failure) {
        let count = CK_ULONG(pin.count)
        let code = functions.pointee.C_Login?(try opened(), CK_USER_TYPE(CKU_USER), &pin, count)
        if code == CK_RV(CKR_USER_ALREADY_LOGGED_IN) { return }
        try check("C_Login", code)
    }

    /// Ends the session; the library's state too if nobody else uses it, so that it sees the slots anew.
    func close() {
        if let session { _ = functions.pointee.C_CloseSession?(session) }
        session = nil
        Self.users.withLock { users in
            guard users[path, default: 0] <= 1 else { return }
            _ = functions.pointee.C_Finalize?(nil)
        }
    }

    private func opened() throws(Failure) -> CK_SESSION_HANDLE {
        guard let session else { throw Failure(call: "C_OpenSession", code: CK_RV(CKR_SESSION_HANDLE_INVALID)) }
        return session
    }

    // MARK: Objects

    /// Attributes of a template: numbers and booleans as C lays them out.
    struct Attribute {
        let type: UInt
        var value: [UInt8]

        static func number(_ type: UInt, _ number: UInt) -> Attribute {
            Attribute(type: type, value: withUnsafeBytes(of: number) { Array($0) })
        }
        static func flag(_ type: UInt, _ flag: Bool) -> Attribute { Attribute(type: type, value: [flag ? 1 : 0]) }
        static func bytes(_ type: UInt, _ bytes: [UInt8]) -> Attribute { Attribute(type: type, value: bytes) }
    }

    /// At most ``objectsMax`` objects with all of these attributes.
    func find(_ attributes: [Attribute]) throws(Failure) -> [CK_OBJECT_HANDLE] {
        let session = try opened()
        let code = withTemplate(attributes) { functions.pointee.C_FindObjectsInit?(session, $0, $1) }
        try check("C_FindObjectsInit", code)
        defer { _ = functions.pointee.C_FindObjectsFinal?(session) }
        var found = [CK_OBJECT_HANDLE](repeating: 0, count: Self.objectsMax)
        var count: CK_ULONG = 0
        try check("C_FindObjects", functions.pointee.C_FindObjects?(session, &found, CK_ULONG(found.count), &count))
        return Array(found.prefix(Int(count)))
    }

    /// At most 256 bytes.
    func attribute(_ type: UInt, of object: CK_OBJECT_HANDLE) throws(Failure) -> [UInt8] {
        let session = try opened()
        var bytes = [UInt8](repeating: 0, count: 256)
        var length = CK_ULONG(0)
        let code = bytes.withUnsafeMutableBytes { buffer -> CK_RV? in
            var attribute = CK_ATTRIBUTE(
                type: CK_ATTRIBUTE_TYPE(type), pValue: buffer.baseAddress, ulValueLen: CK_ULONG(buffer.count))
            let code = functions.pointee.C_GetAttributeValue?(session, object, &attribute, 1)
            length = attribute.ulValueLen
            return code
        }
        try check("C_GetAttributeValue", code)
        return Array(bytes.prefix(Int(min(length, 256))))
    }

    func generatePair(publicKey: [Attribute], privateKey: [Attribute]) throws(Failure) {
        let session = try opened()
        var mechanism = CK_MECHANISM(
            mechanism: CK_MECHANISM_TYPE(CKM_EC_KEY_PAIR_GEN), pParameter: nil, ulParameterLen: 0)
        var (first, second): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) = (0, 0)
        let code = withTemplate(publicKey) { one, oneCount in
            withTemplate(privateKey) { two, twoCount in
                functions.pointee.C_GenerateKeyPair?(
                    session, &mechanism, one, oneCount, two, twoCount, &first, &second)
            }
        }
        try check("C_GenerateKeyPair", code)
    }

    func destroy(_ object: CK_OBJECT_HANDLE) throws(Failure) {
        try check("C_DestroyObject", functions.pointee.C_DestroyObject?(try opened(), object))
    }

    /// r ‖ s over a digest.
    func sign(_ digest: [UInt8], with object: CK_OBJECT_HANDLE) throws(Failure) -> [UInt8] {
        let session = try opened()
        var mechanism = CK_MECHANISM(mechanism: CK_MECHANISM_TYPE(CKM_ECDSA), pParameter: nil, ulParameterLen: 0)
        try check("C_SignInit", functions.pointee.C_SignInit?(session, &mechanism, object))
        var (digest, signature) = (digest, [UInt8](repeating: 0, count: 128))
        var count = CK_ULONG(signature.count)
        try check("C_Sign", functions.pointee.C_Sign?(session, &digest, CK_ULONG(digest.count), &signature, &count))
        guard count == 64 else { throw Failure(call: "C_Sign", code: CK_RV(CKR_DATA_LEN_RANGE)) }
        return Array(signature.prefix(64))
    }

    private func withTemplate<R>(
        _ attributes: [Attribute], _ body: (UnsafeMutablePointer<CK_ATTRIBUTE>?, CK_ULONG) -> R
    ) -> R {
        // One buffer for all values: their addresses hold while it does.
        var values = attributes.flatMap(\.value)
        return values.withUnsafeMutableBytes { buffer in
            var (template, offset): ([CK_ATTRIBUTE], Int) = ([], 0)
            for attribute in attributes {
                template.append(
                    CK_ATTRIBUTE(
                        type: CK_ATTRIBUTE_TYPE(attribute.type), pValue: buffer.baseAddress.map { $0 + offset },
                        ulValueLen: CK_ULONG(attribute.value.count)))
                offset += attribute.value.count
            }
            return body(&template, CK_ULONG(template.count))
        }
    }

    private func check(_ call: String, _ code: CK_RV?) throws(Failure) {
        let code = code ?? CK_RV(CKR_FUNCTION_NOT_SUPPORTED)
        guard code == CKR_OK else { throw Failure(call: call, code: code) }
    }
}
