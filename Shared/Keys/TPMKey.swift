// A P-256 key at a persistent handle of a TPM 2: read, made, asked to sign, with the five commands that takes (TCG TPM 2.0
// Library, Parts 2 and 3). The kernel's resource manager or a simulator's socket is at the other end. No sessions, no PCRs.

internal import Glibc
internal import Synchronization

/// One command at a time; the device is opened for each, so that nothing is held from other programs.
final class TPMKey: KeyDevice {
    let point: [UInt8]
    private let place: TPMPlace
    private let turn = Mutex(())
    private static let pinBytesMax = 64

    init(_ place: TPMPlace) throws(KeyError) {
        self.place = place
        let answer = try TPMChannel(place.device).run(.readPublic, handles: [place.handle], [], place)
        point = try Self.point(answer, place)
    }

    func sign(digest: [UInt8]) throws(KeyError) -> [UInt8] {
        let place = self.place
        let result = turn.withLock { _ -> Result<[UInt8], KeyError> in
            do throws(KeyError) { return .success(try Self.sign(digest, place)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private static func sign(_ digest: [UInt8], _ place: TPMPlace) throws(KeyError) -> [UInt8] {
        var password = try password(place)
        defer { wipe(&password) }
        var parameters = TPMBytes()
        parameters.sized(digest)
        parameters.u16(.ecdsa)
        parameters.u16(.sha256)
        // An empty ticket: the digest may come from outside, for the key is not restricted.
        parameters.u16(TPMConstant.hashCheck)
        parameters.u32(TPMConstant.nullHandle)
        parameters.u16(0)
        var answer = TPMReader(
            try TPMChannel(place.device).run(
                .sign, handles: [place.handle], password: password, parameters.bytes, place))
        guard answer.u16() == TPMAlgorithm.ecdsa.rawValue, answer.u16() == TPMAlgorithm.sha256.rawValue,
            let r = answer.sized(), let s = answer.sized(), r.count <= 32, s.count <= 32
        else { throw refusal(place, "gave a signature of another kind: it is no P-256 key for signing") }
        return padded(r) + padded(s)
    }

    /// Makes a key that can only sign and never leaves this TPM, and keeps it at the handle, which must be free.
    ///
    /// It is a primary key of the owner's hierarchy, derived from the TPM's seed and 64 random bytes that nobody keeps:
    /// clearing the TPM destroys it.
    static func create(_ place: TPMPlace) throws(KeyError) -> TPMKey {
        let channel = TPMChannel(place.device)
        guard try isEmpty(place) else { throw KeyError.exists(path: place.description) }
        var password = try password(place)
        defer { wipe(&password) }
        // One open device for both: what is not yet persistent is gone when it is closed, also after a crash.
        try channel.hold(place)
        defer { channel.release() }
        let made = TPMReader(
            try channel.run(
                .createPrimary, handles: [TPMConstant.owner], password: [], template(password), place,
                answersHandle: true))
        guard let handle = made.handle else { throw refusal(place, "gave no handle for a new key") }
        var target = TPMBytes()
        target.u32(place.handle)
        defer { channel.flush(handle) }
        _ = try channel.run(
            .evictControl, handles: [TPMConstant.owner, handle], password: [], target.bytes, place)
        channel.flush(handle)
        channel.release()
        return try TPMKey(place)
    }

    /// Whether nothing is kept at the handle.
    static func isEmpty(_ place: TPMPlace) throws(KeyError) -> Bool {
        do throws(KeyError) {
            _ = try TPMChannel(place.device).run(.readPublic, handles: [place.handle], [], place)
        } catch {
            guard case .store(_, TPMChannel.noKey, _) = error else { throw error }
            return true
        }
        return false
    }

    /// Removes what is kept at the handle: the key is gone for good (Part 3, 28.5).
    static func evict(_ place: TPMPlace) throws(KeyError) {
        var target = TPMBytes()
        target.u32(place.handle)
        _ = try TPMChannel(place.device).run(
            .evictControl, handles: [TPMConstant.owner, place.handle], password: [], target.bytes, place)
    }

    /// inSensitive, inPublic, outsideInfo, creationPCR of TPM2_CreatePrimary.
    private static func template(_ password: [UInt8]) -> [UInt8] {
        var sensitive = TPMBytes()
        sensitive.sized(password)
        sensitive.sized([])
        var key = TPMBytes()
        key.u16(.ecc)
        key.u16(.sha256)
        // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, sign: never duplicated, never decrypts.
        key.u32(1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 18)
        key.sized([])
        key.u16(.null)
        key.u16(.ecdsa)
        key.u16(.sha256)
        key.u16(TPMConstant.p256)
        key.u16(.null)
        key.sized(secureRandom(count: 32))
        key.sized(secureRandom(count: 32))
        var all = TPMBytes()
        all.sized(sensitive.bytes)
        all.sized(key.bytes)
        all.sized([])
        all.u32(0)
        return all.bytes
    }

    /// The point of a TPM2B_PUBLIC that is a P-256 key.
    private static func point(_ answer: [UInt8], _ place: TPMPlace) throws(KeyError) -> [UInt8] {
        var outer = TPMReader(answer)
        guard let area = outer.sized() else { throw refusal(place, "gave an answer that is cut") }
        var key = TPMReader(area)
        guard key.u16() == TPMAlgorithm.ecc.rawValue, key.u16() != nil, let attributes = key.u32(), key.sized() != nil,
            attributes & 1 << 18 != 0, attributes & 1 << 16 == 0, key.u16() == TPMAlgorithm.null.rawValue,
            let scheme = key.u16()
        else { throw refusal(place, "is no elliptic key for signing, or a restricted one") }
        // A scheme is followed by its hash; without one our signature names both.
        if scheme != TPMAlgorithm.null.rawValue { _ = key.u16() }
        guard key.u16() == TPMConstant.p256, key.u16() == TPMAlgorithm.null.rawValue, let x = key.sized(),
            let y = key.sized(), x.count <= 32, y.count <= 32
        else { throw refusal(place, "is no P-256 key") }
        return [4] + padded(x) + padded(y)
    }

    private static func padded(_ number: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 0, count: 32 - number.count) + number
    }

    private static func password(_ place: TPMPlace) throws(KeyError) -> [UInt8] {
        guard let file = place.pinFile else { return [] }
        var password = try KeyFile(path: file).read(bytesMax: pinBytesMax, allowingOthers: false)
        if let end = password.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) { password.removeSubrange(end...) }
        return password
    }

    static func refusal(_ place: TPMPlace, _ problem: String) -> KeyError {
        .store(place: place.description, problem: problem, isPassing: false)
    }
}
