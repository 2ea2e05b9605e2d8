// Why a TLS connection cannot be, told apart so that a person knows which of CA, name, time, certificate or key to mend.

package import Quantities

package enum TLSProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file with certificates.
    case file(path: String, problem: String)
    /// The first certificate of the chain is for another key than ours.
    case otherKey(subject: String)
    /// Who the other side is, says nobody we believe.
    case unknownAuthority(subject: String, issuer: String, trusted: String)
    /// None of the certificates sent has the fingerprint that was typed in.
    case wrongFingerprint(sent: String)
    /// A sound certificate, for somebody else.
    case wrongName(asked: String, subject: String, names: String)
    case expired(subject: String, notAfter: UTCInstant, now: UTCInstant)
    case notYetValid(subject: String, notBefore: UTCInstant, now: UTCInstant)
    /// This machine's clock stands before this program was made: no certificate can be judged by it.
    case clock(now: UTCInstant)
    /// Any other failed rule of RFC 5280, in OpenSSL's words.
    case unverified(subject: String, reason: String)
    /// The other side ended the handshake: the number of its alert (RFC 8446 §6.2).
    case refused(alert: UInt8, words: String)
    /// No TLS, or not TLS 1.3.
    case handshake(String)
    case library(call: String)

    package var description: String {
        switch self {
        case .file(let path, let problem): "certificate file \(path) \(problem)"
        case .otherKey(let subject):
            "our certificate \(subject) is not for the key that is configured: enrol again, or name the key it was "
                + "issued for"
        case .unknownAuthority(let subject, let issuer, let trusted):
            "unknown CA: \(subject) was issued by \(issuer), we believe \(trusted): is ca_file the operator's CA, and "
                + "is this the operator's server?"
        case .wrongFingerprint(let sent):
            "the server does not show the CA whose fingerprint the claim code carries (it sent: \(sent)): is this the "
                + "right address, is the code typed right, does somebody sit between?"
        case .wrongName(let asked, let subject, let names):
            "wrong name: the certificate is for \(names.isEmpty ? subject : names), not for \(asked): use the name "
                + "that stands in it, or issue it for this one"
        case .expired(let subject, let notAfter, let now):
            "expired: \(subject) was valid until \(notAfter), and it is \(now): renew it, or mend the clock"
        case .notYetValid(let subject, let notBefore, let now):
            "not yet valid: \(subject) is valid from \(notBefore), and it is \(now): mend the clock"
        case .clock(let now):
            "the clock of this machine says \(now), which cannot be: set it, or let NTP reach a server"
        case .unverified(let subject, let reason): "the certificate \(subject) does not hold: \(reason)"
        case .refused(let alert, let words): Self.refusal(alert, words)
        case .handshake(let text): "the TLS handshake failed: \(text); does TLS 1.3 listen on this port?"
        case .library(let call): "OpenSSL's \(call) failed: check the installation of libssl and the free memory"
        }
    }

    private static func refusal(_ alert: UInt8, _ words: String) -> String {
        switch alert {
        case 42, 46: "the server does not accept our certificate (\(words)): is it of the operator's CA?"
        case 43: "the server cannot use our kind of certificate (\(words))"
        case 44: "the server says that our certificate is revoked: ask the operator"
        case 45:
            "the server says that our certificate has expired: renew it (a gateway's timer does, or `kilomint-agent "
                + "renew`), and look at both clocks"
        case 48: "the server does not know the CA of our certificate: it was issued by another operator"
        case 70, 86: "the server does not speak TLS 1.3 (\(words))"
        case 116: "the server wants a certificate: enrol first, or configure certificate_file"
        default: "the server ended the handshake: \(words) (alert \(alert))"
        }
    }
}
