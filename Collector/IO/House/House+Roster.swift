// Keeps the broker's clients in step with the registry: who is to be let in, and what the plugin answered. The session that
// carries both is the broker link's.

internal import CollectorCore
internal import Logging
internal import Quantities

/// Gateways whose key counts, as last computed.
struct WantedGateways: Sendable {
    /// Keys begin and end without an event too, ms.
    static let computedEvery: Int64 = 30_000
    let houseEvents: UInt64
    let uptime: Int64
    let gateways: [Identifier]
}

extension House {
    func brokerConnected() { roster?.connected() }

    func take(brokerAnswer bytes: [UInt8]) {
        roster?.take(answer: bytes, uptime: SystemClock.uptime())
        noteRosterTrouble()
    }

    /// What is to be published on ``BrokerRoster/commandTopic`` now.
    func nextBrokerCommand() -> [UInt8]? {
        guard let known = roster else { return nil }
        let (uptime, before) = (SystemClock.uptime(), wanted?.uptime)
        let gateways = wantedGateways()
        // Asked fifty times a second: nothing is compared while nothing changed.
        if known.isIdle(uptime: uptime), wanted?.uptime == before { return nil }
        // In a copy of before who was revoked since would be let in, and who came since be thrown out.
        guard isWhole else { return nil }
        defer { noteRosterTrouble() }
        return roster?.next(wanted: gateways, uptime: uptime)
    }

    /// Whether the broker lets the gateway in, as far as this can be known: a broker that is away is not waited for.
    func brokerKnows(_ gateway: Identifier) -> Bool {
        guard let roster, !connectedShares.isEmpty else { return true }
        return roster.known.contains(gateway)
    }

    private func noteRosterTrouble() {
        guard let text = roster?.trouble, troubles.last != text else { return }
        logger.error("\(text)")
        trouble(text)
    }

    private func wantedGateways() -> [Identifier] {
        let uptime = SystemClock.uptime()
        if let known = wanted, known.houseEvents == sequences[.house] ?? 0,
            uptime - known.uptime < WantedGateways.computedEvery
        {
            return known.gateways
        }
        // What a revocation of this very millisecond ends is ended.
        let instant = decisionTime() + 1
        let gateways = state.registry.gatewayIDs(at: instant).filter { gateway in
            guard let keys = state.registry.gatewayKeys(gateway, at: instant) else { return false }
            return keys.maySpeak(intake.gateway(gateway))
        }
        wanted = WantedGateways(houseEvents: sequences[.house] ?? 0, uptime: uptime, gateways: gateways)
        return gateways
    }
}
