// Bodies of settlement's and governance's events.

package import CBOR
package import Quantities

extension Event {
    package struct AccountOpened: EventBody {
        package let account: Identifier
        /// Nil for the house's own accounts.
        package let principal: Identifier?
        package let entity: Identifier?
        package let rule: AccountRule

        package init(account: Identifier, principal: Identifier?, entity: Identifier?, rule: AccountRule) {
            self.account = account
            self.principal = principal
            self.entity = entity
            self.rule = rule
        }

        package var cbor: CBORValue {
            .fields([
                (1, .id(account)), (2, principal.map { .id($0) } ?? .null), (3, entity.map { .id($0) } ?? .null),
                (4, .unsigned(rule.rawValue)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            let (principal, entity) = (try fields.value(2), try fields.value(3))
            guard let rule = AccountRule(rawValue: try fields.uint(4)) else {
                throw ShapeError("body.4", expected: "a rule 0 or 1")
            }
            self.init(
                account: try fields.identifier(1),
                principal: principal.isNull ? nil : try principal.identifier("body.2"),
                entity: entity.isNull ? nil : try entity.identifier("body.3"), rule: rule)
        }
    }

    /// What was issued stands in the ledger.
    package struct AccountCredited: EventBody {
        package let transfer: Transfer

        package init(transfer: Transfer) { self.transfer = transfer }

        package var cbor: CBORValue { .fields([(1, .some(transfer.cbor))]) }

        init(_ value: CBORValue) throws(ShapeError) {
            transfer = try Transfer(try value.fields(1...1, "body").value(1), "body.1")
        }
    }

    /// A transfer or a hold with the order it follows.
    package struct Ordered: EventBody {
        package let transfer: Transfer
        package let order: [UInt8]

        package init(transfer: Transfer, order: [UInt8]) {
            self.transfer = transfer
            self.order = order
        }

        package var cbor: CBORValue { .fields([(1, .some(transfer.cbor)), (2, .bytes(order))]) }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...2, "body")
            self.init(transfer: try Transfer(try fields.value(1), "body.1"), order: try fields.bytes(2))
        }
    }

    /// A hold ended: posted in whole or in part, or voided.
    package struct HoldResolved: EventBody {
        /// Its amount is what was posted; 0 when voided.
        package let transfer: Transfer
        package let order: [UInt8]
        package let hold: TransferID

        package init(transfer: Transfer, order: [UInt8], hold: TransferID) {
            self.transfer = transfer
            self.order = order
            self.hold = hold
        }

        package var cbor: CBORValue {
            .fields([(1, .some(transfer.cbor)), (2, .bytes(order)), (3, .bytes(hold.bytes))])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...3, "body")
            self.init(
                transfer: try Transfer(try fields.value(1), "body.1"), order: try fields.bytes(2),
                hold: try TransferID(cbor: try fields.value(3), "body.3"))
        }
    }

    /// An authentic order was decided against, once and for all.
    package struct TransferRefused: EventBody {
        package let order: [UInt8]
        /// ``TransferRefusal``, or a number a later version gave.
        package let code: UInt64

        package init(order: [UInt8], code: UInt64) {
            self.order = order
            self.code = code
        }

        package var cbor: CBORValue { .fields([(1, .bytes(order)), (2, .unsigned(code))]) }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...2, "body")
            self.init(order: try fields.bytes(1), code: try fields.uint(2))
        }
    }

    /// Voting weights as far as they are known.
    package struct WeightCalculated: EventBody {
        package struct Weight: Hashable, Sendable {
            package let entity: Identifier
            /// Verified since the year began, not below zero.
            package let production: Energy
            package let population: Int64
            /// Of together 1 000 000.
            package let units: Int64

            package init(entity: Identifier, production: Energy, population: Int64, units: Int64) {
                self.entity = entity
                self.production = production
                self.population = population
                self.units = units
            }
        }

        /// The window after which they were calculated.
        package let window: WindowID
        package let isPreliminary: Bool
        /// By entity.
        package let weights: [Weight]

        package init(window: WindowID, isPreliminary: Bool, weights: [Weight]) {
            self.window = window
            self.isPreliminary = isPreliminary
            self.weights = weights
        }

        package var cbor: CBORValue {
            .fields([
                (1, .text(window.text)), (2, .bool(isPreliminary)),
                (
                    3,
                    .array(
                        weights.map {
                            .array([.id($0.entity), .int($0.production.wattHours), .int($0.population), .int($0.units)])
                        })
                ),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...3, "body")
            let weights = try fields.value(3).list("body.3", min: 1, max: Event.listMax) {
                (value, path) throws(ShapeError) in
                let parts = try value.array(count: 4, path)
                return Weight(
                    entity: try parts[0].identifier(path + "[0]"),
                    production: Energy(wattHours: try parts[1].number(0...Int64.max, path + "[1]")),
                    population: try parts[2].number(0...Int64.max, path + "[2]"),
                    units: try parts[3].ppm(path + "[3]"))
            }
            self.init(
                window: try fields.window(1), isPreliminary: try fields.value(2).bool("body.2"), weights: weights)
        }
    }
}
