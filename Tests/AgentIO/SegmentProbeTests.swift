// Large packets towards a real broker on loopback, where all pass. The path that swallows them: Tests/Interop/test_black_hole.py.

internal import AgentCore
@testable internal import AgentIO
internal import Kit
internal import Testing

struct SegmentProbeTests {
    @Test(arguments: [SegmentProbe.Words.connect, .handshake])
    func fullSegmentsReachABroker(words: SegmentProbe.Words) throws {
        let broker = try Broker()
        let (probe, segments) = SegmentProbe(host: "127.0.0.1", port: broker.port, words: words).run()
        guard case .connected = probe else { return #expect(Bool(false), "\(probe)") }
        let facts = try #require(segments)
        #expect(facts.interface == "lo" && facts.smaller.isEmpty)
        // A broker that expects MQTT may take a TLS record for nonsense and hang up: then nothing is claimed.
        if words == .connect { #expect(facts.isSound, "\(facts)") } else { #expect(facts.findings("b").isEmpty) }
    }

    @Test func whereNobodyListensNothingIsProbed() throws {
        let port = try freePort()
        let (probe, segments) = SegmentProbe(host: "127.0.0.1", port: Int(port), words: .handshake).run()
        guard case .failed(let reason) = probe else { return #expect(Bool(false), "\(probe)") }
        #expect(reason.contains("refused") && segments == nil)
    }
}
