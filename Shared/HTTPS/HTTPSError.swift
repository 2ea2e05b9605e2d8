// Why an exchange came to nothing, in words for the person who asked for it. An answer with any status is no error here.

package import Keys

/// In the order in which an exchange can fail.
package enum HTTPSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not https://HOST or https://HOST:PORT.
    case url(String)
    case nameNotFound(host: String, reason: String)
    case unreachable(place: String, reason: String)
    /// Nothing, or not all of it, within the time for a whole exchange.
    case timeout(place: String, seconds: Int)
    /// The server did not prove who it is, or does not take our certificate.
    case tls(place: String, TLSProblem)
    /// The server ended the connection in the middle.
    case cut(place: String)
    case tooLarge(place: String, bytesMax: Int)
    case malformed(place: String, what: String)
    case library(String)

    package var description: String {
        switch self {
        case .url(let text): "\(text) is no address of a server: https://HOST or https://HOST:PORT"
        case .nameNotFound(let host, let reason): "the name \(host) is not found: \(reason)"
        case .unreachable(let place, let reason): "\(place) is not reached: \(reason)"
        case .timeout(let place, let seconds): "\(place) did not answer within \(seconds) s"
        case .tls(let place, let problem): "\(place): \(problem)"
        case .cut(let place): "\(place) ended the connection in the middle of its answer"
        case .tooLarge(let place, let max): "\(place) answers with more than \(max) bytes"
        case .malformed(let place, let what): "\(place) answers with no HTTP: \(what)"
        case .library(let call): "OpenSSL's \(call) failed: check the installation of libssl and the free memory"
        }
    }
}
