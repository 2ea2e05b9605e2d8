// A profile around one quantity at register 0, for tests of decoding alone.

import Metering
import Settings

enum OneQuantity {
    /// - Parameter fields: What follows the place in the YAML map: `type: u16, scale: 1`.
    static func profile(
        counter isCounter: Bool = false, limits: String = "registers-max: 125, gap-max: 8", _ fields: String
    ) throws -> Profile {
        let head =
            isCounter
            ? "obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import"
            : "obis: 1-0:16.7.0, kind: gauge, unit: W" + (fields.contains("direction") ? "" : ", direction: import")
        let yaml = """
            profile: test/one
            revision: 1
            vendor: test
            models: [one]
            level: driver
            source: {document: none, revision: none, place: none}
            limits: {\(limits), pause: 0ms, timeout: 1s}
            identity: {}
            quantities:
              - {\(head), function: 3, address: 0, \(fields)}

            """
        return try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "one.yaml"))
    }

    /// What `words` decode to.
    static func value(counter isCounter: Bool = false, _ fields: String, _ words: [UInt8]) throws -> DecodedValue {
        let profile = try profile(counter: isCounter, fields)
        let request = ReadRequest(function: 3, address: 0, count: UInt16(words.count / 2))
        let decoded = ReadDecoder(profile, request).decode(words)
        precondition(decoded.count == 1, "the words are too few for the quantity")
        return decoded[0].value
    }
}
