// Whether full segments reach the broker: what one bounded probe saw, and what it means. A path that lets small packets
// through and swallows large ones without a word is an MTU black hole (RFC 2923 §2.1). How it is probed is IO's.

/// One connection on which a few bytes were sent, then about two full segments.
package struct SegmentTrial: Hashable, Sendable {
    package enum End: Hashable, Sendable {
        /// The other side's kernel has them.
        case acknowledged
        /// Sent again and again, and never acknowledged.
        case vanished
        /// It cannot be told, and why.
        case unknown(String)
    }

    /// Retransmissions of the same bytes after which it is not chance.
    package static let retransmitsMin = 3
    /// Sizes that are tried when full segments vanish, bytes of the whole IP packet: what tunnels and mobile networks leave.
    package static let packetSizes = [1_400, 1_280, 1_024, 576]

    /// What was acknowledged before anything large was sent; 0: not even that.
    package var smallBytes = 0
    /// Bytes of one full segment, and of the IP packet that carries it.
    package var segmentBytes = 0
    package var packetBytes = 0
    /// What the kernel takes for the path's MTU.
    package var pathMTU = 0
    /// Bytes in full segments, and how many of them were never acknowledged.
    package var largeBytes = 0
    package var lostBytes = 0
    package var retransmits = 0
    /// From the first large byte on.
    package var milliseconds: Int64 = 0
    package var end: End

    package init(_ end: End) { self.end = end }
}

/// Everything that was probed towards one broker.
package struct SegmentFacts: Hashable, Sendable {
    /// With the segments that the kernel would send by itself.
    package let full: SegmentTrial
    /// With ever smaller ones until one passed; empty where the full ones do.
    package let smaller: [SegmentTrial]
    /// The network interface that leads there; nil: not known.
    package let interface: String?

    package init(full: SegmentTrial, smaller: [SegmentTrial] = [], interface: String? = nil) {
        self.full = full
        self.smaller = smaller
        self.interface = interface
    }

    /// Large packets are known to pass.
    package var isSound: Bool { full.end == .acknowledged }

    /// Why it cannot be told; nil where it can.
    package var unknown: String? {
        if case .unknown(let reason) = full.end { reason } else { nil }
    }

    package func findings(_ address: String) -> [Finding] {
        guard full.end == .vanished else { return [] }
        let seen =
            "\(full.smallBytes) bytes were acknowledged, but \(full.lostBytes) of \(full.largeBytes) bytes in full segments "
            + "(\(full.segmentBytes) bytes, packets of \(full.packetBytes), path MTU \(full.pathMTU)) were not, after "
            + "\(full.retransmits) retransmissions in \(full.milliseconds / 1000) s"
        guard let passed = smaller.first(where: { $0.end == .acknowledged }) else {
            // Whatever the size: no matter of the MTU.
            let least = smaller.last?.packetBytes ?? full.packetBytes
            return [
                Finding(
                    .brokerUnreachable, address, seen + "; not even packets of \(least) bytes pass",
                    remedy:
                        "The connection is taken, and then nothing passes: look for a firewall or proxy that inspects "
                        + "what is sent, and for a link that loses most packets (ping the broker).")
            ]
        }
        let device = interface ?? "DEVICE"
        return [
            Finding(
                .packetsTooLarge, address, seen + "; packets of \(passed.packetBytes) bytes pass",
                remedy: "ip link set dev \(device) mtu \(passed.packetBytes), and make it permanent (MTUBytes= in its "
                    + ".network file, or the modem's connection); or have the router clamp the MSS, or let ICMP "
                    + "\"fragmentation needed\" through.")
        ]
    }
}
