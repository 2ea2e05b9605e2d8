"""A window's inputs, read from the items of its transcript as docs/formats/transcript.md lays them out. Computes nothing.

Form, order and references of the items are checked; what is wrong is named by the item's number.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from formats import Wrong, decode, keys, require, sha256
from profiles import Profile

COUNTER_KEYS = {"1-0:1.8.0", "1-0:2.8.0"}
ITEM_LENGTHS = [7, 3, 3, 3, 5, 10, 5, 12, 9, 3, 3, 6, 7, 6, 6]
SEGMENT_ITEMS = 4_096


@dataclass(frozen=True)
class Manifest:
    """The policy: documents.md, "Manifest". Names as there."""

    document: bytes
    day: int
    interval: int
    rate: tuple[int, int]
    tolerances: list[int]
    weights: list[int]
    verified: int
    review: int
    base: int
    lift: int
    bridge: int
    billing_grade: set[bytes]
    margin: int
    energy_power: int

    @staticmethod
    def read(document: bytes, payload: bytes, place: str) -> "Manifest":
        m = keys(decode(payload, place), "1-21", "", place)
        require(document == sha256(payload), f"{place}: the document id is not its payload's")
        return Manifest(
            document,
            min(m[6], m[4]),
            min(m[7], m[6], m[4]),
            (m[8][0], m[8][1]),
            m[10],
            m[11],
            m[12][0],
            m[12][1],
            m[13],
            m[14],
            m[15],
            set(m[16]),
            m[17],
            m[18],
        )


@dataclass(frozen=True)
class Meter:
    """Registration kind 5."""

    id: str
    serial: str
    ratio: Fraction
    is_mid: bool
    profile: str


@dataclass(frozen=True)
class Point:
    """Registration kind 4."""

    id: str
    entity: str
    nameplate: int
    is_net: bool
    revenue: str
    checks: list[str]


@dataclass(frozen=True)
class Opening:
    """Item 5: where this window's difference of one counter starts."""

    point: str
    meter: str
    quantity: str
    epoch: int
    count: int
    unit: Fraction
    time: int
    record: bytes
    sample: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.point, self.meter, self.quantity

    def item(self) -> list[Any]:
        return [
            *self.key,
            self.epoch,
            self.count,
            list(self.unit.as_integer_ratio()),
            self.time,
            self.record,
            self.sample,
        ]


@dataclass(frozen=True)
class Span:
    """Item 6: which days of an entity are judged."""

    entity: str
    settled_from: int
    complete_through: int


@dataclass(frozen=True)
class Read:
    """Item 7: a request that readings answer."""

    meter: str
    profile: bytes
    request: tuple[int, int, int]
    interval: int
    chain: list[list[int]]
    model: str
    serial: str
    firmware: str
    birth: bytes
    index: int


@dataclass(frozen=True)
class Reading:
    """Item 8."""

    point: str
    time: int
    record: bytes
    sample: int
    read: Read
    status: int
    words: bytes


@dataclass(frozen=True)
class Statement:
    """Item 9: what a source says about a day."""

    identity: bytes
    source: str
    point: str
    begin: int
    end: int
    wh: int
    resolution: int
    issued: int


@dataclass(frozen=True)
class Review:
    """Item 10: what a person decided about a day."""

    identity: bytes
    point: str
    day: int
    accepts: bool
    issued: int


@dataclass(frozen=True)
class Commissioning:
    """Items 12 and 13: a person compared a meter's display with what it answers."""

    meter: str
    time: int
    record: bytes
    serial: str
    profile: bytes

    def item(self) -> list[Any]:
        return [self.meter, self.time, self.record, self.serial, self.profile]


@dataclass
class Inputs:
    """Everything a window is computed from."""

    header: list[Any] = field(default_factory=list)
    policy: Manifest | None = None
    entities: dict[str, list[list[Any]]] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    profiles: dict[bytes, Profile] = field(default_factory=dict)
    carries: dict[str, list[Any]] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    lifts: dict[str, list[Any]] = field(default_factory=dict)
    # By meter: what was in force with the texts heard since; what came after; when others claimed its serial.
    commissioned: dict[str, tuple[Commissioning, dict[int, str]]] = field(default_factory=dict)
    commissionings: dict[str, list[Commissioning]] = field(default_factory=dict)
    claims: dict[str, list[int]] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        if self.policy is None:
            raise Wrong("the inputs lack the manifest")
        return self.policy

    def is_billing_grade(self, profile: bytes) -> bool:
        """Listed in the manifest, and in a real house (header: mode 0) sound enough: profile.md, "Billing grade"."""
        is_replay = self.header[5] != 0
        return profile in self.manifest.billing_grade and (is_replay or self.profiles[profile].may_settle)


def read_inputs(items: Iterable[tuple[Any, bytes]]) -> Inputs:
    """Reads items in their order; raises Wrong naming the first one that is wrong."""
    inputs, last = Inputs(), None
    for number, (item, _) in enumerate(items):
        place = f"input {number}"
        require(isinstance(item, list) and item and type(item[0]) is int, f"{place}: no item")
        require(
            0 <= item[0] < len(ITEM_LENGTHS) and len(item) == ITEM_LENGTHS[item[0]], f"{place}: unknown item {item[:1]}"
        )
        try:
            order = _order(item)
            require(last is None or last < order, f"{place}: not after the item before it")
            last = order
            _TAKE[item[0]](inputs, item, place)
        except (TypeError, ValueError, LookupError, ZeroDivisionError) as error:
            raise Wrong(f"{place}: {type(error).__name__} {error}") from None
    require(inputs.header and inputs.policy, "the inputs lack header or manifest")
    _check_references(inputs)
    return inputs


def _order(item: list[Any]) -> tuple[Any, ...]:
    """By first element, then element by element; texts in the order of their bytes."""
    kind = item[0]
    if kind == 7:
        return 7, item[1]
    wanted = {1: 1, 4: 2, 5: 3, 6: 1, 8: 5, 11: 1, 13: 3, 14: 5}.get(kind, 1)
    return kind, *(each.encode() if isinstance(each, str) else each for each in item[1 : 1 + wanted])


def _header(inputs: Inputs, item: list[Any], place: str) -> None:
    require(not inputs.header, f"{place}: a second header")
    inputs.header = item[1:]


def _manifest(inputs: Inputs, item: list[Any], place: str) -> None:
    require(inputs.policy is None, f"{place}: a second manifest")
    inputs.policy = Manifest.read(item[1], item[2], place)


def _registration(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[1] == sha256(item[2]), f"{place}: the document id is not its payload's")
    value = keys(decode(item[2], place), "1-5", "", place)
    body = value[5]
    if value[2] == 3:
        require(sum(share[2] for share in body[4]) == 1_000_000, f"{place}: the shares do not sum up")
        inputs.entities[body[1]] = body[4]
    elif value[2] == 4:
        inputs.points[body[1]] = Point(body[1], body[2], body[3], body[4] == 2, body[5], body[6])
    elif value[2] == 5:
        inputs.meters[body[1]] = Meter(body[1], body[3], Fraction(*body[6]), body[7] == 1, body[5])
    else:
        raise Wrong(f"{place}: registrations of kind {value[2]} are no inputs")


def _profile(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[1] == sha256(item[2]), f"{place}: the profile digest is not its bytes'")
    inputs.profiles[item[1]] = Profile(item[2], place)


def _carry(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[1] not in inputs.carries, f"{place}: a second carry")
    require(item[4] > 0, f"{place}: a denominator of 0")
    inputs.carries[item[1]] = item[1:]


def _opening(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[3] in COUNTER_KEYS, f"{place}: no counter that settles")
    unit = Fraction(*item[6])
    require(list(unit.as_integer_ratio()) == item[6], f"{place}: a unit not in lowest terms")
    inputs.openings.append(Opening(item[1], item[2], item[3], item[4], item[5], unit, item[7], item[8], item[9]))


def _span(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[3] >= item[2], f"{place}: complete before settled")
    require((item[3] - item[2]) % inputs.manifest.day == 0, f"{place}: no whole days")
    inputs.spans.append(Span(item[1], item[2], item[3]))


def _read(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[1] == len(inputs.reads), f"{place}: reads are not numbered 0, 1, 2 …")
    require(item[3] in inputs.profiles, f"{place}: its profile is not among the inputs")
    inputs.reads.append(
        Read(item[2], item[3], (item[4], item[5], item[6]), item[7], item[8], *item[9], item[10], item[11])
    )


def _reading(inputs: Inputs, item: list[Any], place: str) -> None:
    _, entity, point, time, record, sample, number, status, words = item
    require(0 <= number < len(inputs.reads), f"{place}: its read is not among the inputs")
    require(point in inputs.points and inputs.points[point].entity == entity, f"{place}: unknown metering point")
    require(status == 0 or words == b"", f"{place}: words beside a status")
    reading = Reading(point, time, record, sample, inputs.reads[number], status, words)
    inputs.readings.setdefault(point, []).append(reading)


def _statement(inputs: Inputs, item: list[Any], place: str) -> None:
    s = keys(decode(item[2], place), "1-10", "", place)
    inputs.statements.append(Statement(item[1], s[2], s[3], s[4], s[5], s[6], s[7], s[9]))


def _review(inputs: Inputs, item: list[Any], place: str) -> None:
    r = keys(decode(item[2], place), "1-6", "", place)
    inputs.reviews.append(Review(item[1], r[2], r[3], r[4] == 1, r[6]))


def _lift(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[1] not in inputs.lifts, f"{place}: a second lift")
    inputs.lifts[item[1]] = item[1:]


def _commissioned(inputs: Inputs, item: list[Any], place: str) -> None:
    require(item[1] not in inputs.commissioned, f"{place}: a second one in force")
    roles = [role for role, _ in item[6]]
    require(roles == sorted(set(roles)), f"{place}: roles not in order")
    inputs.commissioned[item[1]] = Commissioning(*item[1:6]), dict(item[6])


def _commissioning(inputs: Inputs, item: list[Any], place: str) -> None:
    require(_is_after(inputs, item), f"{place}: not after the one in force")
    inputs.commissionings.setdefault(item[1], []).append(Commissioning(*item[1:]))


def _claim(inputs: Inputs, item: list[Any], place: str) -> None:
    require(_is_after(inputs, item), f"{place}: not after the commissioning in force")
    inputs.claims.setdefault(item[1], []).append(item[2])


def _is_after(inputs: Inputs, item: list[Any]) -> bool:
    return item[1] not in inputs.commissioned or inputs.commissioned[item[1]][0].time < item[2]


_TAKE = [
    _header,
    _manifest,
    _registration,
    _profile,
    _carry,
    _opening,
    _span,
    _read,
    _reading,
    _statement,
    _review,
    _lift,
    _commissioned,
    _commissioning,
    _claim,
]


def _check_references(inputs: Inputs) -> None:
    """What names something must find it among the inputs."""
    for point in inputs.points.values():
        require(point.entity in inputs.entities, f"{point.id}: its entity is not among the inputs")
        for meter in [point.revenue, *point.checks]:
            require(meter in inputs.meters, f"{point.id}: meter {meter} is not among the inputs")
    for meter in [*inputs.commissioned, *inputs.commissionings, *inputs.claims]:
        require(
            meter in {point.revenue for point in inputs.points.values()},
            f"items 12 to 14: {meter} is no revenue meter among the inputs",
        )
    spans = {span.entity for span in inputs.spans}
    require(
        spans == {point.entity for point in inputs.points.values()},
        "items 6 are not those of the entities with metering points",
    )
    require(set(inputs.carries) == spans, "items 4 are not those of the entities of items 6")
    named = {id(reading.read) for readings in inputs.readings.values() for reading in readings}
    for number, read in enumerate(inputs.reads):
        require(id(read) in named, f"no reading names read {number}")
        require(read.meter in inputs.meters, f"read {number}: its meter is not among the inputs")
    order = [(read.meter.encode(), read.birth, read.index) for read in inputs.reads]
    require(order == sorted(set(order)), "items 7 are not in order")
    profiles = {read.profile for read in inputs.reads}
    require(profiles == set(inputs.profiles), "profiles stand among the inputs that no read names")
