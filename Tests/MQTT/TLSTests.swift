// Mutual TLS as a deployed broker has it: the certificate's common name is the user, wrong roots are refused in words.

import Kit
import MQTT
import Testing

struct TLSTests {
    /// A root, a certificate for 127.0.0.1, and one for the gateway, made by openssl(1).
    private func certificates() async throws -> TemporaryDirectory {
        let place = try TemporaryDirectory()
        for root in ["ca", "other"] {
            try await openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=\(root)", "-keyout", place.file("\(root).key"), "-out", place.file("\(root).pem"))
        }
        for (name, alternative) in [("localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1"), ("gateway-1", "")] {
            let names = alternative.isEmpty ? [] : ["-addext", alternative]
            try await openssl(
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=\(name)", "-addext", "basicConstraints=critical,CA:FALSE", "-CA",
                    place.file("ca.pem"),
                    "-CAkey", place.file("ca.key"), "-keyout", place.file("\(name).key"), "-out",
                    place.file("\(name).pem"),
                ] + names)
        }
        return place
    }

    private func openssl(_ arguments: String...) async throws { try await openssl(arguments) }

    private func openssl(_ arguments: [String]) async throws {
        let result = try await run("openssl", arguments)
        guard result.status == .exited(0) else { throw KitError("openssl: \(result.output)") }
    }

    @Test func mutualTLSCarriesMessagesAndRefusesStrangers() async throws {
        let place = try await certificates()
        let broker = try Broker(
            lines: [
                "cafile DIR/ca.pem", "certfile DIR/localhost.pem", "keyfile DIR/localhost.key",
                "require_certificate true", "use_identity_as_username true", "max_queued_messages 0",
            ], in: place)
        var options = testOptions(broker, "gateway-1", subscribe: ["km/#"])
        options.tls = MQTTTLS(
            caFile: place.file("ca.pem"), certificateFile: place.file("gateway-1.pem"),
            keyFile: place.file("gateway-1.key"))
        let session = try MQTTSession(options: options)
        session.events { $0.isSubscribed }
        // More than one record of TLS at once: nothing may stay behind in its buffer.
        for number in 0..<200 {
            _ = try session.publish(
                topic: "km/a", payload: [UInt8(number)] + [UInt8](repeating: 1, count: number * 300),
                patience: .seconds(5))
            if number % 50 == 49 {
                var seen = 0
                session.events { event in
                    seen += event.acknowledged == nil ? 0 : 1
                    return seen == 50
                }
            }
        }
        #expect(session.stop())
        #expect(session.stats.messagesIn == 200)

        options.tls?.caFile = place.file("other.pem")
        let reason = try MQTTSession(options: options).events { $0.disconnected != nil }.last?.disconnected?.reason
        #expect(reason?.description.contains("certificate verify failed") == true, "\(String(describing: reason))")

        options.tls = MQTTTLS(caFile: place.file("ca.pem"))
        let stranger = try MQTTSession(options: options)
        #expect(stranger.events { $0.disconnected != nil }.contains { $0.isConnected } == false)

        options.tls = MQTTTLS(caFile: place.file("missing.pem"))
        let missing = try MQTTSession(options: options).events { $0.disconnected != nil }.last?.disconnected?.reason
        #expect(missing?.description.contains("check CA, certificate and key files") == true)
    }
}
