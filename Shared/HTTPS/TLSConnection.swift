// A TLS connection over a socket that never waits beyond a deadline. One thread, one exchange. Who is believed is TLSClient's.

internal import COpenSSL
internal import Glibc
internal import Keys

/// Not Sendable: everything in it belongs to the thread that made it.
final class TLSConnection {
    private let origin: HTTPSOrigin
    /// Outlives `connection`, whose handshakes look at it.
    let context: TLSContext
    private let connection: OpaquePointer
    private let socket: Int32
    /// Nanoseconds of CLOCK_MONOTONIC.
    private let deadline: Int64
    private let seconds: Int

    /// Connects and lets the server prove itself; throws without having sent anything but a handshake.
    init(_ origin: HTTPSOrigin, client: TLSClient, seconds: Int) throws(HTTPSError) {
        self.origin = origin
        self.seconds = seconds
        deadline = monotonic() + Int64(seconds) * 1_000_000_000
        do throws(TLSProblem) { context = try client.context(for: origin.host) } catch {
            throw .tls(place: origin.description, error)
        }
        let found = try dial(origin, until: deadline, seconds: seconds)
        guard let connection = SSL_new(context.pointer) else {
            close(found)
            throw .library("SSL_new")
        }
        (self.connection, socket) = (connection, found)
        try handshake()
    }

    deinit {
        SSL_free(connection)
        close(socket)
        ERR_clear_error()
    }

    private func handshake() throws(HTTPSError) {
        guard SSL_set_fd(connection, socket) == 1 else { throw .library("SSL_set_fd") }
        while true {
            ERR_clear_error()
            let result = SSL_connect(connection)
            if result == 1 { return }
            guard try mayGoOn(result) else {
                throw problem() ?? .tls(place: origin.description, .handshake(queued() ?? "the connection ended"))
            }
        }
    }

    private func problem() -> HTTPSError? { context.problem.map { .tls(place: origin.description, $0) } }

    private func queued() -> String? {
        let code = ERR_peek_last_error()
        guard code != 0 else { return nil }
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }

    // MARK: Bytes

    func send(_ bytes: [UInt8]) throws(HTTPSError) {
        var sent = 0
        while sent < bytes.count {
            ERR_clear_error()
            let result = bytes.withUnsafeBytes { buffer in
                SSL_write(connection, buffer.baseAddress.map { $0 + sent }, Int32(min(buffer.count - sent, 16_384)))
            }
            if result > 0 {
                sent += Int(result)
            } else if try !mayGoOn(result) {
                // With TLS 1.3 a server refuses a client's certificate after the handshake, with an alert.
                throw problem() ?? .cut(place: origin.description)
            }
        }
    }

    /// What came; empty when the server ended the connection in order.
    func receive() throws(HTTPSError) -> ArraySlice<UInt8> {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        while true {
            // Who sends faster than we read never lets us wait.
            guard monotonic() < deadline else { throw .timeout(place: origin.description, seconds: seconds) }
            ERR_clear_error()
            let result = SSL_read(connection, &bytes, Int32(bytes.count))
            if result > 0 { return bytes[..<Int(result)] }
            if SSL_get_error(connection, result) == SSL_ERROR_ZERO_RETURN { return [] }
            guard try mayGoOn(result) else { throw problem() ?? .cut(place: origin.description) }
        }
    }

    /// Waits for what the call needs. False: it failed.
    private func mayGoOn(_ result: Int32) throws(HTTPSError) -> Bool {
        let events: Int32
        switch SSL_get_error(connection, result) {
        case SSL_ERROR_WANT_READ: events = POLLIN
        case SSL_ERROR_WANT_WRITE: events = POLLOUT
        default: return false
        }
        guard wait(socket, for: events, until: deadline) else {
            throw .timeout(place: origin.description, seconds: seconds)
        }
        return true
    }
}
