// The plant's Modbus server: one thread, one poll, any number of clients up to a bound. Registers are PlantModel's.

internal import CModbus
internal import Glibc
internal import PlantModel
internal import Quantities

/// Serves every device of a house until the stop descriptor becomes readable.
///
/// One thread owns everything. Nothing waits for a client: sockets do not block, half a frame stays in its connection's
/// buffer, an answer that cannot be sent at once ends its connection.
struct Server {
    /// A connection per meter at the largest plant, and some to spare.
    static let connectionsMax = 1100
    /// How long new clients wait when no descriptor is left.
    private static let acceptPauseMs: Int64 = 100

    private let house: House
    private let series: ProductionSeries
    private let clock: HouseClock
    private let listeners: [Listener]
    private let recorder: Recorder?
    private var meterFaults: [DeviceFaults]
    private var inverterFaults: DeviceFaults
    private var connections: [Connection] = []
    private var acceptAfter: Int64 = 0
    /// libmodbus answers from here: filled for each request from the address asked for.
    private let mapping: UnsafeMutablePointer<modbus_mapping_t>
    private var buffer = [UInt8](repeating: 0, count: 4 * Request.frameMax)

    init(
        house: House, series: ProductionSeries, clock: HouseClock, faults: [FaultSpecification], seed: UInt64,
        listeners: [Listener], recorder: Recorder?
    ) throws(Failure) {
        let count = UInt32(Request.registersMax)
        guard let mapping = modbus_mapping_new_start_address(0, 0, 0, 0, 0, count, 0, count) else {
            throw Failure(code: .unavailable, message: "libmodbus: \(System.reason())")
        }
        self.mapping = mapping
        self.house = house
        self.series = series
        self.clock = clock
        self.listeners = listeners
        self.recorder = recorder
        meterFaults = (0..<house.meters).map { DeviceFaults(faults, seed: seed, device: UInt64($0), isInverter: false) }
        inverterFaults = DeviceFaults(faults, seed: seed, device: .max, isInverter: true)
    }

    mutating func run(until stop: Int32) throws(Failure) {
        var polled: [pollfd] = []
        while true {
            let now = System.monotonicMs()
            let isAccepting = now >= acceptAfter
            polled.removeAll(keepingCapacity: true)
            polled.append(pollfd(fd: stop, events: Int16(POLLIN), revents: 0))
            for listener in listeners {
                // A negative descriptor is skipped by poll.
                polled.append(pollfd(fd: isAccepting ? listener.socket : -1, events: Int16(POLLIN), revents: 0))
            }
            var due: Int64? = isAccepting ? nil : acceptAfter
            for connection in connections {
                let events = connection.isDripping ? 0 : Int16(POLLIN)
                polled.append(pollfd(fd: connection.socket, events: events, revents: 0))
                if let next = connection.nextDue { due = min(due ?? next, next) }
            }
            let timeout = due.map { Int32(clamping: max(0, $0 - now)) } ?? -1
            if poll(&polled, nfds_t(polled.count), timeout) < 0 {
                guard errno == EINTR else { throw Failure(code: .unavailable, message: "poll: \(System.reason())") }
                continue
            }
            if polled[0].revents != 0 { return }
            try serveConnections(polled.dropFirst(1 + listeners.count))
            for (index, entry) in polled[1..<(1 + listeners.count)].enumerated() where entry.revents != 0 {
                accept(from: index)
            }
        }
    }

    private mutating func serveConnections(_ polled: ArraySlice<pollfd>) throws(Failure) {
        let now = System.monotonicMs()
        for (connection, entry) in zip(connections, polled) {
            connection.sendDue(now: now)
            if entry.revents & Int16(POLLIN) != 0 {
                connection.receive(using: &buffer)
            } else if entry.revents != 0 {  // an error or a hang-up alone, perhaps while dripping
                connection.isClosed = true
            }
            while let frame = connection.nextFrame() { try serve(frame, on: connection) }
        }
        connections.removeAll { $0.isClosed }
    }

    private mutating func accept(from index: Int) {
        while true {
            switch listeners[index].accept() {
            case .none: return
            case .exhausted:
                acceptAfter = System.monotonicMs() + Self.acceptPauseMs
                return
            case .socket(let socket):
                guard connections.count < Self.connectionsMax else {
                    close(socket)
                    continue
                }
                if let connection = Connection(socket: socket, listener: index) { connections.append(connection) }
            }
        }
    }

    private mutating func serve(_ frame: [UInt8], on connection: Connection) throws(Failure) {
        guard let request = Request(frame[...]) else { return }
        let listener = listeners[connection.listener]
        try recorder?.add(request, port: listener.port)
        // Read once: both meters show the same instant's energy for requests at the same millisecond.
        let instant = clock.now(real: System.utc())
        let state = series.state(at: instant)
        if listener.isInverter {
            guard request.unit == 1 else { return connection.reply(to: frame, exception: 11) }
            let outcome = inverterFaults.next(at: instant)
            let answer = request.answer(of: house.checkMeter, at: state, countersZeroed: outcome.countersZeroed)
            send(answer, to: request, frame, outcome, connection)
        } else {
            // As a gateway to a serial line has it: the target did not answer.
            guard let meter = house.meterIndex(listener: listener.index, unit: request.unit) else {
                return connection.reply(to: frame, exception: 11)
            }
            let outcome = meterFaults[meter].next(at: instant)
            let answer = request.answer(of: house.meter(meter), at: state, countersZeroed: outcome.countersZeroed)
            send(answer, to: request, frame, outcome, connection)
        }
    }

    private func send(
        _ answer: Answer, to request: Request, _ frame: [UInt8], _ outcome: DeviceFaults.Outcome,
        _ connection: Connection
    ) {
        guard let fault = outcome.fault else { return send(answer, to: request, frame, connection) }
        let pdu = answer.pdu(function: request.function)
        let now = System.monotonicMs()
        switch fault.kind {
        case .timeout: break
        case .exception: connection.send(request.frame(answering: [request.function | 0x80, fault.code]))
        case .unit: connection.send(request.frame(answering: pdu, from: request.unit &+ 1))
        case .garbage: connection.send(Fault.garbage(outcome.random))
        case .late: connection.send(request.frame(answering: pdu), at: now + fault.milliseconds)
        case .disconnect: connection.isClosed = true
        case .drip: connection.drip(request.frame(answering: pdu), from: now, pause: fault.milliseconds)
        case .zero: send(answer, to: request, frame, connection)  // already in the answer
        }
    }

    private func send(_ answer: Answer, to request: Request, _ frame: [UInt8], _ connection: Connection) {
        switch answer {
        case .exception(let code): connection.reply(to: frame, exception: code)
        case .raw(let pdu): connection.send(request.frame(answering: pdu))
        case .registers(let words):
            guard let address = request.registers?.address else { return }
            mapping.pointee.start_registers = Int32(address)
            mapping.pointee.start_input_registers = Int32(address)
            // At most `registersMax` words: the request was refused otherwise.
            let target = request.function == 3 ? mapping.pointee.tab_registers : mapping.pointee.tab_input_registers
            for (index, word) in words.enumerated() { target?[index] = word }
            connection.reply(to: frame, from: mapping)
        }
    }
}
