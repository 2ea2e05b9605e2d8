// The gateway's keys as its store has them: one, and while keys are changed a second one beside it. Which of them signs what is
// the stream's to say (Spool+Keys) and the certificate's.

package import Keys
internal import Glibc

package struct KeyRing: Sendable {
    package struct Held: Sendable {
        package let place: KeyStore
        package let key: PrivateKey
    }

    /// At most two; the configured place first.
    package private(set) var held: [Held]

    /// Opens what is there.
    ///
    /// - Throws: ``KeyError`` of the configured place when neither has a key.
    package init(_ store: KeyStore) throws(KeyError) {
        held = []
        for place in [store, Self.beside(store)].compactMap({ $0 }) {
            if let key = try PrivateKey.find(place) { held.append(Held(place: place, key: key)) }
        }
        if held.isEmpty { held = [Held(place: store, key: try PrivateKey.load(store))] }
    }

    /// Keys that are open already.
    package init(_ held: [Held]) { self.held = held }

    package init(_ key: PrivateKey) { held = [Held(place: .file(""), key: key)] }

    /// Nil for a URI that is too long to have a second place: its key is never changed.
    private static func beside(_ store: KeyStore) -> KeyStore? {
        do throws(KeyStoreError) { return try store.beside() } catch { return nil }
    }

    package func key(kid: [UInt8]?) -> PrivateKey? { held.first { $0.key.kid == kid }?.key }
    package func key(_ publicKey: PublicKey?) -> PrivateKey? { held.first { $0.key.publicKey == publicKey }?.key }
    package func other(than key: PrivateKey) -> Held? { held.first { $0.key.publicKey != key.publicKey } }

    /// The key in force, as far as the spool folder tells without the spool; else the configured place's.
    package func inForce(_ settings: AgentSettings) -> PrivateKey {
        key(KeyBook(folder: settings.spool.path).current?.key) ?? held[0].key
    }

    /// The key of a certificate file; the configured place's where that cannot be told.
    package func key(certificate path: String) -> PrivateKey {
        do throws(TLSProblem) {
            let own = try Certificate.all(path: path).first
            return held.first { $0.key.publicKey.spki == own?.spki }?.key ?? held[0].key
        } catch { return held[0].key }  // Whoever reads the file to use it says what is wrong with it.
    }

    package mutating func add(_ new: Held) {
        if key(new.key.publicKey) == nil { held.append(new) }
    }

    /// One key alone, at its place.
    package mutating func keepOnly(_ last: Held) { held = [last] }

    /// The key that shall take over: one that lies there already, or a new one in the place that is free.
    package static func candidate(_ store: KeyStore, beside inForce: [UInt8]) throws -> Held {
        let places = [store, try store.beside()]
        var free: KeyStore?
        for place in places {
            guard let key = try PrivateKey.find(place) else {
                free = free ?? place
                continue
            }
            if key.kid != inForce { return Held(place: place, key: key) }
        }
        guard let free else { throw KeyError.exists(path: places[1].description) }
        // A crash from here on leaves a key that nobody vouched for: the next attempt takes it.
        return Held(place: free, key: try PrivateKey.createBeside(in: free))
    }
}
