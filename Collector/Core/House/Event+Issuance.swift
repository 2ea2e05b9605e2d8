// Bodies of issuance's events: what was allocated, compared, decided and issued.

package import CBOR
package import Proofs
package import Quantities

extension Event {
    /// What a window's output allocates, and what it leaves over. One event a window.
    package struct AllocationCalculated: EventBody {
        package let window: WindowID
        package let outputDigest: Digest
        /// By (entity, principal).
        package let allocations: [Allocation]
        package let carries: [Carry]

        package init(window: WindowID, outputDigest: Digest, allocations: [Allocation], carries: [Carry]) {
            self.window = window
            self.outputDigest = outputDigest
            self.allocations = allocations
            self.carries = carries
        }

        package var cbor: CBORValue {
            .numbered([
                .text(window.text), .digest(outputDigest), .array(allocations.map { .array($0.fields) }),
                .array(carries.map { .array($0.fields) }),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            let allocations = try fields.value(3).list("body.3", max: Event.listMax) {
                (value, path) throws(ShapeError) in
                try Allocation(value, path)
            }
            let carries = try fields.value(4).list("body.4", max: Event.listMax) { (value, path) throws(ShapeError) in
                try Carry(try value.array(path)[...], path)
            }
            self.init(
                window: try fields.window(1), outputDigest: try fields.digest(2), allocations: allocations,
                carries: carries)
        }
    }

    /// Another process replayed the window from its transcript alone.
    package struct ReplayCompared: EventBody {
        package let window: WindowID
        package let outputDigest: Digest
        /// Nil when the replay came to no output.
        package let replayDigest: Digest?
        package let isEqual: Bool
        /// Where they part, or empty.
        package let text: String

        package init(window: WindowID, outputDigest: Digest, replayDigest: Digest?, isEqual: Bool, text: String) {
            self.window = window
            self.outputDigest = outputDigest
            self.replayDigest = replayDigest
            self.isEqual = isEqual
            self.text = text
        }

        package var cbor: CBORValue {
            .fields([
                (1, .text(window.text)), (2, .digest(outputDigest)), (3, replayDigest.map { .digest($0) } ?? .null),
                (4, .bool(isEqual)), (5, .text(text)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...5, "body")
            let replay = try fields.value(3)
            self.init(
                window: try fields.window(1), outputDigest: try fields.digest(2),
                replayDigest: replay.isNull ? nil : try replay.digest("body.3"),
                isEqual: try fields.value(4).bool("body.4"), text: try fields.shortText(5))
        }
    }

    /// The gate released a principal's amount of a window. Unique on (window, principal).
    package struct IssuanceComplete: EventBody {
        package let window: WindowID
        package let entity: Identifier
        package let principal: Identifier
        package let account: Identifier
        /// Above zero.
        package let amount: Amount
        package let outputDigest: Digest

        package init(
            window: WindowID, entity: Identifier, principal: Identifier, account: Identifier, amount: Amount,
            outputDigest: Digest
        ) {
            self.window = window
            self.entity = entity
            self.principal = principal
            self.account = account
            self.amount = amount
            self.outputDigest = outputDigest
        }

        package var cbor: CBORValue {
            .fields([
                (1, .text(window.text)), (2, .id(entity)), (3, .id(principal)), (4, .id(account)),
                (5, .int(amount.minorUnits)), (6, .digest(outputDigest)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...6, "body")
            self.init(
                window: try fields.window(1), entity: try fields.identifier(2), principal: try fields.identifier(3),
                account: try fields.identifier(4), amount: try fields.value(5).amount("body.5"),
                outputDigest: try fields.digest(6))
        }
    }
}

extension CBORValue {
    /// Minor units, not negative.
    func amount(_ path: String) throws(ShapeError) -> Amount {
        guard case .unsigned(let value) = self, let minorUnits = Int64(exactly: value) else {
            throw ShapeError(path, expected: "an amount in minor units, 0 … 2^63 − 1")
        }
        return Amount(minorUnits: minorUnits)
    }
}
