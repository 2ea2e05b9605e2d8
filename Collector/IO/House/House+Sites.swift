// Everything about one gateway, and everything about one facility: what is registered, and what became of it. For people.

internal import CollectorCore
internal import Evidence
internal import Quantities

/// One gateway with all that hangs on it.
struct DeviceDetail: Sendable {
    struct Stream: Sendable {
        let id: String
        let through: UInt64
        let isOpen: Bool
        let hold: String?
        /// What its birth names of the stream before it and never came.
        let missingTail: String?
        /// Records of it that skips stand for.
        let skipped: UInt64
    }

    /// The verdict on the last day that was computed.
    struct LastDay: Sendable {
        let start: UTCInstant
        let grade: String
        let outcome: String
        /// `NOT_COMMISSIONED main`.
        let findings: [String]
    }

    struct Point: Sendable {
        let point: MeteringPoint
        let lastDay: LastDay?
    }

    /// Streams that are shown: a gateway opens one at each start.
    static let streamsMax = 8

    let status: DeviceStatus
    let points: [Point]
    /// The last ones, the latest last.
    let streams: [Stream]
}

extension House {
    var tenant: String { state.genesis.tenant.text }

    func deviceDetail(_ gateway: Identifier) -> DeviceDetail? {
        // What a revocation of this very millisecond ends is ended.
        let instant = decisionTime() + 1
        let plant = state.registry.plant(at: instant)
        guard let status = device(gateway, at: instant, Self.pointsByMeter(plant)) else { return nil }
        let named = status.meters.compactMap(\.point)
        let points = plant.sites.flatMap(\.meteringPoints).filter { named.contains($0.id) }
        let known = intake.gateway(gateway)
        let streams = (known?.births ?? []).suffix(DeviceDetail.streamsMax).map { id in
            DeviceDetail.Stream(
                id: id.description, through: known?.stream(id)?.head.through ?? 0, isOpen: id == known?.open,
                hold: known?.hold(id, .max)?.rawValue, missingTail: known?.stream(id)?.missingTail?.description,
                skipped: known?.stream(id)?.skippedCount ?? 0)
        }
        return DeviceDetail(
            status: status, points: points.map { DeviceDetail.Point(point: $0, lastDay: lastDay(of: $0.id)) },
            streams: streams)
    }

    private func lastDay(of point: Identifier) -> DeviceDetail.LastDay? {
        for window in state.windows.reversed() {
            guard let verdict = days(window).last(where: { $0.meteringPoint == point }) else { continue }
            return DeviceDetail.LastDay(
                start: verdict.dayStart, grade: verdict.grade.rawValue, outcome: verdict.outcome.rawValue,
                findings: verdict.findings.map { "\($0.kind.rawValue) \($0.text)" })
        }
        return nil
    }

    /// What `device show` tells of a gateway beside what its next claim needs.
    func siteMembers(_ gateway: Identifier) -> [(String, JSON)] {
        guard let detail = deviceDetail(gateway) else { return [] }
        return [
            ("status", detail.status.json), ("metering_points", .array(detail.points.map(\.json))),
            (
                "streams",
                .array(
                    detail.streams.map { stream in
                        .object([
                            ("stream", .string(stream.id)), ("through", .count(stream.through)),
                            ("open", .bool(stream.isOpen)), ("hold", .optional(stream.hold)),
                            ("missing_tail", .optional(stream.missingTail)), ("skipped", .count(stream.skipped)),
                        ])
                    })
            ),
        ]
    }

    /// A facility: who owns it, where it measures, and through which gateways.
    func entityView(_ id: Identifier) -> JSON? {
        let instant = decisionTime() + 1
        let plant = state.registry.plant(at: instant)
        guard let site = plant.sites.first(where: { $0.entity.id == id }) else { return nil }
        let named = Self.pointsByMeter(plant)
        let gateways = site.gateways.compactMap { device($0.id, at: instant, named) }
        let points = site.meteringPoints.map { DeviceDetail.Point(point: $0, lastDay: lastDay(of: $0.id)) }
        return .object([
            ("entity", .string(id.text)), ("organisation", .string(site.entity.organisation.text)),
            ("population", .int(site.entity.population)),
            (
                "principals",
                .array(
                    site.entity.shares.map { share in
                        .object([
                            ("principal", .string(share.principal.text)), ("account", .string(share.account.text)),
                            ("share_ppm", .int(share.ppm)),
                        ])
                    })
            ),
            ("metering_points", .array(points.map(\.json))), ("gateways", .array(gateways.map(\.json))),
            ("settled_through", .optional(standing.settledThrough(id)?.description)),
        ])
    }
}

extension DeviceDetail.Point {
    var direction: String {
        switch point.direction {
        case .export: "export"
        case .exportMinusImport: "export-minus-import"
        }
    }

    fileprivate var json: JSON {
        .object([
            ("metering_point", .string(point.id.text)), ("entity", .string(point.entity.text)),
            ("direction", .string(direction)), ("nameplate_w", .int(point.nameplateWatts)),
            ("revenue_meter", .string(point.revenueMeter.text)),
            ("check_meters", .array(point.checkMeters.map { .string($0.text) })),
            (
                "last_day",
                lastDay.map { day in
                    .object([
                        ("day", .string(day.start.description)), ("grade", .string(day.grade)),
                        ("verdict", .string(day.outcome)), ("findings", .array(day.findings.map { .string($0) })),
                    ])
                } ?? .null
            ),
        ])
    }
}
