// A transfer: one amount from one account to another. Which transfers are allowed is the ledger's business.

package import CBOR
package import Proofs
package import Quantities

extension TransferID: CustomStringConvertible {
    /// Bytes of 0 that ids of credits begin with, and orders' ids must not: everybody can compute the id of a credit
    /// before it is made, and an order that had taken it would keep the credit away for ever.
    private static let creditPrefix = [UInt8](repeating: 0, count: 4)

    /// Of the credit that follows an issuance: four bytes of 0 and the first 12 of SHA-256(its event id ‖ "credit").
    package init(creditFor issuance: Digest) {
        let bytes = Self.creditPrefix + Digest(of: issuance.bytes, Array("credit".utf8)).bytes.prefix(12)
        guard let id = Self(bytes) else { preconditionFailure("four bytes and twelve") }
        self = id
    }

    /// Whether only a credit may have it.
    package var isOfCredit: Bool { bytes.starts(with: Self.creditPrefix) }

    package var description: String { bytes.hex }

    init(cbor value: CBORValue, _ path: String) throws(ShapeError) {
        guard let id = Self(try value.bytes(path)) else { throw ShapeError(path, expected: "16 bytes") }
        self = id
    }
}

/// What a transfer is for. Numbers are hashed: never renumber.
package enum TransferCode: UInt64, Hashable, Sendable, CaseIterable {
    case issuance = 1
    case transfer = 2
    case hold = 3
    case destruction = 4
}

/// What an account must keep to.
package enum AccountRule: UInt64, Hashable, Sendable, CaseIterable {
    /// May go below zero: the issuance account.
    case free = 0
    /// Debits, pending ones included, never exceed credits.
    case debitsWithinCredits = 1
}

/// One amount from `debit` to `credit`. A fact: never edited, only followed by the next one.
package struct Transfer: Hashable, Sendable {
    package let id: TransferID
    package let debit: Identifier
    package let credit: Identifier
    package let amount: Amount
    package let code: TransferCode
    /// What it follows: the event id of an issuance, the identity of an order.
    package let cause: Digest

    package init(
        id: TransferID, debit: Identifier, credit: Identifier, amount: Amount, code: TransferCode, cause: Digest
    ) {
        self.id = id
        self.debit = debit
        self.credit = credit
        self.amount = amount
        self.code = code
        self.cause = cause
    }

    package var cbor: CBORValue {
        .array([
            .bytes(id.bytes), .id(debit), .id(credit), .int(amount.minorUnits), .unsigned(code.rawValue),
            .digest(cause),
        ])
    }

    package init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 6, path)
        guard let code = TransferCode(rawValue: try parts[4].uint(path + "[4]")) else {
            throw ShapeError(path + "[4]", expected: "a code 1 … 4")
        }
        self.init(
            id: try TransferID(cbor: parts[0], path + "[0]"), debit: try parts[1].identifier(path + "[1]"),
            credit: try parts[2].identifier(path + "[2]"), amount: try parts[3].amount(path + "[3]"), code: code,
            cause: try parts[5].digest(path + "[5]"))
    }
}
