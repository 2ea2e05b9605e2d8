// Finding a SunSpec device's models: the questions and what the answers mean. Asking them is the agent's.

/// One model of a device's chain.
package struct SunSpecModel: Hashable, Sendable {
    package let id: UInt16
    /// Of the model's ID register, as on the wire.
    package let address: UInt16
    /// The L register: registers after ID and L.
    package let length: UInt16

    package init(id: UInt16, address: UInt16, length: UInt16) {
        self.id = id
        self.address = address
        self.length = length
    }
}

/// Walks from the marker `SunS` along [ID, L] headers to ID 0xFFFF (SunSpec Information Model Specification).
///
/// A missing end marker is tolerated: some devices answer an exception there.
package struct SunSpecWalk: Sendable {
    /// Models of one device.
    package static let modelsMax = 64

    package enum Step: Hashable, Sendable {
        /// Read this and call ``answer(_:)``.
        case read(ReadRequest)
        /// The models in chain order, at least one.
        case found([SunSpecModel])
        /// No marker at any base address, or nothing behind it.
        case none
    }

    private let function: UInt8
    private var bases: ArraySlice<UInt16>
    private var models: [SunSpecModel] = []
    private var place: Place

    private enum Place {
        case marker(UInt16)
        case header(UInt16)
        case end
    }

    package init(function: UInt8 = 3, bases: [UInt16]) {
        self.function = function
        self.bases = bases.dropFirst()
        place = bases.first.map { .marker($0) } ?? .end
    }

    package var step: Step {
        switch place {
        case .marker(let address), .header(let address):
            .read(ReadRequest(function: function, address: address, count: 2))
        case .end: models.isEmpty ? .none : .found(models)
        }
    }

    /// The four bytes answered to the read of ``step``; nil for an exception.
    package mutating func answer(_ bytes: [UInt8]?) {
        let words = bytes.flatMap { $0.count == 4 ? $0 : nil }
        switch place {
        case .marker(let address):
            if words == Array("SunS".utf8), address <= UInt16.max - 2 {
                place = .header(address + 2)
            } else {
                place = bases.popFirst().map { .marker($0) } ?? .end
            }
        case .header(let address):
            guard let words else { return place = .end }
            let id = UInt16(words[0]) << 8 | UInt16(words[1])
            let length = UInt16(words[2]) << 8 | UInt16(words[3])
            guard id != 0xFFFF else { return place = .end }
            models.append(SunSpecModel(id: id, address: address, length: length))
            let next = Int(address) + 2 + Int(length)
            // Room for the next header, and a bound on a device that chains for ever.
            place = next <= 0xFFFE && models.count < Self.modelsMax ? .header(UInt16(next)) : .end
        case .end: return
        }
    }
}
