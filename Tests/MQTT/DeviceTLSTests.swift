// A handshake signed inside a token and inside a TPM, with a broker that wants certificates.

import Evidence
import Keys
import Kit
import MQTT
import Testing

@Suite(.serialized) struct DeviceTLSTests {
    private func connects(_ key: PrivateKey) async throws {
        let yard = try CertificateYard()
        try await yard.authority()
        try await yard.issue("localhost", alternative: "IP:127.0.0.1")
        try await yard.certify("gateway-1", spki: key.publicKey.spki)
        let broker = try Broker(
            lines: [
                "cafile DIR/ca.pem", "certfile DIR/localhost.pem", "keyfile DIR/localhost.key",
                "require_certificate true", "use_identity_as_username true",
            ], in: yard.place)
        var options = testOptions(broker, "gateway-1", subscribe: ["km/#"])
        options.tls = TLSClient(
            trust: .file(yard.file("ca.pem")),
            identity: TLSClient.Identity(chain: .file(yard.file("gateway-1.pem")), key: key))
        let session = try MQTTSession(options: options)
        session.events { $0.isSubscribed }
        #expect(session.stop())
        #expect(try broker.log.contains("u'gateway-1'"))
        options.tls?.identity?.key = try PrivateKey.generate(.es256)
        let events = try MQTTSession(options: options).events { $0.disconnected != nil }
        #expect(events.last?.disconnected?.reason == .tls(.otherKey(subject: "CN=gateway-1")))
    }

    @Test func aTokenSigns() async throws {
        let token = try SoftToken("mqtt")
        try await connects(
            try PrivateKey.create(
                in: KeyStore("pkcs11:token=mqtt;object=gw", module: SoftToken.module, pinFile: token.pinFile)))
    }

    @Test func aTPMSigns() async throws {
        let tpm = try SoftTPM()
        let process = try await tpm.start()
        defer { process.kill(9) }
        try await connects(try PrivateKey.create(in: KeyStore("tpm2:0x81000001", device: tpm.socket)))
    }
}
