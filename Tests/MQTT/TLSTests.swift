// Mutual TLS as a deployed broker has it: the certificate's common name is the user; each thing that can be wrong with
// CA, name, time or certificate is refused and told apart. Broker and certificates are Mosquitto's and OpenSSL's own.

import Evidence
import Keys
import Kit
import MQTT
import Quantities
import Testing

@Suite(.serialized) struct TLSTests {
    /// A CA, a broker for 127.0.0.1 that wants certificates of it, and a gateway's certificate.
    private struct Site {
        let yard: CertificateYard
        let broker: Broker

        init(server: (CertificateYard) async throws -> Void) async throws {
            yard = try CertificateYard()
            try await yard.authority()
            try await server(yard)
            try await yard.issue("gateway-1")
            broker = try Broker(
                lines: [
                    "cafile DIR/ca.pem", "certfile DIR/localhost.pem", "keyfile DIR/localhost.key",
                    "require_certificate true", "use_identity_as_username true", "max_queued_messages 0",
                ], in: yard.place)
        }

        init() async throws {
            try await self.init { try await $0.issue("localhost", alternative: "DNS:localhost,IP:127.0.0.1") }
        }

        func client(ca: String = "ca", as name: String? = "gateway-1") throws -> TLSClient {
            var client = TLSClient(trust: .file(yard.file("\(ca).pem")))
            if let name {
                client.identity = TLSClient.Identity(
                    chain: .file(yard.file("\(name).pem")), key: try PrivateKey.load(path: yard.file("\(name).key")))
            }
            return client
        }

        func options(_ client: TLSClient) -> MQTTOptions {
            var options = testOptions(broker, "gateway-1", subscribe: ["km/#"])
            options.tls = client
            return options
        }

        /// What ends the first attempt.
        func refusal(_ client: TLSClient, host: String = "127.0.0.1") throws -> TLSProblem? {
            var options = options(client)
            options.host = host
            let events = try MQTTSession(options: options).events { $0.disconnected != nil }
            #expect(!events.contains { $0.isConnected })
            guard case .tls(let problem) = events.last?.disconnected?.reason else {
                Issue.record("not refused by TLS: \(events)")
                return nil
            }
            return problem
        }
    }

    @Test func carriesMessages() async throws {
        let site = try await Site()
        let session = try MQTTSession(options: site.options(try site.client()))
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
        #expect(try site.broker.log.contains("u'gateway-1'"))
    }

    @Test func aRenewedCertificateCountsFromTheNextConnection() async throws {
        let site = try await Site()
        let session = try MQTTSession(options: site.options(try site.client()))
        session.events { $0.isSubscribed }
        try await site.yard.sign("gateway-1")
        site.broker.kill()
        session.events { $0.disconnected != nil }
        try site.broker.start()
        session.events { $0.isSubscribed }
    }

    // MARK: The other side

    @Test func wrongAuthority() async throws {
        let site = try await Site()
        try await site.yard.authority("other")
        let problem = try site.refusal(try site.client(ca: "other"))
        guard case .unknownAuthority("CN=localhost", "CN=ca", "CN=other") = problem else {
            Issue.record("\(String(describing: problem))")
            return
        }
    }

    @Test func wrongName() async throws {
        let site = try await Site { try await $0.issue("localhost", alternative: "DNS:elsewhere.example") }
        guard case .wrongName("127.0.0.1", "CN=localhost", "DNS:elsewhere.example") = try site.refusal(site.client())
        else {
            Issue.record("accepted")
            return
        }
        guard case .wrongName("localhost", _, _) = try site.refusal(site.client(), host: "localhost") else {
            Issue.record("accepted by its common name")
            return
        }
    }

    @Test func expiredServer() async throws {
        let site = try await Site {
            try await $0.issue(
                "localhost", alternative: "IP:127.0.0.1", from: "20200101000000Z", to: "20210101000000Z")
        }
        guard case .expired("CN=localhost", let end, _) = try site.refusal(site.client()) else {
            Issue.record("accepted")
            return
        }
        #expect(end == UTCInstant("2021-01-01T00:00:00Z"))
    }

    /// Where only a lower bound of the time is known, an end before it has passed, and a beginning after it proves
    /// nothing.
    @Test func judgedByAFloorOfTheTime() async throws {
        let site = try await Site {
            try await $0.issue(
                "localhost", alternative: "IP:127.0.0.1", from: "20300101000000Z", to: "20310101000000Z")
        }
        guard case .notYetValid("CN=localhost", _, _) = try site.refusal(site.client()) else {
            Issue.record("accepted")
            return
        }
        let early = try #require(UTCInstant("2029-01-01T00:00:00Z"))
        let late = try #require(UTCInstant("2032-01-01T00:00:00Z"))
        var client = TLSClient(trust: .file(site.yard.file("ca.pem"))) { .atLeast(late) }
        guard case .expired = try site.refusal(client) else {
            Issue.record("accepted after its end")
            return
        }
        client = try site.client()
        client.time = { .atLeast(early) }
        let session = try MQTTSession(options: site.options(client))
        session.events { $0.isConnected }
    }

    @Test func aClockThatCannotBe() async throws {
        let site = try await Site()
        var client = try site.client()
        client.time = { .clock(UTCInstant(milliseconds: 0)) }
        #expect(try site.refusal(client) == .clock(now: UTCInstant(milliseconds: 0)))
    }

    @Test func aBrokerWithoutTLS() async throws {
        let site = try await Site()
        let plain = try Broker()
        var options = site.options(try site.client())
        options.port = plain.port
        let events = try MQTTSession(options: options).events { $0.disconnected != nil }
        guard case .tls(.handshake) = events.last?.disconnected?.reason else {
            Issue.record("\(events)")
            return
        }
    }

    // MARK: Ourselves

    @Test func withoutCertificate() async throws {
        let site = try await Site()
        guard case .refused(116, _) = try site.refusal(site.client(as: nil)) else {
            Issue.record("accepted")
            return
        }
    }

    @Test func certificatesTheBrokerRefuses() async throws {
        let site = try await Site()
        try await site.yard.authority("other")
        try await site.yard.issue("stranger", by: "other")
        try await site.yard.issue("late", from: "20200101000000Z", to: "20210101000000Z")
        guard case .refused(48, _) = try site.refusal(site.client(as: "stranger")) else {
            Issue.record("another operator's certificate was accepted")
            return
        }
        guard case .refused(45, _) = try site.refusal(site.client(as: "late")) else {
            Issue.record("an expired certificate was accepted")
            return
        }
    }

    @Test func aCertificateForAnotherKeyIsFoundBeforeConnecting() async throws {
        let site = try await Site()
        var client = try site.client()
        client.identity?.key = try PrivateKey.generate(.es256)
        #expect(throws: TLSProblem.otherKey(subject: "CN=gateway-1")) { try client.context(for: "127.0.0.1") }
        client = TLSClient(trust: .file(site.yard.file("missing.pem")))
        #expect(throws: TLSProblem.self) { try client.context(for: "127.0.0.1") }
        client = TLSClient(trust: .file(site.yard.file("ca.key")))
        #expect(throws: TLSProblem.self) { try client.context(for: "127.0.0.1") }
    }

    // MARK: Fingerprint and name

    @Test func theFingerprintOfASentCAIsEnough() async throws {
        let site = try await Site { yard in
            try await yard.issue("localhost", alternative: "IP:127.0.0.1")
            let chain = try Workplace.text(of: yard.file("localhost.pem")) + Workplace.text(of: yard.file("ca.pem"))
            try Workplace.write(chain, to: yard.file("localhost.pem"))
        }
        let authority = try Certificate.all(path: site.yard.file("ca.pem"))[0]
        var client = try site.client()
        client.trust = .fingerprint(Array(authority.fingerprint.prefix(16)))
        try MQTTSession(options: site.options(client)).events { $0.isConnected }
        client.trust = .fingerprint([UInt8](repeating: 7, count: 16))
        #expect(try site.refusal(client) == .wrongFingerprint(sent: "CN=localhost, CN=ca"))
        // Too short to prove anything.
        client.trust = .fingerprint([])
        guard case .wrongFingerprint = try site.refusal(client) else {
            Issue.record("an empty fingerprint was believed")
            return
        }
    }

    /// Python's TLS server prints the name it was asked for.
    @Test func theNameIsSentNotTheAddress() async throws {
        let yard = try CertificateYard()
        try await yard.authority()
        try await yard.issue("localhost", alternative: "DNS:localhost")
        let script = """
            import socket, ssl, sys
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            context.sni_callback = lambda connection, name, _: print("name", name, flush=True)
            listener = socket.create_server(("127.0.0.1", 0))
            print("port", listener.getsockname()[1], flush=True)
            while True:
                try:
                    context.wrap_socket(listener.accept()[0], server_side=True)
                except OSError:
                    pass
            """
        let server = try ChildProcess(
            "python3", ["-c", script, yard.file("localhost.pem"), yard.file("localhost.key")],
            outputPath: yard.file("server.log"))
        defer { server.kill(9) }
        let port = try await eventually("the server listens") {
            try server.output.split(separator: "\n").first.flatMap { Int($0.dropFirst(5)) }
        }
        var options = MQTTOptions(host: "localhost", port: port, clientID: "a")
        (options.backOffMin, options.backOffMax) = (.milliseconds(50), .milliseconds(100))
        options.tls = TLSClient(trust: .file(yard.file("ca.pem")))
        let session = try MQTTSession(options: options)
        defer { session.stop() }
        try await eventually("the server saw the name") { try server.output.contains("name localhost") ? true : nil }
        #expect(try !server.output.contains("name 127"))
    }
}
