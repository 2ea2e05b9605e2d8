// Enrolment over EST (RFC 7030): a certificate for the gateway's key, and what the operator says with it. The secret of a
// claim code goes only over a connection whose server has proven, in the handshake, that it belongs to the code's CA.
//
// Order: certificate, then what it is good for, then the folder. Until the folder is exchanged nothing here has changed,
// and the server answers the same key and code again: whatever breaks off is done again from the beginning.

internal import AgentCore
internal import CBOR
package import Evidence
package import HTTPS
package import Keys
internal import Proofs
package import Quantities

/// What a gateway got.
package struct Enrolled: Sendable {
    package let certificate: Certificate
    package let ca: Certificate
    package let keyListNumber: UInt64
    /// The server's list where it is older than the one that is here, which then stays.
    package let olderList: UInt64?
    package let brokers: [EnrolledFolder.Broker]
    package let serverTime: UTCInstant
}

/// One gateway and its enrolment server.
package struct Enrolment {
    private static let base = "/.well-known/est/"
    private static let certificatesType = "application/pkcs7-mime"

    package let gateway: Identifier
    package let key: PrivateKey
    package let folder: EnrolledFolder
    package let clock: CertificateClock
    /// Before each step of storing; tests fail there.
    package var before: (EnrolledFolder.Step) throws -> Void = { _ in }
    package var seconds = HTTPSExchange.secondsDefault

    package init(_ settings: AgentSettings, key: PrivateKey, clock: CertificateClock) {
        gateway = settings.gateway
        folder = EnrolledFolder(settings.enrolled)
        self.key = key
        self.clock = clock
    }

    /// The first certificate, with a claim code.
    package func enroll(at origin: HTTPSOrigin, code: ClaimCode) throws -> Enrolled {
        let password = Array("\(gateway):\(code.secret)".utf8).base64
        let server = Server(origin: origin, client: client(.fingerprint(code.fingerprint)))
        let (answer, authority) = try ask(server, "simpleenroll", key, [("Authorization", "Basic \(password)")])
        guard let authority else { throw EnrolmentError.answer("it came from nobody") }
        return try finish(at: origin, try issued(answer, to: key, by: [authority]), [authority], key: key)
    }

    /// Another certificate, as the holder of the one that is there.
    ///
    /// - Parameter next: the key that takes over: re-keying. Nil: the same key.
    package func renew(for next: PrivateKey? = nil) throws -> Enrolled {
        guard let own = folder.ownCertificate, let cas = folder.cas, let origin = folder.server else {
            throw EnrolmentError.notEnrolled(folder: folder.path)
        }
        guard let pinned = [UInt8](hex: try SmallFile.text(folder.root)) else {
            throw EnrolmentError.notEnrolled(folder: folder.path)
        }
        var client = client(.file(folder.ca))
        let answer: HTTPAnswer
        if clock.instant > own.notAfter {
            answer = try overdue(Server(origin: origin, client: client), for: next ?? key)
        } else {
            let plain = Server(origin: origin, client: client)
            client.identity = TLSClient.Identity(chain: .pem(Array(own.pem.utf8)), key: key)
            do {
                answer = try ask(Server(origin: origin, client: client), "simplereenroll", next ?? key, []).answer
            } catch let error as EnrolmentError where isOver(error) { answer = try overdue(plain, for: next ?? key) }
        }
        let key = next ?? key
        return try finish(at: origin, try issued(answer, to: key, by: cas), cas, key: key, pinned: pinned)
    }

    /// Whether the certificate is due by the server's clock: for a gateway that does not know the time, and may have slept
    /// through the end of its certificate.
    package func isDueThere(_ due: UTCInstant) throws -> Bool {
        guard let own = folder.ownCertificate, let cas = folder.cas, let origin = folder.server else {
            throw EnrolmentError.notEnrolled(folder: folder.path)
        }
        do throws(EnrolmentError) {
            return try provision(from: origin, believed: cas, showing: own, key: key).serverTime >= due
        } catch {
            guard isOver(error) else { throw error }
            return true
        }
    }

    /// The server ended the handshake because our certificate has ended, or, where we do not know the time, may have: its
    /// reason can be overtaken by the end of the connection.
    private func isOver(_ error: EnrolmentError) -> Bool {
        switch error {
        case .connection(.tls(_, .refused(alert: 45, _)), _, _): return true
        case .connection(.cut, _, _): if case .atLeast = clock.time { return true } else { return false }
        default: return false
        }
    }

    /// TLS takes no certificate that has ended: the request itself is signed by its key, which the collector knows already.
    private func overdue(_ server: Server, for key: PrivateKey) throws -> HTTPAnswer {
        let payload = CBORValue.fields([
            (1, .unsigned(1)), (2, .text(gateway.text)),
            (3, .bytes(try CertificateRequest.signing(name: gateway.text, with: key))),
            (4, .int(clock.instant.milliseconds)),
        ]).encoded()
        let message = try SignedMessage.signing(payload, as: .reenrol, with: key)
        let request = HTTPSRequest(
            "POST", Self.base + "kilomint/reenroll", fields: [("Content-Type", ContentType.reenrol.rawValue)],
            body: message.encoded)
        return try perform(request, server).answer
    }

    // MARK: Certificate

    /// Where, and whom to believe there.
    private struct Server {
        let origin: HTTPSOrigin
        let client: TLSClient
    }

    private func client(_ trust: TLSClient.Trust) -> TLSClient {
        let time = clock.time
        return TLSClient(trust: trust, time: { time })
    }

    private func ask(
        _ server: Server, _ operation: String, _ key: PrivateKey, _ fields: [(name: String, value: String)]
    ) throws -> (answer: HTTPAnswer, authority: Certificate?) {
        let request = try CertificateRequest.signing(name: gateway.text, with: key)
        return try perform(
            HTTPSRequest(
                "POST", Self.base + operation,
                fields: fields + [("Content-Type", "application/pkcs10"), ("Content-Transfer-Encoding", "base64")],
                body: Array(request.base64.utf8)), server)
    }

    /// With the clock's advice where certificates are at fault.
    private func perform(
        _ request: HTTPSRequest, _ server: Server
    ) throws(EnrolmentError) -> (answer: HTTPAnswer, authority: Certificate?) {
        var exchange = HTTPSExchange(server.origin, client: server.client)
        exchange.seconds = seconds
        do throws(HTTPSError) { return try exchange.perform(request) } catch {
            var advice = ""
            if case .tls(_, .expired) = error { advice = clock.advice }
            var withCode = false
            if case .fingerprint = server.client.trust { withCode = true }
            throw .connection(error, advice: advice, withCode: withCode)
        }
    }

    /// The certificate for our key: ours by name and key, and of the CA that the server belongs to.
    private func issued(
        _ answer: HTTPAnswer, to key: PrivateKey, by cas: [Certificate]
    ) throws(EnrolmentError) -> Certificate {
        guard answer.status == 200 else { throw .refused(status: answer.status, reason: answer.reason) }
        guard answer.type == Self.certificatesType else { throw .answer("it is of type \(answer.type.prefix(60))") }
        let text = String(decoding: answer.body.filter { ![0x0A, 0x0D, 0x20, 0x09].contains($0) }, as: UTF8.self)
        guard let der = [UInt8](base64: text) else { throw .answer("it is not base64") }
        do throws(CertificateRefusal) {
            let all = try Certificate.all(pkcs7: der)
            guard let own = all.first(where: { $0.spki == key.publicKey.spki }) else {
                throw CertificateRefusal(description: "its certificate is for another key")
            }
            guard own.commonName == gateway.text else {
                throw CertificateRefusal(description: "its certificate is for \(own.subject), not for \(gateway)")
            }
            try own.check(leadsTo: cas, through: all.filter { $0 != own }, at: clock.time)
            return own
        } catch { throw .answer("\(error)") }
    }

    // MARK: What comes with it

    /// Asks with the new certificate, so that it is known to be good before anything is stored.
    private func finish(
        at origin: HTTPSOrigin, _ certificate: Certificate, _ believed: [Certificate], key: PrivateKey,
        pinned: [UInt8]? = nil
    ) throws -> Enrolled {
        let provision = try provision(from: origin, believed: believed, showing: certificate, key: key)
        let (number, cas, ca) = try checked(provision, believed, pinned)
        // A collector that was set back has an older list: whose receipts count is no reason to be without a certificate.
        let kept = newerList(than: number, root: provision.root)
        let brokers = provision.brokers.map { EnrolledFolder.Broker(host: $0.host, port: $0.port) }
        do {
            try folder.replace(
                with: [
                    ("gateway.crt", Array(certificate.pem.utf8)), ("ca.pem", Array(cas.map(\.pem).joined().utf8)),
                    ("key-list.cbor", kept?.bytes ?? provision.keyList),
                    ("root.spki", Array((provision.root.hex + "\n").utf8)),
                    ("brokers.yaml", Array(EnrolledFolder.text(brokers).utf8)),
                    ("server", Array((origin.url + "\n").utf8)),
                ], before: before)
        } catch let error as SystemError { throw EnrolmentError.folder("\(error)") }
        return Enrolled(
            certificate: certificate, ca: ca, keyListNumber: kept?.number ?? number,
            olderList: kept == nil ? nil : number, brokers: brokers, serverTime: provision.serverTime)
    }

    private func provision(
        from origin: HTTPSOrigin, believed: [Certificate], showing certificate: Certificate, key: PrivateKey
    ) throws(EnrolmentError) -> Provision {
        var client = client(.pem(Array(believed.map(\.pem).joined().utf8)))
        client.identity = TLSClient.Identity(chain: .pem(Array(certificate.pem.utf8)), key: key)
        let request = HTTPSRequest("GET", Self.base + "kilomint/provision")
        let answer = try perform(request, Server(origin: origin, client: client)).answer
        guard answer.status == 200 else { throw .refused(status: answer.status, reason: answer.reason) }
        do throws(ProvisionError) { return try Provision(decoding: answer.body) } catch {
            throw .answer("its provision is not understood (\(error))")
        }
    }

    /// The key list that is here, if the same root signed it and its number is higher.
    private func newerList(than number: UInt64, root: [UInt8]) -> (bytes: [UInt8], number: UInt64)? {
        do {
            let bytes = try SmallFile.bytes(folder.keyList, max: ReceiptTrust.bytesMax)
            let message = try SignedMessage(parsing: bytes, as: .keyList)
            guard message.isSigned(by: try PublicKey(spki: root)) else { return nil }
            let own = try KeyList(decoding: message.payload).number
            return own > number ? (bytes, own) : nil
        } catch { return nil }  // None that counts.
    }

    private func checked(
        _ provision: Provision, _ believed: [Certificate], _ pinned: [UInt8]?
    ) throws(EnrolmentError) -> (number: UInt64, cas: [Certificate], ca: Certificate) {
        // Who runs the server may not become the root by a renewal: that takes a new code.
        guard pinned == nil || provision.root == pinned else {
            throw .answer("it names another root key than the one believed at enrolment")
        }
        guard provision.gateway == gateway else { throw .answer("its provision is for \(provision.gateway)") }
        let number: UInt64
        do {
            let root = try PublicKey(spki: provision.root)
            let message = try SignedMessage(parsing: provision.keyList, as: .keyList)
            guard message.isSigned(by: root) else {
                throw EnrolmentError.answer("its key list is not signed by its root")
            }
            number = try KeyList(decoding: message.payload).number
        } catch let error as EnrolmentError { throw error } catch { throw .answer("its key list: \(error)") }
        let cas: [Certificate]
        do throws(TLSProblem) {
            cas = try Certificate.all(pem: Array(provision.cas.utf8), path: "(provision)")
        } catch {
            throw .answer("its CA certificates: \(error)")
        }
        guard let ca = cas.first(where: believed.contains) else {
            throw .answer("the CA that its server belongs to is not among its CAs")
        }
        return (number, cas, ca)
    }
}
