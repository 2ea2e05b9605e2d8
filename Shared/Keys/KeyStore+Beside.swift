// The second place of a gateway's key, for the key that takes over: found empty, made there, and one of the two given up in the
// end. Which of them counts is not decided here.

internal import Glibc

extension KeyStore {
    /// Where the key lies that takes over from one at this place: a file `.next` beside it, an object `.next` on the same token,
    /// the next persistent handle of the same TPM.
    ///
    /// - Throws: when such a place has no name, because the URI would be too long.
    package func beside() throws(KeyStoreError) -> KeyStore {
        switch self {
        case .file(let path): return .file(path + ".next")
        case .pkcs11(let place): return .pkcs11(try place.beside())
        case .tpm2(let place):
            let isLast = place.handle == TPMPlace.handles.upperBound
            let handle = isLast ? place.handle - 1 : place.handle + 1
            return .tpm2(
                try TPMPlace(
                    handle: "0x" + String(handle, radix: 16), device: place.device, pinFile: place.pinFile))
        }
    }
}

extension PrivateKey {
    /// The key at its place; nil when the place is empty.
    ///
    /// - Throws: as ``load(_:)`` for anything else.
    package static func find(_ store: KeyStore) throws(KeyError) -> PrivateKey? {
        switch store {
        case .file(let path):
            var status = stat()
            if lstat(path, &status) != 0, errno == ENOENT { return nil }
        case .pkcs11(let place): if try PKCS11Key.isEmpty(place) { return nil }
        case .tpm2(let place): if try TPMKey.isEmpty(place) { return nil }
        }
        return try load(store)
    }

    /// Makes a key beside, P-256. What half a removal left there goes first.
    package static func createBeside(in store: KeyStore) throws -> PrivateKey {
        if case .pkcs11(let place) = store, try PKCS11Key.isEmpty(place) { try PKCS11Key.destroy(place) }
        return try create(in: store)
    }

    /// What is about to be done; what a crash there leaves is said beside it.
    package enum RemovalStep: Hashable, Sendable, CaseIterable {
        /// Leaves both keys.
        case remove
        /// Leaves the key in force alone or, after a power cut, both.
        case sync
    }

    /// Gives up the key at `former` for good, and puts the one in force where the configuration names it as far as the store can:
    /// a file takes the former one's name in one step, an object or handle keeps its own. Does nothing that is done already.
    ///
    /// - Parameters:
    ///   - former: where the key lies that nobody needs any more.
    ///   - key: what must lie there; another key is never removed.
    ///   - current: where the key in force lies.
    /// - Returns: where the key in force lies from now on.
    @discardableResult
    package static func retire(
        _ key: PublicKey, at former: KeyStore, for current: KeyStore, before: (RemovalStep) throws -> Void = { _ in }
    ) throws -> KeyStore {
        try before(.remove)
        var place = current
        if case .file(let path) = former, case .file(path + ".next") = current { place = former }
        if try find(former)?.publicKey == key {
            switch (former, current) {
            // The former key and the name beside it go in one step of the file system.
            case (.file(let path), .file(let next)) where next == path + ".next":
                guard rename(next, path) == 0 else { throw failure("rename", next) }
            case (.file(let path), _): guard unlink(path) == 0 else { throw failure("remove", path) }
            case (.pkcs11(let place), _): try PKCS11Key.destroy(place)
            case (.tpm2(let place), _): try TPMKey.evict(place)
            }
        }
        try before(.sync)
        guard let path = former.path else { return place }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open the directory of", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync the directory of", path) }
        return place
    }

    private static func failure(_ action: String, _ path: String) -> KeyError {
        .file(action: action, path: path, reason: String(cString: strerror(errno)))
    }
}
