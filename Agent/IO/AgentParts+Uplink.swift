// Whose receipts count and where the brokers are: the configuration's word, else what enrolment left. Nil: neither says.

internal import AgentCore
internal import Evidence
package import Keys
package import MQTT
internal import Proofs
internal import Quantities
package import Settings

extension AgentParts {
    package var enrolled: EnrolledFolder { EnrolledFolder(settings.enrolled) }

    /// The certificate that the broker is shown; nil: none, or a key of its own goes with it.
    package var shownCertificate: Certificate? {
        guard let mqtt = settings.mqtt else { return enrolled.ownCertificate }
        guard let path = mqtt.certificateFile, mqtt.keyFile == nil else { return nil }
        do throws(TLSProblem) { return try Certificate.all(path: path).first } catch { return nil }
    }

    /// What is used of the enrolled folder follows it while the agent runs.
    package var followsEnrolment: Bool { settings.keyList == nil || settings.mqtt == nil }

    /// The key list in force; nil while the gateway is not enrolled.
    ///
    /// - Parameter believed: the highest number believed before, as the spool has it, which knows no root.
    package func trust(believed: UInt64) throws(SettingsError) -> ReceiptTrust? {
        if let list = settings.keyList, let key = settings.rootKey {
            return try trust(list, key, listKey: "key_list", rootKey: "root_key", believed)
        }
        guard enrolled.stamp != nil else { return nil }
        return try trust(
            enrolled.keyList, enrolled.root, listKey: "enrolment.folder", rootKey: "enrolment.folder", believed)
    }

    private func trust(
        _ list: String, _ key: String, listKey: String, rootKey: String, _ believed: UInt64
    ) throws(SettingsError) -> ReceiptTrust {
        let root = try Self.root(key, settings, rootKey)
        let number = BelievedList(folder: settings.spool.path).number(of: root, kept: believed)
        do throws(TrustError) { return try ReceiptTrust(path: list, root: root, believed: number) } catch {
            throw settings.error(listKey, list, error.description)
        }
    }

    /// The session's options; nil without `mqtt` and without enrolment, and while nobody's receipts would count.
    ///
    /// - Parameters:
    ///   - session: number of this run.
    ///   - receipt: the last receipt held: the will repeats it, for a collector that lost its tail while we are away.
    ///   - keys: the gateway's as they are now; nil: as they were at the start.
    package func broker(session: UInt64, receipt: [UInt8]?, keys: KeyRing? = nil) throws(SettingsError) -> MQTTOptions?
    {
        guard settings.keyList != nil || enrolled.stamp != nil else { return nil }
        let named = try settings.mqtt == nil ? enrolledBroker() : settings.mqtt
        guard let mqtt = named else { return nil }
        var password: String?
        if let file = mqtt.passwordFile {
            do throws(SystemError) { password = try SmallFile.text(file) } catch {
                throw settings.error("mqtt.password_file", file, error.description)
            }
        }
        let topics = GatewayTopics(settings.gateway)
        let offline = GatewayStatus(
            gateway: settings.gateway, isOnline: false, session: session, receipt: receipt, checkpoint: nil)
        var options = MQTTOptions(
            host: mqtt.host, port: mqtt.port, clientID: settings.gateway.text, username: mqtt.username,
            password: password,
            tls: try tls(mqtt, keys ?? self.keys),
            will: MQTTWill(topic: topics.status, payload: offline.encoded),
            subscriptions: [MQTTSubscription(topics.receipt), MQTTSubscription(topics.command)])
        options.alternates = mqtt.alternates
        options.keepAliveSeconds = mqtt.keepAliveSeconds
        options.inFlightMax = settings.limits.recordsMax + 8
        return options
    }

    /// The broker that enrolment named, with the certificate it brought and the gateway's key.
    private func enrolledBroker() throws(SettingsError) -> AgentSettings.MQTT? {
        guard enrolled.stamp != nil else { return nil }
        let brokers = try enrolled.brokers().map { MQTTBroker(host: $0.host, port: $0.port) }
        guard let broker = brokers.first else { return nil }
        return AgentSettings.MQTT(
            host: broker.host, port: broker.port, alternates: Array(brokers.dropFirst()),
            username: settings.gateway.text, passwordFile: nil,
            caFile: enrolled.ca, certificateFile: enrolled.certificate, keyFile: nil, keepAliveSeconds: 30)
    }

    /// What the broker must prove and what we show; every file is tried, so that a wrong one is found before it runs.
    private func tls(_ mqtt: AgentSettings.MQTT, _ keys: KeyRing) throws(SettingsError) -> TLSClient? {
        guard let authorities = mqtt.caFile else { return nil }
        // A gateway that wakes in 1970 judges the broker by what must have passed.
        let settings = settings
        var client = TLSClient(trust: .file(authorities), time: { CertificateClock(settings).time })
        if let chain = mqtt.certificateFile {
            // While keys are changed there are two: the certificate says whose it is.
            var key = keys.key(certificate: chain)
            if let file = mqtt.keyFile {
                do throws(KeyError) { key = try PrivateKey.load(path: file) } catch {
                    throw settings.error("mqtt.key_file", file, error.description)
                }
            }
            client.identity = TLSClient.Identity(chain: .file(chain), key: key)
        }
        do throws(TLSProblem) { _ = try client.context(for: mqtt.host) } catch {
            let isOurs = if case .file(authorities, _) = error { false } else { true }
            throw settings.error(
                isOurs ? "mqtt.certificate_file" : "mqtt.ca_file", isOurs ? mqtt.certificateFile : authorities,
                error.description)
        }
        return client
    }

    // MARK: Root key

    private static func root(
        _ place: String, _ settings: AgentSettings, _ key: String
    ) throws(SettingsError) -> PublicKey {
        do {
            if let spki = [UInt8](hex: place) { return try PublicKey(spki: spki) }
            let bytes = try SmallFile.bytes(place, max: SmallFile.bytesMax)
            if bytes.first == 0x30 { return try PublicKey(spki: bytes) }
            let text = try SmallFile.text(place)
            guard let spki = [UInt8](hex: text) ?? pem(text) else { throw KeyError.unsupportedPublicKey }
            return try PublicKey(spki: spki)
        } catch {
            throw settings.error(
                key, place, "\(error)",
                allowed: "a public key (SPKI): hexadecimal, or a file with hexadecimal, PEM or DER")
        }
    }

    /// The first PUBLIC KEY block (RFC 7468 §13).
    private static func pem(_ text: String) -> [UInt8]? {
        let lines = text.split(whereSeparator: \.isNewline)
        guard let first = lines.firstIndex(of: "-----BEGIN PUBLIC KEY-----"),
            let last = lines[first...].firstIndex(of: "-----END PUBLIC KEY-----")
        else { return nil }
        return [UInt8](base64: lines[(first + 1)..<last].joined())
    }
}
