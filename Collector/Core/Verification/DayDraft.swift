// One metering point's day on its way to a verdict: sources compared, confidence, grade, outcome.

internal import Proofs
internal import Quantities

/// A check meter's energy of a day that can be used.
struct CheckEnergy: Hashable, Sendable {
    let meter: Meter
    let wattHours: Int64
    let resolution: Int64

    init(_ meter: Meter, _ wattHours: Int64, _ resolution: Int64) {
        self.meter = meter
        self.wattHours = wattHours
        self.resolution = resolution
    }
}

struct DayDraft: Hashable, Sendable {
    let point: MeteringPoint
    let day: Int
    let span: DaySpan
    let exported: Int64?
    let imported: Int64?
    let resolution: Int64
    let coverage: Coverage
    /// The meter was not commissioned all day, and showed nothing: nothing is to be settled, and that is certain.
    let isPassed: Bool

    init(
        point: MeteringPoint, day: Int, span: DaySpan, exported: Int64??, imported: Int64??, resolution: Int64,
        coverage: Coverage, hasGoods: Bool
    ) {
        self.point = point
        self.day = day
        self.span = span
        isPassed = coverage.isPartial && coverage.intervals == 0 && !hasGoods
        let (exported, imported): (Int64?, Int64?) = isPassed ? (0, 0) : (exported ?? nil, imported ?? nil)
        // Where import is settled too, a day without it is not measured.
        self.exported = point.direction == .exportMinusImport && imported == nil ? nil : exported
        self.imported = imported
        self.resolution = resolution
        self.coverage = coverage
    }

    /// What the day settles.
    var settling: Int64? {
        switch point.direction {
        case .export: exported
        case .exportMinusImport: exported.flatMap { export in imported.map { export - $0 } }
        }
    }

    /// - Parameter lift: the latest A or D statement of an earlier day that agreed fully.
    /// - Returns: the verdict, and this day's own A or D statement if it agreed fully.
    func judge(
        _ checks: [CheckEnergy], lift: Lift?, _ found: DayFindings, _ context: VerificationContext
    ) -> (verdict: DayVerdict, agreed: Lift?) {
        var findings = found
        var sources: [SourceComparison] = []
        var base: Int64 = 0
        var satellite: Int64?
        var agreed: Lift?
        if let exported, !coverage.isPartial {
            sources = compare(exported, checks, context, &findings)
            satellite = sources.first { $0.source == .satellite }?.agreement
            agreed = ownLift(sources, context)
            base = Confidence.base(
                sources, isLifted: agreed != nil || isLifted(by: lift, context), without: context.manifest.baseWithout)
        } else {
            // Sources speak of whole days.
            for kind in [FindingKind.checkMeter, .satelliteLow] { findings.skip(kind) }
            if exported != nil { base = isPassed ? 1_000_000 : context.manifest.baseWithout }
        }
        let confidence =
            exported == nil ? 0 : Confidence.value(coverage: coverage.share, base: base, satellite: satellite)
        let grade = findings.grade(isMeasured: exported != nil, coverage: coverage.share)
        let review = context.sources.review(of: point.id, day: span.start(of: day))
        let verdict = DayVerdict(
            window: context.inputs.header.window, entity: point.entity, meteringPoint: point.id,
            dayStart: span.start(of: day), dayEnd: span.end(of: day), exported: exported, resolution: resolution,
            sources: sources, coverage: coverage.share, base: base, satellite: satellite, confidence: confidence,
            grade: grade, findings: findings.ordered(), skipped: findings.orderedSkips(),
            outcome: DayOutcome(grade: grade, confidence: confidence, review: review, manifest: context.manifest),
            imported: imported)
        return (verdict, agreed)
    }

    /// C by meter id, then A, D and S.
    private func compare(
        _ measured: Int64, _ checks: [CheckEnergy], _ context: VerificationContext, _ findings: inout DayFindings
    ) -> [SourceComparison] {
        let (tolerances, weights) = (context.manifest.tolerances, context.manifest.weights)
        var sources: [SourceComparison] = []
        for check in checks {
            let tolerance = check.meter.meterClass == .midMeter ? tolerances.midMeter : tolerances.inverter
            let result = Agreement(
                of: check.wattHours, with: measured, resolution: max(resolution, check.resolution), tolerance: tolerance
            )
            findings.add(.checkMeter, result.deviation > tolerance ? 1 : 0, check.meter.id.text)
            sources.append(
                SourceComparison(
                    source: .checkMeter, name: check.meter.id.text, wattHours: check.wattHours,
                    deviation: result.deviation, agreement: result.agreement, weight: weights.check))
        }
        if checks.isEmpty { findings.skip(.checkMeter) }
        let stated: [(SourceKind, tolerance: Int64, weight: Int64)] = [
            (.auditor, tolerances.auditor, weights.auditor),
            (.gridOperator, tolerances.gridOperator, weights.gridOperator),
            (.satellite, tolerances.satellite, 0),
        ]
        for (source, tolerance, weight) in stated {
            guard let input = context.sources.statement(source, of: point.id, day: span.start(of: day)) else {
                if source == .satellite { findings.skip(.satelliteLow) }
                continue
            }
            let statement = input.statement
            let result = Agreement(
                of: statement.wattHours, with: measured, resolution: max(resolution, statement.resolutionWattHours),
                tolerance: tolerance)
            if source == .satellite {
                findings.add(.satelliteLow, result.agreement < 1_000_000 ? 1 : 0, input.identity.description)
            }
            sources.append(
                SourceComparison(
                    source: source, name: input.identity.description, wattHours: statement.wattHours,
                    deviation: result.deviation, agreement: result.agreement, weight: weight))
        }
        return sources
    }

    /// This day's A, else D, if it agreed fully.
    private func ownLift(_ sources: [SourceComparison], _ context: VerificationContext) -> Lift? {
        let full = sources.first {
            ($0.source == .auditor || $0.source == .gridOperator) && $0.agreement == 1_000_000
        }
        guard let full,
            let input = context.sources.statement(full.source, of: point.id, day: span.start(of: day))
        else { return nil }
        return Lift(
            meteringPoint: point.id, day: span.start(of: day), source: full.source, statement: input.identity,
            agreement: full.agreement)
    }

    /// Whether the earlier statement's day ended before this one's end by at most the lift's duration.
    private func isLifted(by lift: Lift?, _ context: VerificationContext) -> Bool {
        guard let lift, lift.agreement == 1_000_000 else { return false }
        let ended = lift.day + span.length
        let age = span.end(of: day) - ended
        return age >= 0 && age <= context.manifest.liftDuration
    }
}
