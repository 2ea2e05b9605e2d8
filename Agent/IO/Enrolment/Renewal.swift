// Whether a certificate is due for renewal, or its key for another one. Asking for it is Enrolment's matter, the order of a change
// of keys is Agent/Core/Rekeying's.

internal import AgentCore
package import Keys
internal import Proofs
package import Quantities

/// The certificate that is there, and when it is due.
package struct Renewal: Sendable {
    package let certificate: Certificate
    package let due: UTCInstant
    package let isDue: Bool
    /// It has ended: TLS takes it no more, its key still signs the request.
    package let isOver: Bool
    /// The clock is not believed: more may have passed than is proven, and only the server knows whether it is due.
    package let isUncertain: Bool

    /// - Throws: ``EnrolmentError/notEnrolled(folder:)``.
    package init(_ settings: AgentSettings, clock: CertificateClock) throws(EnrolmentError) {
        let folder = EnrolledFolder(settings.enrolled)
        guard let certificate = folder.ownCertificate else { throw .notEnrolled(folder: folder.path) }
        // The same gateway has the same place in the spread as long as the certificate stands.
        let digest = Digest(of: Array(settings.gateway.text.utf8), certificate.der).bytes
        due = RenewalSchedule.due(
            from: certificate.notBefore, through: certificate.notAfter,
            share: UInt16(digest[0]) << 8 | UInt16(digest[1]))
        self.certificate = certificate
        isDue = clock.instant >= due
        isOver = clock.instant > certificate.notAfter
        if case .atLeast = clock.time { isUncertain = !isDue } else { isUncertain = false }
    }

    /// Whether keys are to be changed without anybody asking: it was begun and its certificate is missing, or the key is so
    /// old that the configuration says so.
    package func isRekeyDue(_ settings: AgentSettings, _ keys: KeyRing, clock: CertificateClock) -> Bool {
        let book = KeyBook(folder: settings.spool.path)
        guard let current = book.current else { return false }
        if keys.held.count > 1 {
            let hasCandidate = keys.held.contains { !book.keys.contains($0.key.publicKey) }
            return hasCandidate || certificate.spki != current.key.spki
        }
        return current.isPlausible
            && RekeySchedule.isDue(age: clock.instant - current.since, days: settings.rekeyDays)
    }
}
