"""Rules 5 to 8 of docs/formats/transcript.md: a day's sources, confidence, findings and verdict, and what settles."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from commissionings import DEVICE, LEFT_OUT, Standing, standing
from transcripts import Inputs, Manifest, Meter, Opening, Point, Reading, Span, Statement
from walks import EXPORT, HOUR, IMPORT, WH_MAX, Days, Power, Walk, powers, uncovered, walk

MILLION = 1_000_000
FINDINGS = [
    "GAP",
    "ZERO_GLITCH",
    "REGISTER_DECREASED",
    "ROLLOVER",
    "CAPACITY",
    "UNIT_CHANGED",
    "ENERGY_POWER",
    "CHECK_METER",
    "SATELLITE_LOW",
    "IDENTITY",
    "NOT_BILLING_GRADE",
    "DEVICE_CHANGED",
    "DEVICE_UNFIT",
    "SERIAL_TWICE",
    "NOT_COMMISSIONED",
    "BEFORE_COMMISSIONING",
]
WALKED = ["ZERO_GLITCH", "REGISTER_DECREASED", "ROLLOVER", "CAPACITY", "UNIT_CHANGED"]
BROKEN = {"REGISTER_DECREASED", "CAPACITY", "UNIT_CHANGED"}
BLOCKING = BROKEN | set(DEVICE)
# Source: place of its tolerance and weight in manifest keys 10 and 11.
STATED = {"A": (2, 1), "D": (3, 2), "S": (4, None)}


@dataclass
class PointDays:
    """One metering point: its walks, and for each day the verdict, the energy that settles and the lift it gives."""

    point: Point
    walks: dict[tuple[str, str], Walk]
    standings: dict[str, Standing]
    verdicts: list[dict[int, Any]] = field(default_factory=list)
    energies: list[int | None] = field(default_factory=list)
    lifts: list[list[Any] | None] = field(default_factory=list)


@dataclass
class Day:
    """A day on its way to a verdict."""

    begin: int
    end: int
    export: int | None
    imported: int | None
    resolution: int
    missing: int
    intervals: int
    is_partial: bool
    is_passed: bool
    sources: list[list[Any]] = field(default_factory=list)
    findings: list[list[Any]] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)

    def find(self, name: str, count: int, text: str) -> None:
        if count:
            self.findings.append([name, count, text])


def deviation_of(wh: int, measured: int, resolution: int) -> int:
    if abs(wh - measured) <= 2 * resolution or wh == measured == 0:
        return 0
    return abs(wh - measured) * MILLION // max(abs(wh), abs(measured))


def agreement_of(deviation: int, tolerance: int) -> int:
    if deviation <= tolerance:
        return MILLION
    return 0 if deviation >= 3 * tolerance else (3 * tolerance - deviation) * MILLION // (2 * tolerance)


def verify_point(inputs: Inputs, point: Point, span: Span) -> PointDays:
    """Rules 1 to 7 for all days of one metering point."""
    manifest = inputs.manifest
    days = Days(span.settled_from, manifest.day, (span.complete_through - span.settled_from) // manifest.day)
    openings = {opening.key: opening for opening in inputs.openings}
    wanted = [(point.revenue, IMPORT), *((meter, EXPORT) for meter in [point.revenue, *point.checks])]
    standings = {
        meter: standing(inputs, point, inputs.meters[meter], span.settled_from) for meter in [point.revenue, *point.checks]
    }
    walks = {
        (meter, name): walk(
            inputs,
            point,
            inputs.meters[meter],
            name,
            days,
            openings.get((point.id, meter, name)),
            standings[meter].ordinals,
        )
        for meter, name in wanted
    }
    made = PointDays(point, walks, standings)
    lift = inputs.lifts.get(point.id)
    power = powers(inputs, inputs.readings.get(point.id, []), standings[point.revenue].ordinals)
    for number in range(days.count):
        day = _measure(inputs, made, days, number)
        _revenue_findings(inputs, made, day, days, number, power)
        is_compared = day.export is not None and not day.is_partial
        own = _sources(inputs, made, day, days, number) if is_compared else None
        made.lifts.append(own)
        made.verdicts.append(_verdict(inputs, made, day, own, lift))
        made.energies.append(_settling(point, day))
        lift = own or lift
    return made


def _measure(inputs: Inputs, made: PointDays, days: Days, number: int) -> Day:
    begin, end = days.bounds(number)
    revenue, drawn = made.walks[made.point.revenue, EXPORT], made.walks[made.point.revenue, IMPORT]
    left_out = made.standings[made.point.revenue].left_out()
    missing, intervals, is_partial = uncovered(revenue, begin, end, inputs.manifest, left_out)
    has_goods = revenue.has_goods(begin, end) or drawn.has_goods(begin, end)
    is_passed = is_partial and intervals == 0 and not has_goods
    export, imported = (0, 0) if is_passed else (revenue.energy(begin, end), drawn.energy(begin, end))
    if made.point.is_net and imported is None:
        export = None
    return Day(begin, end, export, imported, revenue.step_wh(), missing, intervals, is_partial, is_passed)


def _settling(point: Point, day: Day) -> int | None:
    if day.export is None or not point.is_net:
        return day.export
    return None if day.imported is None else day.export - day.imported


def _remarks(made: PointDays, meter: str, days: Days, number: int) -> Counter[str]:
    """What is wrong with a meter's readings of a day; those at or before the start stand on the first one."""
    return Counter(
        finding
        for finding, time in made.standings[meter].remarks
        if (0 if time <= days.start and days.count else days.of(time)) == number
    )


def _revenue_findings(inputs: Inputs, made: PointDays, day: Day, days: Days, number: int, power: list[Power]) -> None:
    """Rule 6, what the revenue meter's readings say."""
    manifest, name = inputs.manifest, made.point.revenue
    export, imported = made.walks[name, EXPORT], made.walks[name, IMPORT]
    day.find("GAP", day.missing, name)
    for kind in WALKED:
        day.find(
            kind, export.findings[kind, number] + (imported.findings[kind, number] if kind != "CAPACITY" else 0), name
        )
    remarks = _remarks(made, name, days, number)
    for kind in DEVICE:
        day.find(kind, remarks[kind], name)
    superseded = export.findings[LEFT_OUT, number] + imported.findings[LEFT_OUT, number]
    day.find(LEFT_OUT, remarks[LEFT_OUT] + superseded, name)
    disagrees = _energy_power(made, day, [value for value in power if day.begin < value.time <= day.end], manifest)
    if disagrees is None:
        day.skipped.add("ENERGY_POWER")
    else:
        day.find("ENERGY_POWER", int(disagrees), name)


def _energy_power(made: PointDays, day: Day, values: list[Power], manifest: Manifest) -> bool | None:
    """Whether energy and held power differ too much; None if the rule cannot run."""
    if day.export is None or day.imported is None or day.is_partial or not values:
        return None
    if values[0].time - day.begin > 2 * values[0].interval or len({value.unit for value in values}) > 1:
        return None
    work, begin = 0, day.begin
    for value, following in zip(values, [*values[1:], None]):
        end = following.time if following else day.end
        if end - value.time > 2 * value.interval:
            return None
        work += value.count * (end - begin)
        begin = end
    wh = work * values[0].unit * made.walks[made.point.revenue, EXPORT].ratio / HOUR // 1
    net = day.export - day.imported
    return abs(net + wh) > max(abs(net) * manifest.energy_power // MILLION, 2 * day.resolution)


def _sources(inputs: Inputs, made: PointDays, day: Day, days: Days, number: int) -> list[Any] | None:
    """Rule 5's sources of a measured day into `day`; the lift that its own A or D gives, if any."""
    manifest = inputs.manifest
    assert day.export is not None
    for name in made.point.checks:
        _check_meter(inputs, made, day, days, number, inputs.meters[name])
    lift = None
    for source, (tolerance, weight) in STATED.items():
        statement = _statement(inputs, made.point.id, source, day)
        if statement is None:
            continue
        resolution = max(statement.resolution, day.resolution)
        deviation = deviation_of(statement.wh, day.export, resolution)
        agreement = agreement_of(deviation, manifest.tolerances[tolerance])
        if source == "S":
            day.find("SATELLITE_LOW", int(agreement < MILLION), statement.identity.hex())
        elif agreement == MILLION and lift is None:
            lift = [made.point.id, day.begin, source, statement.identity, agreement]
        day.sources.append(
            [
                source,
                statement.identity.hex(),
                statement.wh,
                deviation,
                agreement,
                0 if weight is None else manifest.weights[weight],
            ]
        )
    return lift


def _check_meter(inputs: Inputs, made: PointDays, day: Day, days: Days, number: int, meter: Meter) -> None:
    manifest = inputs.manifest
    assert day.export is not None
    counter = made.walks[meter.id, EXPORT]
    wh = counter.energy(day.begin, day.end)
    if wh is None or _remarks(made, meter.id, days, number) or any(counter.findings[kind, number] for kind in BROKEN):
        return
    deviation = deviation_of(wh, day.export, max(counter.step_wh(), day.resolution))
    tolerance = manifest.tolerances[0 if meter.is_mid else 1]
    day.find("CHECK_METER", int(deviation > tolerance), meter.id)
    day.sources.append(["C", meter.id, wh, deviation, agreement_of(deviation, tolerance), manifest.weights[0]])


def _statement(inputs: Inputs, point: str, source: str, day: Day) -> Statement | None:
    """Of several about exactly this day the earliest, then the lowest identity."""
    about = [s for s in inputs.statements if (s.source, s.point, s.begin, s.end) == (source, point, day.begin, day.end)]
    return min(about, key=lambda s: (s.issued, s.identity), default=None)


def _check_findings(inputs: Inputs, made: PointDays, day: Day) -> None:
    """Rule 6, what a check meter's readings say."""
    manifest = inputs.manifest
    span = next(span for span in inputs.spans if span.entity == made.point.entity)
    days = Days(span.settled_from, manifest.day, (span.complete_through - span.settled_from) // manifest.day)
    number = (day.begin - days.start) // days.length
    for name in made.point.checks:
        for kind in WALKED:
            day.find(kind, made.walks[name, EXPORT].findings[kind, number], name)
        remarks = _remarks(made, name, days, number)
        for kind in ("IDENTITY", "DEVICE_UNFIT"):
            day.find(kind, remarks[kind], name)


def _verdict(
    inputs: Inputs, made: PointDays, day: Day, own: list[Any] | None, lift: list[Any] | None
) -> dict[int, Any]:
    """Base and confidence of rule 5, grade of rule 6, outcome of rule 7."""
    manifest, point = inputs.manifest, made.point
    _check_findings(inputs, made, day)
    q = (day.intervals - day.missing) * MILLION // day.intervals if day.intervals else MILLION
    is_lifted = (
        own is not None
        or lift is not None
        and lift[4] == MILLION
        and 0 <= day.end - (lift[1] + manifest.day) <= manifest.lift
    )
    satellite = next((source[4] for source in day.sources if source[0] == "S"), None)
    base = _base(day, manifest, is_lifted)
    if satellite is None:
        confidence = q * base // MILLION
        day.skipped.add("SATELLITE_LOW")
    else:
        confidence = q * base * (800_000 + satellite // 5) // 10**12
    if not any(source[0] == "C" for source in day.sources):
        day.skipped.add("CHECK_METER")
    ranks = {name: rank for rank, name in enumerate(FINDINGS)}
    order = {name: rank for rank, name in enumerate([point.revenue, *point.checks])}
    findings = sorted(day.findings, key=lambda f: (ranks[f[0]], order.get(f[2], -1)))
    grade = _grade(day, q, point.revenue)
    return {
        1: inputs.header[0],
        2: point.entity,
        3: point.id,
        4: day.begin,
        5: day.end,
        6: [day.export, day.resolution],
        7: day.sources,
        8: q,
        9: base,
        10: satellite,
        11: confidence,
        12: grade,
        13: findings,
        14: sorted(day.skipped, key=lambda name: ranks[name]),
        15: _outcome(inputs, point.id, day.begin, grade, confidence),
        16: day.imported,
    }


def _base(day: Day, manifest: Manifest, is_lifted: bool) -> int:
    if day.export is None:
        return 0
    if day.is_passed:
        return MILLION
    weighed = [(source[5], source[4]) for source in day.sources if source[0] != "S"]
    if not weighed:
        return manifest.base
    mean = sum(weight * agreement for weight, agreement in weighed) // sum(weight for weight, _ in weighed)
    return mean if is_lifted else min(mean, manifest.base)


def _grade(day: Day, q: int, revenue: str) -> str:
    if day.export is None or any(name in BLOCKING and text == revenue for name, _, text in day.findings):
        return "F"
    if q < 900_000:
        return "C"
    return "B" if day.findings else "A"


def _outcome(inputs: Inputs, point: str, day: int, grade: str, confidence: int) -> str:
    """Rule 7."""
    manifest = inputs.manifest
    about = [review for review in inputs.reviews if (review.point, review.day) == (point, day)]
    review = max(about, key=lambda review: (review.issued, review.identity), default=None)
    if grade == "F" or confidence < manifest.review or review is not None and not review.accepts:
        return "disputed"
    return "verified" if confidence >= manifest.verified or review is not None else "pending"


def settled_days(points: list[PointDays]) -> int:
    """Rule 8: how many days from the first one are verified at all metering points."""
    counts = []
    for point in points:
        outcomes = [verdict[15] for verdict in point.verdicts]
        counts.append(next((day for day, outcome in enumerate(outcomes) if outcome != "verified"), len(outcomes)))
    return min(counts, default=0)


def verified_energy(points: list[PointDays], days: int) -> int | None:
    """Rule 8: the energy of the settled days; None if it is out of bounds."""
    energies = [energy for point in points for energy in point.energies[:days]]
    if None in energies:
        return None
    total = sum(energy for energy in energies if energy is not None)
    return total if abs(total) <= WH_MAX else None
