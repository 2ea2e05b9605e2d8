#!/usr/bin/env python3
"""What the demonstration must issue: computed from the measured CSV and the documents, to the last minor unit.

    expected.py [--csv FILE]                              a table of the seven windows
    expected.py --check URL [--token-file FILE]           compares with GET /v1/windows of a running house
    expected.py --check-json FILE                         the same with a saved answer

Knows docs/demonstration.md and docs/formats only and uses integers and fractions only. Exit 1 names the first difference.
It does not look at evidence: verify_export.py and replay_window.py do that.
"""

import argparse
import csv
import json
import pathlib
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

CSV = pathlib.Path(__file__).resolve().parents[1] / "Plant/Data/serf-east-2016.csv"

# docs/demonstration.md, "The house".
ANCHOR = datetime(2016, 7, 7, 6, tzinfo=timezone.utc)
DAY = timedelta(days=1)
WINDOWS = 7
ENTITY = "serf-east"
SHARES = {"serf-east-coop": 600_000, "serf-east-fund": 400_000}
RATE = (1_000, 1)
NAMEPLATE_W, PERFORMANCE_RATIO = 6_000, Fraction(80, 100)
# docs/demonstration.md, "The plant": one step of each meter's register in Wh.
REVENUE_UNIT, CHECK_UNIT, SATELLITE_UNIT = 10, 1, 1
ROW = timedelta(minutes=15)
# docs/formats/documents.md, manifest keys 10, 11, 12, 13.
TOLERANCE = {"C": 40_000, "A": 5_000, "S": 250_000}
WEIGHT = {"C": 40, "A": 40}
VERIFIED_PPM, BASE_PPM, MILLION = 950_000, 900_000, 1_000_000


@dataclass(frozen=True)
class Row:
    """One row of the CSV: what held from `start` on for a quarter of an hour."""

    start: datetime
    power_w: Fraction
    irradiance: Fraction
    air: Fraction


@dataclass(frozen=True)
class Source:
    """Another opinion about a day's energy, judged against the revenue meter: R5."""

    wh: int
    deviation: int
    agreement: int


@dataclass(frozen=True)
class Window:
    """Everything a window of the demonstration must show."""

    name: str
    start: datetime
    meter_wh: int
    sources: dict[str, Source]
    base: int
    confidence: int
    verdict: str
    verified_wh: int
    amounts: dict[str, int]
    carry: tuple[int, int]
    supply_after: int

    @property
    def end(self) -> datetime:
        return self.start + DAY


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def rows(path: pathlib.Path) -> list[Row]:
    with open(path, newline="") as file:
        return [
            Row(instant(row["time_utc"]), *(Fraction(row[name]) for name in ("ac_power_w", "ghi_w_m2", "temp_air_c")))
            for row in csv.DictReader(file)
        ]


def hours(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(milliseconds=1), 3_600_000)


def held(row: Row, begin: datetime, end: datetime) -> Fraction:
    """For how many hours of [begin, end) the row's values hold."""
    return hours(max(timedelta(0), min(row.start + ROW, end) - max(row.start, begin)))


def register(table: list[Row], at: datetime, unit: int) -> int:
    """What an export register in steps of `unit` Wh shows: energy delivered since the file's first row, rounded down."""
    energy = sum((max(Fraction(0), row.power_w) * held(row, table[0].start, at) for row in table), Fraction(0))
    return energy // unit * unit


def advance(table: list[Row], start: datetime, unit: int) -> int:
    return register(table, start + DAY, unit) - register(table, start, unit)


def satellite(table: list[Row], start: datetime) -> int:
    """documents.md, source statement S: floor of the day's sum."""
    total = Fraction(0)
    for row in table:
        cell = row.air + Fraction(25, 800) * row.irradiance
        power = NAMEPLATE_W * row.irradiance / 1000 * PERFORMANCE_RATIO * (1 - Fraction(45, 10_000) * (cell - 25))
        total += power * held(row, start, start + DAY)
    return total // 1


def judge(name: str, wh: int, meter: int, resolution: int) -> Source:
    """transcript.md R5: deviation and agreement of one source."""
    if abs(wh - meter) <= 2 * max(resolution, REVENUE_UNIT) or wh == meter == 0:
        deviation = 0
    else:
        deviation = abs(wh - meter) * MILLION // max(abs(wh), abs(meter))
    tolerance = TOLERANCE[name]
    if deviation <= tolerance:
        agreement = MILLION
    elif deviation >= 3 * tolerance:
        agreement = 0
    else:
        agreement = (3 * tolerance - deviation) * MILLION // (2 * tolerance)
    return Source(wh, deviation, agreement)


def base_of(sources: dict[str, Source], lifted: bool) -> int:
    weights = {name: WEIGHT[name] for name in sources if name in WEIGHT}
    if not weights:
        return BASE_PPM
    base = sum(weight * sources[name].agreement for name, weight in weights.items()) // sum(weights.values())
    return base if lifted else min(base, BASE_PPM)


def split(amount: int) -> dict[str, int]:
    """transcript.md R9: floors, then one unit each by largest remainder, ties by principal id."""
    shares = {name: amount * ppm // MILLION for name, ppm in SHARES.items()}
    by_remainder = sorted(SHARES, key=lambda name: (-(amount * SHARES[name] % MILLION), name.encode()))
    for name in by_remainder[: amount - sum(shares.values())]:
        shares[name] += 1
    return shares


def windows(table: list[Row]) -> Iterator[Window]:
    """The seven windows in order; each entity day is one window, so what one leaves open the next one takes up."""
    carry, supply, lifted, open_wh, blocked = 0, 0, False, 0, False
    for number in range(WINDOWS):
        start = ANCHOR + number * DAY
        meter = advance(table, start, REVENUE_UNIT)
        energies = {
            "C": (advance(table, start, CHECK_UNIT), CHECK_UNIT),
            "S": (satellite(table, start), SATELLITE_UNIT),
        }
        if number == 0:  # the auditor reads the revenue meter's register at both instants
            energies["A"] = (meter, REVENUE_UNIT)
        sources = {name: judge(name, wh, meter, unit) for name, (wh, unit) in energies.items()}
        lifted = lifted or sources.get("A", Source(0, 0, 0)).agreement == MILLION
        base = base_of(sources, lifted)
        # q is 1 000 000: a minute's reads cover every quarter of an hour.
        confidence = MILLION * base * (800_000 + sources["S"].agreement // 5) // 10**12
        # Nobody reviews in the demonstration: a day below the threshold stays pending and holds the days after it.
        blocked = blocked or confidence < VERIFIED_PPM
        open_wh += meter
        verified = 0 if blocked else open_wh
        open_wh -= verified
        raw = verified * RATE[0] + carry
        amount, carry = raw // RATE[1], raw % RATE[1]
        supply += amount
        yield Window(
            f"W-{start:%Y-%m-%d}-1",
            start,
            meter,
            sources,
            base,
            confidence,
            "verified" if confidence >= VERIFIED_PPM else "pending",
            verified,
            split(amount),
            (carry, RATE[1]),
            supply,
        )


class Different(Exception):
    """A house shows something else than the documents say."""


def same(place: str, shown: Any, expected: Any) -> None:
    if shown != expected:
        raise Different(f"{place}: the house shows {shown}, the documents give {expected}")


def one(place: str, items: list[dict[str, Any]], **match: str) -> dict[str, Any]:
    found = [item for item in items if all(item.get(key) == value for key, value in match.items())]
    if len(found) != 1:
        raise Different(f"{place}: {len(found)} entries with {match}, expected one of {len(items)}")
    return found[0]


def covered(window: Window, coverage: int) -> int:
    """Confidence with the coverage a run had: a machine that is busy reads late, and at 3 600 times speed 33 ms are two
    minutes. Full coverage is what the table shows; energy and money do not depend on it."""
    return coverage * window.base * (800_000 + window.sources["S"].agreement // 5) // 10**12


def check_day(place: str, day: dict[str, Any], window: Window) -> None:
    same(f"{place} m_wh", day["m_wh"], window.meter_wh)
    same(f"{place} sources", sorted(s["source"] for s in day["sources"]), sorted(window.sources))
    for name, source in window.sources.items():
        shown = one(f"{place} sources", day["sources"], source=name)
        same(f"{place} source {name} wh", shown["wh"], source.wh)
        same(f"{place} source {name} deviation_ppm", shown["deviation_ppm"], source.deviation)
        same(f"{place} source {name} agreement_ppm", shown["agreement_ppm"], source.agreement)
    if not VERIFIED_PPM <= day["q_ppm"] <= MILLION:
        raise Different(f"{place} q_ppm: the house shows {day['q_ppm']}, the documents give {VERIFIED_PPM} to {MILLION}")
    same(f"{place} base_ppm", day["base_ppm"], window.base)
    same(f"{place} satellite_agreement_ppm", day["satellite_agreement_ppm"], window.sources["S"].agreement)
    same(f"{place} confidence_ppm", day["confidence_ppm"], covered(window, day["q_ppm"]))
    same(f"{place} verdict", day["verdict"], window.verdict)


def check_money(place: str, shown: dict[str, Any], window: Window) -> None:
    issued = {name: amount for name, amount in window.amounts.items() if amount}
    same(f"{place} issued", sorted(row["principal_id"] for row in shown["issued"]), sorted(issued))
    for principal, amount in issued.items():
        row = one(f"{place} issued", shown["issued"], principal_id=principal)
        same(f"{place} issued to {principal}", row["amount"], str(amount))
        decision = one(f"{place} decisions", shown["decisions"], principal_id=principal)
        same(f"{place} decision for {principal}", decision["decision"], "ALLOW")
    same(f"{place} supply_after", shown["supply_after"], str(window.supply_after))


def check_window(shown: dict[str, Any], window: Window) -> None:
    place = window.name
    same(f"{place} start", instant(shown["start"]), window.start)
    same(f"{place} end", instant(shown["end"]), window.end)
    same(f"{place} state", shown["state"], "settled")
    same(f"{place} replay", shown["replay"], {"equal": True, "digest": shown["output_digest"]})
    entity = one(f"{place} entities", shown["entities"], entity=ENTITY)
    same(f"{place} settled_through", instant(entity["settled_through"]), window.end)
    same(f"{place} verified_wh", entity["verified_wh"], window.verified_wh)
    same(f"{place} confidence_ppm", entity["confidence_ppm"], covered(window, entity["days"][0]["q_ppm"]))
    same(f"{place} days", len(entity["days"]), 1)
    check_day(place, entity["days"][0], window)
    check_money(place, shown, window)


def check(items: list[dict[str, Any]], expected: list[Window]) -> None:
    """Raises Different with the first difference, windows in order."""
    for window in expected:
        check_window(one("windows", items, window_id=window.name), window)


def fetch(url: str, token_file: str | None) -> list[dict[str, Any]]:
    """All items of GET /v1/windows, page after page."""
    items, cursor = [], ""
    while True:
        request = urllib.request.Request(f"{url.rstrip('/')}/v1/windows?limit=500{cursor}")
        if token_file:
            request.add_header("Authorization", "Bearer " + pathlib.Path(token_file).read_text().strip())
        with urllib.request.urlopen(request, timeout=30) as answer:
            page = json.load(answer)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = "&cursor=" + urllib.parse.quote(page["next"], safe="")


def table_of(expected: list[Window]) -> str:
    lines = [
        f"{'window':16}{'M Wh':>8}{'C Wh':>8}{'S Wh':>8}{'A Wh':>8}{'a_C':>9}{'a_S':>9}{'base':>9}{'confidence':>11}"
        f"{'verdict':>10}" + "".join(f"{name:>16}" for name in SHARES) + f"{'carry':>8}{'supply':>13}"
    ]
    for window in expected:
        source = window.sources
        audited = str(source["A"].wh) if "A" in source else "-"
        lines.append(
            f"{window.name:16}{window.meter_wh:8}{source['C'].wh:8}{source['S'].wh:8}{audited:>8}{source['C'].agreement:9}"
            f"{source['S'].agreement:9}{window.base:9}{window.confidence:11}{window.verdict:>10}"
            + "".join(f"{window.amounts[name]:16}" for name in SHARES)
            + f"{'/'.join(map(str, window.carry)):>8}{window.supply_after:13}"
        )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=pathlib.Path, default=CSV)
    parser.add_argument("--check", metavar="URL")
    parser.add_argument("--token-file")
    parser.add_argument("--check-json", metavar="FILE", type=pathlib.Path)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    expected = list(windows(rows(options.csv)))
    if not options.check and not options.check_json:
        print(table_of(expected))
        return 0
    try:
        if options.check:
            items = fetch(options.check, options.token_file)
        else:
            answer = json.loads(options.check_json.read_text())
            items = answer["items"] if isinstance(answer, dict) else answer
        check(items, expected)
    except Different as different:
        print(f"different: {different}")
        return 1
    except KeyError as missing:
        print(f"different: the answer lacks {missing}")
        return 1
    print(f"{len(expected)} windows are equal, supply {expected[-1].supply_after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
