// A P-256 key on a PKCS#11 token: found, made, asked to sign, and found again after the token was away. A PIN that was
// refused is never tried a second time: three tries lock most tokens.

internal import CPKCS11
internal import Glibc
internal import Synchronization

/// All PKCS#11 calls of this key are made under one lock, on the caller's thread.
final class PKCS11Key: KeyDevice {
    private struct State: ~Copyable {
        let module: PKCS11Module
        var object: CK_OBJECT_HANDLE?
        /// Set for good once a login was refused.
        var refusal: KeyError?
        /// Seconds of the monotonic clock before which the token is not looked for again.
        var retryAt: Int = 0
    }

    let point: [UInt8]
    private let place: PKCS11Place
    private let state: Mutex<State>
    /// Seconds between two looks for a token that is away.
    private static let retrySeconds = 2
    private static let pinBytesMax = 256

    /// Finds the key and logs in.
    ///
    /// - Throws: ``KeyError``; `.store` with `isPassing` when the token is not there.
    init(_ place: PKCS11Place) throws(KeyError) {
        let module = try PKCS11Module(path: place.module)
        let (object, point) = try Self.attach(module, place)
        self.point = point
        self.place = place
        state = Mutex(State(module: module, object: object))
    }

    /// Makes a key pair on the token; the name may not be taken. The private half can never be read.
    static func create(_ place: PKCS11Place) throws(KeyError) -> PKCS11Key {
        let module = try PKCS11Module(path: place.module)
        try spoken(place) {
            try login(module, place, writing: true)
            guard try module.find(selector(place, UInt(CKO_PRIVATE_KEY))).isEmpty else {
                throw KeyError.exists(path: place.description)
            }
            let label = PKCS11Module.Attribute.bytes(UInt(CKA_LABEL), Array(place.object.utf8))
            let id = PKCS11Module.Attribute.bytes(UInt(CKA_ID), place.id.isEmpty ? secureRandom(count: 8) : place.id)
            // P-256 by its object identifier, in DER.
            let curve: [UInt8] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
            try module.generatePair(
                publicKey: [
                    .flag(UInt(CKA_TOKEN), true), .flag(UInt(CKA_VERIFY), true), .bytes(UInt(CKA_EC_PARAMS), curve),
                    label, id,
                ],
                privateKey: [
                    .flag(UInt(CKA_TOKEN), true), .flag(UInt(CKA_PRIVATE), true), .flag(UInt(CKA_SENSITIVE), true),
                    .flag(UInt(CKA_EXTRACTABLE), false), .flag(UInt(CKA_SIGN), true), label, id,
                ])
        }
        module.close()
        return try PKCS11Key(place)
    }

    /// Whether no private half of this name is on the token.
    static func isEmpty(_ place: PKCS11Place) throws(KeyError) -> Bool {
        let module = try PKCS11Module(path: place.module)
        defer { module.close() }
        try login(module, place, writing: false)
        return try spoken(place) { try module.find(selector(place, UInt(CKO_PRIVATE_KEY))).isEmpty }
    }

    /// Removes both halves from the token, as far as they are there.
    static func destroy(_ place: PKCS11Place) throws(KeyError) {
        let module = try PKCS11Module(path: place.module)
        defer { module.close() }
        try login(module, place, writing: true)
        try spoken(place) {
            // The private half first: what a crash in between leaves signs nothing, and goes when a key is made there.
            for kind in [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY] {
                for object in try module.find(selector(place, UInt(kind))) { try module.destroy(object) }
            }
        }
    }

    func sign(digest: [UInt8]) throws(KeyError) -> [UInt8] {
        let place = self.place
        let point = self.point
        let result = state.withLock { state -> Result<[UInt8], KeyError> in
            do throws(KeyError) { return .success(try Self.sign(digest, &state, place, point)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func sign(
        _ digest: [UInt8], _ state: inout State, _ place: PKCS11Place, _ point: [UInt8]
    ) throws(KeyError) -> [UInt8] {
        if let refusal = state.refusal { throw refusal }
        if state.object == nil {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            guard now.tv_sec >= state.retryAt else {
                throw .store(place: place.description, problem: away, isPassing: true)
            }
            state.retryAt = now.tv_sec + retrySeconds
            state.module.close()
            do throws(KeyError) {
                let (object, found) = try attach(state.module, place)
                guard found == point else {
                    throw .store(
                        place: place.description, problem: "is another key than at the start: insert the right token",
                        isPassing: true)
                }
                state.object = object
            } catch {
                if case .store(_, _, let isPassing) = error, !isPassing { state.refusal = error }
                throw error
            }
        }
        guard let object = state.object else { throw .store(place: place.description, problem: away, isPassing: true) }
        do throws(PKCS11Module.Failure) { return try state.module.sign(digest, with: object) } catch {
            // Whatever it was, the session is not trusted any more: the next signature begins with a new one.
            state.object = nil
            throw words(error, place)
        }
    }

    private static let away = "is not there: insert the token, the agent goes on by itself"

    // MARK: Token

    private static func attach(
        _ module: PKCS11Module, _ place: PKCS11Place
    ) throws(KeyError) -> (CK_OBJECT_HANDLE, point: [UInt8]) {
        try login(module, place, writing: false)
        return try spoken(place) {
            let keys = try module.find(selector(place, UInt(CKO_PRIVATE_KEY)))
            let halves = try module.find(selector(place, UInt(CKO_PUBLIC_KEY)))
            guard keys.count == 1, halves.count == 1 else {
                throw refusal(
                    place,
                    "names \(keys.count) private and \(halves.count) public keys on the token, one of each is needed: "
                        + "make one with `kilomint-agent key create`, or name it by id=")
            }
            // An OCTET STRING around the point (PKCS#11 v2.40, 2.3.3); some tokens leave the wrapping away.
            var point = try module.attribute(UInt(CKA_EC_POINT), of: halves[0])
            if point.count == 67, point[0] == 4, point[1] == 65 { point.removeFirst(2) }
            guard point.count == 65, point[0] == 4 else { throw refusal(place, "is no P-256 key") }
            return (keys[0], point)
        }
    }

    private static func refusal(_ place: PKCS11Place, _ problem: String) -> KeyError {
        .store(place: place.description, problem: problem, isPassing: false)
    }

    /// `body` with the library's failures in words.
    private static func spoken<R>(_ place: PKCS11Place, _ body: () throws -> R) throws(KeyError) -> R {
        do { return try body() } catch let error as KeyError { throw error } catch {
            guard let failure = error as? PKCS11Module.Failure else { throw refusal(place, "\(error)") }
            throw words(failure, place)
        }
    }

    private static func login(_ module: PKCS11Module, _ place: PKCS11Place, writing: Bool) throws(KeyError) {
        let tokens: [(slot: CK_SLOT_ID, info: CK_TOKEN_INFO)]
        do throws(PKCS11Module.Failure) {
            try module.initialize()
            tokens = try module.tokens()
        } catch { throw words(error, place) }
        let fitting = tokens.filter { token in
            (place.token.isEmpty || text(token.info.label) == place.token)
                && (place.serial.isEmpty || text(token.info.serialNumber) == place.serial)
        }
        guard let token = fitting.first, fitting.count == 1 else {
            let seen = tokens.map { text($0.info.label) }.joined(separator: ", ")
            throw .store(
                place: place.description,
                problem: fitting.isEmpty
                    ? "is not there: insert the token (tokens seen: \(seen.isEmpty ? "none" : seen))"
                    : "is the name of \(fitting.count) tokens: add serial=", isPassing: fitting.isEmpty)
        }
        do throws(PKCS11Module.Failure) { try module.open(token.slot, writing: writing) } catch {
            throw words(error, place)
        }
        guard token.info.flags & CK_FLAGS(CKF_LOGIN_REQUIRED) != 0 else { return }
        try login(module, place, flags: token.info.flags)
    }

    private static func login(_ module: PKCS11Module, _ place: PKCS11Place, flags: CK_FLAGS) throws(KeyError) {
        func refuse(_ problem: String) -> KeyError { refusal(place, problem) }
        guard let file = place.pinFile else { throw refuse("wants a PIN: name a file with it, mode 0600 (pin_file)") }
        guard flags & CK_FLAGS(CKF_USER_PIN_LOCKED) == 0 else {
            throw refuse("is locked: the PIN was wrong too often; unlock it with the security officer's PIN")
        }
        guard flags & CK_FLAGS(CKF_USER_PIN_FINAL_TRY) == 0 else {
            throw refuse(
                "has one try of its PIN left, and it is not spent here: log in once by hand with the right PIN")
        }
        var pin = try KeyFile(path: file).read(bytesMax: pinBytesMax, allowingOthers: false)
        defer { wipe(&pin) }
        if let end = pin.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) { pin.removeSubrange(end...) }
        do throws(PKCS11Module.Failure) { try module.login(&pin) } catch {
            switch error.code {
            case CK_RV(CKR_PIN_INCORRECT), CK_RV(CKR_PIN_INVALID), CK_RV(CKR_PIN_LEN_RANGE):
                throw refuse("refuses the PIN in \(file): correct it; it is not tried again, for tokens lock")
            case CK_RV(CKR_PIN_LOCKED):
                throw refuse("is locked: the PIN was wrong too often; unlock it with the security officer's PIN")
            default: throw words(error, place)
            }
        }
    }

    private static func selector(_ place: PKCS11Place, _ kind: UInt) -> [PKCS11Module.Attribute] {
        var attributes: [PKCS11Module.Attribute] = [
            .number(UInt(CKA_CLASS), kind), .number(UInt(CKA_KEY_TYPE), UInt(CKK_EC)),
        ]
        if !place.object.isEmpty { attributes.append(.bytes(UInt(CKA_LABEL), Array(place.object.utf8))) }
        if !place.id.isEmpty { attributes.append(.bytes(UInt(CKA_ID), place.id)) }
        return attributes
    }

    /// Blank-padded, not terminated.
    private static func text<Field>(_ field: Field) -> String {
        let bytes = withUnsafeBytes(of: field) { Array($0) }
        let end = bytes.lastIndex { $0 != 0x20 && $0 != 0 }.map { $0 + 1 } ?? 0
        return String(decoding: bytes[..<end].map { 0x20...0x7E ~= $0 ? $0 : 0x3F }, as: UTF8.self)
    }

    /// A failed call as an error: what a token that comes back can mend is passing.
    private static func words(_ failure: PKCS11Module.Failure, _ place: PKCS11Place) -> KeyError {
        let code = "0x" + String(failure.code, radix: 16)
        switch failure.code {
        case CK_RV(CKR_DEVICE_REMOVED), CK_RV(CKR_TOKEN_NOT_PRESENT), CK_RV(CKR_SLOT_ID_INVALID),
            CK_RV(CKR_SESSION_HANDLE_INVALID), CK_RV(CKR_SESSION_CLOSED), CK_RV(CKR_USER_NOT_LOGGED_IN),
            CK_RV(CKR_KEY_HANDLE_INVALID), CK_RV(CKR_OBJECT_HANDLE_INVALID), CK_RV(CKR_TOKEN_NOT_RECOGNIZED):
            return .store(place: place.description, problem: away + " (\(failure.call) \(code))", isPassing: true)
        case CK_RV(CKR_TOKEN_WRITE_PROTECTED), CK_RV(CKR_SESSION_READ_ONLY):
            return .store(place: place.description, problem: "is write-protected", isPassing: false)
        case CK_RV(CKR_MECHANISM_INVALID), CK_RV(CKR_FUNCTION_NOT_SUPPORTED):
            return .store(
                place: place.description, problem: "cannot do P-256 (\(failure.call) \(code)): use another token",
                isPassing: false)
        default:
            return .store(place: place.description, problem: "fails: \(failure.call) \(code)", isPassing: true)
        }
    }
}
