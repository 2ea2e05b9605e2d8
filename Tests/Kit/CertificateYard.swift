// Certificates of every kind a TLS test needs, made by openssl(1): sound ones, and ones with one fault each.

/// A CA and what it issued, in a directory of its own. `NAME.pem` is a certificate, `NAME.key` its key (PKCS#8, 0600).
package final class CertificateYard: Sendable {
    package let place: TemporaryDirectory

    package init() throws { place = try TemporaryDirectory() }

    package func file(_ name: String) -> String { place.file(name) }

    /// A self-signed CA.
    package func authority(_ name: String = "ca") async throws {
        try await openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj",
            "/CN=\(name)", "-keyout", file("\(name).key"), "-out", file("\(name).pem"))
    }

    /// A certificate of `ca` with the common name `name`.
    ///
    /// - Parameters:
    ///   - alternative: subjectAltName, such as `DNS:localhost,IP:127.0.0.1`.
    ///   - from, to: ASN.1 times such as `20200101000000Z`; default: now and in 30 days.
    ///   - key: an existing key or URI instead of a new one; `engine` and such go into `options`.
    package func issue(
        _ name: String, by ca: String = "ca", alternative: String? = nil, from: String? = nil, to: String? = nil
    ) async throws {
        try await openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)", "-keyout",
            file("\(name).key"), "-out", file("\(name).csr"))
        try await sign(name, by: ca, alternative: alternative, from: from, to: to)
    }

    /// Signs `NAME.csr`.
    package func sign(
        _ name: String, by ca: String = "ca", alternative: String? = nil, from: String? = nil, to: String? = nil
    ) async throws {
        var lines = [
            "[ca]", "default_ca=d", "[d]", "database=\(file("index"))", "new_certs_dir=\(place.path)",
            "rand_serial=yes",
            "default_md=sha256", "policy=p", "unique_subject=no", "copy_extensions=none", "x509_extensions=x", "[p]",
            "commonName=supplied", "[x]", "basicConstraints=critical,CA:FALSE",
        ]
        if let alternative { lines.append("subjectAltName=\(alternative)") }
        try Workplace.write(lines.joined(separator: "\n") + "\n", to: file("\(name).cnf"))
        try Workplace.write("", to: file("index"))
        var words = [
            "ca", "-batch", "-config", file("\(name).cnf"), "-cert", file("\(ca).pem"), "-keyfile", file("\(ca).key"),
            "-in", file("\(name).csr"), "-out", file("\(name).pem"), "-notext",
        ]
        words += from.map { ["-startdate", $0] } ?? []
        words += to.map { ["-enddate", $0] } ?? ["-days", "30"]
        try await openssl(words)
    }

    /// A certificate for a key that only its device has: the CA is given the public half (SPKI).
    package func certify(_ name: String, spki: [UInt8], by ca: String = "ca") async throws {
        try Workplace.write(spki, to: file("\(name).spki"))
        try await openssl("genpkey", "-algorithm", "ed25519", "-out", file("\(name).any"))
        try await openssl(
            "req", "-new", "-key", file("\(name).any"), "-subj", "/CN=\(name)", "-out", file("\(name).csr"))
        try await openssl(
            "pkey", "-pubin", "-inform", "DER", "-in", file("\(name).spki"), "-pubout", "-out", file("\(name).pub"))
        try await openssl(
            "x509", "-req", "-in", file("\(name).csr"), "-CA", file("\(ca).pem"), "-CAkey", file("\(ca).key"),
            "-CAcreateserial", "-force_pubkey", file("\(name).pub"), "-days", "2", "-out", file("\(name).pem"))
    }

    package func openssl(_ words: String...) async throws { try await openssl(words) }

    private func openssl(_ words: [String]) async throws {
        let result = try await run("openssl", words)
        guard result.status == .exited(0) else { throw KitError("openssl \(words): \(result.output)") }
    }
}
