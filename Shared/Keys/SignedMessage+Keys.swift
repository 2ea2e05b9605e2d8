// Envelope and key put together: the room Evidence knows formats but no OpenSSL. No trust decisions here.

package import Evidence

extension SignedMessage {
    /// Whether this message is signed by `key`: algorithm and kid name it, and the signature stands over what is signed.
    package func isSigned(by key: PublicKey) -> Bool {
        algorithm == key.algorithm && kid == key.kid && key.verify(signature: signature, over: signatureInput)
    }

    /// Signs `payload` (already deterministic CBOR) with `key`. Signed once, stored, then sent.
    package static func signing(
        _ payload: [UInt8], as contentType: ContentType, with key: PrivateKey
    ) throws(KeyError) -> SignedMessage {
        do {
            return try signing(payload, as: contentType, algorithm: key.algorithm, kid: key.kid, with: key.sign)
        } catch {
            throw error as? KeyError ?? .library(call: "EVP_DigestSign")
        }
    }
}
