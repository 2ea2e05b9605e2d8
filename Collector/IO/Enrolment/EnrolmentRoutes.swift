// The enrolment port's routes: EST (RFC 7030) with what a gateway needs beside a certificate. Small bodies, one line of text
// for what is refused, nothing cached.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import HTTPTypes
internal import Hummingbird
internal import Keys
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import Proofs
internal import Quantities

/// Knows its connection, and so the certificate that was shown.
struct EnrolmentContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

struct EnrolmentRoutes: Sendable {
    static let bodyBytesMax = 8192
    /// A body that takes longer is cut.
    static let bodyDeadline: Duration = .seconds(10)
    /// Of 50 ms each.
    static let letInSteps = 100
    /// Bytes of the Authorization header read at most.
    static let credentialsBytesMax = 512

    let house: House
    let authority: CertificateAuthority
    let configuration: EnrolmentConfiguration

    func router() -> Router<EnrolmentContext> {
        let router = Router(context: EnrolmentContext.self)
        router.add(middleware: OneLineMiddleware(logger: house.logger))
        let est = router.group("/.well-known/est")
        est.get("cacerts") { _, _ in
            Self.bag(CertificateBag.der([authority.certificate]), type: "application/pkcs7-mime")
        }
        est.post("simpleenroll") { request, _ in
            let (gateway, secret) = try credentials(request)
            let body = try await Self.body(request)
            let key = try await house.enrol(gateway, secret: secret, request: try Self.decoded(body))
            await letIn(gateway)
            return try await certificate(gateway, key, isClaimed: true)
        }
        est.post("simplereenroll") { request, context in
            let (gateway, key) = try await peer(context)
            let body = try await Self.body(request)
            let renewed = try await house.renew(
                gateway, key: key, request: try Self.decoded(body), isExpired: false)
            return try await certificate(gateway, renewed)
        }
        est.post("kilomint/reenroll") { request, _ in
            let (gateway, key, der) = try Self.reenrolment(try await Self.body(request))
            return try await certificate(
                gateway, try await house.renew(gateway, key: key, request: der, isExpired: true))
        }
        est.get("kilomint/provision") { request, context in
            let gateway = try await provisioned(request, context)
            let bytes = try await house.provision(
                gateway, authority: authority.pem, brokers: configuration.brokers)
            return Self.answer(bytes, type: "application/cbor")
        }
        return router
    }

    // MARK: - Who asks

    /// HTTP Basic: gateway id and secret.
    private func credentials(_ request: Request) throws(EnrolmentRefusal) -> (Identifier, String) {
        guard let header = request.headers[.authorization], header.utf8.count <= Self.credentialsBytesMax,
            header.lowercased().hasPrefix("basic "), let bytes = [UInt8](base64: String(header.dropFirst(6))),
            let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":"),
            let gateway = Identifier(String(text[..<colon]))
        else { throw .unauthorised }
        let password = String(text[text.index(after: colon)...])
        guard let secret = ClaimCode.secret(reading: password) else { throw .unauthorised }
        return (gateway, secret)
    }

    /// The gateway and key of the certificate that TLS has checked.
    private func peer(_ context: EnrolmentContext) async throws -> (Identifier, [UInt8]) {
        guard let shown = try await context.channel.nioSSL_peerCertificate().get(),
            let peer = PeerCertificate(der: try shown.toDERBytes()), let name = peer.commonName,
            let gateway = Identifier(name)
        else { throw EnrolmentRefusal.noCertificate }
        return (gateway, peer.spki)
    }

    private func provisioned(_ request: Request, _ context: EnrolmentContext) async throws -> Identifier {
        if request.headers[.authorization] != nil {
            let (gateway, secret) = try credentials(request)
            try await house.authenticate(gateway, secret: secret)
            return gateway
        }
        let (gateway, key) = try await peer(context)
        try await house.requireKey(key, of: gateway)
        return gateway
    }

    /// A request whose certificate has expired: in an envelope of the same key.
    private static func reenrolment(_ body: [UInt8]) throws -> (Identifier, key: [UInt8], request: [UInt8]) {
        do {
            let message = try SignedMessage(parsing: body, as: .reenrol, bytesMax: bodyBytesMax)
            let fields = try CBORValue(decoding: message.payload).fields(1...4, "reenrol")
            guard try fields.uint(1) == 1, let gateway = Identifier(try fields.text(2)),
                let request = CertificateRequest(der: try fields.bytes(3))
            else { throw ShapeError("reenrol", expected: "version 1, a gateway id, a request") }
            _ = try fields.int(4)
            let key = try PublicKey(spki: request.spki)
            guard message.isSigned(by: key) else {
                throw EnrolmentRefusal.malformed(
                    "the envelope is not signed by the request's own key: sign it with that")
            }
            return (gateway, request.spki, request.der)
        } catch let refusal as EnrolmentRefusal { throw refusal } catch {
            throw EnrolmentRefusal.malformed(
                "no envelope of type \(ContentType.reenrol.rawValue) with {1: 1, 2: gateway, 3: request, 4: issued at}: \(error)"
            )
        }
    }

    // MARK: - Bodies

    private static func body(_ request: Request) async throws -> [UInt8] {
        let bytes: [UInt8]? = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                do { return Array(try await request.body.collect(upTo: bodyBytesMax).readableBytesView) } catch {
                    throw EnrolmentRefusal(
                        status: .contentTooLarge, text: "the body is cut or has more than \(bodyBytesMax) bytes")
                }
            }
            group.addTask {
                try await Task.sleep(for: bodyDeadline)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let bytes else {
            throw EnrolmentRefusal(status: .requestTimeout, text: "the body took too long: send it at once")
        }
        return bytes
    }

    /// Base64 with or without line breaks (RFC 8951 §3).
    private static func decoded(_ body: [UInt8]) throws(EnrolmentRefusal) -> [UInt8] {
        let plain = body.filter { ![0x0A, 0x0D, 0x20, 0x09].contains($0) }
        guard let der = [UInt8](base64: String(decoding: plain, as: UTF8.self)) else {
            throw .malformed(
                "the body is not base64: send PKCS #10 in DER as base64 (Content-Type: application/pkcs10)")
        }
        return der
    }

    // MARK: - Answers

    private func certificate(
        _ gateway: Identifier, _ key: [UInt8], isClaimed: Bool = false
    ) async throws -> Response {
        try await house.requireRoom(gateway, KeyID.kid(ofSPKI: key), isClaimed: isClaimed)
        let now = await house.realTime()
        let issued = try authority.issueClient(
            gateway.text, spki: key, lifetime: configuration.certificateLifetime, now: now)
        await house.note(
            IssuedCertificate(serial: issued.serial, kid: KeyID.kid(ofSPKI: key), notAfter: issued.notAfter),
            to: gateway)
        return Self.bag(
            CertificateBag.der([issued.certificate]), type: "application/pkcs7-mime; smime-type=certs-only")
    }

    /// Waits until the broker knows the gateway, so that its first connection is not refused; not for ever.
    private func letIn(_ gateway: Identifier) async {
        for _ in 0..<Self.letInSteps {
            if await house.brokerKnows(gateway) { return }
            // Cancelled: the client is gone, nobody waits any more.
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
    }

    private static func bag(_ der: [UInt8], type: String) -> Response {
        var response = answer(Array(CertificateBag.base64Lines(der).utf8), type: type)
        response.headers[HTTPField.Name("Content-Transfer-Encoding")!] = "base64"
        return response
    }

    private static func answer(_ bytes: [UInt8], type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// Whatever goes wrong is one line of text for the person at the gateway.
private struct OneLineMiddleware: RouterMiddleware {
    let logger: Logger

    @concurrent func handle(
        _ request: Request, context: EnrolmentContext,
        next: @concurrent (Request, EnrolmentContext) async throws -> Response
    ) async throws -> Response {
        do { return try await next(request, context) } catch {
            let refusal = refusal(error, request)
            var headers: HTTPFields = [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"]
            if refusal.status == .unauthorized {
                headers[.wwwAuthenticate] = "Basic realm=\"gateway id and the claim's secret\""
            }
            if refusal.status == .tooManyRequests { headers[.retryAfter] = "60" }
            // What follows a body that was not read to its end is no request.
            if refusal.status == .contentTooLarge || refusal.status == .requestTimeout {
                headers[.connection] = "close"
            }
            return Response(
                status: refusal.status, headers: headers,
                body: .init(byteBuffer: ByteBuffer(string: refusal.text + "\n")))
        }
    }

    private func refusal(_ error: any Error, _ request: Request) -> EnrolmentRefusal {
        switch error {
        case let refusal as EnrolmentRefusal: return refusal
        case let error as HTTPError where error.status == .notFound:
            return EnrolmentRefusal(
                status: .notFound, text: "no such route: this port speaks EST below /.well-known/est/")
        case let error as HTTPError:
            return EnrolmentRefusal(status: error.status, text: error.body ?? error.status.reasonPhrase)
        case let error as LogError:
            logger.error("enrolment: \(error)")
            return EnrolmentRefusal(
                status: .serviceUnavailable, text: "the house takes nothing now: try again later, nothing was lost")
        default:
            logger.error("enrolment \(request.uri.path): \(error)")
            return EnrolmentRefusal(
                status: .internalServerError, text: "the house could not do that: the collector's log tells why")
        }
    }
}
