// Why a gateway did not get its certificate, and what to do about it: for the installer at the gateway.

package import HTTPS
internal import Keys

package enum EnrolmentError: Error, Sendable, CustomStringConvertible {
    /// The clock's advice is empty when certificates' times are not at fault. With a code its secret would have been
    /// sent.
    case connection(HTTPSError, advice: String, withCode: Bool)
    /// The server's status and the first line that it gave.
    case refused(status: Int, reason: String)
    /// The server said yes with something that cannot be used.
    case answer(String)
    case folder(String)
    case notEnrolled(folder: String)
    case library(String)

    package var description: String {
        switch self {
        case .connection(let error, let advice, let withCode):
            Self.text(error, withCode) + (advice.isEmpty ? "" : "\n" + advice)
        case .refused(let status, let reason): Self.text(status, reason)
        case .answer(let what):
            "the server's answer cannot be used: \(what). Nothing was changed; tell the operator."
        case .folder(let what): "what was received could not be stored, ask again with the same code: \(what)"
        case .notEnrolled(let folder):
            "there is no certificate in \(folder): enroll first (kilomint-agent --help)"
        case .library(let what): what
        }
    }

    private static func text(_ error: HTTPSError, _ withCode: Bool) -> String {
        switch error {
        case .tls: "\(error)" + (withCode ? "\nThe secret of the code was not sent." : "")
        case .unreachable, .nameNotFound, .timeout:
            "\(error). The agent goes on reading and storing meanwhile; check SIM, route, firewall and the address."
        case .cut, .tooLarge, .malformed, .url, .library: "\(error)"
        }
    }

    private static func text(_ status: Int, _ reason: String) -> String {
        let said = reason.isEmpty ? "" : " The server says: \(reason)"
        switch status {
        case 401, 403:
            return
                "the server does not take this claim code for this gateway: mistyped, expired, or used by another key. "
                + "Check the code and the gateway's id, or ask the operator for a new code.\(said)"
        case 404: return "there is no enrolment at this address (HTTP 404): check host and port.\(said)"
        case 429: return "too many attempts: wait a minute and try again.\(said)"
        case 500...599: return "the server cannot answer now (HTTP \(status)): try again later.\(said)"
        default: return "the server refuses (HTTP \(status)).\(said)"
        }
    }
}
