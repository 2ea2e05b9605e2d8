// What enrolment leaves on the gateway: a folder that is replaced as a whole, and what its files say. Whose word they are
// was checked before they were written (Enrolment); the key list's signature is checked each time it is read.

internal import Glibc
package import HTTPS
package import Keys
package import Settings

/// `gateway.crt`, `ca.pem`, `key-list.cbor`, `root.spki`, `brokers.yaml`.
package struct EnrolledFolder: Hashable, Sendable {
    /// Brokers of one list.
    package static let brokersMax = 8

    package struct Broker: Hashable, Sendable {
        package let host: String
        package let port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    package let path: String

    package init(_ path: String) { self.path = path }

    /// PEM: the gateway's certificate.
    package var certificate: String { path + "/gateway.crt" }
    /// PEM: what the brokers' and the enrolment server's certificates must lead to.
    package var ca: String { path + "/ca.pem" }
    /// The operator's signed key list.
    package var keyList: String { path + "/key-list.cbor" }
    /// The operator's root key: SPKI in hexadecimal.
    package var root: String { path + "/root.spki" }
    package var brokersFile: String { path + "/brokers.yaml" }
    /// Where renewals ask: a URL.
    package var serverFile: String { path + "/server" }

    /// Nil when there is none that can be read: then the gateway has to enroll.
    package var ownCertificate: Certificate? { certificates(certificate)?.first }
    package var cas: [Certificate]? { certificates(ca) }
    package var server: HTTPSOrigin? {
        // As above.
        do { return try HTTPSOrigin(reading: try SmallFile.text(serverFile), port: 8443) } catch { return nil }
    }

    private func certificates(_ path: String) -> [Certificate]? {
        do { return try Certificate.all(path: path) } catch { return nil }  // As above.
    }

    /// Changes whenever the folder is replaced, or a file in it; nil while there is none.
    package var stamp: Stamp? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return Stamp(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), seconds: Int64(status.st_mtim.tv_sec),
            nanoseconds: Int64(status.st_mtim.tv_nsec))
    }

    package struct Stamp: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
        let seconds: Int64
        let nanoseconds: Int64
    }

    /// In order: the first that can be reached is used.
    package func brokers() throws(SettingsError) -> [Broker] {
        let map = try SettingsFile.load(path: brokersFile)
        var brokers: [Broker] = []
        for item in try map.value("brokers").list(count: 1...Self.brokersMax) {
            let broker = try item.map()
            brokers.append(
                Broker(
                    host: try broker.value("host").text(1...253), port: try broker.value("port").int(in: 1...65_535)))
        }
        try map.finish()
        return brokers
    }

    /// The file that ``brokers()`` reads.
    package static func text(_ brokers: [Broker]) -> String {
        "# Written by enrolment; the next renewal replaces it.\nbrokers:\n"
            + brokers.map { "  - {host: \"\($0.host)\", port: \($0.port)}\n" }.joined()
    }
}
