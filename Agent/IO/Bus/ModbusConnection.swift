// One way to Modbus devices: asks one question and says what came back. Not the schedule, not the pauses of a device.
//
// libmodbus is not used here (docs/decisions/0007-own-framing.md): every field of an answer is checked by
// AgentCore.ModbusFraming, and this file keeps what is sent and what is believed apart.

package import AgentCore
internal import Evidence
internal import Glibc

/// What happened on a connection beside its answers, since it was made.
package struct LineFigures: Hashable, Sendable {
    package var connects: UInt64 = 0
    /// Bytes that belong to no request: noise, a second master, answers that came too late.
    package var strayBytes: UInt64 = 0
    /// Times the line did not fall silent after a fault.
    package var babbles: UInt64 = 0
    package var evidence = LineEvidence()
    /// Nil: the line's driver counts none.
    package var characters: CharacterErrors?
}

/// The connection of one bus thread. After every fault it is closed or drained: a late answer can never be taken for
/// the next one.
package final class ModbusConnection {
    /// Connections of one process; its descriptors end at 1 024.
    package static let connectionsMax = 900
    package static let connectMillisecondsDefault: Int64 = 5_000

    /// Silence after which a faulty exchange on a serial line is over; USB adapters deliver in steps of 16 ms.
    private static let silenceNanoseconds: Int64 = 20_000_000
    private static let drainMilliseconds: Int64 = 1_000
    /// The gap before a request behind a serial server whose line we do not see: t3.5 at 9 600 baud.
    private static let serverGap: Int64 = 4_100_000

    private let endpoint: BusEndpoint
    private let framing: ModbusFraming
    private let connectMilliseconds: Int64
    /// Between a new connection and the first request, milliseconds.
    private let connectPause: Int64
    private var wire: Wire?
    private var transaction: UInt16 = 0
    /// No connection is made before this: a device with room for one client must notice that the last one left.
    private var notBefore: Int64 = 0
    private let reconnectPause: Int64
    package private(set) var figures = LineFigures()
    /// What the driver had counted when the present connection was made, and what was counted on those before it.
    private var characters: (start: CharacterErrors, before: CharacterErrors)?
    /// RTU: what came since the last request, and how much of it before its answer was taken or given up.
    private var heard: [UInt8] = []
    private var under: (request: ModbusRequest, answer: ModbusAnswer, during: Int, ended: Int64)?
    /// Why the last attempt to open failed; nil: it did not.
    package private(set) var problem: String?
    /// What a person should know of the line although it is open.
    package private(set) var remark: String?

    package init(
        _ endpoint: BusEndpoint, connectMilliseconds: Int64 = connectMillisecondsDefault, connectPause: Int64 = 0,
        reconnectPause: Int64 = 0
    ) {
        self.endpoint = endpoint
        framing = endpoint.framing
        self.connectMilliseconds = connectMilliseconds
        self.connectPause = connectPause
        self.reconnectPause = reconnectPause
    }

    package func close() {
        guard wire != nil else { return }
        wire = nil
        notBefore = steadyNanoseconds() + reconnectPause * 1_000_000
    }

    /// Asks and waits for the whole answer.
    ///
    /// - Parameter milliseconds: from the end of the request to the last byte of the answer, beside the time that both
    ///   need on a serial line.
    package func ask(_ request: ModbusRequest, within milliseconds: Int64) -> ModbusAnswer {
        isQuiet()
        noteWhatWasHeard()
        guard let wire = self.wire ?? connect() else { return ModbusAnswer(status: SampleStatus.connectFailed) }
        sleepUntil(wire.busyUntil + gap)
        transaction &+= 1
        let frame = framing.frame(request, transaction: transaction)
        let onLine = Int64(frame.count + request.answerMax + 3) * wire.character
        let deadline = steadyNanoseconds() + onLine + milliseconds * 1_000_000
        guard send(frame, on: wire, deadline) else {
            close()
            return ModbusAnswer(status: SampleStatus.disconnected)
        }
        let ended = wire.busyUntil
        let answer = receive(request, frame, on: wire, deadline)
        // Exceptions are sound answers; after anything else that is not good the line is in an unknown state.
        if answer.status > SampleStatus.exceptionMax { recover(answer.status) }
        if framing == .rtu { under = (request, answer, heard.count, ended) }
        noteCharacters()
        return answer
    }

    /// What came after a request is looked at before the next one: a second answer, or a late one, needs its time.
    private func noteWhatWasHeard() {
        defer {
            heard = []
            under = nil
        }
        guard let under else { return }
        figures.evidence.finished(
            under.request, under.answer, heard: heard, during: under.during, ended: under.ended,
            now: steadyNanoseconds())
    }

    private func noteCharacters() {
        guard let characters, let now = wire?.characters else { return }
        figures.characters = characters.before.adding(now.since(characters.start))
    }

    private func hear(_ bytes: [UInt8]) {
        guard framing == .rtu, heard.count < HeardFrame.bytesMax else { return }
        heard += bytes
    }

    /// The one function that sends anything to a device.
    private func send(_ frame: [UInt8], on wire: Wire, _ deadline: Int64) -> Bool {
        precondition(ModbusRequest.isReading(framing.pdu(of: frame)), "only reading functions reach a wire")
        return wire.send(frame, deadline: deadline)
    }

    private func receive(_ request: ModbusRequest, _ frame: [UInt8], on wire: Wire, _ deadline: Int64) -> ModbusAnswer {
        var bytes: [UInt8] = []
        var echo = endpoint.hasEcho ? frame[...] : []
        var expected = endpoint.hasEcho ? frame.count : 1
        while true {
            switch wire.receive(until: deadline, expected: expected) {
            case .ended: return ModbusAnswer(status: SampleStatus.disconnected)
            case .nothing where !echo.isEmpty && echo.count < frame.count: return .odd(.echo)
            case .nothing: return bytes.isEmpty ? ModbusAnswer(status: SampleStatus.timeout) : .odd(.partial)
            case .bytes(let chunk):
                bytes += chunk
                hear(chunk)
            }
            if !echo.isEmpty {
                let seen = bytes.prefix(echo.count)
                guard echo.starts(with: seen) else { return .odd(.echo) }
                echo = echo.dropFirst(seen.count)
                bytes.removeFirst(seen.count)
                heard.removeFirst(min(seen.count, heard.count))
                expected = max(1, echo.count)
                if bytes.isEmpty { continue }
            }
            switch framing.progress(bytes, request) {
            case .more(let count): expected = count
            case .whole(let count):
                // A transceiver may leave a byte behind the frame when it lets go of the line; it is counted.
                figures.strayBytes &+= UInt64(bytes.count - count)
                if framing == .tcp, bytes.count > count { return .odd(.header) }
                let answer = framing.judge(Array(bytes[..<count]), request, transaction: transaction)
                if framing == .tcp, answer.defect == .unit { figures.evidence.answered(request, by: bytes[6]) }
                return answer
            case .odd: return whatElse(bytes, request, on: wire, deadline)
            }
            if bytes.count > ModbusFraming.frameMax { return .odd(framing == .tcp ? .header : .checksum) }
        }
    }

    /// Something that begins no answer to the request. On RTU all of it is looked at: a sound frame of another unit
    /// means something else than noise.
    private func whatElse(
        _ start: [UInt8], _ request: ModbusRequest, on wire: Wire, _ deadline: Int64
    ) -> ModbusAnswer {
        guard framing == .rtu else { return framing.judge(start, request, transaction: transaction).unsound }
        let rest = wire.drain(silence: Self.silenceNanoseconds, until: deadline)
        hear(rest?.first ?? [])
        figures.strayBytes &+= UInt64(start.count + (rest?.count ?? 0))
        let frame = ModbusFraming.firstSound(start + (rest?.first ?? []))
        return framing.judge(frame, request, transaction: transaction).unsound
    }

    /// A socket is made anew; a serial line is listened to until it is silent.
    private func recover(_ status: UInt64) {
        guard case .rtu = endpoint, status != SampleStatus.disconnected, let wire else { return close() }
        let rest = wire.drain(
            silence: max(gap, Self.silenceNanoseconds),
            until: steadyNanoseconds() + Self.drainMilliseconds * 1_000_000)
        hear(rest?.first ?? [])
        figures.strayBytes &+= UInt64(rest?.count ?? 0)
        guard rest == nil else { return }
        figures.babbles &+= 1
        close()
    }

    /// What came since the last answer belongs to no request: a serial line throws it away, a socket is made anew.
    private func isQuiet() {
        guard let wire else { return }
        switch wire.receive(until: 0) {
        case .nothing: return
        case .ended: close()
        case .bytes(let bytes):
            hear(bytes)
            figures.strayBytes &+= UInt64(bytes.count)
            recover(SampleStatus.wrongAnswer)
        }
    }

    private var gap: Int64 {
        switch endpoint {
        case .tcp: 0
        case .rtu(let line): line.gapNanoseconds
        case .rtuOverTCP: Self.serverGap
        }
    }

    private func connect() -> Wire? {
        sleepUntil(notBefore)
        do throws(OpenError) {
            switch endpoint {
            case .tcp(let host, let port), .rtuOverTCP(let host, let port, _):
                wire = try SocketWay.open(host: host, port: port, milliseconds: connectMilliseconds)
            case .rtu(let line):
                let opened = try SerialPort.open(line)
                remark = opened.remark
                wire = opened.wire
                // Somebody else's use of the line before is not counted.
                characters = opened.wire.characters.map { ($0, figures.characters ?? CharacterErrors()) }
                noteCharacters()
            }
            problem = nil
        } catch {
            problem = error.description
            return nil
        }
        figures.connects += 1
        sleepUntil(steadyNanoseconds() + connectPause * 1_000_000)
        return wire
    }
}

extension ModbusAnswer {
    /// The same, but never good: bytes that came as no answer to the request are none, however they look together.
    fileprivate var unsound: ModbusAnswer { status > SampleStatus.exceptionMax ? self : .odd(.shape) }
}
