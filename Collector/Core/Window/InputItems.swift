// The items of a transcript's inputs, each read strictly from one decoded value.

internal import CBOR
internal import Metering
package import Proofs
internal import Quantities

extension WindowHeader {
    init(_ item: CBORValue) throws(ShapeError) {
        let parts = try item.array(count: 7, "item 0")
        try self.init(
            fields: parts.dropFirst().dropLast(), mode: UInt64(try parts[6].number(0...1, "item 0[6]")), "item 0")
    }

    /// The five elements that inputs and outputs share.
    init(fields: ArraySlice<CBORValue>, mode: UInt64, _ path: String) throws(ShapeError) {
        let parts = Array(fields)
        guard parts.count == 5 else { throw ShapeError(path, expected: "window id, start, end, tenant, asset") }
        self.init(
            window: try WindowID(parts[0], path), start: try parts[1].instant(path), end: try parts[2].instant(path),
            tenant: try parts[3].identifier(path), asset: try parts[4].shortText(path, bytesMax: 16), mode: mode)
    }
}

/// Elements 1 and 2 of an item of three: a digest and bytes.
private func content(_ item: CBORValue, _ path: String) throws(ShapeError) -> (digest: Digest, bytes: [UInt8]) {
    let parts = try item.array(count: 3, path)
    return (try parts[1].digest(path), try parts[2].bytes(path))
}

extension ManifestInput {
    init(_ item: CBORValue) throws(ShapeError) {
        let (id, payload) = try content(item, "item 1")
        guard Digest(of: payload) == id else { throw ShapeError("item 1", expected: "the digest of its payload") }
        self.init(id: id, payload: payload, manifest: try Manifest(decoding: payload))
    }
}

extension RegisteredDocument {
    init(_ item: CBORValue) throws(ShapeError) {
        let (id, payload) = try content(item, "item 2")
        guard Digest(of: payload) == id else { throw ShapeError("item 2", expected: "the digest of its payload") }
        let registration = try Registration(decoding: payload)
        guard (3...5).contains(registration.body.kind) else {
            throw ShapeError("item 2", expected: "an entity, a metering point or a meter")
        }
        self.init(id: id, payload: payload, registration: registration)
    }
}

extension ProfileInput {
    init(_ item: CBORValue) throws(ShapeError) {
        let (digest, bytes) = try content(item, "item 3")
        guard Digest(of: bytes) == digest else { throw ShapeError("item 3", expected: "the digest of its bytes") }
        guard let input = ProfileInput(digest: digest, bytes: bytes) else {
            throw ShapeError("item 3", expected: "a meter profile")
        }
        self = input
    }

    /// Nil when the bytes are not a profile of ours.
    package init?(digest: Digest, bytes: [UInt8]) {
        do { self.init(digest: digest, bytes: bytes, profile: try Profile(decoding: bytes)) } catch { return nil }
    }
}

extension Carry {
    init(_ parts: ArraySlice<CBORValue>, _ path: String) throws(ShapeError) {
        let parts = Array(parts)
        guard parts.count == 4 else { throw ShapeError(path, expected: "entity, asset, numerator, denominator") }
        self.init(
            entity: try parts[0].identifier(path), asset: try parts[1].shortText(path, bytesMax: 16),
            numerator: try parts[2].int(path), denominator: try parts[3].number(1...HouseBounds.rateMax, path))
    }
}

extension CounterOpening {
    init(_ parts: ArraySlice<CBORValue>, _ path: String) throws(ShapeError) {
        let parts = Array(parts)
        guard parts.count == 9 else { throw ShapeError(path, expected: "nine elements") }
        guard let quantity = ObisCode(try parts[2].text(path)) else { throw ShapeError(path, expected: "an OBIS code") }
        let fraction = try parts[5].array(count: 2, path)
        let (numerator, denominator) = (try fraction[0].uint(path), try fraction[1].uint(path))
        guard let unit = Rational(numerator, denominator), unit.numerator == numerator, unit.denominator == denominator
        else {
            throw ShapeError(path, expected: "a unit in lowest terms")
        }
        self.init(
            key: CounterKey(
                meteringPoint: try parts[0].identifier(path), meter: try parts[1].identifier(path), quantity: quantity),
            epoch: try parts[3].uint(path), count: try parts[4].uint(path), unit: unit,
            time: try parts[6].instant(path),
            record: try parts[7].digest(path), sampleIndex: try parts[8].uint(path))
    }
}

extension EntitySpan {
    init(_ item: CBORValue) throws(ShapeError) {
        let parts = try item.array(count: 5, "item 6")
        let late = try parts[4].identifiers("item 6[4]")
        guard late.isStrictlyAscending else { throw ShapeError("item 6[4]", expected: "gateways in order, none twice") }
        self.init(
            entity: try parts[1].identifier("item 6[1]"), settledFrom: try parts[2].instant("item 6[2]"),
            completeThrough: try parts[3].instant("item 6[3]"), late: late)
    }
}

extension ReadInput {
    init(_ item: CBORValue, number: Int) throws(ShapeError) {
        let parts = try item.array(count: 12, "item 7")
        guard try parts[1].uint("item 7[1]") == UInt64(number) else {
            throw ShapeError("item 7[1]", expected: "\(number)")
        }
        let texts = try parts[9].array(count: 3, "item 7[9]")
        self.init(
            meter: try parts[2].identifier("item 7[2]"), profile: try parts[3].digest("item 7[3]"),
            function: try parts[4].uint("item 7[4]"), address: try parts[5].uint("item 7[5]"),
            count: try parts[6].uint("item 7[6]"), interval: try parts[7].uint("item 7[7]"),
            chain: try parts[8].list("item 7[8]") { (value, path) throws(ShapeError) in
                let parts = try value.array(count: 3, path)
                return SunSpecEntry(
                    model: try parts[0].uint(path), address: try parts[1].uint(path), length: try parts[2].uint(path))
            },
            model: try texts[0].shortText("item 7[9][0]"), serial: try texts[1].shortText("item 7[9][1]"),
            firmware: try texts[2].shortText("item 7[9][2]"), birth: try parts[10].digest("item 7[10]"),
            index: try parts[11].uint("item 7[11]"))
    }
}

extension StatementInput {
    init(_ item: CBORValue) throws(ShapeError) {
        let (identity, payload) = try content(item, "item 9")
        self.init(identity: identity, payload: payload, statement: try SourceStatement(decoding: payload))
    }
}

extension ReviewInput {
    init(_ item: CBORValue) throws(ShapeError) {
        let (identity, payload) = try content(item, "item 10")
        self.init(identity: identity, payload: payload, review: try Review(decoding: payload))
    }
}

extension Lift {
    init(_ parts: ArraySlice<CBORValue>, _ path: String) throws(ShapeError) {
        let parts = Array(parts)
        guard parts.count == 5 else { throw ShapeError(path, expected: "five elements") }
        let source = try SourceKind(parts[2], path)
        guard source == .auditor || source == .gridOperator else { throw ShapeError(path, expected: "A or D") }
        self.init(
            meteringPoint: try parts[0].identifier(path), day: try parts[1].instant(path), source: source,
            statement: try parts[3].digest(path), agreement: try parts[4].ppm(path))
    }
}
