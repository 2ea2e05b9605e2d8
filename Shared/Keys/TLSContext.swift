// One SSL_CTX made from a TLSClient, and what was learned while it shook hands. Opens no sockets: libmosquitto does, or
// whoever calls SSL_new with ``pointer``.

internal import COpenSSL
internal import Glibc
internal import Quantities

/// Belongs to the thread that shakes hands with it; must outlive every connection made from it.
package final class TLSContext {
    /// The SSL_CTX. Whoever keeps it longer than this object takes a reference of its own, and no more handshakes.
    package let pointer: OpaquePointer
    /// Why a handshake failed; the first reason is the true one. Make another context for the next attempt.
    package private(set) var problem: TLSProblem?
    /// The other side's certificate once it was verified.
    package private(set) var peer: Certificate?
    /// Ours, as shown.
    package let own: Certificate?
    /// The CA that was found by its fingerprint: to be kept once the enrolment has worked.
    package private(set) var authority: Certificate?

    /// Our half of the handshake is done; the other side may still refuse our certificate.
    package private(set) var isShaken = false

    private let name: String
    private let trust: TLSClient.Trust
    private let time: TLSClient.Time
    private let trusted: String

    /// No certificate of ours was issued before; a clock that says so is wrong.
    private static let sane = UTCInstant(milliseconds: 1_767_225_600_000)  // 2026-01-01T00:00:00Z

    init(_ client: TLSClient, name: String) throws(TLSProblem) {
        self.name = name
        trust = client.trust
        time = client.time()
        let authorities = try client.authorities()
        let chain = try client.ownCertificates()
        trusted = authorities.map(\.subject).joined(separator: " and ")
        own = chain.first
        guard let pointer = SSL_CTX_new(TLS_client_method()) else { throw .library(call: "SSL_CTX_new") }
        self.pointer = pointer
        guard kilomint_tls13_only(pointer) == 1 else { throw .library(call: "SSL_CTX_set_min_proto_version") }
        kilomint_release_buffers(pointer)
        try believe(authorities)
        try verify(name)
        if let identity = client.identity { try show(chain, identity.key) }
        // The callbacks find this object here; they are only called in handshakes, and those end before it does.
        let own = Unmanaged.passUnretained(self).toOpaque()
        SSL_CTX_set_ex_data(pointer, 0, own)
        SSL_CTX_set_cert_verify_callback(pointer, { judgePeer($0, $1) }, own)
        SSL_CTX_set_info_callback(pointer) { observe($0, $1, $2) }
    }

    deinit {
        SSL_CTX_set_info_callback(pointer, nil)
        SSL_CTX_free(pointer)
    }

    // MARK: Set up

    private func believe(_ authorities: [Certificate]) throws(TLSProblem) {
        let store = SSL_CTX_get_cert_store(pointer)
        for certificate in authorities {
            guard let parsed = certificate.parsed() else { throw .library(call: "d2i_X509") }
            defer { X509_free(parsed) }
            guard X509_STORE_add_cert(store, parsed) == 1 else { throw .library(call: "X509_STORE_add_cert") }
        }
    }

    private func verify(_ name: String) throws(TLSProblem) {
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        guard let parameters = SSL_CTX_get0_param(pointer) else { throw .library(call: "SSL_CTX_get0_param") }
        let isSet =
            isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name)
            : X509_VERIFY_PARAM_set1_host(parameters, name, name.utf8.count)
        guard isSet == 1 else { throw .library(call: "X509_VERIFY_PARAM_set1_host") }
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        // What stands in the file is believed as it is, self-signed or not.
        X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        X509_VERIFY_PARAM_set_time(parameters, time_t(time.instant.milliseconds / 1000))
    }

    private var isAddress: Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, name, &bytes) == 1 || inet_pton(AF_INET6, name, &bytes) == 1
    }

    private func show(_ chain: [Certificate], _ key: PrivateKey) throws(TLSProblem) {
        defer { ERR_clear_error() }
        for (index, certificate) in chain.enumerated() {
            guard let parsed = certificate.parsed() else { throw .library(call: "d2i_X509") }
            defer { X509_free(parsed) }
            guard index > 0 else {
                guard SSL_CTX_use_certificate(pointer, parsed) == 1 else {
                    throw .unverified(subject: certificate.subject, reason: "OpenSSL does not accept its key")
                }
                continue
            }
            guard kilomint_add_chain_certificate(pointer, parsed) == 1 else {
                throw .library(call: "SSL_CTX_add1_chain_cert")
            }
        }
        guard key.use(in: pointer) else { throw .otherKey(subject: chain.first?.subject ?? "") }
    }

    // MARK: Handshake

    /// 1 when the other side is who it should be.
    fileprivate func judge(_ context: OpaquePointer) -> Int32 {
        if case .atLeast = time {
            // Only a lower bound of the time is known: a beginning that lies after it may have passed long ago.
            X509_STORE_CTX_set_verify_cb(context) { holds, context in
                X509_STORE_CTX_get_error(context) == X509_V_ERR_CERT_NOT_YET_VALID ? 1 : holds
            }
        }
        var result: Int32 = 0
        if case .fingerprint(let beginning) = trust {
            guard let root = sentRoot(context, beginning) else {
                X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_UNTRUSTED)
                fail(.wrongFingerprint(sent: sent(context)))
                return 0
            }
            result = kilomint_verify_with_root(context, root)
            authority = Certificate(root)
        } else {
            result = X509_verify_cert(context)
        }
        guard result == 1 else {
            fail(reason(context))
            return 0
        }
        peer = X509_STORE_CTX_get0_cert(context).flatMap { Certificate($0) }
        return 1
    }

    private func sentRoot(_ context: OpaquePointer, _ beginning: [UInt8]) -> OpaquePointer? {
        guard beginning.count >= 16 else { return nil }
        for index in 0..<kilomint_sent_count(context) {
            guard let sent = kilomint_sent(context, index), let certificate = Certificate(sent) else { continue }
            if certificate.fingerprint.starts(with: beginning) { return sent }
        }
        return nil
    }

    private func sent(_ context: OpaquePointer) -> String {
        (0..<kilomint_sent_count(context)).compactMap {
            kilomint_sent(context, $0).flatMap { Certificate($0)?.subject }
        }
        .joined(separator: ", ")
    }

    private func reason(_ context: OpaquePointer) -> TLSProblem {
        let error = X509_STORE_CTX_get_error(context)
        let certificate = X509_STORE_CTX_get_current_cert(context).flatMap { Certificate($0) }
        let leaf = X509_STORE_CTX_get0_cert(context).flatMap { Certificate($0) }
        let (subject, now) = (certificate?.subject ?? "(unreadable)", time.instant)
        switch error {
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID:
            guard let certificate else { break }
            if now < Self.sane { return .clock(now: now) }
            return error == X509_V_ERR_CERT_HAS_EXPIRED
                ? .expired(subject: subject, notAfter: certificate.notAfter, now: now)
                : .notYetValid(subject: subject, notBefore: certificate.notBefore, now: now)
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return .wrongName(asked: name, subject: leaf?.subject ?? subject, names: leaf?.names ?? "")
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return .unknownAuthority(
                subject: leaf?.subject ?? subject, issuer: leaf?.issuer ?? "nobody", trusted: trusted)
        default: break
        }
        return .unverified(subject: subject, reason: String(cString: X509_verify_cert_error_string(Int(error))))
    }

    private func fail(_ new: TLSProblem) {
        if problem == nil { problem = new }
    }

    fileprivate func sees(alert: Int32) {
        fail(
            .refused(alert: UInt8(truncatingIfNeeded: alert), words: String(cString: SSL_alert_desc_string_long(alert)))
        )
    }

    fileprivate func ends() { isShaken = true }

    /// SNI is a name, never an address (RFC 6066 §3): libmosquitto is given an address and would put that there.
    fileprivate func begins(_ connection: OpaquePointer) {
        _ = kilomint_set_server_name(connection, isAddress ? nil : name)
    }
}

extension TLSClient.Time {
    /// The machine's clock, believed.
    package static var machine: TLSClient.Time {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return .clock(UTCInstant(milliseconds: Int64(now.tv_sec) * 1000))
    }
}

/// `pointer` is what was given to SSL_CTX_set_cert_verify_callback: unretained, see ``TLSContext``.
private func judgePeer(_ context: OpaquePointer?, _ pointer: UnsafeMutableRawPointer?) -> Int32 {
    guard let context, let pointer else { return 0 }
    return Unmanaged<TLSContext>.fromOpaque(pointer).takeUnretainedValue().judge(context)
}

private func observe(_ connection: OpaquePointer?, _ place: Int32, _ value: Int32) {
    guard let connection, let pointer = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), 0) else { return }
    let context = Unmanaged<TLSContext>.fromOpaque(pointer).takeUnretainedValue()
    if place & SSL_CB_HANDSHAKE_START != 0, SSL_is_init_finished(connection) == 0 { context.begins(connection) }
    if place & SSL_CB_HANDSHAKE_DONE != 0 { context.ends() }
    // The farewell (close notify, 0) is no problem.
    if place & (SSL_CB_ALERT | SSL_CB_READ) == SSL_CB_ALERT | SSL_CB_READ, value & 0xFF != 0 {
        context.sees(alert: value)
    }
}
