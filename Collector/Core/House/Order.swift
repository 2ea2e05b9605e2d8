// Orders of account owners, and the opening of a log's next epoch. What they do is Settlement's and the logs' business.

package import CBOR
package import Evidence
package import Quantities

/// The 16-byte id of a transfer, chosen by who orders it.
package struct TransferID: Hashable, Comparable, Sendable {
    package let bytes: [UInt8]

    /// Nil unless exactly 16 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.bytes = Array(bytes)
    }

    package static func < (a: TransferID, b: TransferID) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        guard let id = Self(try value.bytes(path)) else { throw ShapeError(path, expected: "16 bytes") }
        self = id
    }
}

/// An owner's order to move K$, to hold them, or to post or void a hold.
package struct Order: HousePayload {
    package static let contentType = ContentType.order
    /// Characters of the memo, counted as Unicode scalars.
    package static let memoMax = 140

    /// What becomes of a hold.
    package enum Resolution: Hashable, Sendable {
        case post(TransferID)
        case void(TransferID)
    }

    package let transfer: TransferID
    package let debit: Identifier
    package let credit: Identifier
    /// Minor units, up to 2^63 − 1.
    package let amount: Amount
    package let memo: String
    package let issuedAt: UTCInstant
    /// A hold: reserved, not moved.
    package let isPending: Bool
    package let resolution: Resolution?

    package init(
        transfer: TransferID, debit: Identifier, credit: Identifier, amount: Amount, memo: String, issuedAt: UTCInstant,
        isPending: Bool = false, resolution: Resolution? = nil
    ) {
        self.transfer = transfer
        self.debit = debit
        self.credit = credit
        self.amount = amount
        self.memo = memo
        self.issuedAt = issuedAt
        self.isPending = isPending
        self.resolution = resolution
    }

    package var cbor: CBORValue {
        .numbered([
            .int(1), .bytes(transfer.bytes), .id(debit), .id(credit), .int(amount.minorUnits),
            .text(memo), .ms(issuedAt), isPending ? .bool(true) : nil, resolution?.cbor,
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...9, "order")
        try fields.requireVersion()
        let memo = try fields.shortText(6)
        guard memo.unicodeScalars.count <= Self.memoMax else {
            throw ShapeError("order.6", expected: "at most 140 characters")
        }
        if let pending = fields.optional(8) {
            // Absent means false: one order, one spelling.
            guard try pending.bool("order.8") else { throw ShapeError("order.8", expected: "true, or no key 8") }
        }
        var resolution: Resolution?
        if let item = fields.optional(9) { resolution = try Resolution(item) }
        guard fields.optional(8) == nil || resolution == nil else {
            throw ShapeError("order.9", expected: "no key 9 in the order for a hold")
        }
        self.init(
            transfer: try TransferID(try fields.value(2), "order.2"), debit: try fields.identifier(3),
            credit: try fields.identifier(4), amount: Amount(minorUnits: try fields.number(0...Int64.max, 5)),
            memo: memo,
            issuedAt: try fields.instant(7), isPending: fields.optional(8) != nil, resolution: resolution)
    }
}

extension Order.Resolution {
    fileprivate var cbor: CBORValue {
        switch self {
        case .post(let hold): .array([.int(1), .bytes(hold.bytes)])
        case .void(let hold): .array([.int(2), .bytes(hold.bytes)])
        }
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let parts = try value.array(count: 2, "order.9")
        let hold = try TransferID(parts[1], "order.9[1]")
        self = try parts[0].number(1...2, "order.9[0]") == 1 ? .post(hold) : .void(hold)
    }
}

/// Opens the next epoch of a log that lost its tail.
package struct EpochDocument: HousePayload {
    package static let contentType = ContentType.epoch

    package enum Log: String, Hashable, Sendable {
        case journal
        case evidence
    }

    package let log: Log
    package let endedOrigin: String
    /// The signed note, verbatim; empty when none was ever published.
    package let lastCheckpoint: [UInt8]
    package let openedAt: UTCInstant

    package init(log: Log, endedOrigin: String, lastCheckpoint: [UInt8], openedAt: UTCInstant) {
        self.log = log
        self.endedOrigin = endedOrigin
        self.lastCheckpoint = lastCheckpoint
        self.openedAt = openedAt
    }

    package var cbor: CBORValue {
        .numbered([
            .int(1), .text(log.rawValue), .text(endedOrigin), .bytes(lastCheckpoint), .ms(openedAt),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...5, "epoch")
        try fields.requireVersion()
        guard let log = Log(rawValue: try fields.text(2)) else {
            throw ShapeError("epoch.2", expected: "journal or evidence")
        }
        self.init(
            log: log, endedOrigin: try fields.shortText(3), lastCheckpoint: try fields.bytes(4),
            openedAt: try fields.instant(5))
    }
}
