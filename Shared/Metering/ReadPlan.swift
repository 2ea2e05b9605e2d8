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
    /// The same for all that it reads.
    package var poll = Quantity.PollClass.normal
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
    /// The profile does not say that its registers may be read with this function.
    case functionNotAnswered(UInt8)

    package var description: String {
        switch self {
        case .unknownQuantity(let obis): "the profile has no quantity \(obis); remove it from `quantities`"
        case .modelMissing(let model): "the device has no SunSpec model \(model); choose another profile"
        case .modelLength(let model, let found):
            "the device's SunSpec model \(model) has length \(found), which the profile does not list"
        case .beyondAddressSpace(let model): "the device's SunSpec model \(model) ends above register 65535"
        case .functionNotAnswered(let function):
            "the profile does not say `either-function`; its registers cannot be read with function \(function)"
        case .inHole(let address): "register \(address) lies in a hole of the profile"
        }
    }
}

extension Profile {
    /// The reads for `wanted`, sorted. Each quantity stands whole, with its scale factor, in exactly one of them, so that
    /// no counter is torn. An optional quantity stands alone, because a device without it answers the whole read with
    /// an exception; so does each quantity of a device that answers one value a request.
    ///
    /// - Parameters:
    ///   - chain: What ``SunSpecWalk`` found; empty for other devices.
    ///   - function: 3 or 4 for devices that answer alike under both; nil: as the profile says.
    package func plan(
        _ wanted: [ObisCode], chain: [SunSpecModel] = [], function: UInt8? = nil
    ) throws(PlanError) -> [PlannedRead] {
        try check(chain)
        let avoided = optionalRegisters(chain)
        var items: [PlanItem] = []
        var alone: [PlannedRead] = []
        for obis in Set(wanted).sorted() {
            guard let quantity = quantity(obis) else { throw .unknownQuantity(obis) }
            var item = PlanItem(
                try registers(quantity.place, quantity.span, chain),
                function: try self.function(quantity.place, function), obis: obis)
            item.poll = quantity.poll
            item.registersMax = min(quantity.registersMax ?? limits.registersMax, limits.registersMax)
            if quantity.isOptional || limits.isOneValueOnly { alone += joined([item], []) } else { items.append(item) }
        }
        return (joined(items, avoided) + alone).sorted { $0.request < $1.request }
    }

    /// Registers that some devices lack: no request passes over them for something else's sake.
    private func optionalRegisters(_ chain: [SunSpecModel]) -> [(function: UInt8, range: Range<Int>)] {
        let values = quantities.filter(\.isOptional).map { ($0.place, $0.span) }
        let fields = identity.fields.map(\.field).filter(\.isOptional).map { field in
            (field.place, Int(field.place.address)..<Int(field.place.address) + field.registers)
        }
        return (values + fields).compactMap { place, span in
            guard let address = place.resolved(chain) else { return nil }
            let start = address - Int(place.address) + span.lowerBound
            return (place.function, start..<start + span.count)
        }
    }

    private func function(_ place: Place, _ other: UInt8?) throws(PlanError) -> UInt8 {
        guard let other else { return place.function }
        guard answers(place.function, as: other) else { throw .functionNotAnswered(other) }
        return other
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
            if field.isOptional || limits.isOneValueOnly { alone += joined([item], []) } else { items.append(item) }
        }
        return (joined(items, optionalRegisters(chain)) + alone).sorted { $0.request < $1.request }
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
            answers($0.function, as: function) && Int($0.first) < range.upperBound && range.lowerBound <= Int($0.last)
        }
    }

    /// Joins from left to right as long as gap, size and holes allow: the fewest requests for intervals.
    ///
    /// - Parameter avoided: registers that no request may carry along.
    private func joined(
        _ items: [PlanItem], _ avoided: [(function: UInt8, range: Range<Int>)]
    ) -> [PlannedRead] {
        let sorted = items.sorted {
            ($0.function, $0.poll, $0.range.lowerBound, $0.range.upperBound) < (
                $1.function, $1.poll, $1.range.lowerBound, $1.range.upperBound
            )
        }
        var groups: [[PlanItem]] = []
        for item in sorted {
            if let group = groups.last, isOneRequest(group + [item], avoided) {
                groups[groups.count - 1].append(item)
            } else {
                groups.append([item])
            }
        }
        return groups.map { group in
            let range = Self.span(group)
            return PlannedRead(
                request: ReadRequest(
                    function: group[0].function, address: UInt16(range.lowerBound), count: UInt16(range.count)),
                quantities: group.compactMap(\.obis).sorted(), identity: group.compactMap(\.role).sorted(),
                poll: group[0].poll)
        }
    }

    /// Whether the last of `items`, sorted, may join those before it.
    private func isOneRequest(
        _ items: [PlanItem], _ avoided: [(function: UInt8, range: Range<Int>)]
    ) -> Bool {
        guard let item = items.last, let first = items.first, first.function == item.function, first.poll == item.poll
        else { return false }
        let range = Self.span(items)
        let most = items.map { $0.registersMax ?? limits.registersMax }.min() ?? limits.registersMax
        return item.range.lowerBound - Self.span(items.dropLast()).upperBound <= limits.gapMax && range.count <= most
            && !crossesHole(range, function: item.function)
            && !avoided.contains { lacking in
                answers(lacking.function, as: item.function) && lacking.range.overlaps(range)
                    && !items.contains { $0.range.overlaps(lacking.range) }
            }
    }

    private static func span(_ items: some Collection<PlanItem>) -> Range<Int> {
        let first = items.map(\.range.lowerBound).min() ?? 0
        return first..<(items.map(\.range.upperBound).max() ?? first)
    }
}

/// Registers that must be read in one request, and for what.
private struct PlanItem {
    let range: Range<Int>
    let function: UInt8
    var poll = Quantity.PollClass.normal
    /// Nil: the device's own limit.
    var registersMax: Int?
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
