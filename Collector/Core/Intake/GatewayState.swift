// What intake knows of one gateway: its streams in order of birth, which of them are clones, and how its meters answered.

package import Evidence
internal import Quantities

/// The streams of one gateway. A gateway has one open stream: the one born last.
package struct GatewayState: Hashable, Sendable {
    /// A stream that went on after a later one was born.
    package struct ClonePair: Hashable, Sendable {
        package let ended: StreamID
        package let now: StreamID
    }

    /// A key that a key record named, who signed that record, and when it came.
    struct VouchedKey: Hashable, Sendable {
        let spki: [UInt8]
        let kid: [UInt8]
        let signer: [UInt8]
        let receivedAt: UTCInstant

        init(spki: [UInt8], signer: [UInt8], receivedAt: UTCInstant) {
            (self.spki, self.signer, self.receivedAt) = (spki, signer, receivedAt)
            kid = KeyID.kid(ofSPKI: spki)
        }
    }

    /// In order of birth, which is evidence order.
    package internal(set) var births: [StreamID] = []
    /// Looked up, never iterated.
    var streams: [StreamID: StreamState] = [:]
    package internal(set) var clones: [ClonePair] = []
    /// Keys that key records named, in evidence order. Which of them count: ``GatewayKeys``.
    var vouchedKeys: [VouchedKey] = []
    /// By meter, as last seen. Looked up, never iterated.
    var identities: [Identifier: Event.IdentityChanged.Identity] = [:]

    package func stream(_ id: StreamID) -> StreamState? { streams[id] }

    /// The stream born last, unless it was closed or forked.
    package var open: StreamID? { births.last { streams[$0]?.isClosed == false } }

    /// A stream born after `id` that no person closed: `id` had ended with its birth.
    func successor(of id: StreamID) -> StreamID? {
        guard let open, open != id, let own = births.firstIndex(of: id), let later = births.firstIndex(of: open),
            later > own
        else { return nil }
        return open
    }

    /// Both halves of a clone are held until a person closed one of them.
    package func isCloned(_ id: StreamID) -> Bool {
        clones.contains { pair in
            (pair.ended == id || pair.now == id)
                && streams[pair.ended]?.isClosed != true && streams[pair.now]?.isClosed != true
        }
    }

    /// Whether two histories of it wait for a person. One who revoked or replaced its keys has decided: nobody goes on with
    /// either history, and what is held of them stays held.
    ///
    /// - Parameter keys: nil when it was not registered at the instant that is asked for.
    package func isDisputed(_ keys: GatewayKeys?) -> Bool {
        births.contains { id in
            guard let stream = streams[id], [.forked, .cloned].contains(hold(id, .max)) else { return false }
            return !stream.keys.allSatisfy { keys?.isRevoked($0, in: self) ?? false }
        }
    }

    /// Why the reading at this place is kept out of windows; nil when nothing speaks against it.
    package func hold(_ id: StreamID, _ sequence: UInt64) -> IntakeHold? {
        guard let stream = streams[id] else { return nil }
        if isCloned(id) { return .cloned }
        if let fork = stream.forkedAt, sequence >= fork { return .forked }
        if stream.isOtherClock { return .otherClock }
        return stream.findings.contains(sequence) ? .finding : nil
    }
}
