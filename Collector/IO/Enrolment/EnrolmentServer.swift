// The enrolment port: TLS 1.3 with a certificate that the CA makes at each start, clients' certificates checked if shown.

internal import Evidence
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Keys
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import Quantities
internal import ServiceLifecycle

enum EnrolmentServer {
    /// Gateways come one after the other; more at once than this wait in the kernel.
    static let connectionsMax = 64
    static let headerBytesMax = 8192
    static let headersMax = 32
    /// Without a whole request header for so long a connection is cut.
    static let idleTimeout: TimeAmount = .seconds(10)
    /// A connection is cut after this, whatever it still asks: a few that never end would keep all others out. A gateway makes
    /// one for each request.
    static let connectionTime: TimeAmount = .seconds(30)

    static func make(
        _ configuration: EnrolmentConfiguration, _ house: House, _ logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws -> some ApplicationProtocol {
        let now = await house.realTime()
        let authority = try CertificateAuthority.load(
            certificate: configuration.authority, key: configuration.authorityKey, now: now)
        await house.prepareEnrolment(configuration, authority)
        let routes = EnrolmentRoutes(house: house, authority: authority, configuration: configuration)
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionEnd(after: connectionTime)],
            idleTimeout: idleTimeout,
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headerBytesMax, maxHeaderListSize: headerBytesMax, maxHeaderFieldCount: headersMax))
        return Application(
            router: routes.router(),
            server: try .tls(.http1(configuration: http), tlsConfiguration: try tls(configuration, authority, now)),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "kilomint",
                availableConnectionsDelegate: MaximumAvailableConnections(connectionsMax)),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) }, logger: logger)
    }

    /// The server's key lives in memory only.
    private static func tls(
        _ configuration: EnrolmentConfiguration, _ authority: CertificateAuthority, _ now: UTCInstant
    ) throws -> TLSConfiguration {
        let key = try PrivateKey.generate(.es256)
        let issued = try authority.issueServer(configuration.serverNames, spki: key.publicKey.spki, now: now)
        let own = try NIOSSLCertificate(bytes: issued.certificate, format: .der)
        let root = try NIOSSLCertificate(bytes: authority.certificate, format: .der)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(own), .certificate(root)],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: try key.encodedPEM(), format: .pem)))
        tls.minimumTLSVersion = .tlsv13
        tls.certificateVerification = .optionalVerification
        tls.trustRoots = .certificates([root])
        // BoringSSL takes no Ed25519 unless it is named: a gateway with such a key would show no certificate.
        tls.verifySignatureAlgorithms = [.ecdsaSecp256R1Sha256, .ed25519]
        return tls
    }
}

/// Ends its connection at a time, from the first byte of TLS on.
private final class ConnectionEnd: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let time: TimeAmount
    private var end: Scheduled<Void>?

    init(after time: TimeAmount) { self.time = time }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        end = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }
}
