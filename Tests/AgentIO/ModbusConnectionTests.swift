// A device may answer late, short, for somebody else, or without end: none of it may be taken for a value.

internal import AgentCore
@testable internal import AgentIO
internal import Evidence
internal import Glibc
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Synchronization
internal import Testing

/// A Modbus TCP server that answers each request as its script says. One connection at a time.
private final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        /// Words counting up from `first`.
        case good(first: UInt16)
        case exception(UInt8)
        /// These bytes instead of an answer; the request's transaction stands in the first two.
        case raw([UInt8])
        case late(milliseconds: UInt32, first: UInt16)
        /// One byte each so many milliseconds, for ever.
        case drip(milliseconds: UInt32)
        case close
        case silence
    }

    let port: UInt16
    private let listener: Int32
    private let script: Mutex<[Answer]>
    private let accepted = Mutex(0)

    init(_ script: [Answer]) throws {
        self.script = Mutex(script)
        (listener, port) = try loopbackListener()
        let socket = listener
        _ = try WorkerThread("scripted") { [weak self] in
            while true {
                let client = accept(socket, nil, nil)
                guard client >= 0 else { return }
                self?.accepted.withLock { $0 += 1 }
                while let self, self.serve(client) {}
                Glibc.close(client)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }

    var connections: Int { accepted.withLock { $0 } }

    private func serve(_ client: Int32) -> Bool {
        var request = [UInt8](repeating: 0, count: 12)
        guard recv(client, &request, 12, Int32(MSG_WAITALL)) == 12 else { return false }
        WireRecord.add(unit: request[6], pdu: request[7...])
        let next = script.withLock { $0.isEmpty ? .silence : $0.removeFirst() }
        func put(_ bytes: [UInt8]) -> Bool { send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count }
        switch next {
        case .good(let first): return put(Self.answer(request, first))
        case .late(let milliseconds, let first):
            usleep(milliseconds * 1000)
            return put(Self.answer(request, first))
        case .exception(let code):
            return put([request[0], request[1], 0, 0, 0, 3, request[6], request[7] | 0x80, code])
        case .raw(let bytes): return put([request[0], request[1]] + bytes)
        case .drip(let milliseconds):
            for byte in Self.answer(request, 1) {
                guard put([byte]) else { return false }
                usleep(milliseconds * 1000)
            }
            return true
        case .close: return false
        case .silence: return true
        }
    }

    static func answer(_ request: [UInt8], _ first: UInt16) -> [UInt8] {
        let count = UInt16(request[10]) << 8 | UInt16(request[11])
        let words = (0..<count).flatMap { [UInt8((first &+ $0) >> 8), UInt8((first &+ $0) & 0xFF)] }
        let length = words.count + 3
        return [request[0], request[1], 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), request[6], request[7]]
            + [UInt8(words.count)] + words
    }
}

struct ModbusConnectionTests {
    private let request = ModbusRequest(unit: 7, function: 3, address: 100, count: 2)!

    /// A connection that is asked with one timeout.
    private struct Asker {
        let connection: ModbusConnection
        let timeout: Int64
        func ask(_ request: ModbusRequest) -> ModbusAnswer { connection.ask(request, within: timeout) }
        func close() { connection.close() }
        var connects: UInt64 { connection.figures.connects }
    }

    private func connection(_ port: UInt16, timeout: Int64 = 200) -> Asker {
        Asker(connection: ModbusConnection(.tcp(host: "127.0.0.1", port: port)), timeout: timeout)
    }

    @Test func goodAnswersKeepTheConnection() throws {
        let server = try ScriptedServer([.good(first: 1), .exception(2), .good(first: 0xFFFF)])
        let connection = connection(server.port)
        #expect(connection.ask(request) == .good([0, 1, 0, 2]))
        #expect(connection.ask(request) == ModbusAnswer(status: 2, bytes: []))
        #expect(connection.ask(request).bytes == [0xFF, 0xFF, 0, 0])
        #expect(server.connections == 1)
        connection.close()
    }

    /// After the two bytes of the transaction: protocol, length, unit, function, bytes …
    @Test(arguments: [
        ("another unit", [0, 0, 0, 7, 8, 3, 4, 0, 1, 0, 2] as [UInt8]),
        ("another function", [0, 0, 0, 7, 7, 4, 4, 0, 1, 0, 2]),
        ("another protocol", [0, 1, 0, 7, 7, 3, 4, 0, 1, 0, 2]),
        ("fewer registers", [0, 0, 0, 5, 7, 3, 2, 0, 1]),
        ("more registers", [0, 0, 0, 9, 7, 3, 6, 0, 1, 0, 2, 0, 3]),
        ("a length that lies", [0, 0, 0, 9, 7, 3, 4, 0, 1, 0, 2]),
        ("exception 0", [0, 0, 0, 3, 7, 0x83, 0]),
        ("exception 12", [0, 0, 0, 3, 7, 0x83, 12]),
        ("another unit's exception", [0, 0, 0, 3, 8, 0x83, 2]),
        ("noise", [0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF9, 0xF8, 0xF7, 0xF6]),
        ("half an answer", [0, 0, 0, 7, 7, 3, 4, 0]),
    ])
    func oddAnswerIsNoValueAndEndsTheConnection(_ what: String, _ bytes: [UInt8]) throws {
        let server = try ScriptedServer([.raw(bytes), .good(first: 5)])
        let connection = connection(server.port, timeout: 1_000)
        let answer = connection.ask(request)
        #expect([SampleStatus.wrongAnswer, SampleStatus.timeout].contains(answer.status), "\(what): \(answer)")
        #expect(answer.bytes.isEmpty)
        #expect(connection.ask(request).bytes == [0, 5, 0, 6], "\(what)")
        #expect(connection.connects == 2)
        connection.close()
    }

    @Test func anotherTransactionIsNoValue() throws {
        let server = try ScriptedServer([.good(first: 1), .good(first: 9)])
        let connection = connection(server.port)
        _ = connection.ask(request)
        // The next answer is right but for its transaction, which is the first one's.
        let replay = try ScriptedServer([.raw([]), .good(first: 9)])
        let other = self.connection(replay.port)
        #expect(other.ask(request).status == SampleStatus.timeout)
        #expect(other.ask(request).bytes == [0, 9, 0, 10])
        connection.close()
        other.close()
    }

    @Test func lateAnswerIsNeverTheNextOne() throws {
        let server = try ScriptedServer([.late(milliseconds: 350, first: 111), .good(first: 222)])
        let connection = connection(server.port)
        #expect(connection.ask(request).status == SampleStatus.timeout)
        usleep(400_000)
        #expect(connection.ask(request).bytes == [0, 222, 0, 223])
        connection.close()
    }

    @Test func drippingAnswerIsBoundedAsAWhole() throws {
        let server = try ScriptedServer([.drip(milliseconds: 90), .good(first: 1)])
        let connection = connection(server.port, timeout: 300)
        // Each byte comes in time; only the bound of the whole answer makes this a timeout.
        #expect(connection.ask(request).status == SampleStatus.timeout)
        connection.close()
    }

    @Test func closedConnectionIsMadeAnew() throws {
        let server = try ScriptedServer([.good(first: 1), .close, .good(first: 3)])
        // Long, so that a busy machine notices the closed connection before the time is up.
        let connection = connection(server.port, timeout: 10_000)
        _ = connection.ask(request)
        #expect(connection.ask(request).status == SampleStatus.disconnected)
        #expect(connection.ask(request).bytes == [0, 3, 0, 4])
        connection.close()
    }

    /// A gateway says at once that it does not reach a device: that is not how fast the device is.
    @Test(arguments: [(UInt8(11), Int64(1_500)), (10, 1_500), (2, 500)])
    func gatewaysTeachNoTimeouts(code: UInt8, milliseconds: Int64) throws {
        let server = try ScriptedServer([.exception(code), .exception(code)])
        let file = Workplace.root + "/firmware-profiles/eastron/sdm120.yaml"
        let meter = ConfiguredMeter(
            index: 0, id: Identifier("m")!, profile: try Profile(try SettingsFile.load(path: file)), unit: 7,
            endpoint: "x", quantities: [], interval: 1_000, identityInterval: 60_000)
        var line = BusLine(
            BusPlan(
                number: 0, endpoint: .tcp(host: "127.0.0.1", port: server.port), timing: BusTiming(), meters: [meter],
                boundary: 60_000, readsAtOnce: false))
        // The first answer of a connection teaches nothing at all.
        for _ in 0..<2 {
            let answer = line.ask(request)
            #expect(answer.status == UInt64(code))
        }
        #expect(line.timeout(of: 7)?.milliseconds == milliseconds)
        line.close()
    }

    @Test func nobodyThere() throws {
        let connection = connection(try freePort())
        #expect(connection.ask(request) == ModbusAnswer(status: SampleStatus.connectFailed, bytes: []))
    }
}
