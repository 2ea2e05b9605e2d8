"""A gateway that never ran: its stream of signed records as docs/formats/evidence.md has them, for tests only."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from formats import sha256
from synthetic_logs import Private, sign
from vectors import deterministic, spki

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_467_871_200_000  # 2016-07-07T06:00:00Z
INTERVAL = 15 * MINUTE
DAYS = 2
MODELS = [[1, 40_002, 66], [103, 40_070, 50]]
NAMES = [
    "root",
    "person-a",
    "person-b",
    "gw-north",
    "gw-north-2",
    "gw-south",
    "finance",
    "compliance",
    "auditor",
    "receipt",
    "seal",
    "owner",
]
ED = {name: ed25519.Ed25519PrivateKey.from_private_bytes(sha256(name.encode())) for name in ("log", "satellite")}


def key_of(name: str) -> Private:
    return (
        ED[name]
        if name in ED
        else ec.derive_private_key(int.from_bytes(sha256(name.encode()), "big") >> 8, ec.SECP256R1())
    )


KEYS = {name: key_of(name) for name in [*NAMES, *ED]}


def energy(at: int) -> Fraction:
    """Wh since ten days before the start: 3 kW from 06:00 to 18:00 after each day's begin, nothing at night."""
    days, rest = divmod(at - START + 10 * DAY, DAY)
    return Fraction(3_000 * (days * 12 * HOUR + min(max(rest - 6 * HOUR, 0), 12 * HOUR)), HOUR)


def watts(at: int) -> int:
    return 3_000 if 6 * HOUR <= (at - START) % DAY < 18 * HOUR else 0


READS = [[0, 0, 3, 0x5000, 8, INTERVAL], [1, 0, 3, 0x5B14, 2, INTERVAL], [2, 1, 3, 40_094, 3, INTERVAL]]


def words(read: int, at: int) -> bytes:
    if read == 0:
        return (0).to_bytes(8, "big") + int(energy(at) // 10).to_bytes(8, "big")
    if read == 1:
        return (-100 * watts(at)).to_bytes(4, "big", signed=True)
    return int(energy(at)).to_bytes(4, "big") + bytes(2)


@dataclass
class Gateway:
    """A gateway's stream, record after record."""

    name: str
    point: str
    profiles: dict[str, bytes]
    records: list[tuple[dict[int, Any], bytes, bytes]] = field(default_factory=list)
    key: str = ""

    def __post_init__(self) -> None:
        self.stream, self.boot = sha256(self.name.encode())[:8], sha256(b"boot", self.name.encode())[:16]
        self.key = self.name

    @property
    def meters(self) -> list[str]:
        return [f"b23-{self.point}", f"inv-{self.point}"]

    def add(self, at: int, kind: int, body: Any, number: int | None = None, previous: bytes | None = None) -> None:
        """Uptime counts from a day before the start."""
        uptime = at - START + DAY
        last = self.records[-1] if self.records else None
        record = {
            1: 1,
            2: self.name,
            3: self.stream,
            4: self.next if number is None else number,
            5: (self.link if last else bytes(32)) if previous is None else previous,
            6: [2, 5, self.boot, uptime, at],
            7: uptime,
            8: kind,
            9: body,
        }
        self.records.append((record, *sign(deterministic(record), "record", KEYS[self.key])))

    @property
    def next(self) -> int:
        last = self.records[-1][0] if self.records else None
        return 1 if last is None else (last[9][1] if last[8] == 4 else last[4]) + 1

    @property
    def link(self) -> bytes:
        record, _, identity = self.records[-1]
        return bytes(record[9][2]) if record[8] == 4 else identity

    def run(self) -> None:
        """Three days of readings, six hours a record; then what the two gateways do differently."""
        identity = [["B23 112-100", f"sn-{self.point}", "1"], ["Virtual", f"in-{self.point}", "1"]]
        meters = [
            {
                1: number,
                2: meter,
                3: name,
                4: sha256(self.profiles[name]),
                5: identity[number],
                6: [1, "tcp://127.0.0.1:1502"],
            }
            | ({7: MODELS} if number else {})
            for number, (meter, name) in enumerate(zip(self.meters, ["abb/b23", "sunspec/inverter-103"]))
        ]
        self.add(START - HOUR, 1, {1: "1.0", 2: None, 3: meters, 4: READS, 5: [START, 3600]})
        # Before the first reading somebody compared the revenue meter's display with what it answers.
        seen = [["1-0:2.8.0", 10, [10, DAY - 7 * HOUR, 3, 0x5000, words(0, START - 7 * HOUR)]]]
        note = {1: 0, 2: identity[0][1], 3: seen, 4: ["ann", "Ann"], 5: meters[0][4], 6: identity[0][1]}
        self.add(START - HOUR, 3, [DAY - 7 * HOUR, 5, note])
        for number in range(4 * (DAYS + 1) + 1):
            end = START + number * 6 * HOUR + MINUTE
            self.add(end, 2, self.samples(end - 6 * HOUR, end))
            if self.name == "gw-north" and number == 5:
                self.add(end + 1, 5, {1: spki(KEYS["gw-north-2"])})
                self.key = "gw-north-2"
            if self.name == "gw-south" and number == 5:
                self.lose(end)

    def samples(self, begin: int, end: int) -> list[Any]:
        times = [at for at in range(begin - begin % INTERVAL, end + 1, INTERVAL) if begin < at <= end]
        return [
            times[0] - START + DAY,
            [[read, at - times[0], 3, 0, words(read, at)] for at in times for read in range(3)],
        ]

    def lose(self, at: int) -> None:
        """The last record never leaves: a skip stands for it, the chain goes on."""
        lost, _, identity = self.records.pop()
        body = {1: lost[4], 2: identity, 3: "spool full", 4: [lost[6], lost[6]], 5: [[read, 24] for read in range(3)]}
        self.add(at + 2, 4, body)
