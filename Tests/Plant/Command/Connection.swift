// One client's connection: bytes in, answers out, nothing that waits. What is answered is the server's.

internal import CModbus
internal import Glibc
internal import PlantModel

/// Owned by the server's one thread. The socket never blocks; a client that does not read its answers loses it.
final class Connection {
    /// Most answers that may wait for their time; a client that asks for more meanwhile gets none.
    static let pendingMax = 600

    let listener: Int
    let socket: Int32
    /// libmodbus' view of the same socket.
    private let context: OpaquePointer
    /// Received and not yet answered: never more than part of a frame and one read.
    private var received: [UInt8] = []
    private var pending: [(due: Int64, bytes: [UInt8])] = []
    /// While an answer drips, requests wait: its bytes must not be interrupted by another answer's.
    private(set) var isDripping = false
    /// Set when the connection is of no more use; the server then drops it.
    var isClosed = false

    /// Takes over `socket`; nil when libmodbus has no memory.
    init?(socket: Int32, listener: Int) {
        guard let context = modbus_new_tcp("127.0.0.1", 502) else {  // an address is asked for, and never connected to
            close(socket)
            return nil
        }
        modbus_set_socket(context, socket)
        self.context = context
        self.socket = socket
        self.listener = listener
    }

    deinit {
        modbus_close(context)
        modbus_free(context)
    }

    /// Takes in what has arrived, once.
    func receive(using buffer: inout [UInt8]) {
        let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            received += buffer[..<count]
        } else {
            isClosed = count == 0 || (errno != EAGAIN && errno != EINTR)
        }
    }

    /// The next whole frame received; nil when there is none, or none yet while an answer drips.
    ///
    /// Framing is not left to `modbus_receive`: it waits up to its byte timeout for the rest of a frame, and one client
    /// that stops in the middle must not keep the others waiting.
    func nextFrame() -> [UInt8]? {
        guard !isClosed, !isDripping, let length = Request.frameLength(received[...]) else { return nil }
        guard length > 0 else {  // no Modbus: nothing after it can be understood either
            isClosed = true
            return nil
        }
        guard received.count >= length else { return nil }
        defer { received.removeFirst(length) }
        return Array(received.prefix(length))
    }

    /// Answers with the words that stand in `mapping`.
    func reply(to frame: [UInt8], from mapping: UnsafeMutablePointer<modbus_mapping_t>) {
        if modbus_reply(context, frame, Int32(frame.count), mapping) < 0 { isClosed = true }
    }

    /// Answers with an exception that libmodbus knows (1 … 11).
    func reply(to frame: [UInt8], exception code: UInt8) {
        if modbus_reply_exception(context, frame, UInt32(code)) < 0 { isClosed = true }
    }

    func send(_ bytes: [UInt8]) {
        let sent = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        if sent != bytes.count { isClosed = true }
    }

    /// Sends `bytes` at `due` (monotonic ms).
    func send(_ bytes: [UInt8], at due: Int64) {
        if pending.count < Self.pendingMax { pending.append((due, bytes)) }
    }

    /// Sends `bytes` one at a time, each `pause` ms after the one before.
    func drip(_ bytes: [UInt8], from now: Int64, pause: Int64) {
        isDripping = true
        for (index, byte) in bytes.enumerated() { send([byte], at: now + pause * Int64(index + 1)) }
    }

    /// When the next waiting answer is due.
    var nextDue: Int64? { pending.lazy.map(\.due).min() }

    func sendDue(now: Int64) {
        for (due, bytes) in pending where due <= now && !isClosed { send(bytes) }
        pending.removeAll { $0.due <= now }
        if pending.isEmpty { isDripping = false }
    }
}
