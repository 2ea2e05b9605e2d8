// The connection of a bus with the silences its devices need between requests. Not the schedule.

internal import Metering

/// Keeps the pauses that profiles ask for: after an answer of the same device, and before another device is asked.
struct BusLine {
    private let connection: ModbusConnection
    private let limits: [UInt8: Profile.Limits]
    private var lastUnit: UInt8?
    private var quietSince: ContinuousClock.Instant?

    init(_ connection: ModbusConnection, limits: [UInt8: Profile.Limits]) {
        self.connection = connection
        self.limits = limits
    }

    var connects: UInt64 { connection.connects }

    func close() { connection.close() }

    /// Waits until the device may be asked.
    mutating func makeRoom(for request: RegisterRequest, stop: Mailbox<Never>) {
        guard let quietSince, let limits = limits[request.unit] else { return }
        let pause = lastUnit == request.unit ? limits.pauseMilliseconds : limits.turnaroundMilliseconds
        guard pause > 0 else { return }
        let rest = quietSince + .milliseconds(pause) - .now
        guard rest > .zero else { return }
        let (seconds, attoseconds) = rest.components
        _ = stop.take(within: seconds * 1_000_000_000 + attoseconds / 1_000_000_000 + 1)
    }

    mutating func ask(_ request: RegisterRequest) -> RegisterAnswer {
        let answer = connection.ask(request)
        lastUnit = request.unit
        quietSince = .now
        return answer
    }
}
