// Certificate requests for tests: DER written by hand, so that each part can be wrong. Real tools make others in Tests/System.

/// PKCS #10 with one common name, or none.
package enum RequestMaker {
    package static func der(
        commonName: String?, spki: [UInt8], isEdwards: Bool, attributes: [UInt8] = [], sign: ([UInt8]) throws -> [UInt8]
    ) rethrows -> [UInt8] {
        let subject = commonName.map { name in
            element(
                0x31, element(0x30, [0x06, 3, 0x55, 0x04, 0x03] + element(0x0C, Array(name.utf8))))
        }
        let info = element(0x30, [0x02, 1, 0] + element(0x30, subject ?? []) + spki + element(0xA0, attributes))
        let signature = try sign(info)
        let algorithm: [UInt8] =
            isEdwards ? [0x06, 3, 0x2B, 0x65, 0x70] : [0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]
        let encoded =
            isEdwards
            ? signature : element(0x30, integer(Array(signature.prefix(32))) + integer(Array(signature.suffix(32))))
        return element(0x30, info + element(0x30, algorithm) + element(0x03, [0] + encoded))
    }

    private static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let digits = bytes.drop { $0 == 0 }
        return element(0x02, (digits.first ?? 0x80 >= 0x80 ? [0] : []) + digits)
    }

    package static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        if count < 0x80 { return [tag, UInt8(count)] + content }
        if count < 0x100 { return [tag, 0x81, UInt8(count)] + content }
        return [tag, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)] + content
    }
}
