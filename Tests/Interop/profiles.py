"""Decodes register words with a meter profile, from docs/formats/profile.md alone. Exact; it reads no YAML."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from formats import Wrong, decode, keys, require

REGISTERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 2, 8: 4, 9: 1, 10: 2, 11: 4}
SIGNED, FLOATS, ACCUMULATORS = {2, 4, 6}, {7: ">f", 8: ">d"}, {9, 10, 11}
COUNTER, GAUGE = 1, 2
PLAIN, NEGATED, ABSOLUTE = 0, 1, 2
DRIVER = 0
MISSING = {
    1: "wrong-length",
    2: "not-a-number",
    3: "declared",
    4: "zero-accumulator",
    5: "scale-factor",
    6: "negative-counter",
    7: "overflow",
    8: "invalid",
}


@dataclass(frozen=True)
class Count:
    """What a reading gives: counts of `unit` base units; modulus and resolution as shown at that moment."""

    value: int
    unit: Fraction
    modulus: int | None
    resolution: Fraction


class NotAvailable(Exception):
    """There is no value; `code` of the table says why."""

    def __init__(self, code: int) -> None:
        super().__init__(MISSING[code])
        self.code = code


@dataclass(frozen=True)
class Quantity:
    """Key 12 of a profile: one value and where it stands."""

    obis: str
    kind: int
    unit: str
    place: list[int]
    type: int
    order: int
    scale: Fraction
    step: Fraction | None
    factor: list[int] | None
    patterns: list[int]
    direction: int
    modulus: int | None
    valid: list[int] | None
    resolution: Fraction
    sign: int

    @property
    def count_unit(self) -> Fraction:
        """Step 6: what one count is worth."""
        if self.step is not None:
            return self.step
        return self.scale * Fraction(10) ** self.factor[1] if self.factor else self.scale


def quantity(value: Any, place: str) -> Quantity:
    q = keys(value, "1-7 10 11 13 15", "8 9 12 14 16-21", place)
    ratio = {key: Fraction(*q[key]) for key in (7, 8, 15) if key in q}
    require(q[5] in REGISTERS and len(q[4]) in (2, 3), f"{place}: neither type nor place of a number")
    require((8 in q) == (q[5] in FLOATS), f"{place}: key 8 stands exactly for floats")
    require(not (9 in q and q[5] in FLOATS), f"{place}: key 9 only for integers")
    require(q[2] == COUNTER or (12 not in q and not q[13]), f"{place}: keys 12 and 13 only for counters")
    require(q[2] == GAUGE or 14 not in q, f"{place}: key 14 only for gauges")
    return Quantity(
        q[1],
        q[2],
        q[3],
        q[4],
        q[5],
        q[6],
        ratio[7],
        ratio.get(8),
        q.get(9),
        q[10],
        q[11],
        q.get(12),
        q.get(14),
        ratio[15],
        q.get(20, PLAIN),
    )


@dataclass(frozen=True)
class Field:
    """Key 11 of a profile: where a device says something of itself."""

    place: list[int]
    type: int
    registers: int
    order: int
    optional: bool
    expected: list[str]

    def decode(self, words: bytes) -> str | None:
        if self.type in (12, 13):
            pairs = [words[place : place + 2][:: -1 if self.order & 2 else 1] for place in range(0, len(words), 2)]
            data = b"".join(pairs) if self.type == 12 else bytes(pair[1] for pair in pairs)
            data = data.split(b"\0")[0].rstrip(b" ")
            return data.decode() if all(0x20 <= byte <= 0x7E for byte in data) else None
        raw = _pattern(words, 0, self.registers, self.order)
        if self.type != 7:
            return str(int.from_bytes(raw, "big"))
        (value,) = struct.unpack(">f", raw)
        if value != value or value in (float("inf"), float("-inf")):
            return None
        count = round(Fraction(value) * 1000)
        if not -(2**63) < count < 2**63:
            return None
        whole, rest = divmod(abs(count), 1000)
        return ("-" if count < 0 else "") + f"{whole}.{rest:03}".rstrip("0").rstrip(".")

    def accepts(self, text: str) -> bool:
        patterns = (".*".join(re.escape(part) for part in each.split("*")) for each in self.expected)
        return not self.expected or any(re.fullmatch(pattern, text, re.DOTALL) for pattern in patterns)


def is_older(version: str, other: str) -> bool:
    """By the numbers in both, left to right; a missing one is 0."""
    groups = ([min(int(each), 2**64 - 1) for each in re.findall("[0-9]+", text)[:16]] for text in (version, other))
    left, right = (numbers + [0] * (16 - len(numbers)) for numbers in groups)
    return left < right


def _start(place: list[int], chain: list[list[int]]) -> int | None:
    """Step 1: the absolute address."""
    if len(place) == 2:
        return place[1]
    return next((address + place[2] for model, address, _ in chain if model == place[1]), None)


class Profile:
    """A profile's CBOR, read."""

    def __init__(self, data: bytes, place: str) -> None:
        try:
            self._read(data, place)
        except (TypeError, ValueError, LookupError, ZeroDivisionError, AttributeError) as error:
            raise Wrong(f"{place}: no profile: {error}") from None

    def _read(self, data: bytes, place: str) -> None:
        value = keys(decode(data, place), "1-9 11 12", "10 13-17", place)
        require(value[1] == 1 and len(data) <= 65_536, f"{place}: no profile of version 1")
        self.name: str = value[2]
        self.either_function = value.get(13, {}).get(6, False)
        self.identity = {role: Field(*item) for role, item in sorted(value[11].items())}
        self.firmware: list[list[str]] = value.get(14, [])
        self.quantities = {item[1]: quantity(item, f"{place}, {item.get(1)}") for item in value[12]}
        names = list(self.quantities)
        counters = [item for item in value[12] if item[2] == COUNTER]
        self.may_settle = value[7] != DRIVER and 17 not in value and not any(21 in item for item in counters)
        require(names == sorted(names) and len(names) == len(value[12]), f"{place}: quantities not in order")

    def is_of_family(self, name: str) -> bool:
        """Whether a registration that names `name` may mean this profile."""
        return self.name == name or self.name.startswith(name + "-")

    def covers(self, firmware: str) -> bool:
        return not self.firmware or any(
            (not begin or not is_older(firmware, begin)) and (not below or is_older(firmware, below))
            for begin, below in self.firmware
        )

    def expects(self, role: int, text: str) -> bool:
        return role not in self.identity or self.identity[role].accepts(text)

    def texts(self, read: Sequence[int], chain: list[list[int]], words: bytes) -> list[tuple[int, str]]:
        """Identity texts by role that the answer to [function, address, count] holds."""
        function, first, count = read
        found = []
        for role, each in self.identity.items() if len(words) == 2 * count else ():
            start = _start(each.place, chain)
            if start is None or not (self.either_function or function == each.place[0]):
                continue
            if first <= start and start + each.registers <= first + count:
                text = each.decode(words[2 * (start - first) : 2 * (start - first + each.registers)])
                if text is not None:
                    found.append((role, text))
        return found

    def values(self, read: Sequence[int], chain: list[list[int]], words: bytes) -> dict[str, Count | NotAvailable]:
        """All quantities that the read [function, address, count] holds."""
        found: dict[str, Count | NotAvailable] = {}
        for name, each in self.quantities.items():
            where = _where(each, read, chain, self.either_function)
            if where is None:
                continue
            try:
                found[name] = _value(each, *where, read, words)
            except NotAvailable as missing:
                found[name] = missing
        return found


def _where(
    each: Quantity, read: Sequence[int], chain: list[list[int]], either_function: bool
) -> tuple[int, int | None] | None:
    """Steps 1 and 2: addresses of value and scale factor, if this read holds them."""
    function, first, count = read
    start = 0
    if len(each.place) == 3:
        starts = [address for model, address, _ in chain if model == each.place[1]]
        if not starts:
            return None
        start = starts[0]
    address = start + each.place[-1]
    factor = start + each.factor[0] if each.factor else None
    spans = [(address, REGISTERS[each.type])] + ([(factor, 1)] if factor is not None else [])
    held = all(first <= begin and begin + length <= first + count for begin, length in spans)
    return (address, factor) if held and (either_function or function == each.place[0]) else None


def _pattern(words: bytes, index: int, registers: int, order: int) -> bytes:
    """Step 3."""
    pieces = [words[place : place + 2] for place in range(2 * index, 2 * (index + registers), 2)]
    if order & 2:
        pieces = [piece[::-1] for piece in pieces]
    return b"".join(pieces[::-1] if order & 1 else pieces)


def _value(each: Quantity, address: int, factor: int | None, read: Sequence[int], words: bytes) -> Count:
    _, first, count = read
    if len(words) != 2 * count:
        raise NotAvailable(1)
    raw = _pattern(words, address - first, REGISTERS[each.type], each.order)
    if each.type in FLOATS:
        return _float(each, raw)
    number = int.from_bytes(raw, "big")
    if number in each.patterns:
        raise NotAvailable(3)
    if each.type in ACCUMULATORS and number == 0:
        raise NotAvailable(4)
    power = 1
    if factor is not None and each.factor is not None:
        _, least, greatest = each.factor
        exponent = int.from_bytes(_pattern(words, factor - first, 1, each.order), "big", signed=True)
        if not least <= exponent <= greatest or exponent == -(2**15):
            raise NotAvailable(5)
        power = 10 ** (exponent - least)
    value = _signed(each, int.from_bytes(raw, "big", signed=each.type in SIGNED)) * power
    if each.kind == COUNTER and value < 0:
        raise NotAvailable(6)
    if each.kind == COUNTER and value >= 2**64 or each.kind == GAUGE and not -(2**63) < value < 2**63:
        raise NotAvailable(7)
    return _count(each, value, power)


def _signed(each: Quantity, value: int) -> int:
    """Step 4a: the register's own sign."""
    return abs(value) if each.sign == ABSOLUTE else -value if each.sign == NEGATED else value


def _float(each: Quantity, raw: bytes) -> Count:
    """Step 5; for floats 7 is checked before 6."""
    (value,) = struct.unpack(FLOATS[each.type], raw)
    if value != value or value in (float("inf"), float("-inf")):
        raise NotAvailable(2)
    if int.from_bytes(raw, "big") in each.patterns:
        raise NotAvailable(3)
    if each.step is None:
        raise Wrong(f"{each.obis}: a float without a step")
    count = round(Fraction(value) * each.scale / each.step)
    if not -(2**63) < count < 2**63:
        raise NotAvailable(7)
    count = _signed(each, count)
    if each.kind == COUNTER and count < 0:
        raise NotAvailable(6)
    return _count(each, count, 1)


def _count(each: Quantity, value: int, power: int) -> Count:
    """Steps 6 to 8, and what a gauge may show at all."""
    unit = each.count_unit
    if each.valid and not each.valid[0] <= value * unit <= each.valid[1]:
        raise NotAvailable(8)
    if each.kind == GAUGE and each.direction == 2:
        value = -value
    modulus = each.modulus * power if each.modulus is not None and each.modulus * power < 2**64 else None
    return Count(value, unit, modulus, max(each.resolution, unit * power if each.factor else unit))
