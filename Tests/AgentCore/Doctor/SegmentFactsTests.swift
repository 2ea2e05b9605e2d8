// What a probe of large packets means, by its numbers, and when it silences what the agent's own sockets seem to say.

internal import AgentCore
internal import Testing

private func trial(_ packet: Int, _ end: SegmentTrial.End) -> SegmentTrial {
    var trial = SegmentTrial(end)
    trial.smallBytes = 64
    trial.packetBytes = packet
    trial.segmentBytes = packet - 52
    trial.pathMTU = 1_500
    trial.largeBytes = 2 * (packet - 52)
    trial.lostBytes = end == .vanished ? trial.largeBytes : 0
    trial.retransmits = end == .vanished ? 4 : 0
    trial.milliseconds = 3_100
    return trial
}

struct SegmentFactsTests {
    private static let cases: [(SegmentFacts, [FindingID], [String])] = [
        (SegmentFacts(full: trial(1_500, .acknowledged)), [], []),
        (SegmentFacts(full: trial(1_500, .unknown("the broker closes the connection"))), [], []),
        (
            SegmentFacts(
                full: trial(1_500, .vanished), smaller: [trial(1_400, .vanished), trial(1_280, .acknowledged)],
                interface: "wwan0"), [.packetsTooLarge],
            [
                "64 bytes were acknowledged, but 2896 of 2896 bytes", "1448 bytes, packets of 1500, path MTU 1500",
                "4 retransmissions in 3 s", "packets of 1280 bytes pass", "ip link set dev wwan0 mtu 1280",
            ]
        ),
        // No size passes: that is another fault.
        (
            SegmentFacts(
                full: trial(1_500, .vanished),
                smaller: SegmentTrial.packetSizes.map { trial($0, .vanished) }), [.brokerUnreachable],
            ["not even packets of 576 bytes pass", "firewall"]
        ),
        (
            SegmentFacts(full: trial(1_500, .vanished), smaller: [trial(1_400, .unknown("refused"))]),
            [.brokerUnreachable], ["packets of 1400 bytes"]
        ),
    ]

    @Test(arguments: cases.indices)
    func numbersAndFindings(number: Int) {
        let (facts, ids, words) = Self.cases[number]
        let found = facts.findings("b.example:8883")
        #expect(found.map(\.id) == ids, "\(found)")
        for word in words { #expect((found[0].evidence + found[0].remedy).contains(word), "\(word): \(found)") }
    }

    /// Bytes that wait on a socket may wait for many reasons: who tried knows better; who could not try does not.
    @Test(arguments: [
        (SegmentTrial.End.acknowledged, [FindingID.ports]), (.unknown("closed"), [.packetsTooLarge, .ports]),
    ])
    func aProbeKnowsBetterThanASocket(end: SegmentTrial.End, ids: [FindingID]) {
        var facts = UplinkFacts()
        facts.brokers = [
            .init(
                host: "b.example", port: 8_883, probe: .connected(milliseconds: 4),
                sockets: [SocketFacts(unsentBytes: 1_400, retransmits: 5)],
                segments: SegmentFacts(full: trial(1_500, end)))
        ]
        #expect(facts.findings.map(\.id) == ids)
    }
}
