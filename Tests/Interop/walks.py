"""Rules 1 to 4 of docs/formats/transcript.md: words to counts, counts to energy, energy's coverage of a day."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from profiles import COUNTER, Count
from transcripts import Inputs, Manifest, Meter, Opening, Point, Read, Reading

IMPORT, EXPORT, POWER = "1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0"
WH_MAX = 10**15
HOUR = 3_600_000


@dataclass(frozen=True)
class Good:
    """A count that energy may be taken from, carried on past rollovers. `read` is None for an opening."""

    time: int
    count: int
    interval: int
    record: bytes
    sample: int
    ordinal: int = 0


@dataclass(frozen=True)
class Epoch:
    """Counts under one commissioning: place of the first in the walk's goods, number, what a count is worth."""

    first: int
    number: int
    unit: Fraction


@dataclass(frozen=True)
class Power:
    """One value of active power; positive is import."""

    time: int
    count: int
    unit: Fraction
    interval: int


@dataclass
class Walk:
    """Rule 2 for one counter: good counts, and findings by (name, day)."""

    opening: Opening | None
    good: list[Good] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    resolution: Fraction = Fraction(0)
    findings: Counter[tuple[str, int]] = field(default_factory=Counter)
    ratio: Fraction = Fraction(1)
    times: list[int] = field(default_factory=list)

    def last(self, instant: int) -> Good | None:
        """The last good count at or before the instant."""
        place = bisect_right(self.times, instant)
        return self.good[place - 1] if place else None

    def first_from(self, instant: int) -> Good | None:
        place = bisect_left(self.times, instant)
        return self.good[place] if place < len(self.good) else None

    def epoch(self, good: Good) -> Epoch:
        place = self.good.index(good)
        return next(epoch for epoch in reversed(self.epochs) if epoch.first <= place)

    def wh(self, good: Good, unit: Fraction) -> int | None:
        value = good.count * unit * self.ratio // 1
        return value if value <= WH_MAX else None

    def energy(self, begin: int, end: int) -> int | None:
        """Rule 3: the sum over the commissionings."""
        before, through = bisect_right(self.times, begin), bisect_right(self.times, end)
        total: int | None = None
        for epoch, after in zip(self.epochs, [*(each.first for each in self.epochs[1:]), len(self.good)]):
            if epoch.first >= through:
                continue
            own = self.good[epoch.first : min(after, through)]
            earlier = self.good[epoch.first : min(after, before)]
            high, low = self.wh(own[-1], epoch.unit), self.wh(earlier[-1] if earlier else own[0], epoch.unit)
            if high is None or low is None:
                return None
            total = (total or 0) + high - low
        return total if total is None or total <= WH_MAX else None

    def has_goods(self, begin: int, end: int) -> bool:
        return bisect_right(self.times, begin) < bisect_right(self.times, end)

    def step_wh(self) -> int:
        """The device's step in whole Wh, rounded up; 0 without counts and opening."""
        return -(-self.resolution * self.ratio // 1)


@dataclass(frozen=True)
class Days:
    """The days of an entity that are judged: day d = (start, end]."""

    start: int
    length: int
    count: int

    def of(self, time: int) -> int | None:
        day = (time - self.start - 1) // self.length
        return day if 0 <= day < self.count else None

    def bounds(self, day: int) -> tuple[int, int]:
        return self.start + day * self.length, self.start + (day + 1) * self.length


def decoded(
    inputs: Inputs, readings: list[Reading], ordinals: dict[int, int]
) -> Iterator[tuple[Reading, int, str, Count]]:
    """Rule 1: the counts and values that a meter's readings give, with the number of the commissioning of each."""
    cache: dict[tuple[int, bytes], list[tuple[str, Count]]] = {}
    for place, ordinal in ordinals.items():
        reading = readings[place]
        read = reading.read
        if read.request[0] not in (3, 4):
            continue
        key = id(read), reading.words
        if key not in cache:
            cache[key] = _wanted(inputs, read, reading.words)
        for name, count in cache[key]:
            yield reading, ordinal, name, count


def _wanted(inputs: Inputs, read: Read, words: bytes) -> list[tuple[str, Count]]:
    profile = inputs.profiles[read.profile]
    values = profile.values(read.request, read.chain, words)
    return [
        (name, value)
        for name, value in values.items()
        if isinstance(value, Count)
        and (profile.quantities[name].kind == COUNTER) == (name in (IMPORT, EXPORT))
        and name in (IMPORT, EXPORT, POWER)
    ]


def powers(inputs: Inputs, readings: list[Reading], ordinals: dict[int, int]) -> list[Power]:
    return [
        Power(reading.time, value.value, value.unit, reading.read.interval)
        for reading, _, name, value in decoded(inputs, readings, ordinals)
        if name == POWER
    ]


def walk(
    inputs: Inputs,
    point: Point,
    meter: Meter,
    quantity: str,
    days: Days,
    opening: Opening | None,
    ordinals: dict[int, int],
) -> Walk:
    """Rule 2 for one counter of a metering point."""
    made = Walk(opening, ratio=meter.ratio)
    if opening:
        made.good.append(Good(opening.time, opening.count, 0, opening.record, opening.sample))
        made.resolution = opening.unit
        made.epochs.append(Epoch(0, opening.epoch, opening.unit))
    lows: list[int] = []
    for reading, ordinal, name, count in decoded(inputs, inputs.readings.get(point.id, []), ordinals):
        if name != quantity:
            continue
        if not made.good or made.good[-1].ordinal != ordinal:
            _begin(made, reading, count, ordinal, lows, days)
        else:
            _step(made, reading, count, lows, days, point.nameplate, inputs.manifest)
    for time in lows:
        _find(made, "REGISTER_DECREASED", time, days)
    made.times = [good.time for good in made.good]
    return made


def _find(made: Walk, name: str, time: int, days: Days) -> None:
    day = days.of(time)
    if day is not None:
        made.findings[name, day] += 1


def _begin(made: Walk, reading: Reading, count: Count, ordinal: int, lows: list[int], days: Days) -> None:
    """The first count under a commissioning is compared with nothing before it."""
    while lows:
        _find(made, "BEFORE_COMMISSIONING", lows.pop(), days)
    made.epochs.append(Epoch(len(made.good), made.epochs[-1].number + 1 if made.epochs else 1, count.unit))
    made.resolution = max(made.resolution, count.resolution, count.unit)
    made.good.append(_good(reading, count.value, ordinal))


def _step(
    made: Walk, reading: Reading, count: Count, lows: list[int], days: Days, nameplate: int, manifest: Manifest
) -> None:
    if count.unit != made.epochs[-1].unit:
        return _find(made, "UNIT_CHANGED", reading.time, days)
    made.resolution = max(made.resolution, count.resolution, count.unit)
    last = made.good[-1]
    elapsed = max(0, reading.time - last.time)

    def exceeds(n: int, span: int = elapsed) -> bool:
        bound = min(-(-nameplate * manifest.margin * max(span, manifest.interval) // (10**6 * HOUR)), WH_MAX)
        return n * count.unit * made.ratio > bound + 2 * count.unit * made.ratio

    turn = count.modulus
    carried: int | None = count.value
    if turn is not None:
        carried = last.count - last.count % turn + count.value if count.value < turn else None
    if carried is not None and carried >= 2**64:
        carried = None
    if carried is not None and carried >= last.count:
        own = made.good[made.epochs[-1].first :]
        older = next((good for good in reversed(own) if good.time <= reading.time - manifest.interval), None)
        jumps = exceeds(carried - last.count)
        if older is not None and exceeds(carried - older.count, reading.time - older.time):
            jumps = True
        name = "CAPACITY" if jumps else ""
    elif (
        turn is not None
        and count.value > 0
        and carried is not None
        and carried + turn < 2**64
        and not exceeds(carried + turn - last.count)
    ):
        name, carried = "ROLLOVER", carried + turn
    else:
        return lows.append(reading.time)
    if name:
        _find(made, name, reading.time, days)
    while lows:
        _find(made, "ZERO_GLITCH", lows.pop(), days)
    made.good.append(_good(reading, carried, last.ordinal))


def _good(reading: Reading, count: int, ordinal: int) -> Good:
    return Good(reading.time, count, reading.read.interval, reading.record, reading.sample, ordinal)


def uncovered(
    made: Walk, begin: int, end: int, manifest: Manifest, left_out: list[tuple[float, int]]
) -> tuple[int, int, bool]:
    """Rule 4: intervals of a day that the good counts do not cover, those that are asked for, whether these are not all."""
    missing, starts = 0, range(begin, end, manifest.interval)
    counted = [
        start for start in starts if not any(a < start + manifest.interval and start < b for a, b in left_out)
    ]
    for start in counted:
        missing += not _covered(made, start, start + manifest.interval, manifest.bridge)
    return missing, len(counted), len(counted) < len(starts)


def _covered(made: Walk, begin: int, end: int, bridge: int) -> bool:
    before, after, last = made.last(begin), made.first_from(end), made.last(end)
    if before is None:
        return False
    if after is not None and after.ordinal == before.ordinal and after.time - before.time <= bridge:
        return True
    return last is not None and begin - before.time <= 2 * before.interval and end - last.time <= 2 * last.interval
