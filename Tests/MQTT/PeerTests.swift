// What a peer may send that Mosquitto does not: every refusal, a take-over said aloud, other protocols, junk.

import Glibc
import Kit
import MQTT
import Testing

/// A listener that sends each client what its script says, byte for byte, and closes. It understands nothing.
private final class ScriptedPeer: @unchecked Sendable {
    // @unchecked Sendable, proven: both fields are set in init and never change.
    let port: Int
    private let listener: Int32

    /// - Parameter script: the bytes for the n-th connection, from 0.
    init(_ script: @escaping @Sendable (Int) -> [UInt8]) throws {
        let (listener, port) = try loopbackListener()
        (self.listener, self.port) = (listener, Int(port))
        let script = script
        startTestThread {
            var count = 0
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else {
                    // Closed here and nowhere else: the number may be another socket's a moment later.
                    close(listener)
                    return
                }
                // The client speaks first: CONNECT is one packet and fits one read on loopback.
                var buffer = [UInt8](repeating: 0, count: 4_096)
                _ = read(client, &buffer, buffer.count)
                let answer = script(count)
                _ = send(client, answer, answer.count, Int32(MSG_NOSIGNAL))
                // Linger until the client has read everything, so that the end is an end and not a reset.
                shutdown(client, Int32(SHUT_WR))
                _ = read(client, &buffer, buffer.count)
                close(client)
                count += 1
            }
        }
    }

    /// Wakes the thread, which closes the descriptor.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    func options() -> MQTTOptions {
        var options = MQTTOptions(host: "127.0.0.1", port: port, clientID: "gateway", subscriptions: [])
        options.backOffMin = .milliseconds(1)
        options.backOffMax = .milliseconds(2)
        options.connectTimeout = .seconds(2)
        options.rivalBackOffMax = .milliseconds(2)
        return options
    }
}

/// A thread that ends by itself.
func startTestThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    pthread_create(
        &thread, nil,
        { pointer in
            if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body() }
            return nil
        }, box.toOpaque())
    pthread_detach(thread)
}

private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// CONNACK without properties (MQTT 5 §3.2).
private func connack(_ code: UInt8) -> [UInt8] { [0x20, 3, 0, code, 0] }

@Suite(.serialized) struct PeerTests {
    @Test(
        arguments: [
            (connack(134), .badUserNameOrPassword), (connack(135), .notAuthorized), (connack(133), .broker(133)),
            (connack(137), .broker(137)), (connack(159), .broker(159)),
            // A broker of MQTT 3.1.1 refuses the version in its own words.
            ([0x20, 2, 0, 1], .broker(132)),
            (connack(0) + [0xe0, 1, 142], .sessionTakenOver), (connack(0) + [0xe0, 2, 139, 0], .broker(139)),
            (connack(0) + [0xe0, 1, 0], .broker(0)), (connack(0), .closed), ([], .closed), ([0x20], .closed),
        ] as [([UInt8], MQTTReason)])
    func theReasonIsReported(answer: [UInt8], expected: MQTTReason) throws {
        let peer = try ScriptedPeer { _ in answer }
        let session = try MQTTSession(options: peer.options())
        let reason = session.events { $0.disconnected != nil }.last?.disconnected?.reason
        #expect(reason == expected)
        #expect(reason?.description.isEmpty == false)
        #expect(session.stop())
    }

    @Test func aTakenOverSessionWaitsLongest() throws {
        let peer = try ScriptedPeer { _ in connack(0) + [0xe0, 1, 142] }
        var options = peer.options()
        options.backOffMax = .seconds(4)
        let session = try MQTTSession(options: options)
        session.events { $0.disconnected != nil }
        let begin = ContinuousClock.now
        session.events { $0.disconnected != nil }
        #expect(ContinuousClock.now - begin >= .seconds(2))
    }

    @Test func limitsInTheAnswerAreKept() throws {
        // Receive maximum 3, maximum packet size 100.
        let properties: [UInt8] = [0x21, 0, 3, 0x27, 0, 0, 0, 100]
        let answer = [0x20, UInt8(3 + properties.count), 1, 0, UInt8(properties.count)] + properties
        let peer = try ScriptedPeer { _ in answer }
        let session = try MQTTSession(options: peer.options())
        guard case .connected(let agreed) = session.events(until: \.isConnected).last else { return }
        #expect(agreed == MQTTAgreement(sessionPresent: true, inFlightMax: 3, packetBytesMax: 100))
    }

    /// Damaged packets by the hundred, in a process of their own: it lives, and each attempt ends in a reason.
    ///
    /// One death is known: libmosquitto 2.0.11 asserts when a packet has a property it does not know. MQTTSession's
    /// header says who can cause that; here it ends a round early and everything else is a failure.
    @Test(arguments: [UInt64](1...8)) func junkEndsAConnectionNotTheProcess(seed: UInt64) async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent, \.standardOutputContent]
        ) { [seed = seed as UInt64] in
            signal(SIGABRT) { _ in _exit(0) }
            let session = try MQTTSession(options: try junkPeer(seed: seed).options())
            var ended = 0
            session.events(within: .seconds(60)) { event in
                if event.disconnected != nil { ended += 1 }
                return ended >= 90
            }
            guard ended >= 90, session.stop() else { _exit(1) }
            print("survived", terminator: "\n")
            fflush(nil)
        }
        let output = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
        let errors = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(
            output.contains("survived") || errors.contains("log__printf: Assertion `mosq' failed"),
            "seed \(seed): \(errors)")
    }
}

/// Three kinds of junk in turn: noise, a good CONNACK and damaged packets after it, everything slightly damaged.
private func junkPeer(seed: UInt64) throws -> ScriptedPeer {
    let publish: [UInt8] = [0x32, 10, 0, 1, 97, 0, 1, 0, 1, 2, 3, 4]
    let sound = connack(0) + publish + [0x40, 2, 0, 1] + [0xd0, 0] + publish + [0x90, 4, 0, 1, 0, 1]
    return try ScriptedPeer { number in
        var generator = SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(number))
        switch number % 3 {
        case 0: return generator.bytes(64)
        case 1: return connack(0) + generator.mutated(Array(sound.dropFirst(5)), changesMax: 6)
        default: return generator.mutated(sound, changesMax: 3)
        }
    }
}
