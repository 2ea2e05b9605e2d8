"""Random windows as items of a transcript: meters that glitch, roll over, jump, fall silent or change their unit, sources that
disagree, reviews, debts, shares. What docs/formats/transcript.md allows; nothing here computes what comes of it.
"""

import random
import struct
from dataclasses import dataclass, field
from typing import Any

import profile_yaml
from formats import decode, sha256
from vectors import deterministic

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_467_871_200_000
NAMES = ["abb/b23", "eastron/sdm630", "sunspec/inverter-103", "abb/b23-wild"]
PROFILES = {name: profile_yaml.encode(profile_yaml.FOLDER / f"{name}.yaml") for name in NAMES[:3]}


def wild_profile() -> bytes:
    """The B23 again, for firmware 1 alone, with mode and wiring in the import counter's upper registers."""
    made = decode(PROFILES["abb/b23"], "abb/b23")
    made[2], made[14] = "abb/b23-wild", [["1", "2"]]
    made[11] |= {4: [[3, 0x5000], 1, 1, 0, False, ["0", "1*"]], 6: [[3, 0x5001], 1, 1, 0, False, []]}
    return deterministic(made)


PROFILES["abb/b23-wild"] = wild_profile()
SERIAL = "serial-1"
MODELS_TOLD = {name: "B23 112-100" if name.startswith("abb") else "model" for name in PROFILES}
# Per profile: reads [function, address, count] that hold energy, and power.
READS = {
    "abb/b23": [[3, 0x5000, 8], [3, 0x5B14, 2]],
    "eastron/sdm630": [[4, 0x0048, 4], [4, 0x0034, 2]],
    "sunspec/inverter-103": [[3, 40_084, 13]],
    "abb/b23-wild": [[3, 0x5000, 8], [3, 0x5B14, 2]],
}
MODELS = [[1, 40_002, 66], [103, 40_070, 50]]


@dataclass
class Meter:
    """One meter's life through the window: true energy, and what it answers."""

    id: str
    profile: str
    rng: random.Random
    wh: int
    ratio: tuple[int, int]
    trouble: float
    exponent: int = 0
    drawn: int = 0

    def answers(self, watts: int) -> list[tuple[int, int, bytes]]:
        """(place of the read, status, words) of a poll."""
        rng, found = self.rng, []
        for place in range(len(READS[self.profile])):
            if rng.random() < self.trouble / 3:
                found.append((place, rng.choice([2, 6, 32, 35]), b""))
            else:
                found.append((place, 0, self.words(place, watts)))
        return found

    def shown(self) -> int:
        """The register's energy in Wh, mostly."""
        luck = self.rng.random()
        if luck < self.trouble / 2:
            return 0
        if luck < self.trouble:
            return max(0, self.wh + self.rng.choice([-1, 1]) * self.rng.randrange(20_000))
        return self.wh

    def words(self, place: int, watts: int) -> bytes:
        rng, power = self.rng, watts if self.rng.random() > self.trouble else -watts
        if self.profile.startswith("abb/b23"):
            energy = [self.drawn // 10, self.shown() // 10]
            if place == 0 and rng.random() < self.trouble / 30:  # another mode, or another wiring
                energy[0] += rng.choice([1, 2]) << rng.choice([32, 48])
            whole = (
                b"".join(each.to_bytes(8, "big") for each in energy) if place == 0 else struct.pack(">i", -100 * power)
            )
        elif self.profile == "eastron/sdm630":
            energy_kwh = struct.pack(">ff", self.drawn / 1000, self.shown() / 1000)
            whole = energy_kwh if place == 0 else struct.pack(">f", -power)
        else:
            count = self.shown() // 10**self.exponent % 2**32
            if rng.random() < self.trouble / 4:
                self.exponent = 1 - self.exponent
            whole = struct.pack(">hh", power // 10, 1) + bytes(16) + struct.pack(">Ih", count, self.exponent)
            whole += bytes(26 - len(whole))
        return whole[: rng.randrange(len(whole))] if rng.random() < self.trouble / 8 else whole


@dataclass
class Wild:
    """One window of a seed."""

    seed: int
    items: list[list[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        rng = self.rng
        self.day = rng.choice([DAY, DAY, 6 * HOUR])
        self.interval = rng.choice([15 * MINUTE, HOUR])
        self.poll = rng.choice([5, 15, 30]) * MINUTE
        self.trouble = rng.choice([0, 0, 0.002, 0.01, 0.05, 0.3])
        self.rows: dict[int, list[list[Any]]] = {kind: [] for kind in range(15)}
        self.readings: list[list[Any]] = []
        self.reads: dict[tuple[str, bytes, int], list[Any]] = {}
        self.build()

    def identity(self, *parts: object) -> bytes:
        return sha256(repr((self.seed, parts)).encode())

    def build(self) -> None:
        rng = self.rng
        manifest = self.manifest()
        end = START + DAY
        self.rows[0] = [["W-2016-07-07-1", START, end, "wild", "K$-TEST", 1]]
        self.rows[1] = [[sha256(manifest), manifest]]
        for number in range(rng.choice([1, 1, 2, 3])):
            self.entity(f"entity-{'abc'[number]}", end)
        numbers = {key: number for number, key in enumerate(sorted(self.reads))}
        self.rows[7] = [[number, *self.reads[key]] for key, number in numbers.items()]
        self.rows[8] = [[*row[:5], numbers[row[5]], *row[6:]] for row in self.readings]
        self.rows[3] = [
            [digest, data]
            for digest, data in {
                row[2]: PROFILES[name] for row in self.rows[7] for name in NAMES if sha256(PROFILES[name]) == row[2]
            }.items()
        ]
        for kind, rows in self.rows.items():
            self.items += [
                [kind, *row] for row in sorted(rows, key=lambda row: [row[0]] if kind == 7 else self.order(kind, row))
            ]

    @staticmethod
    def order(kind: int, row: list[Any]) -> list[Any]:
        count = {4: 1, 5: 3, 8: 5, 13: 3, 14: 5}.get(kind, 1)
        return [each.encode() if isinstance(each, str) else each for each in row[:count]]

    def manifest(self) -> bytes:
        rng = self.rng
        graded = sorted(sha256(PROFILES[name]) for name in NAMES if rng.random() < 0.95)
        return deterministic(
            {
                1: 1,
                2: 1,
                3: START - 90 * DAY,
                4: DAY,
                5: DAY,
                6: self.day,
                7: self.interval,
                8: [rng.choice([1000, 1, 7, 10**6]), rng.choice([1, 1, 7, 1000, 999_983])],
                9: [DAY, 1, ["ACK", "CT"]],
                10: [rng.choice([1, 10_000, 333_333]), 40_000, 5_000, 5_000, rng.choice([100_000, 250_000])],
                11: [rng.choice([1, 40]), 40, rng.choice([40, 1_000_000])],
                12: [rng.choice([700_000, 950_000]), rng.choice([500_000, 650_000])],
                13: 900_000,
                14: rng.choice([0, 2 * DAY, 31_536_000_000]),
                15: rng.choice([HOUR, DAY]),
                16: graded,
                17: rng.choice([1_000_000, 1_200_000]),
                18: rng.choice([0, 100_000]),
                19: [3, 1],
                20: None,
                21: [600_000, 950_000],
            }
        )

    def registration(self, kind: int, body: dict[int, Any]) -> None:
        payload = deterministic({1: 1, 2: kind, 3: 1, 4: START - 80 * DAY, 5: body})
        self.rows[2].append([sha256(payload), payload])

    def entity(self, name: str, end: int) -> None:
        rng = self.rng
        principals = sorted({rng.choice("abcdefgh") + str(rng.randrange(3)) for _ in range(rng.randrange(1, 6))})
        cuts = sorted(rng.sample(range(1, 1_000_000), len(principals) - 1))
        ppm = [upper - lower for lower, upper in zip([0, *cuts], [*cuts, 1_000_000])]
        self.registration(
            3, {1: name, 2: "org", 3: 10, 4: [[p, f"{name}-{p}", part] for p, part in zip(principals, ppm)]}
        )
        days = rng.choice([0, 1, 1, 1, 2, 3]) if self.day == DAY else rng.randrange(5)
        complete = end if rng.random() < 0.8 else end - self.day
        begin = complete - days * self.day
        self.rows[4].append([name, "K$-TEST", rng.choice([0, 0, 3, -5, -(10**9)]), rng.choice([1, 7, 1000])])
        self.rows[6].append([name, begin, complete, ["gw-late"] if complete < end else []])
        for number in range(rng.choice([1, 1, 2])):
            self.point(name, f"{name}-p{number}", begin, complete)

    def point(self, entity: str, name: str, begin: int, complete: int) -> None:
        rng = self.rng
        wh = rng.choice([500_000, 50_000_000])
        meters = []
        for number in range(rng.choice([1, 2, 2, 3])):
            profile = rng.choice(NAMES)
            start = 2**32 - rng.randrange(60_000) if profile == NAMES[2] and rng.random() < 0.3 else wh
            ratio = rng.choice([(1, 1), (1, 1), (3, 2), (40, 1)])
            meters.append(Meter(f"{name}-m{number}", profile, rng, start, ratio, self.trouble))
            kind = rng.choice([1, 2])
            registered = profile.removesuffix("-wild") if rng.random() > self.trouble / 10 else "other/profile"
            self.registration(
                5, {1: meters[-1].id, 2: ["v", "m"], 3: SERIAL, 4: "gw", 5: registered, 6: list(ratio), 7: kind}
            )
        place = {
            1: name,
            2: entity,
            3: rng.choice([3_000, 6_000, 500_000]),
            4: rng.choice([1, 1, 2]),
            5: meters[0].id,
            6: sorted(meter.id for meter in meters[1:]),
            7: [0, 0],
            8: 800_000,
        }
        self.registration(4, place)
        produced = self.live(entity, name, meters, begin, complete)
        self.openings(name, meters)
        self.marks(meters[0], begin, complete)
        self.sources(name, begin, complete, produced)

    def live(self, entity: str, point: str, meters: list[Meter], begin: int, complete: int) -> list[int]:
        """Polls all meters; the energy of each day."""
        rng = self.rng
        self.opened = {meter.id: rng.random() < 0.7 for meter in meters}
        self.before = {meter.id: (meter.wh, meter.drawn) for meter in meters}
        produced = [0] * ((complete - begin) // self.day)
        outage = (0, 0)
        for at in range(begin - 2 * self.poll, complete + 1, self.poll):
            watts = 2_400 if 6 * HOUR <= (at - START) % DAY < 18 * HOUR else 0
            if rng.random() < self.trouble / 20:
                outage = (at, at + rng.randrange(30) * HOUR)
            for meter in meters:
                if at > begin:
                    meter.wh += watts * self.poll // HOUR * meter.ratio[1] // meter.ratio[0]
                    meter.drawn += 0 if watts else 10 * self.poll // HOUR
                if not outage[0] <= at < outage[1]:
                    self.sample(
                        entity,
                        point,
                        meter,
                        at - rng.choice([0, 0, rng.randrange(self.poll // 2)]),
                        watts,
                        begin,
                        complete,
                    )
            if at > begin:
                produced[(at - begin - 1) // self.day] += watts * self.poll // HOUR
        return produced

    def sample(self, entity: str, point: str, meter: Meter, at: int, watts: int, begin: int, complete: int) -> None:
        after = begin if self.opened[meter.id] else begin - HOUR
        for place, status, words in meter.answers(watts):
            if after < at <= complete:
                birth = self.identity("birth", self.rng.random() < self.trouble / 50)
                model = MODELS_TOLD[meter.profile]
                said = [model, SERIAL, "1"]
                if self.rng.random() < self.trouble / 100:
                    said = self.rng.choice(
                        [
                            [model, "other", "1"],
                            ["", "", ""],
                            [model + "0", SERIAL, "1"],
                            ["unexpected", SERIAL, "1"],
                            [model, SERIAL, "3"],
                            [model, SERIAL, ""],
                        ]
                    )
                    birth = self.identity("birth", said)
                key = meter.id, birth, place
                chain = MODELS if meter.profile == NAMES[2] else []
                described = [meter.id, sha256(PROFILES[meter.profile]), *READS[meter.profile][place], self.poll, chain]
                self.reads[key] = [*described, said, key[1], place]
                record = self.identity("record", point, at // (6 * self.poll))
                sample = len(self.readings)
                self.readings.append([entity, point, at, record, sample, key, status, words])

    def marks(self, meter: Meter, begin: int, complete: int) -> None:
        """What gives and takes the revenue meter's grade."""
        rng, profile = self.rng, sha256(PROFILES[meter.profile])
        if rng.random() < (0.9 if self.opened[meter.id] else 0.1):
            serial = SERIAL if rng.random() > self.trouble / 4 else "before"
            heard = [[1, MODELS_TOLD[meter.profile]], [3, "1"]]
            texts = rng.choice([[], heard, [*heard, [4, "0"]]])
            self.rows[12].append([meter.id, begin - DAY, self.identity("told", meter.id), serial, profile, texts])
        times = [begin - HOUR - 1] * (not self.rows[12] or self.rows[12][-1][0] != meter.id) * (rng.random() < 0.9)
        for _ in range(rng.choice([0, 0, 0, 1, 2, 3]) if rng.random() < 0.2 + 3 * self.trouble else 0):
            times.append(rng.randrange(begin - 2 * HOUR, max(begin, complete) + 1))
        for number, time in enumerate(times):
            serial = SERIAL if rng.random() > self.trouble else "typed wrong"
            told = profile if rng.random() > self.trouble else sha256(b"another profile")
            self.rows[13].append([meter.id, time, self.identity("note", meter.id, number), serial, told])
        for number in range(rng.choice([1, 2]) if rng.random() < self.trouble else 0):
            time = rng.randrange(begin - 2 * HOUR, max(begin, complete) + 1)
            self.rows[14].append([meter.id, time, self.identity("claim", meter.id, number), "gw-2", "ghost"])

    def openings(self, point: str, meters: list[Meter]) -> None:
        units = {"abb/b23": 10, "abb/b23-wild": 10, "eastron/sdm630": 1, "sunspec/inverter-103": 1}
        begin = next(row[1] for row in self.rows[6] if point.startswith(row[0]))
        for meter in meters:
            unit = units[meter.profile] if self.rng.random() > self.trouble / 3 else 7
            for name, wh in zip(["1-0:2.8.0", "1-0:1.8.0"], self.before[meter.id]):
                if self.opened[meter.id] and (name == "1-0:2.8.0" or meter is meters[0] and meter.profile != NAMES[2]):
                    turns = self.rng.choice([0, 0, 2**32]) if meter.profile == NAMES[2] else 0
                    record = self.identity("old", meter.id)
                    self.rows[5].append(
                        [
                            point,
                            meter.id,
                            name,
                            self.rng.choice([1, 2]),
                            wh // unit + turns,
                            [unit, 1],
                            begin,
                            record,
                            3,
                        ]
                    )

    def sources(self, point: str, begin: int, complete: int, produced: list[int]) -> None:
        rng = self.rng
        for number, wh in enumerate(produced):
            start = begin + number * self.day
            for source, chance, spread in [("A", 0.4, 0.01), ("D", 0.3, 0.02), ("S", 0.8, 0.4)]:
                for again in range(rng.choice([1, 1, 2]) if rng.random() < chance else 0):
                    off = int(wh * (1 + rng.choice([0, rng.uniform(-spread, spread)])))
                    value = {
                        1: 1,
                        2: source,
                        3: point,
                        4: start,
                        5: start + self.day,
                        6: off,
                        7: rng.choice([1, 10]),
                        8: [],
                        9: start + DAY + again % 2,
                        10: "m",
                    }
                    self.rows[9].append([self.identity(point, source, number, again), deterministic(value)])
            for again in range(rng.choice([0, 0, 0, 1, 2])):
                value = {1: 1, 2: point, 3: start, 4: rng.choice([1, 2]), 5: "looked", 6: start + rng.choice([1, 2])}
                self.rows[10].append([self.identity("review", point, number, again), deterministic(value)])
        if rng.random() < 0.5:
            lifted = begin - rng.choice([1, 1, 5]) * self.day
            self.rows[11].append([point, lifted, rng.choice("AD"), self.identity("lift", point), 1_000_000])
