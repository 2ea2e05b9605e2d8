// What a bus thread tells the keeper beside its readings.

/// Something a bus thread noticed that may become a signed note.
package enum BusNotice: Hashable, Sendable {
    case overrun(Overrun, bus: Int)
    /// The bus does not keep up with its intervals any more, or again. Once per change.
    case cycle(isTooShort: Bool, endpoint: String)
    /// Why the bus cannot be opened, or what one should know of it; nil: it is open and well. Once per change.
    case line(problem: String?, endpoint: String)
    /// A meter answers no more, or again: consecutive failures and the last status.
    case silent(meter: UInt64, status: UInt64)
    case answering(meter: UInt64)
    /// The first attempt to learn who the meter is has been made.
    case opened(meter: UInt64)
    /// From here on the meter is read by this plan. Indirect: the others are not a plan's size.
    indirect case planned(MeterPlan)
    /// The device is not what its profile describes.
    case unreadable(meter: UInt64, reason: String)
}
