// What a TLS client of the house believes and shows; MQTT and enrolment both make their connections from it. Values only:
// the files are read anew for every connection, so that a renewed certificate counts from the next one on.

package import Quantities

/// TLS 1.3 towards the operator's servers: their own CA alone, the name verified, our certificate if we have one.
package struct TLSClient: Sendable {
    /// Whom the other side's certificate must lead to. The system's CAs are never asked.
    package enum Trust: Hashable, Sendable {
        /// A PEM file with one or more certificates; each is believed as it stands, also an intermediate one.
        case file(String)
        /// The same as bytes.
        case pem([UInt8])
        /// The first bytes (16 … 32) of SHA-256 over the DER of a CA certificate, which the server must send.
        case fingerprint([UInt8])
    }

    /// What we show.
    package struct Identity: Sendable {
        package enum Chain: Hashable, Sendable {
            /// A PEM file: our certificate first, then the ones between it and the CA.
            case file(String)
            case pem([UInt8])
        }

        package var chain: Chain
        package var key: PrivateKey

        package init(chain: Chain, key: PrivateKey) {
            self.chain = chain
            self.key = key
        }
    }

    /// The time at which certificates are judged.
    package enum Time: Hashable, Sendable {
        /// The machine's clock, which somebody keeps right.
        case clock(UTCInstant)
        /// It is this late at least; nobody knows more. An end before it has passed; a beginning after it proves
        /// nothing and is let pass.
        case atLeast(UTCInstant)

        package var instant: UTCInstant {
            switch self {
            case .clock(let instant), .atLeast(let instant): instant
            }
        }
    }

    package var trust: Trust
    package var identity: Identity?
    /// Asked once for each connection.
    package var time: @Sendable () -> Time

    package init(trust: Trust, identity: Identity? = nil, time: @escaping @Sendable () -> Time = { .machine }) {
        self.trust = trust
        self.identity = identity
        self.time = time
    }

    /// A context for connections to `name`, a host name or an address as the certificate must carry it.
    ///
    /// - Throws: ``TLSProblem``: files that are missing or wrong, a certificate that is not for our key.
    package func context(for name: String) throws(TLSProblem) -> TLSContext {
        try TLSContext(self, name: name)
    }

    /// The certificates we would show, ours first; empty without an identity.
    package func ownCertificates() throws(TLSProblem) -> [Certificate] {
        switch identity?.chain {
        case nil: []
        case .file(let path): try Certificate.all(path: path)
        case .pem(let bytes): try Certificate.all(pem: bytes, path: "(our certificate)")
        }
    }

    /// The certificates believed; empty where only a fingerprint is known.
    package func authorities() throws(TLSProblem) -> [Certificate] {
        switch trust {
        case .file(let path): try Certificate.all(path: path)
        case .pem(let bytes): try Certificate.all(pem: bytes, path: "(CA)")
        case .fingerprint: []
        }
    }
}
