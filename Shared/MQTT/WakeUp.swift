// How other threads wake the network thread from poll(2): a pipe.

internal import Glibc

/// Rings until it is drained; ringing many times is ringing once.
final class WakeUp: Sendable {
    /// Readable while it rings.
    let descriptor: Int32
    private let bell: Int32

    init() throws(MQTTStartError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw MQTTStartError(call: "pipe", reason: systemText(errno)) }
        descriptor = ends[0]
        bell = ends[1]
        for end in ends {
            // Cannot fail on a descriptor that was just made.
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(descriptor)
        close(bell)
    }

    func ring() {
        var one: UInt8 = 1
        // A full pipe (EAGAIN) rings already.
        _ = write(bell, &one, 1)
    }

    func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(descriptor, &bytes, bytes.count) == bytes.count {}
    }
}

/// The system has no thread or no descriptor left for a session.
package struct MQTTStartError: Error, Hashable, Sendable, CustomStringConvertible {
    package let call: String
    package let reason: String
    package var description: String { "cannot start the MQTT session: \(call): \(reason); raise the process's limits" }
}
