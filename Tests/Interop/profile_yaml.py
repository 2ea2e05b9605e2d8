"""Writes a profile's CBOR from its YAML: firmware-profiles/README.md for the one, docs/formats/profile.md for the other.

It trusts its input (the schema and the Swift reader judge YAML); the digest in the frames file says whether both agree.
"""

import pathlib
from fractions import Fraction
from typing import Any

import yaml
from vectors import deterministic

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "firmware-profiles"
LEVELS = ["driver", "document", "simulator", "hardware"]
TYPES = ["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "acc16", "acc32", "acc64", "text", "chars"]
WIDTH = {"16": 1, "32": 2, "64": 4}
DIRECTIONS = ["none", "import", "export"]
ROLES = [
    "model",
    "serial",
    "firmware",
    "mode",
    "selector",
    "wiring",
    "ct-ratio",
    "pt-ratio",
    "ct-primary",
    "ct-secondary",
    "pt-primary",
    "pt-secondary",
    "maker",
    "hardware",
]
POLL = ["", "fast", "normal", "slow"]
SIGNS = ["plain", "negated", "absolute"]


def milliseconds(text: str) -> int:
    if text.endswith("ms"):
        return int(text[:-2])
    return int(text[:-1]) * {"s": 1000, "m": 60_000}[text[-1]]


def ratio(text: Any) -> list[int]:
    return list(Fraction(str(text)).as_integer_ratio())


def order(item: dict[str, Any]) -> int:
    return (item.get("word-order") == "low-first") + 2 * (item.get("byte-order") == "low-first")


def place(item: dict[str, Any]) -> list[int]:
    return (
        [item["function"], item["address"]] if "address" in item else [item["function"], item["model"], item["offset"]]
    )


def quantity(item: dict[str, Any]) -> dict[int, Any]:
    kind = TYPES.index(item["type"]) + 1
    scale, least = Fraction(str(item["scale"])), 0
    made: dict[int, Any] = {
        1: item["obis"],
        2: 1 if item["kind"] == "counter" else 2,
        3: str(item["unit"]),
        4: place(item),
        5: kind,
        6: order(item),
        7: ratio(scale),
        10: sorted(item.get("not-available", [])),
        11: DIRECTIONS.index(item["direction"]),
        13: item.get("resettable", False),
    }
    if "scale-factor" in item:
        factor = item["scale-factor"]
        least = factor["min"]
        made[9] = [factor.get("address", factor.get("offset")), least, factor["max"]]
    if "step" in item:
        made[8] = ratio(item["step"])
    if "modulus" in item:
        made[12] = item["modulus"]
    if "valid" in item:
        made[14] = [item["valid"]["min"], item["valid"]["max"]]
    unit = Fraction(str(item["step"])) if "step" in item else scale * Fraction(10) ** least
    made[15] = ratio(item.get("resolution", unit))
    made |= {17: POLL.index(item.get("poll", "normal")), 18: item.get("registers-max")}
    made |= {19: item.get("optional", False), 20: SIGNS.index(item.get("sign", "plain")), 21: item.get("contradictory")}
    usual = {17: 2, 18: None, 19: False, 20: 0, 21: None}
    return {key: value for key, value in made.items() if key not in usual or value != usual[key]}


def field(item: dict[str, Any]) -> list[Any]:
    registers = item["registers"] if item["type"] in ("text", "chars") else WIDTH[item["type"][-2:]]
    return [
        place(item),
        TYPES.index(item["type"]) + 1,
        registers,
        order(item),
        item.get("optional", False),
        item.get("expected", []),
    ]


def asking(limits: dict[str, Any]) -> dict[int, Any]:
    """Key 13: what differs from the usual."""
    made: dict[int, Any] = {}
    for key, name in enumerate(["timeout-max", "connect-pause", "refresh"], 1):
        if name in limits and (key == 1 or milliseconds(limits[name]) > 0):
            made[key] = milliseconds(limits[name])
    for key, name in enumerate(["echo", "one-value", "either-function"], 4):
        if limits.get(name):
            made[key] = True
    return made


def encode(path: pathlib.Path) -> bytes:
    """The profile's bytes; their SHA-256 is its digest."""
    item = yaml.safe_load(path.read_text())
    limits, source = item["limits"], item["source"]
    made: dict[int, Any] = {
        1: 1,
        2: item["profile"],
        3: item["revision"],
        4: item["vendor"],
        5: item["models"],
        6: [str(source[name]) for name in ("document", "revision", "place")],
        7: LEVELS.index(item["level"]),
        8: [
            limits["registers-max"],
            limits["gap-max"],
            milliseconds(limits["pause"]),
            milliseconds(limits.get("turnaround", "0ms")),
            milliseconds(limits["timeout"]),
            int(limits.get("single-client", False)),
        ],
        9: sorted([hole["function"], hole["first"], hole["last"]] for hole in item.get("holes", [])),
        11: {ROLES.index(role) + 1: field(each) for role, each in item.get("identity", {}).items()},
        12: sorted((quantity(each) for each in item["quantities"]), key=lambda made: made[1].encode()),
    }
    if "sunspec" in item:
        models = sorted([model["id"], sorted(model["lengths"])] for model in item["sunspec"]["models"])
        made[10] = [item["sunspec"]["bases"], models]
    made |= {
        13: asking(limits),
        14: [[str(each.get("from", "")), str(each.get("below", ""))] for each in item.get("firmware", [])],
        15: [[each["by"], str(each["on"]), each["how"]] for each in item.get("checked", [])],
        16: source.get("counts-from", 0),
        17: item.get("contradictory", []),
    }
    return deterministic({key: value for key, value in made.items() if key < 13 or value})
