// Genesis: what a house can never change about itself. The body of the Journal's entry 0; the first checkpoint signs it.

package import CBOR
internal import Evidence
package import Proofs
package import Quantities

/// Mode, asset, grid, roots and first manifest of a house.
package struct Genesis: Hashable, Sendable {
    /// Keys the house signs with, as DER SubjectPublicKeyInfo.
    package struct Keys: Hashable, Sendable {
        /// At least one; sign registrations, manifests, key lists.
        package let roots: [[UInt8]]
        /// Ed25519: checkpoints of both logs.
        package let log: [UInt8]
        package let receipt: [UInt8]
        /// Seals, attestations, gate decisions.
        package let seal: [UInt8]

        package init(roots: [[UInt8]], log: [UInt8], receipt: [UInt8], seal: [UInt8]) {
            self.roots = roots
            self.log = log
            self.receipt = receipt
            self.seal = seal
        }
    }

    /// `K$`, or ending in `-TEST` in replay mode.
    package let asset: String
    package let minorUnitsPerUnit: Int64
    /// Every window starts at anchor + n · cadence.
    package let anchor: UTCInstant
    package let keys: Keys
    /// In force from the anchor.
    package let manifest: Document
    package let clock: HouseClock
    /// `<base>/evidence/<epoch>` and `<base>/journal/<epoch>` are the logs' origins.
    package let originBase: String
    package let tenant: Identifier

    package init(
        asset: String, minorUnitsPerUnit: Int64 = 1_000_000, anchor: UTCInstant, keys: Keys, manifest: Document,
        clock: HouseClock, originBase: String, tenant: Identifier
    ) {
        self.asset = asset
        self.minorUnitsPerUnit = minorUnitsPerUnit
        self.anchor = anchor
        self.keys = keys
        self.manifest = manifest
        self.clock = clock
        self.originBase = originBase
        self.tenant = tenant
    }

    /// 0 real, 1 replay: the number in genesis and in every transcript.
    package var mode: UInt64 { if case .real = clock { 0 } else { 1 } }

    package var encoded: [UInt8] { cbor.encoded() }

    /// Command id of the Journal's first event.
    package var commandID: Digest { Digest(of: Array("genesis".utf8), encoded) }

    package var cbor: CBORValue {
        let replay: CBORValue =
            switch clock {
            case .real: .null
            case .replayed(let start, let speed, let zero): .array([.ms(start), .int(speed), .ms(zero)])
            }
        return .numbered([
            .int(1), .unsigned(mode), .text(asset), .int(minorUnitsPerUnit), .ms(anchor),
            .array(keys.roots.map { .bytes($0) }), manifest.cbor, replay, .text(originBase),
            .id(tenant), .bytes(keys.log), .bytes(keys.receipt), .bytes(keys.seal),
        ])
    }

    package init(decoding bytes: [UInt8]) throws(ShapeError) {
        let fields = try CBORValue.item(bytes, "genesis").fields(1...13, "genesis")
        try fields.requireVersion()
        let roots = try fields.value(6).list("genesis.6", min: 1, max: 16) { (value, path) throws(ShapeError) in
            try value.bytes(path)
        }
        let clock = try HouseClock(try fields.value(8))
        let asset = try fields.shortText(3, bytesMax: 16)
        let mode = try fields.uint(2)
        let isReplay = clock != .real
        guard mode == (isReplay ? 1 : 0) else {
            throw ShapeError("genesis.2", expected: "1 exactly with a replayed clock (key 8)")
        }
        guard asset.hasSuffix("-TEST") == isReplay else {
            throw ShapeError("genesis.3", expected: "an asset that ends in -TEST exactly in replay mode")
        }
        let manifestItem = try fields.value(7)
        let manifest: Document
        do throws(DocumentError) { manifest = try Document(manifestItem, as: .manifest) } catch {
            throw ShapeError("genesis.7", expected: "a manifest document (\(error))")
        }
        self.init(
            asset: asset, minorUnitsPerUnit: try fields.number(1...1_000_000_000, 4), anchor: try fields.instant(5),
            keys: Keys(
                roots: roots, log: try fields.bytes(11), receipt: try fields.bytes(12), seal: try fields.bytes(13)),
            manifest: manifest, clock: clock, originBase: try fields.shortText(9), tenant: try fields.identifier(10))
    }
}

extension HouseClock {
    /// Speeds above this would leave the calendar.
    package static let speedMax: Int64 = 1_000_000

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        guard !value.isNull else {
            self = .real
            return
        }
        let parts = try value.array(count: 3, "genesis.8")
        self = .replayed(
            start: try parts[0].instant("genesis.8[0]"), speed: try parts[1].number(1...Self.speedMax, "genesis.8[1]"),
            zero: try parts[2].instant("genesis.8[2]"))
    }
}
