// A TLS handshake that never ends: nobody listens, or whoever does hangs up in the middle. libmosquitto 2.0.11 takes a
// connection that died there for one that is still under way, and asks it for ever.

import Glibc
import Keys
import Kit
import MQTT
import Testing

@Suite(.serialized) struct HandshakeTests {
    /// What a peer that is no broker does with a connection.
    enum Manner: CaseIterable, Sendable {
        /// A reset before a byte was read, as from a proxy without a server behind it.
        case resetAtOnce
        /// A reset after ClientHello.
        case resetAfterHello
        /// An orderly end after ClientHello.
        case endedAfterHello
        /// Half of a record, then a reset.
        case resetInARecord
    }

    private let yard: CertificateYard

    init() async throws {
        yard = try CertificateYard()
        try await yard.authority()
    }

    private func options(port: Int) -> MQTTOptions {
        var options = MQTTOptions(host: "127.0.0.1", port: port, clientID: "gateway")
        options.tls = TLSClient(trust: .file(yard.file("ca.pem")))
        options.connectTimeout = .seconds(45)
        (options.backOffMin, options.backOffMax) = (.seconds(30), .seconds(60))
        return options
    }

    /// The reason of the first attempt's end: never that nobody answered within the time of a connection.
    private func end(_ options: MQTTOptions) throws -> MQTTReason? {
        let session = try MQTTSession(options: options)
        let reason = session.events(within: .seconds(40)) { $0.disconnected != nil }.last?.disconnected?.reason
        #expect(session.stop())
        return reason
    }

    @Test func nobodyListens() throws {
        let reason = try end(options(port: Int(try freePort())))
        #expect(reason?.description.contains("Connection refused") == true, "\(String(describing: reason))")
    }

    @Test(arguments: Manner.allCases) func whoeverListensHangsUp(manner: Manner) throws {
        let peer = try RudePeer(manner)
        let reason = try end(options(port: peer.port))
        #expect(reason != nil && reason != .silent, "\(manner): \(String(describing: reason))")
    }
}

/// A listener that treats each connection alike, one after the other, until it goes.
private final class RudePeer: Sendable {
    let port: Int
    private let listener: Int32

    init(_ manner: HandshakeTests.Manner) throws {
        let (listener, port) = try loopbackListener()
        (self.listener, self.port) = (listener, Int(port))
        startTestThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else {
                    // Closed here and nowhere else: the number may be another socket's a moment later.
                    close(listener)
                    return
                }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                if manner != .resetAtOnce { _ = read(client, &buffer, buffer.count) }
                if manner == .resetInARecord { _ = send(client, [0x16, 3, 3, 0, 100, 2], 6, Int32(MSG_NOSIGNAL)) }
                var hard = linger(l_onoff: manner == .endedAfterHello ? 0 : 1, l_linger: 0)
                setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
                close(client)
            }
        }
    }

    /// Wakes the thread, which closes the descriptor.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}
