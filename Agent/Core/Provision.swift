// What the operator says to a gateway together with its certificate (docs/formats/evidence.md, Enrolment). Decoding only.

internal import CBOR
package import Quantities

/// Why an answer is no provision.
package struct ProvisionError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

/// `application/cbor` of `GET /.well-known/est/kilomint/provision`.
package struct Provision: Hashable, Sendable {
    /// Brokers of one list.
    package static let brokersMax = 8

    package struct Broker: Hashable, Sendable {
        package let host: String
        package let port: Int
    }

    package let gateway: Identifier
    /// The envelope as signed by the root.
    package let keyList: [UInt8]
    /// SubjectPublicKeyInfo of the root key.
    package let root: [UInt8]
    /// In order.
    package let brokers: [Broker]
    /// PEM.
    package let cas: String
    package let serverTime: UTCInstant
    package let configuration: String?

    package init(decoding bytes: [UInt8]) throws(ProvisionError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: bytes) } catch { throw ProvisionError(description: "\(error)") }
        do throws(ShapeError) {
            let fields = try item.fields(1...8, extensible: true, "provision")
            guard try fields.uint(1) == 1 else { throw ShapeError("provision.1", expected: "version 1") }
            guard let gateway = Identifier(try fields.text(2)) else {
                throw ShapeError("provision.2", expected: "1 … 40 characters a-z 0-9 -")
            }
            var brokers: [Broker] = []
            for item in try fields.array(5) {
                let parts = try item.array(count: 2, "provision.5[]")
                brokers.append(try Self.broker(parts))
            }
            guard (1...Self.brokersMax).contains(brokers.count) else {
                throw ShapeError("provision.5", expected: "1 … \(Self.brokersMax) brokers")
            }
            self.brokers = brokers
            self.gateway = gateway
            keyList = try fields.bytes(3)
            root = try fields.bytes(4)
            cas = try fields.text(6)
            serverTime = UTCInstant(milliseconds: try fields.int(7))
            configuration = try fields.optional(8)?.text("provision.8")
        } catch { throw ProvisionError(description: error.description) }
    }

    /// A host becomes part of a file and of a command for a resolver: letters, digits and what names and addresses have.
    private static func broker(_ parts: [CBORValue]) throws(ShapeError) -> Broker {
        let host = try parts[0].text("provision.5[][0]")
        let isPlain = host.utf8.allSatisfy { byte in
            (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x5F].contains(byte)
        }
        guard (1...253).contains(host.utf8.count), isPlain else {
            throw ShapeError("provision.5[][0]", expected: "a name or an address")
        }
        return Broker(host: host, port: try parts[1].int(in: 1...65_535, "provision.5[][1]"))
    }
}
