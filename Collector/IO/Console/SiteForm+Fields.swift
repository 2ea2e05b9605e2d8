// One field of the form, read as exactly one thing; what cannot be read is said beside the field.

internal import CollectorCore
internal import Quantities

extension SiteForm {
    /// Meters that check another at one point.
    static let checkMetersMax = 16

    /// Rows in which something was typed; what is chosen from a list does not count.
    func filledRows(_ kind: String, _ names: [String]) -> [Int] {
        (0..<fields.rows(kind)).filter { row in names.contains { !fields["\(kind).\(row).\($0)"].isEmpty } }
    }

    mutating func text(_ field: String) -> String? {
        let text = fields[field]
        let isClean = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
        guard (1...64).contains(text.utf8.count), isClean else {
            refuse(field, text.isEmpty ? "fill it in" : "1 … 64 bytes without control characters")
            return nil
        }
        return text
    }

    mutating func identifier(_ field: String) -> Identifier? {
        guard let id = Identifier(fields[field]) else {
            refuse(field, fields[field].isEmpty ? "fill it in" : "1 … 40 characters out of a-z 0-9 -")
            return nil
        }
        return id
    }

    /// Separated by commas or blanks; each once.
    mutating func identifiers(_ field: String, except other: Identifier?) -> [Identifier]? {
        var ids: [Identifier] = []
        for word in fields[field].split(whereSeparator: { $0 == "," || $0 == " " }) {
            guard let id = Identifier(String(word)), id != other, !ids.contains(id), ids.count < Self.checkMetersMax
            else {
                refuse(field, "ids with commas between, each once, none the revenue meter")
                return nil
            }
            ids.append(id)
        }
        return ids
    }

    mutating func integer(_ field: String, _ range: ClosedRange<Int64>) -> Int64? {
        guard let number = Self.integer(fields[field][...]), range.contains(number) else {
            refuse(
                field,
                "a whole number \(ConsolePage.grouped(range.lowerBound)) … \(ConsolePage.grouped(range.upperBound))")
            return nil
        }
        return number
    }

    /// A decimal number times 10^digits, exactly.
    mutating func decimal(
        _ field: String, digits: Int, _ range: ClosedRange<Int64>, _ allowed: String
    ) -> Int64? {
        var text = fields[field][...]
        let isNegative = text.first == "-" || text.first == "−"
        if isNegative { text = text.dropFirst() }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : ""
        let padded = String(fraction) + String(repeating: "0", count: max(0, digits - fraction.count))
        guard let whole = parts.first, !whole.isEmpty, fraction.count <= digits,
            parts.count == 1 || !fraction.isEmpty, let number = Self.integer((whole + padded)[...])
        else {
            refuse(field, allowed)
            return nil
        }
        let value = isNegative ? -number : number
        guard range.contains(value) else {
            refuse(field, allowed)
            return nil
        }
        return value
    }

    /// `200/5`, or `40`.
    mutating func ratio(_ field: String) -> (Int64, Int64)? {
        let parts = fields[field].split(separator: "/", omittingEmptySubsequences: false).map {
            Self.integer($0.drop { $0 == " " }.prefix { $0 != " " })
        }
        let range = 1...HouseBounds.ratioMax
        guard (1...2).contains(parts.count), let numerator = parts[0], range.contains(numerator),
            let denominator = parts.count == 2 ? parts[1] : 1, range.contains(denominator)
        else {
            refuse(
                field,
                "such as 200/5, each part 1 … \(ConsolePage.grouped(HouseBounds.ratioMax)); 1 without transformers")
            return nil
        }
        return (numerator, denominator)
    }

    mutating func choice<Choice>(_ field: String, _ choices: [(name: String, value: Choice)]) -> Choice? {
        guard let choice = choices.first(where: { $0.name == fields[field] }) else {
            refuse(field, "choose one")
            return nil
        }
        return choice.value
    }

    /// Digits alone, at most 18 of them.
    private static func integer(_ text: Substring) -> Int64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int64(text)
    }
}
