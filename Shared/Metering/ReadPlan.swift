// From wanted quantities to requests: few, never through a hole, never splitting what must be read together.

/// One Modbus read: function 3 or 4, first register, number of registers.
package struct ReadRequest: Hashable, Comparable, Sendable {
    package let function: UInt8
    package let address: UInt16
    package let count: UInt16

    package init(function: UInt8, address: UInt16, count: UInt16) {
        self.function = function
        self.address = address
        self.count = count
    }

    /// By function, address, count: the order of a plan.
    package static func < (a: ReadRequest, b: ReadRequest) -> Bool {
        (a.function, a.address, a.count) < (b.function, b.address, b.count)
    }
}

/// A request and what it is for.
package struct PlannedRead: Hashable, Sendable {
    package let request: ReadRequest
    /// Empty in an identity plan.
    package let quantities: [ObisCode]
    /// Empty in a quantity plan.
    package let identity: [Identity.Role]
}

/// Why a profile and a device do not go together.
package enum PlanError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownQuantity(ObisCode)
    /// The device's chain lacks a model the profile needs.
    case modelMissing(UInt16)
    /// The device's model has a length the profile does not know: another layout.
    case modelLength(UInt16, found: UInt16)
    /// The model stands so high that the value would lie above register 65 535.
    case beyondAddressSpace(UInt16)
    /// At the address where the device has the model, a value lies in a hole.
    case inHole(UInt16)

    package var description: String {
        switch self {
        case .unknownQuantity(let obis): "the profile has no quantity \(obis); remove it from `quantities`"
        case .modelMissing(let model): "the device has no SunSpec model \(model); choose another profile"
        case .modelLength(let model, let found):
            "the device's SunSpec model \(model) has length \(found), which the profile does not list"
        case .beyondAddressSpace(let model): "the device's SunSpec model \(model) ends above register 65535"
        case .inHole(let address): "register \(address) lies in a hole of the profile"
        }
    }
}

extension Profile {
    /// The reads for `wanted`, sorted. Each quantity stands whole, with its scale factor, in exactly one of them.
    ///
    /// - Parameter chain: What ``SunSpecWalk`` found; empty for other devices.
    package func plan(_ wanted: [ObisCode], chain: [SunSpecModel] = []) throws(PlanError) -> [PlannedRead] {
        try check(chain)
        var items: [PlanItem] = []
        for obis in Set(wanted).sorted() {
            guard let quantity = quantity(obis) else { throw .unknownQuantity(obis) }
            items.append(
                PlanItem(
                    try registers(quantity.place, quantity.span, chain), function: quantity.place.function, obis: obis))
        }
        return joined(items)
    }

    /// The reads for the identity registers, sorted. An optional field is never read together with another one,
    /// because a device without it answers the whole read with an exception.
    package func identityPlan(chain: [SunSpecModel] = []) throws(PlanError) -> [PlannedRead] {
        try check(chain)
        var items: [PlanItem] = []
        var alone: [PlannedRead] = []
        for (role, field) in identity.fields {
            let start = Int(field.place.address)
            let range = try registers(field.place, start..<start + field.registers, chain)
            let item = PlanItem(range, function: field.place.function, role: role)
            if field.isOptional { alone += joined([item]) } else { items.append(item) }
        }
        return (joined(items) + alone).sorted { $0.request < $1.request }
    }

    /// The models the profile needs are there with a layout it knows.
    package func check(_ chain: [SunSpecModel]) throws(PlanError) {
        for model in sunSpec?.models ?? [] {
            guard let found = chain.first(where: { $0.id == model.id }) else { throw .modelMissing(model.id) }
            guard model.lengths.contains(found.length) else { throw .modelLength(model.id, found: found.length) }
        }
    }

    /// `span`, counted as `place.address` is, as absolute registers.
    private func registers(
        _ place: Place, _ span: Range<Int>, _ chain: [SunSpecModel]
    ) throws(PlanError) -> Range<Int> {
        guard let address = place.resolved(chain) else { throw .modelMissing(place.model ?? 0) }
        let start = address - Int(place.address) + span.lowerBound
        let range = start..<start + span.count
        guard range.upperBound <= 65536 else { throw .beyondAddressSpace(place.model ?? 0) }
        guard !crossesHole(range, function: place.function) else { throw .inHole(UInt16(start)) }
        return range
    }

    private func crossesHole(_ range: Range<Int>, function: UInt8) -> Bool {
        holes.contains {
            $0.function == function && Int($0.first) < range.upperBound && range.lowerBound <= Int($0.last)
        }
    }

    /// Joins from left to right as long as gap, size and holes allow: the fewest requests for intervals.
    private func joined(_ items: [PlanItem]) -> [PlannedRead] {
        let sorted = items.sorted {
            ($0.function, $0.range.lowerBound, $0.range.upperBound) < (
                $1.function, $1.range.lowerBound, $1.range.upperBound
            )
        }
        var groups: [(function: UInt8, range: Range<Int>, items: [PlanItem])] = []
        for item in sorted {
            if let group = groups.last, group.function == item.function {
                let range = group.range.lowerBound..<max(group.range.upperBound, item.range.upperBound)
                let gap = item.range.lowerBound - group.range.upperBound
                if gap <= limits.gapMax, range.count <= limits.registersMax,
                    !crossesHole(range, function: item.function)
                {
                    groups[groups.count - 1] = (item.function, range, group.items + [item])
                    continue
                }
            }
            groups.append((item.function, item.range, [item]))
        }
        return groups.map { group in
            PlannedRead(
                request: ReadRequest(
                    function: group.function, address: UInt16(group.range.lowerBound), count: UInt16(group.range.count)),
                quantities: group.items.compactMap(\.obis).sorted(), identity: group.items.compactMap(\.role).sorted())
        }
    }
}

/// Registers that must be read in one request, and for what.
private struct PlanItem {
    let range: Range<Int>
    let function: UInt8
    var obis: ObisCode?
    var role: Identity.Role?

    init(_ range: Range<Int>, function: UInt8, obis: ObisCode? = nil, role: Identity.Role? = nil) {
        self.range = range
        self.function = function
        self.obis = obis
        self.role = role
    }
}

extension Quantity {
    /// The registers that must be read together, counted as the place is: the value and its scale factor.
    var span: Range<Int> {
        let start = Int(place.address)
        let value = start..<start + type.registers
        guard let factor = scaleFactor.map({ Int($0.address) }) else { return value }
        return min(start, factor)..<max(value.upperBound, factor + 1)
    }
}
