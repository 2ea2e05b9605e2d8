// A birth: which meters a stream reads and how. The first record of every stream, and again when the reads change.

package import CBOR
package import Proofs
package import Quantities

/// The body of a birth record.
package struct Birth: Hashable, Sendable {
    /// Models of a device's chain, and bytes of a text that a device told. Windows and events carry both: what they could
    /// not carry again must not be understood here, or one gateway would stop every window of its house.
    package static let chainMax = 4096
    package static let deviceTextBytesMax = 1024

    /// The stream before this one, the last number known of it, and why it ended.
    package struct Predecessor: Hashable, Sendable {
        package let stream: StreamID
        package let lastSequence: UInt64
        package let reason: String

        package init(stream: StreamID, lastSequence: UInt64, reason: String) {
            self.stream = stream
            self.lastSequence = lastSequence
            self.reason = reason
        }
    }

    /// A meter behind this gateway.
    package struct Meter: Hashable, Sendable {
        /// One SunSpec model found in the device's chain: absolute wire address of its id register.
        package struct Model: Hashable, Sendable {
            package let id: UInt64
            package let address: UInt64
            package let length: UInt64

            package init(id: UInt64, address: UInt64, length: UInt64) {
                self.id = id
                self.address = address
                self.length = length
            }
        }

        package let index: UInt64
        package let id: Identifier
        package let profileName: String
        package let profileDigest: Digest
        /// As read from the device; empty where the profile has no register for it.
        package let model: String
        package let serial: String
        package let firmware: String
        /// Modbus unit 0 … 255 and endpoint (`tcp://host:port`, device path).
        package let unit: UInt64
        package let endpoint: String
        package let chain: [Model]
        /// Indexes of the reads that are identity and CT/PT/wiring registers.
        package let identityReads: [UInt64]

        package init(
            index: UInt64, id: Identifier, profileName: String, profileDigest: Digest, model: String, serial: String,
            firmware: String, unit: UInt64, endpoint: String, chain: [Model] = [], identityReads: [UInt64] = []
        ) {
            self.index = index
            self.id = id
            self.profileName = profileName
            self.profileDigest = profileDigest
            self.model = model
            self.serial = serial
            self.firmware = firmware
            self.unit = unit
            self.endpoint = endpoint
            self.chain = chain
            self.identityReads = identityReads
        }
    }

    /// One request that is repeated at an interval, and its answer.
    package struct Read: Hashable, Sendable {
        package let index: UInt64
        package let meter: UInt64
        /// Modbus function 3, 4 or 43.
        package let function: UInt64
        /// Wire address, base 0.
        package let address: UInt64
        /// Registers asked for.
        package let count: UInt64
        package let intervalMilliseconds: UInt64

        package init(
            index: UInt64, meter: UInt64, function: UInt64, address: UInt64, count: UInt64, intervalMilliseconds: UInt64
        ) {
            self.index = index
            self.meter = meter
            self.function = function
            self.address = address
            self.count = count
            self.intervalMilliseconds = intervalMilliseconds
        }
    }

    package let agentVersion: String
    package let predecessor: Predecessor?
    package let meters: [Meter]
    package let reads: [Read]
    /// Start and speed of the replayed clock; nil in a real house, which keeps a stream that has it out of windows.
    package let replay: (start: UTCInstant, speed: Int64)?

    package init(
        agentVersion: String, predecessor: Predecessor?, meters: [Meter], reads: [Read],
        replay: (start: UTCInstant, speed: Int64)?
    ) {
        self.agentVersion = agentVersion
        self.predecessor = predecessor
        self.meters = meters
        self.reads = reads
        self.replay = replay
    }

    package static func == (a: Birth, b: Birth) -> Bool {
        a.agentVersion == b.agentVersion && a.predecessor == b.predecessor && a.meters == b.meters
            && a.reads == b.reads && a.replay?.start == b.replay?.start && a.replay?.speed == b.replay?.speed
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(agentVersion)
        hasher.combine(predecessor)
        hasher.combine(meters)
        hasher.combine(reads)
        hasher.combine(replay?.start)
        hasher.combine(replay?.speed)
    }
}

extension Birth {
    package var cbor: CBORValue {
        .fields([
            (1, .text(agentVersion)),
            (
                2,
                predecessor.map { .array([.bytes($0.stream.bytes), .unsigned($0.lastSequence), .text($0.reason)]) }
                    ?? .null
            ),
            (3, .array(meters.map(\.cbor))), (4, .array(reads.map(\.cbor))),
            (5, replay.map { .array([.int($0.start.milliseconds), .int($0.speed)]) }),
        ])
    }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...5, extensible: true, "birth")
        agentVersion = try fields.text(1)
        let before = try fields.value(2)
        predecessor = before.isNull ? nil : try Predecessor(before)
        var meters: [Meter] = []
        for item in try fields.array(3) { meters.append(try Meter(item)) }
        var reads: [Read] = []
        for item in try fields.array(4) { reads.append(try Read(item)) }
        self.meters = meters
        self.reads = reads
        guard let clock = fields.optional(5) else {
            replay = nil
            return
        }
        let parts = try clock.array(count: 2, "birth.5")
        replay = (UTCInstant(milliseconds: try parts[0].int("birth.5[0]")), try parts[1].int("birth.5[1]"))
    }
}

extension Birth.Predecessor {
    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let parts = try value.array(count: 3, "birth.2")
        guard let stream = StreamID(try parts[0].bytes(count: 8, "birth.2[0]")) else {
            throw ShapeError("birth.2[0]", expected: "8 bytes")
        }
        self.init(
            stream: stream, lastSequence: try parts[1].uint("birth.2[1]"), reason: try parts[2].text("birth.2[2]"))
    }
}

extension Birth.Meter {
    fileprivate var cbor: CBORValue {
        .fields([
            (1, .unsigned(index)), (2, .text(id.text)), (3, .text(profileName)), (4, .bytes(profileDigest.bytes)),
            (5, .array([.text(model), .text(serial), .text(firmware)])),
            (6, .array([.unsigned(unit), .text(endpoint)])),
            (
                7,
                chain.isEmpty
                    ? nil
                    : .array(chain.map { .array([.unsigned($0.id), .unsigned($0.address), .unsigned($0.length)]) })
            ),
            (8, identityReads.isEmpty ? nil : .array(identityReads.map { .unsigned($0) })),
        ])
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...8, extensible: true, "meter")
        guard let id = Identifier(try fields.text(2)) else {
            throw ShapeError("meter.2", expected: "1 … 40 characters a-z 0-9 -")
        }
        guard let digest = Digest(try fields.bytes(count: 32, 4)) else {
            throw ShapeError("meter.4", expected: "32 bytes")
        }
        let identity = try fields.array(count: 3, 5)
        let line = try fields.array(count: 2, 6)
        var chain: [Model] = []
        let models = try fields.optional(7)?.array("meter.7") ?? []
        guard models.count <= Birth.chainMax else {
            throw ShapeError("meter.7", expected: "at most \(Birth.chainMax) models")
        }
        for item in models {
            let parts = try item.array(count: 3, "meter.7[]")
            chain.append(
                Model(
                    id: try parts[0].uint("meter.7[][0]"), address: try parts[1].uint("meter.7[][1]"),
                    length: try parts[2].uint("meter.7[][2]")))
        }
        var identityReads: [UInt64] = []
        for item in try fields.optional(8)?.array("meter.8") ?? [] { identityReads.append(try item.uint("meter.8[]")) }
        self.init(
            index: try fields.uint(1), id: id, profileName: try fields.text(3), profileDigest: digest,
            model: try identity[0].deviceText("meter.5[0]"), serial: try identity[1].deviceText("meter.5[1]"),
            firmware: try identity[2].deviceText("meter.5[2]"), unit: try line[0].uint("meter.6[0]"),
            endpoint: try line[1].text("meter.6[1]"), chain: chain, identityReads: identityReads)
    }
}

extension CBORValue {
    fileprivate func deviceText(_ path: String) throws(ShapeError) -> String {
        let value = try text(path)
        guard value.utf8.count <= Birth.deviceTextBytesMax else {
            throw ShapeError(path, expected: "at most \(Birth.deviceTextBytesMax) bytes of text")
        }
        return value
    }
}

extension Birth.Read {
    fileprivate var cbor: CBORValue {
        .array([index, meter, function, address, count, intervalMilliseconds].map { .unsigned($0) })
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let parts = try value.array(count: 6, "read")
        self.init(
            index: try parts[0].uint("read[0]"), meter: try parts[1].uint("read[1]"),
            function: try parts[2].uint("read[2]"),
            address: try parts[3].uint("read[3]"), count: try parts[4].uint("read[4]"),
            intervalMilliseconds: try parts[5].milliseconds("read[5]"))
    }
}
