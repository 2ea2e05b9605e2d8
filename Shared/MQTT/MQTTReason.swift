// Why a connection ended or the broker refused something, in words an operator can act on. No retry rules here.

internal import CMosquitto
package import Keys

package enum MQTTReason: Hashable, Sendable, CustomStringConvertible {
    /// The broker's reason code (MQTT 5 §2.4) from CONNACK, DISCONNECT, SUBACK or PUBACK.
    case broker(UInt8)
    /// Name or TCP: what the system said.
    case network(String)
    /// Who the other side is, or who we are, was not proven.
    case tls(TLSProblem)
    /// The other side closed without a word: process killed, link cut, not an MQTT broker; or, as Mosquitto 2.0 does
    /// it, another client took our place.
    case closed
    /// No answer to CONNECT, or no sign of life for two keep-alives.
    case silent
    /// Nobody took events for so long that the connection could not be kept alive.
    case consumerStalled
    /// We said farewell.
    case stopped
    /// We left an alternate broker to try the first one again.
    case returning
    /// The broker sent something on which libmosquitto would have ended the process.
    case unknownPacket
    /// Anything else of libmosquitto, in its words.
    case library(String)

    package static let badUserNameOrPassword = MQTTReason.broker(134)
    package static let notAuthorized = MQTTReason.broker(135)
    package static let sessionTakenOver = MQTTReason.broker(142)
    package static let packetTooLarge = MQTTReason.broker(149)

    package var description: String {
        switch self {
        case .broker(let code): Self.words(code)
        case .network(let text): text
        case .tls(let problem): "TLS: \(problem)"
        case .closed:
            "the broker closed the connection: is it running, does it speak MQTT on this port, and is there no second "
                + "client with this client id?"
        case .silent: "the broker does not answer: check the link and the broker's load"
        case .consumerStalled: "received messages were not taken for two keep-alives: the program behind is too slow"
        case .stopped: "stopped on request"
        case .returning: "left this broker to try the first of the list again"
        case .unknownPacket:
            "the broker sent what MQTT does not know: is it a broker, and is nobody between it and us?"
        case .library(let text): "libmosquitto: \(text)"
        }
    }

    private static func words(_ code: UInt8) -> String {
        switch code {
        case 0: "the broker ended the connection in the ordinary way"
        case 132: "the broker does not speak MQTT 5: use Mosquitto 1.6 or later, or another MQTT 5 broker"
        case 133: "the broker refuses this client id: is it the one the account is bound to?"
        case 134: "the broker refuses user name or password: compare the configuration with the broker's password file"
        case 135: "the broker does not authorise this: compare user and topic with the broker's ACL"
        case 136: "the broker is unavailable"
        case 137: "the broker is busy"
        case 138: "the broker has banned this client"
        case 139: "the broker is shutting down"
        case 141: "the broker heard nothing from us for one and a half keep-alives"
        case 142: "another client connected with the same client id: find the second program or cloned disk"
        case 149: "a packet was larger than the broker accepts: raise its max_packet_size"
        case 151: "the broker's quota for this client is used up"
        case 152: "an administrator ended the connection"
        default: "the broker says: \(String(cString: mosquitto_reason_string(Int32(code)))) (\(code))"
        }
    }

    /// From what libmosquitto returns or hands to its disconnect callback: its own codes are below 128, a broker's
    /// DISCONNECT is 128 and above.
    init(code: Int32, systemError: Int32) {
        switch code {
        case MOSQ_ERR_CONN_LOST.rawValue, MOSQ_ERR_NO_CONN.rawValue: self = .closed
        case MOSQ_ERR_KEEPALIVE.rawValue: self = .silent
        case MOSQ_ERR_ERRNO.rawValue where systemError != 0: self = .network(systemText(systemError))
        case MOSQ_ERR_ERRNO.rawValue: self = .closed
        case 128...255: self = .broker(UInt8(code))
        default: self = .library(String(cString: mosquitto_strerror(code)))
        }
    }
}
