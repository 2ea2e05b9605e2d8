"""Devices as they are found in the field, for tests: profile, words and the exact numbers that were put in. Decodes nothing.

Words are made by pymodbus (plain devices) and pysunspec2 (SunSpec); the numbers stand beside them as fractions.
"""

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import sunspec2.device
import yaml
from devices import Act, Slave
from profile_yaml import FOLDER
from pymodbus.client import ModbusTcpClient
from pymodbus.constants import ExcCodes

TYPE = ModbusTcpClient.DATATYPE
LOW_WORD, LOW_BYTE = 1, 2
# What a quantity is expected to give: base units, or why there is no value.
Expected = Fraction | str


@dataclass
class Wild:
    """One device. `profile` is YAML, or empty for a shipped one."""

    name: str
    slave: Slave
    profile: str = ""
    shipped: str = ""
    expected: dict[str, Expected] = field(default_factory=dict)
    bus: str = "tcp"

    @property
    def profile_name(self) -> str:
        return self.shipped or f"wild/{self.name}"

    def meter(self, unit: int | None = None) -> str:
        quantities = ", ".join(self.expected)
        return f"{{id: {self.name}, unit: {unit or self.slave.unit}, profile: {self.profile_name}, quantities: [{quantities}]}}"


def profile(name: str, quantities: list[str], *, holes: str = "", limits: str = "registers-max: 125, gap-max: 0") -> str:
    lines = "".join(f"  - {{{each}}}\n" for each in quantities)
    return (
        f"profile: wild/{name}\nrevision: 1\nvendor: Nobody\nmodels: [{name}]\nlevel: simulator\n"
        f"source: {{document: Tests/Interop/wild_devices.py, revision: '1', place: here}}\n"
        f"limits: {{{limits}, pause: 0ms, timeout: 1s}}\n{holes}identity: {{}}\nquantities:\n{lines}"
    )


def registers(value: int | float, kind: TYPE, order: int = 0) -> list[int]:
    """pymodbus' words; it knows the order of words, and of bytes only the usual one."""
    words = ModbusTcpClient.convert_to_registers(value, kind, word_order="little" if order & LOW_WORD else "big")
    return [word >> 8 | (word & 0xFF) << 8 for word in words] if order & LOW_BYTE else words


def spelled(order: int) -> str:
    word, byte = ("low-first" if order & bit else "high-first" for bit in (LOW_WORD, LOW_BYTE))
    return f"word-order: {word}, byte-order: {byte}"


# Each type with a number of which no two bytes are equal, beyond what a double holds where the type allows it.
# (profile's name, pymodbus' type, value, scale, step of a float, kind)
NUMBERS: list[tuple[str, TYPE, int | float, str, str, str]] = [
    ("u16", TYPE.UINT16, 0xF1E2, "10", "", "counter"),
    ("s16", TYPE.INT16, -12_345, "0.1", "", "gauge"),
    ("u32", TYPE.UINT32, 0xFEDCBA98, "1/3", "", "counter"),
    ("s32", TYPE.INT32, -1_985_229_329, "0.001", "", "gauge"),
    ("u64", TYPE.UINT64, 0xFEDCBA9876543210, "1", "", "counter"),
    ("s64", TYPE.INT64, -81_985_529_216_486_897, "0.01", "", "gauge"),
    ("f32", TYPE.FLOAT32, 123_456.7890625, "1", "0.001", "gauge"),
    ("f64", TYPE.FLOAT64, 9_007_199_254_740_991.0, "100", "1", "counter"),
]


def orders() -> Wild:
    """ABCD, CDAB, BADC and DCBA of every type, counters beyond 2^53."""
    slave, quantities, expected = Slave(), [], {}
    address = 100
    for order in range(4):
        for number, (name, kind, value, scale, step, what) in enumerate(NUMBERS):
            obis = f"1-{order}:{21 + number}.{8 if what == 'counter' else 7}.0"
            words = registers(value, kind, order)
            slave.put(address, words)
            unit = "unit: Wh, direction: import" if what == "counter" else "unit: V, direction: none"
            last = f", step: {step}" if step else ""
            quantities.append(
                f"obis: {obis}, kind: {what}, {unit}, function: 3, address: {address}, type: {name}, {spelled(order)}, scale: {scale}{last}"
            )
            exact = Fraction(value) * Fraction(scale)
            expected[obis] = stepped(exact, step or None)
            address += len(words)
    return Wild("orders", slave, profile("orders", quantities), expected=expected)


# (profile's type, words that mean nothing, pattern declared for it, why there is no value)
NOTHING = [
    ("u16", [0xFFFF], "0xFFFF", "declared"),
    ("s16", [0x8000], "0x8000", "declared"),
    ("u32", [0xFFFF] * 2, "0xFFFFFFFF", "declared"),
    ("s32", [0x8000, 0], "0x80000000", "declared"),
    ("u64", [0xFFFF] * 4, "0xFFFFFFFFFFFFFFFF", "declared"),
    ("s64", [0x8000, 0, 0, 0], "0x8000000000000000", "declared"),
    ("f32", [0x7FC0, 0], "", "not-a-number"),
    ("f32", [0x7F80, 0], "", "not-a-number"),
    ("f32", [0xFF80, 0], "", "not-a-number"),
    ("f64", [0x7FF8, 0, 0, 0], "", "not-a-number"),
    ("f64", [0xFFF0, 0, 0, 0], "", "not-a-number"),
    ("acc16", [0], "", "zero-accumulator"),
    ("acc32", [0, 0], "", "zero-accumulator"),
    ("acc64", [0] * 4, "", "zero-accumulator"),
]


def nothing() -> Wild:
    """No value, in every type that has a way to say so; and scale factors that say so."""
    slave, quantities, expected = Slave(), [], {}
    address = 0
    for number, (kind, words, pattern, why) in enumerate(NOTHING):
        slave.put(address, words)
        is_counter = kind.startswith("acc")
        obis = f"1-0:{100 + number}.{8 if is_counter else 7}.0"
        unit = "kind: counter, unit: Wh, direction: import" if is_counter else "kind: gauge, unit: V, direction: none"
        last = ", step: 1" if kind[0] == "f" else ""
        last += f", not-available: [{pattern}]" if pattern else ""
        quantities.append(f"obis: {obis}, {unit}, function: 3, address: {address}, type: {kind}, scale: 1{last}")
        expected[obis] = why
        address += len(words)
    for obis, words, why in (("1-1:1.8.0", [7, 0x8000], "scale-factor"), ("1-1:2.8.0", [7, 5], "scale-factor")):
        slave.put(address, words)
        way = "import" if obis == "1-1:1.8.0" else "export"
        quantities.append(
            f"obis: {obis}, kind: counter, unit: Wh, direction: {way}, function: 3, address: {address}, type: u16, scale: 1, "
            f"scale-factor: {{address: {address + 1}, min: -2, max: 4}}"
        )
        expected[obis] = why
        address += 2
    return Wild("nothing", slave, profile("nothing", quantities), expected=expected)


def decimal() -> Wild:
    """A counter of eight decimal digits, in input registers; the holding registers there say something else."""
    slave = Slave()
    slave.put(0x10, registers(99_999_999, TYPE.UINT32), function=4)
    slave.put(0x10, registers(11_111_111, TYPE.UINT32), function=3)
    quantity = "obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 4, address: 0x10, type: u32, scale: 10, modulus: 100000000"
    return Wild("decimal", slave, profile("decimal", [quantity]), expected={"1-0:1.8.0": Fraction(999_999_990)})


COUNTER = "kind: counter, unit: Wh, direction: import, function: 3, type: u32, scale: 1"


def holes(is_declared: bool) -> Wild:
    """Ten registers that answer exception 2 between two values that a request could span."""
    slave = Slave()
    slave.put(0, registers(70_001, TYPE.UINT32))
    slave.put(12, registers(70_002, TYPE.UINT32))
    slave.put(500, registers(70_003, TYPE.UINT32))
    name = "hole" if is_declared else "abyss"
    text = profile(
        name,
        [f"obis: 1-{number}:21.8.0, {COUNTER}, address: {address}" for number, address in enumerate((0, 12, 500))],
        holes="holes: [{function: 3, first: 2, last: 11}]\n" if is_declared else "",
        limits="registers-max: 125, gap-max: 20",
    )
    return Wild(name, slave, text, expected={f"1-{number}:21.8.0": Fraction(70_001 + number) for number in range(3)})


def acting(name: str, act: Act, unit: int = 1) -> Wild:
    slave = Slave(unit, act=act)
    slave.put(0, registers(80_000 + unit, TYPE.UINT32))
    text = profile(name, [f"obis: 1-0:21.8.0, {COUNTER}, address: 0"])
    return Wild(name, slave, text, expected={"1-0:21.8.0": Fraction(80_000 + unit)})


async def slow(slave: Slave, function: int, address: int, count: int) -> None:
    await asyncio.sleep(0.4)


async def busy(slave: Slave, function: int, address: int, count: int) -> ExcCodes | None:
    """Two times of three."""
    return ExcCodes.DEVICE_BUSY if len(slave.asked) % 3 else None


async def no_path(slave: Slave, function: int, address: int, count: int) -> ExcCodes:
    return ExcCodes.GATEWAY_PATH_UNAVIABLE


async def no_response(slave: Slave, function: int, address: int, count: int) -> ExcCodes:
    return ExcCodes.GATEWAY_NO_RESPONSE


def moving() -> tuple[Wild, list[Fraction]]:
    """Value and scale factor change with each request: read apart they give a number that never was.

    The n-th answer is worth the n-th of the numbers."""
    numbers: list[Fraction] = []

    async def step(slave: Slave, function: int, address: int, count: int) -> None:
        factor = (0, 3, -2, 4, 1)[len(numbers) % 5]
        value = 60_000 - 7 * len(numbers)
        slave.put(0, [value])
        slave.put(9, [factor & 0xFFFF])
        numbers.append(value * Fraction(10) ** factor)

    slave = Slave(act=step)
    slave.put(0, [0] * 10)
    quantity = "obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: u16, scale: 1, scale-factor: {address: 9, min: -2, max: 4}"
    return Wild("moving", slave, profile("moving", [quantity]), expected={"1-0:1.8.0": "moves"}), numbers


# -- SunSpec ------------------------------------------------------------------------------------------------------

INVERTER = {"WH": "2.8.0", "W": "16.7.0", "Hz": "14.7.0"}
INVERTER |= {f"Aph{phase}": f"{code}.7.0" for phase, code in zip("ABC", (31, 51, 71))}
INVERTER |= {f"PhVph{phase}": f"{code}.7.0" for phase, code in zip("ABC", (32, 52, 72))}
METER = {name: code for name, code in INVERTER.items() if name != "WH"} | {"TotWhExp": "2.8.0", "TotWhImp": "1.8.0", "PF": "13.7.0"}
METER |= {f"TotWhExpPh{phase}": f"{code}.8.0" for phase, code in zip("ABC", (22, 42, 62))}
METER |= {f"TotWhImpPh{phase}": f"{code}.8.0" for phase, code in zip("ABC", (21, 41, 61))}
METER |= {f"Wph{phase}": f"{code}.7.0" for phase, code in zip("ABC", (36, 56, 76))}
DER = {"TotWhInj": "2.8.0", "TotWhAbs": "1.8.0", "W": "16.7.0", "Hz": "14.7.0"}
for _phase, _base in (("L1", 20), ("L2", 40), ("L3", 60)):
    DER |= {f"TotWhInj{_phase}": f"{_base + 2}.8.0", f"TotWhAbs{_phase}": f"{_base + 1}.8.0", f"W{_phase}": f"{_base + 16}.7.0"}
    DER |= {f"A{_phase}": f"{_base + 11}.7.0", f"V{_phase}": f"{_base + 12}.7.0"}
FACTORS = {"A": -3, "V": -1, "W": 1, "Hz": -2, "WH": 2, "TotWh": 1, "PF": -2}
BASES = (40_000, 50_000, 0)


def sunspec_models() -> Iterator[tuple[int, str, dict[str, str], bool]]:
    """(model, profile, codes by point, positive is delivered)."""
    for model in (101, 102, 103, 111, 112, 113):
        yield model, f"sunspec/inverter-{model}", INVERTER, True
    for model in (201, 202, 203, 204, 211, 212, 213, 214):
        yield model, f"sunspec/meter-{model}", METER, False
    yield 701, "sunspec/der-701", DER, True


def number_of(kind: str, name: str, place: int) -> int | float:
    """A number for a point: different in each, plausible for a frequency and a power factor."""
    if name == "Hz":
        return 50.25 if kind == "float32" else 4_998
    if name == "PF":
        return 0.875 if kind == "float32" else 87
    sizes = {"int16": -20_000, "uint16": 40_000, "int32": -2_000_000_000, "uint32": 3_000_000_000}
    sizes |= {"acc32": 4_000_000_000, "uint64": 2**60 + 1, "float32": 4_000.125}
    return sizes[kind] + place


def filled(model: sunspec2.device.Model, codes: dict[str, str], is_delivered: bool) -> dict[str, Fraction]:
    """Puts numbers into a model's points; what they are worth, by OBIS code."""
    worth: dict[str, Fraction] = {}
    for name, point in model.points.items():
        if name.endswith("_SF"):
            # 64 bits beyond 2^53 leave no room for a factor.
            point.value = -3 if name == "TotWh_SF" and model.model_id == 701 else FACTORS.get(name[:-3], 0)
    for place, (name, point) in enumerate(model.points.items()):
        if name not in codes:
            continue
        number = number_of(point.pdef["type"], name, place)
        point.value = number
        factor = model.points[point.sf].value if point.sf else 0
        exact = Fraction(struct.unpack(">f", struct.pack(">f", number))[0]) if isinstance(number, float) else Fraction(number)
        is_power = codes[name].endswith((".7.0",)) and name.startswith("W")
        worth["1-0:" + codes[name]] = exact * Fraction(10) ** factor * (-1 if is_power and is_delivered else 1)
    return worth


def stepped(value: Fraction, step: object) -> Fraction:
    """A float's number to the nearest of the steps that its profile counts, ties to the even one."""
    return value if step is None else round(value / Fraction(str(step))) * Fraction(str(step))


def common(length: int) -> bytes:
    model = sunspec2.device.Model(1, model_len=length)
    for name, text in (("Mn", "Nobody"), ("Md", "Wild 1"), ("Vr", "1.2.3"), ("SN", f"SN-{length}")):
        model.points[name].value = text
    return model.get_mb()


def chained(base: int, *models: bytes, has_end: bool) -> Slave:
    """A map from the marker on. Without an end model the registers after the last one answer exception 2."""
    data = b"SunS" + b"".join(models) + (b"\xff\xff\x00\x00" if has_end else b"")
    slave = Slave()
    slave.put(base, list(struct.unpack(f">{len(data) // 2}H", data)))
    return slave


def sunspec() -> Iterator[Wild]:
    for number, (model_id, shipped, codes, is_delivered) in enumerate(sunspec_models()):
        model = sunspec2.device.Model(model_id)
        worth = filled(model, codes, is_delivered)
        length = 65 + number % 2
        # Another model before the one that counts, now and then, and one of an odd length that nobody knows.
        between = struct.pack(">HH", 64_001, 7) + bytes(14) if number % 3 == 0 else b""
        slave = chained(BASES[number % 3], common(length), between, model.get_mb(), has_end=number % 2 == 0)
        steps = {each["obis"]: each.get("step") for each in yaml.safe_load((FOLDER / f"{shipped}.yaml").read_text())["quantities"]}
        expected: dict[str, Expected] = {obis: stepped(worth[obis], step) for obis, step in steps.items() if obis in worth}
        yield Wild(f"sunspec-{model_id}", slave, shipped=shipped, expected=expected)
    yield mppt()


def mppt() -> Wild:
    """Model 160 with three inputs; the profile reads the first two."""
    head = struct.pack(">HHhhhhIHH", 160, 8 + 3 * 20, -2, -1, 1, 3, 0, 3, 0)
    expected: dict[str, Expected] = {}
    data = head
    for channel in range(1, 4):
        volt, ampere, watt, energy = 6_000 + channel, 900 + channel, 500 + channel, 3_000_000_000 + channel
        data += struct.pack(">H16sHHHIIhHI", channel, b"String", ampere, volt, watt, energy, 0, -32_768, 4, 0)
        values = {"31.7.0": Fraction(ampere, 100), "32.7.0": Fraction(volt, 10), "16.7.0": Fraction(-10 * watt), "2.8.0": Fraction(1_000 * energy)}
        if channel < 3:
            expected |= {f"1-{channel}:{code}": value for code, value in values.items()}
    # pysunspec2 agrees about the layout.
    read = sunspec2.device.Model(160, data=data, model_len=68)
    assert not read.error_info and read.get_mb() == data, read.error_info
    return Wild("sunspec-160", chained(50_000, common(66), data, has_end=True), shipped="sunspec/mppt-160", expected=expected)
