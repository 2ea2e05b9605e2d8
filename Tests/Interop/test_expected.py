"""expected.py computes what docs/demonstration.md shows, and notices every figure a house could get wrong."""

import copy
import json
import pathlib
import re
import unittest
from typing import Any

import expected

ROOT = pathlib.Path(__file__).resolve().parents[2]
WINDOWS = list(expected.windows(expected.rows(expected.CSV)))


def stamp(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(window: expected.Window) -> dict[str, Any]:
    """A window as docs/formats/http.md has it."""
    day = {
        "metering_point": "serf-east-pv",
        "day": stamp(window.start),
        "m_wh": window.meter_wh,
        "q_ppm": 1_000_000,
        "sources": [
            {
                "source": name,
                "name": name,
                "wh": source.wh,
                "deviation_ppm": source.deviation,
                "agreement_ppm": source.agreement,
            }
            for name, source in window.sources.items()
        ],
        "base_ppm": window.base,
        "satellite_agreement_ppm": window.sources["S"].agreement,
        "confidence_ppm": window.confidence,
        "grade": "A",
        "findings": [],
        "skipped": [],
        "verdict": window.verdict,
    }
    entity = {
        "entity": expected.ENTITY,
        "settled_through": stamp(window.end),
        "verified_wh": window.verified_wh,
        "confidence_ppm": window.confidence,
        "days": [day],
    }
    return {
        "window_id": window.name,
        "start": stamp(window.start),
        "end": stamp(window.end),
        "state": "settled",
        "output_digest": "ab",
        "replay": {"equal": True, "digest": "ab"},
        "entities": [entity],
        "decisions": [{"principal_id": name, "decision": "ALLOW", "reason_code": None} for name in window.amounts],
        "issued": [{"principal_id": name, "amount": str(amount)} for name, amount in window.amounts.items()],
        "supply_after": str(window.supply_after),
    }


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the texts and numbers of a JSON value stand."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, path + (key,))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, path + (index,))]
    return [path]


def altered(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if re.fullmatch(r"\d+", value):
        return str(int(value) + 1)
    return value.replace("2016", "2017") if "2016" in value else value + "x"


class Expected(unittest.TestCase):
    def test_the_page_shows_what_is_computed(self) -> None:
        page = (ROOT / "docs/demonstration.md").read_text()
        rows = re.findall(r"\| `(W-.*?)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|", page)
        numbers = [tuple([row[0]] + [int(re.sub("[ .]", "", cell)) for cell in row[1:]]) for row in rows]
        self.assertEqual(
            numbers,
            [
                (
                    w.name,
                    w.meter_wh,
                    w.sources["C"].wh,
                    w.sources["S"].wh,
                    w.confidence,
                    sum(w.amounts.values()),
                    w.supply_after,
                )
                for w in WINDOWS
            ],
        )

    def test_split_is_exact_and_ties_go_by_id(self) -> None:
        for amount in range(1_000):
            shares = expected.split(amount)
            self.assertEqual(sum(shares.values()), amount)
            self.assertLess(abs(shares["serf-east-coop"] * 1_000_000 - amount * 600_000), 1_000_000)
        self.assertEqual(expected.split(1), {"serf-east-coop": 1, "serf-east-fund": 0})

    def test_agreement_falls_in_a_line(self) -> None:
        for wh, deviation, agreement in [
            (10_000, 0, 1_000_000),
            (9_980, 0, 1_000_000),
            (9_600, 40_000, 1_000_000),
            (9_599, 40_100, 998_750),
            (9_200, 80_000, 500_000),
            (8_801, 119_900, 1_250),
            (8_800, 120_000, 0),
            (0, 1_000_000, 0),
        ]:
            self.assertEqual(expected.judge("C", wh, 10_000, 1), expected.Source(wh, deviation, agreement))

    def test_equal_windows_pass(self) -> None:
        expected.check([shown(window) for window in WINDOWS], WINDOWS)

    def test_every_other_figure_is_noticed(self) -> None:
        free = {"grade", "name", "metering_point", "day", "reason_code"}
        for number in (0, 6):
            for path in leaves(shown(WINDOWS[number])):
                if free & set(map(str, path)):
                    continue
                with self.subTest(window=number, path=path):
                    answer = [copy.deepcopy(shown(window)) for window in WINDOWS]
                    place: Any = answer[number]
                    for step in path[:-1]:
                        place = place[step]
                    place[path[-1]] = altered(place[path[-1]])
                    with self.assertRaises(expected.Different) as raised:
                        expected.check(answer, WINDOWS)
                    self.assertIn("W-2016-07-" if path[-1] != "window_id" else "windows", str(raised.exception))

    def test_a_missing_window_is_noticed(self) -> None:
        with self.assertRaises(expected.Different):
            expected.check([shown(window) for window in WINDOWS[:-1]], WINDOWS)

    def test_answers_are_json(self) -> None:
        self.assertEqual(json.loads(json.dumps(shown(WINDOWS[0]))), shown(WINDOWS[0]))


if __name__ == "__main__":
    unittest.main()
