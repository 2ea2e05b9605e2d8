// Bodies of the events of windows and verification. Day verdicts stay items here: transcript.md is their contract.

package import CBOR
package import Proofs
package import Quantities

extension Event {
    /// The inputs of a window are fixed.
    package struct WindowCut: EventBody {
        package struct EntityCut: Hashable, Sendable {
            package let entity: Identifier
            /// End of the last day for which all its streams are complete, at most the window's end.
            package let settledThrough: UTCInstant
            /// Why that is before the window's end (`WATERMARK_STALL`); nil when it is not.
            package let reason: String?
            /// Gateways that were late.
            package let late: [Identifier]

            package init(entity: Identifier, settledThrough: UTCInstant, reason: String?, late: [Identifier]) {
                self.entity = entity
                self.settledThrough = settledThrough
                self.reason = reason
                self.late = late
            }
        }

        package let window: WindowID
        package let start: UTCInstant
        package let end: UTCInstant
        package let manifest: Digest
        /// The evidence the window was computed from.
        package let evidence: Checkpoint
        package let entities: [EntityCut]
        package let segments: [Digest]
        package let inputDigest: Digest

        package init(
            window: WindowID, start: UTCInstant, end: UTCInstant, manifest: Digest, evidence: Checkpoint,
            entities: [EntityCut], segments: [Digest], inputDigest: Digest
        ) {
            self.window = window
            self.start = start
            self.end = end
            self.manifest = manifest
            self.evidence = evidence
            self.entities = entities
            self.segments = segments
            self.inputDigest = inputDigest
        }

        package var cbor: CBORValue {
            .fields([
                (1, .text(window.text)), (2, .ms(start)), (3, .ms(end)), (4, .digest(manifest)),
                (5, .some(evidence.cbor)),
                (
                    6,
                    .array(
                        entities.map {
                            .array([
                                .id($0.entity), .ms($0.settledThrough), $0.reason.map { .text($0) } ?? .null,
                                .ids($0.late),
                            ])
                        })
                ),
                (7, .array(segments.map { .digest($0) })), (8, .digest(inputDigest)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...8, "body")
            let entities = try fields.value(6).list("body.6", max: Event.listMax) { (value, path) throws(ShapeError) in
                let parts = try value.array(count: 4, path)
                return EntityCut(
                    entity: try parts[0].identifier(path + "[0]"), settledThrough: try parts[1].instant(path + "[1]"),
                    reason: parts[2].isNull ? nil : try parts[2].shortText(path + "[2]"),
                    late: try parts[3].identifiers(path + "[3]"))
            }
            self.init(
                window: try fields.window(1), start: try fields.instant(2), end: try fields.instant(3),
                manifest: try fields.digest(4),
                evidence: try Checkpoint(try fields.value(5), "body.5"),
                entities: entities,
                segments: try fields.value(7).list("body.7", max: Seal.segmentsMax) {
                    (value, path) throws(ShapeError) in
                    try value.digest(path)
                }, inputDigest: try fields.digest(8))
        }
    }

    /// Every day of an entity in a window has its verdict.
    package struct ReconciliationComplete: EventBody {
        package let window: WindowID
        package let entity: Identifier
        package let days: [DayVerdict]

        package init(window: WindowID, entity: Identifier, days: [DayVerdict]) {
            self.window = window
            self.entity = entity
            self.days = days
        }

        package var cbor: CBORValue {
            .fields([(1, .text(window.text)), (2, .id(entity)), (3, .array(days.map(\.cbor)))])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...3, "body")
            // None, when the entity's gateways sent nothing complete yet.
            let days = try fields.value(3).list("body.3", max: Event.listMax) {
                (value, path) throws(ShapeError) in
                try DayVerdict(value)
            }
            self.init(window: try fields.window(1), entity: try fields.identifier(2), days: days)
        }
    }

    /// A day is not verified, and why.
    package struct AnomalyDetected: EventBody {
        package let window: WindowID
        package let meteringPoint: Identifier
        package let day: UTCInstant
        package let verdict: DayOutcome
        package let findings: [Finding]

        package init(
            window: WindowID, meteringPoint: Identifier, day: UTCInstant, verdict: DayOutcome, findings: [Finding]
        ) {
            self.window = window
            self.meteringPoint = meteringPoint
            self.day = day
            self.verdict = verdict
            self.findings = findings
        }

        package var cbor: CBORValue {
            .fields([
                (1, .text(window.text)), (2, .id(meteringPoint)), (3, .ms(day)), (4, .text(verdict.rawValue)),
                (5, .array(findings.map(\.cbor))),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...5, "body")
            let findings = try fields.value(5).list("body.5", max: Event.listMax) { (value, path) throws(ShapeError) in
                let parts = try value.array(count: 3, path)
                guard let kind = FindingKind(rawValue: try parts[0].text(path + "[0]")) else {
                    throw ShapeError(path + "[0]", expected: "a finding's name")
                }
                return Finding(
                    kind, count: try parts[1].uint(path + "[1]"),
                    text: try parts[2].shortText(path + "[2]"))
            }
            guard let verdict = DayOutcome(rawValue: try fields.text(4)) else {
                throw ShapeError("body.4", expected: "verified, pending or disputed")
            }
            self.init(
                window: try fields.window(1), meteringPoint: try fields.identifier(2), day: try fields.instant(3),
                verdict: verdict, findings: findings)
        }
    }

    /// A day waits for a person's or an auditor's word.
    package struct DisputeOpened: EventBody {
        package let window: WindowID
        package let meteringPoint: Identifier
        package let day: UTCInstant
        package let reason: String

        package init(window: WindowID, meteringPoint: Identifier, day: UTCInstant, reason: String) {
            self.window = window
            self.meteringPoint = meteringPoint
            self.day = day
            self.reason = reason
        }

        package var cbor: CBORValue {
            .fields([(1, .text(window.text)), (2, .id(meteringPoint)), (3, .ms(day)), (4, .text(reason))])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            self.init(
                window: try fields.window(1), meteringPoint: try fields.identifier(2), day: try fields.instant(3),
                reason: try fields.shortText(4))
        }
    }

    /// What an entity produced in the verified days of a window.
    package struct ProductionVerified: EventBody {
        package let window: WindowID
        package let entity: Identifier
        package let settledFrom: UTCInstant
        package let settledThrough: UTCInstant
        /// Negative where import exceeds export.
        package let verified: Energy
        package let lowestConfidence: PartsPerMillion
        /// Envelopes, one a day and metering point.
        package let attestations: [[UInt8]]

        package init(
            window: WindowID, entity: Identifier, settledFrom: UTCInstant, settledThrough: UTCInstant, verified: Energy,
            lowestConfidence: PartsPerMillion, attestations: [[UInt8]]
        ) {
            self.window = window
            self.entity = entity
            self.settledFrom = settledFrom
            self.settledThrough = settledThrough
            self.verified = verified
            self.lowestConfidence = lowestConfidence
            self.attestations = attestations
        }

        package var cbor: CBORValue {
            .fields([
                (1, .text(window.text)), (2, .id(entity)), (3, .ms(settledFrom)), (4, .ms(settledThrough)),
                (5, .int(verified.wattHours)), (6, .int(lowestConfidence.value)),
                (7, .array(attestations.map { .bytes($0) })),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...7, "body")
            guard let confidence = PartsPerMillion(try fields.int(6)) else {
                throw ShapeError("body.6", expected: "0 … 1000000")
            }
            let attestations = try fields.value(7).list("body.7", max: Event.listMax) {
                (value, path) throws(ShapeError) in
                try value.bytes(path)
            }
            self.init(
                window: try fields.window(1), entity: try fields.identifier(2), settledFrom: try fields.instant(3),
                settledThrough: try fields.instant(4), verified: Energy(wattHours: try fields.int(5)),
                lowestConfidence: confidence, attestations: attestations)
        }
    }
}

extension CBORFields {
    func window(_ key: Int64) throws(ShapeError) -> WindowID { try WindowID(try value(key), place(key)) }
}
