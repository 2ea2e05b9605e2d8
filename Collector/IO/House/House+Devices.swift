// Gateways as devices: where each stands between its registration and its first reading. For people; decides nothing.

internal import CollectorCore
internal import Evidence
internal import Quantities

/// One gateway on the page /devices.
struct DeviceStatus: Sendable {
    enum Stage: String, Sendable {
        /// No key counts and no claim is open.
        case registered
        case claimOpen = "claim open"
        case claimLocked = "claim locked"
        case claimExpired = "claim expired"
        /// A key counts; nothing was received yet.
        case enrolled
        case alive
        case offline
        case revoked
    }

    struct Meter: Sendable {
        let id: Identifier
        let device: String
        let serial: String
        let point: Identifier?
        let profile: String
        /// Counts are multiplied by it: `200/1`.
        let ratio: String
        let isInverter: Bool
        /// The manifest lets readings with this profile settle.
        let isBillingGrade: Bool
        let commissionedAt: UTCInstant?
        /// As decoded from its last readings, Wh and W.
        let exported: Int64?
        let watts: Int64?
        let readAt: UTCInstant?
    }

    let gateway: Identifier
    let entity: Identifier
    let stage: Stage
    /// In house time.
    let claimExpires: UTCInstant?
    let wrongSecrets: Int
    /// First 8 bytes of the key's digest, hexadecimal.
    let kid: String?
    let keySince: UTCInstant?
    /// On the machine's clock.
    let certificateUntil: UTCInstant?
    let isLetIn: Bool?
    let records: UInt64
    let lastRecordAt: UTCInstant?
    let stream: String?
    /// How far the last receipt made for it reaches; nil: none since start.
    let receiptedThrough: UInt64?
    /// How far the receipt reaches that the gateway itself says it holds.
    let heldThrough: UInt64?
    let reason: String?
    /// What became of the last command; nil: none was ever given.
    let configuration: String?
    let meters: [Meter]
}

struct DeviceModel: Sendable {
    let tenant: String
    let now: UTCInstant
    let isEnrolmentOpen: Bool
    /// `https://HOST:PORT`, as gateways call it.
    let enrolmentURL: String?
    let devices: [DeviceStatus]
}

extension House {
    func deviceModel() -> DeviceModel {
        // What a revocation of this very millisecond ends is ended.
        let instant = decisionTime() + 1
        let plant = state.registry.plant(at: instant)
        let points = Self.pointsByMeter(plant)
        let devices = state.registry.gatewayIDs(at: instant).compactMap { device($0, at: instant, points) }
        return DeviceModel(
            tenant: state.genesis.tenant.text, now: now(), isEnrolmentOpen: enrolment != nil,
            enrolmentURL: enrolmentURL,
            devices: devices)
    }

    /// `https://HOST:PORT`, as gateways call it.
    var enrolmentURL: String? {
        enrolment.map { "https://\($0.configuration.serverNames.first ?? "HOST"):\($0.configuration.port)" }
    }

    static func pointsByMeter(_ plant: RegisteredPlant) -> [Identifier: Identifier] {
        var points: [Identifier: Identifier] = [:]
        for point in plant.sites.flatMap(\.meteringPoints) { for meter in point.meters { points[meter] = point.id } }
        return points
    }

    func device(
        _ id: Identifier, at instant: UTCInstant, _ points: [Identifier: Identifier]
    ) -> DeviceStatus? {
        guard let known = state.registry.gateway(id, at: instant) else { return nil }
        readAttempts(of: id)
        let board = gateways.gateway(id)
        let claim = state.registry.claim(of: id, at: instant)
        let keys = state.registry.gatewayKeys(id, at: instant)
        let key = keyInForce(id, keys, at: instant)
        let revocation = state.registry.revocation(of: id, at: instant)
        let isEnrolled = keys?.maySpeak(intake.gateway(id)) == true
        let meters = state.registry.meters(of: id, at: instant).map { meter($0, board, points[$0.id], at: instant) }
        return DeviceStatus(
            gateway: id, entity: known.entity,
            stage: stage(claim, isEnrolled: isEnrolled, isRevoked: revocation != nil, board, at: instant),
            claimExpires: claim.flatMap { $0.boundKey == nil ? $0.claim.expires : nil },
            wrongSecrets: claim.map { attempts.wrongSecrets(id, claim: $0.id) } ?? 0,
            kid: isEnrolled ? key?.kid.hex : nil, keySince: isEnrolled ? key?.since : nil,
            certificateUntil: issued(to: id)?.notAfter, isLetIn: roster.map { $0.known.contains(id) },
            records: board?.records ?? 0, lastRecordAt: board?.lastRecordAt,
            stream: intake.gateway(id)?.open?.description, receiptedThrough: receipted[id],
            heldThrough: (heldReceipts[id] ?? nil)?.durableThrough,
            reason: isEnrolled ? dispute(id, since: key?.since, at: instant) : revocation?.reason,
            configuration: commandLine(id), meters: meters)
    }

    /// The key that opens its next stream: registered, bound, or named by a key record since.
    private func keyInForce(
        _ gateway: Identifier, _ keys: GatewayKeys?, at instant: UTCInstant
    ) -> (kid: [UInt8], since: UTCInstant)? {
        let standing = state.registry.standingKey(of: gateway, at: instant).map {
            (kid: KeyID.kid(ofSPKI: $0.spki), since: $0.since)
        }
        guard let named = keys?.successor(in: intake.gateway(gateway)) else { return standing }
        return standing.map { $0.since > named.since } == true ? standing : named
    }

    /// How long people are told of a former key that tried to open a stream, house ms.
    private static let supersededShownFor: Int64 = 7 * 86_400_000

    /// Why nothing of it settles although it speaks, or who speaks in its name.
    private func dispute(_ gateway: Identifier, since: UTCInstant?, at instant: UTCInstant) -> String? {
        var reasons: [String] = []
        if isDisputed(gateway, at: instant) {
            reasons.append(
                """
                two boxes sign with its key: find the copy; nothing settles until the right one has another `key` \
                (kilomint-agent init, a new claim, kilomint-agent enroll)
                """)
        }
        // A key bound or named since then is somebody's answer to it.
        if let tried = supersededAt[gateway], instant < tried + Self.supersededShownFor,
            since.map({ $0 < tried }) ?? true
        {
            reasons.append(
                """
                at \(tried.toTheMinute) a box signed with a former key of it, and was refused: a copy, or the box \
                itself put back from a backup? Find it; the right one enrols with a new claim (kilomint-agent enroll --replace)
                """)
        }
        return reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }

    private func meter(
        _ meter: CollectorCore.Meter, _ board: GatewayBoard.Gateway?, _ point: Identifier?, at instant: UTCInstant
    ) -> DeviceStatus.Meter {
        let seen = board?.meters.first { $0.id == meter.id }
        let billingGrade = state.registry.manifest(at: instant).billingGrade
        return DeviceStatus.Meter(
            id: meter.id, device: "\(meter.vendor) \(meter.model)", serial: meter.serial, point: point,
            profile: meter.profileName, ratio: "\(meter.ratioNumerator)/\(meter.ratioDenominator)",
            isInverter: meter.meterClass == .inverter,
            isBillingGrade: profiles.digest(named: meter.profileName).map { billingGrade.contains($0) } ?? false,
            commissionedAt: admission.commissioning(of: meter, through: instant)?.time,
            exported: seen?.energy?.energy.wattHours, watts: seen?.watts, readAt: seen?.readAt)
    }

    private func stage(
        _ claim: StandingClaim?, isEnrolled: Bool, isRevoked: Bool, _ board: GatewayBoard.Gateway?,
        at instant: UTCInstant
    ) -> DeviceStatus.Stage {
        // A new claim of an enrolled gateway is what its operator waits for.
        if let claim, claim.boundKey == nil {
            if attempts.isLocked(claim.claim.gateway, claim: claim.id) { return .claimLocked }
            if instant < claim.claim.expires { return .claimOpen }
            if !isEnrolled { return .claimExpired }
        }
        guard isEnrolled else { return isRevoked ? .revoked : .registered }
        guard let board, board.records > 0 else { return .enrolled }
        return board.isOnline ? .alive : .offline
    }

    func unlock(_ gateway: Identifier) -> Bool {
        guard state.registry.claim(of: gateway, at: decisionTime()) != nil else { return false }
        readAttempts(of: gateway)
        attempts.unlock(gateway)
        keepAttempts(of: gateway)
        return true
    }
}

extension UTCInstant {
    /// `2016-07-07T06:00Z`.
    var toTheMinute: String { description.prefix(16) + "Z" }
}

extension DeviceStatus {
    var json: JSON {
        .object([
            ("gateway", .string(gateway.text)), ("entity", .string(entity.text)), ("state", .string(stage.rawValue)),
            ("claim_expires", .optional(claimExpires?.description)), ("wrong_secrets", .int(Int64(wrongSecrets))),
            ("kid", .optional(kid)), ("key_since", .optional(keySince?.description)),
            ("certificate_until", .optional(certificateUntil?.description)),
            ("let_in", isLetIn.map { .bool($0) } ?? .null), ("records", .count(records)),
            ("last_record_at", .optional(lastRecordAt?.description)), ("stream", .optional(stream)),
            ("receipted_through", receiptedThrough.map { .count($0) } ?? .null),
            ("receipt_held_through", heldThrough.map { .count($0) } ?? .null), ("reason", .optional(reason)),
            ("configuration", .optional(configuration)), ("meters", .array(meters.map(\.json))),
        ])
    }
}

extension DeviceStatus.Meter {
    fileprivate var json: JSON {
        .object([
            ("meter", .string(id.text)), ("device", .string(device)), ("serial", .string(serial)),
            ("metering_point", .optional(point?.text)), ("profile", .string(profile)), ("ratio", .string(ratio)),
            ("class", .string(isInverter ? "inverter" : "mid")), ("billing_grade_profile", .bool(isBillingGrade)),
            ("commissioned_at", .optional(commissionedAt?.description)), ("export_wh", .optional(exported)),
            ("watts", .optional(watts)), ("read_at", .optional(readAt?.description)),
        ])
    }
}
