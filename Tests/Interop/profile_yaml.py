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
TYPES = ["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "acc16", "acc32", "acc64", "text"]
WIDTH = {"16": 1, "32": 2, "64": 4}
DIRECTIONS = ["none", "import", "export"]
ROLES = {"model": 1, "serial": 2, "firmware": 3}


def milliseconds(text: str) -> int:
    return int(text[:-2]) if text.endswith("ms") else int(text[:-1]) * 1000


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
    return made


def field(item: dict[str, Any]) -> list[Any]:
    registers = item["registers"] if item["type"] == "text" else WIDTH[item["type"][-2:]]
    return [
        place(item),
        TYPES.index(item["type"]) + 1,
        registers,
        order(item),
        item.get("optional", False),
        item.get("expected", []),
    ]


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
        11: {ROLES[role]: field(each) for role, each in item.get("identity", {}).items()},
        12: sorted((quantity(each) for each in item["quantities"]), key=lambda made: made[1].encode()),
    }
    if "sunspec" in item:
        models = sorted([model["id"], sorted(model["lengths"])] for model in item["sunspec"]["models"])
        made[10] = [item["sunspec"]["bases"], models]
    return deterministic(made)
