"""Writes the export of a small house that never ran: every format of docs/formats produced a second time, for tests only.

Two gateways of one entity, each with an ABB B23 and a SunSpec inverter that see the same energy; readings each quarter of an hour,
two windows of a day. One gateway rotates its key, the other one enrolled with a claim, loses a record and says so with a skip.
"""

import pathlib
from dataclasses import dataclass
from typing import Any

import profile_yaml
import replay_window
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from exports import vkey
from formats import sequence, sha256
from synthetic_gateway import DAY, DAYS, ED, INTERVAL, KEYS, READS, START, Gateway, energy
from synthetic_logs import JournalWriter, LogWriter, Private, document, root_of, sign, write
from transcripts import read_inputs
from vectors import deterministic, spki

BASE, ENTITY = "kilomint.example/synthetic", "sun-coop"
SHARES = [["coop", "coop-account", 600_000], ["fund", "fund-account", 400_000]]
FOREVER = 253_402_300_799_999
SECRET = "0123456789ABCDEFGHJK"


@dataclass
class House:
    """The collector's side."""

    seed: int = 1
    alternates: bool = True
    wh_off: int = 0

    def __post_init__(self) -> None:
        self.profiles = {
            name: profile_yaml.encode(profile_yaml.FOLDER / f"{name}.yaml")
            for name in ("abb/b23", "sunspec/inverter-103")
        }
        self.gateways = [Gateway("gw-north", "north", self.profiles), Gateway("gw-south", "south", self.profiles)]
        self.journal = JournalWriter("journal/1", f"{BASE}/journal/1")
        self.journal.salts.seed(self.seed)
        self.evidence = LogWriter("evidence/1", f"{BASE}/evidence/1")
        self.segments: dict[str, bytes] = {}
        self.receipts: list[bytes] = []
        self.registrations: list[tuple[int, bytes, bytes]] = []
        self.statements: list[tuple[bytes, bytes]] = []
        self.openings: list[list[Any]] = []
        self.lifts: list[list[Any]] = []
        self.commissioned: list[list[Any]] = []
        self.carry = [ENTITY, "K$-TEST", 0, 1]
        self.produced: list[int] = []

    def build(self, folder: pathlib.Path) -> None:
        self.genesis()
        self.register()
        for gateway in self.gateways:
            gateway.run()
        self.take()
        for day in range(DAYS):
            self.state(day)
        for number in range(DAYS):
            self.window(number)
        self.write(folder)

    # -- Genesis and documents

    def genesis(self) -> None:
        digests = sorted(sha256(data) for data in self.profiles.values())
        self.manifest = {
            1: 1,
            2: 1,
            3: START,
            4: DAY,
            5: DAY,
            6: DAY,
            7: INTERVAL,
            8: [1000, 1],
            9: [DAY, 1, ["ACK", "CT"]],
            10: [10_000, 40_000, 5_000, 5_000, 250_000],
            11: [40, 40, 40],
            12: [950_000, 800_000],
            13: 900_000,
            14: 31_536_000_000,
            15: DAY,
            16: digests,
            17: 1_200_000,
            18: 100_000,
            19: [3, 1],
            20: None,
            21: [600_000, 950_000],
        }
        first, _ = document(self.manifest, "manifest", KEYS["root"])
        body = {
            1: 1,
            2: 1,
            3: "K$-TEST",
            4: 1_000_000,
            5: START,
            6: [spki(KEYS["root"])],
            7: first,
            8: [START, 3600, START],
            9: BASE,
            10: "synthetic",
            11: spki(KEYS["log"]),
            12: spki(KEYS["receipt"]),
            13: spki(KEYS["seal"]),
        }
        self.journal.append("Genesis", "house", START - DAY, sha256(b"genesis", deterministic(body)), body)

    def register(self) -> None:
        for org in ("operations", "owners", "finance", "compliance", "audit"):
            self.registered(1, {1: org, 2: org.title()}, "root")
        for name, role, org in [
            ("person-a", 13, "operations"),
            ("person-b", 13, "operations"),
            ("gw-north", 6, "owners"),
            ("gw-south", 6, "owners"),
            ("finance", 8, "finance"),
            ("compliance", 9, "compliance"),
            ("auditor", 10, "audit"),
            ("satellite", 12, "operations"),
            ("owner", 7, "owners"),
        ]:
            if name == "owner":
                self.registered(3, {1: ENTITY, 2: "owners", 3: 1200, 4: SHARES}, "root")
            subject = ENTITY if name == "owner" else name
            body = {1: spki(KEYS[name]), 2: role, 3: subject, 4: org, 5: [], 6: FOREVER}
            if role == 6:  # a gateway is registered before its key
                continue
            self.registered(2, body, "root", *([] if role == 13 else ["person-a", "person-b"]))
        for gateway in self.gateways:
            self.registered(6, {1: gateway.name, 2: ENTITY, 3: 0}, "root")
            if gateway is self.gateways[0]:
                body = {1: spki(KEYS[gateway.name]), 2: 6, 3: gateway.name, 4: "owners", 5: [], 6: FOREVER}
                self.registered(2, body, "root", "person-a", "person-b")
            else:
                self.enrol(gateway.name, SECRET, KEYS[gateway.name])
            self.register_meters(gateway)

    def enrol(self, name: str, secret: str, signer: Private) -> None:
        """A claim, and the key that the gateway bound by it; cryptography writes the request."""
        claim = {1: name, 2: "owners", 3: sha256(SECRET.encode()), 4: START + 7 * DAY}
        self.registered(7, claim, "root", "person-a", "person-b")
        registered = sha256(self.registrations[-1][1], bytes(8))
        builder = x509.CertificateSigningRequestBuilder()
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        request = builder.subject_name(subject).sign(signer, digest).public_bytes(Encoding.DER)
        bound = {1: name, 2: spki(KEYS[name]), 3: secret, 4: request}
        self.journal.append("KeyBound", "house", START - DAY, sha256(registered, b"bind"), bound)

    def register_meters(self, gateway: Gateway) -> None:
        point, (main, check) = gateway.point, gateway.meters
        for meter, vendor, serial, profile, kind in [
            (main, "ABB", f"sn-{point}", "abb/b23", 1),
            (check, "Virtual", f"in-{point}", "sunspec/inverter-103", 2),
        ]:
            body = {1: meter, 2: [vendor, "model"], 3: serial, 4: gateway.name, 5: profile, 6: [1, 1], 7: kind}
            self.registered(5, body, "root", "person-a", "person-b")
        place = {1: point, 2: ENTITY, 3: 6000, 4: 1, 5: main, 6: [check], 7: [39_742_000, -105_172_700], 8: 800_000}
        self.registered(4, place, "root", "person-a", "person-b")

    def registered(self, kind: int, body: dict[int, Any], *signers: str) -> None:
        value = {1: 1, 2: kind, 3: 1, 4: START - DAY, 5: body}
        signed, number = document(value, "registration", *(KEYS[name] for name in signers))
        event = self.journal.append("Registered", "house", START - DAY, number, {1: signed})
        self.registrations.append((kind, number, deterministic(value)))
        for ordinal, (principal, account, _) in enumerate(SHARES if kind == 3 else []):
            opened = {1: account, 2: principal, 3: ENTITY, 4: 1}
            self.journal.append("AccountOpened", "settlement", START - DAY, sha256(event, b"account"), opened, ordinal)

    # -- Evidence

    def take(self) -> None:
        """Records as they arrive: in turn, or one gateway after the other."""
        pairs = [
            (number, place, row)
            for place, gateway in enumerate(self.gateways)
            for number, row in enumerate(gateway.records)
        ]
        ordered = sorted(pairs, key=lambda pair: pair[:2] if self.alternates else (pair[1], pair[0]))
        for _, place, (record, envelope, identity) in ordered:
            received = record[6][4] + 500 if self.alternates else START + (DAYS + 2) * DAY
            entry = {1: record[2], 2: record[3], 3: record[4], 4: identity, 5: len(envelope), 6: received}
            self.evidence.entries.append(deterministic(entry))
            self.evidence.matter.append(envelope)
            self.receipt(record, identity, received)

    def receipt(self, record: dict[int, Any], identity: bytes, received: int) -> None:
        through, about = (record[9][1], record[9][2]) if record[8] == 4 else (record[4], identity)
        body = {
            1: 1,
            2: record[2],
            3: record[3],
            4: through,
            5: about,
            6: received,
            7: self.evidence.origin,
            8: len(self.evidence.entries) - 1,
            9: 1,
            10: [1],
        }
        if len(self.evidence.entries) % 5 == 0:
            note = self.evidence.note(ED["log"])
            body[13] = [note, []]
        self.receipts.append(sign(deterministic(body), "receipt", KEYS["receipt"])[0])

    def state(self, day: int) -> None:
        begin, end = START + day * DAY, START + (day + 1) * DAY
        wh = int(energy(end) - energy(begin)) + self.wh_off
        for gateway in self.gateways:
            for source, key, amount in [("A", "auditor", wh)] * (day == 0) + [("S", "satellite", wh * 11 // 10)]:
                payload = deterministic(
                    {1: 1, 2: source, 3: gateway.point, 4: begin, 5: end, 6: amount, 7: 1, 8: [], 9: end, 10: "model"}
                )
                envelope, identity = sign(payload, "statement", KEYS[key])
                self.statements.append((identity, payload))
                self.journal.append("StatementReceived", "verification", end, identity, {1: envelope})

    # -- Windows

    def items(self, name: str, start: int, end: int) -> list[list[Any]]:
        """transcript.md, "inputs"."""
        manifest = deterministic(self.manifest)
        readings, reads = self.readings(start, end)
        rows: list[list[Any]] = [[0, name, start, end, "synthetic", "K$-TEST", 1], [1, sha256(manifest), manifest]]
        rows += sorted([2, number, payload] for kind, number, payload in self.registrations if kind in (3, 4, 5))
        rows += sorted([3, sha256(data), data] for data in self.profiles.values())
        rows += [[4, *self.carry], *([5, *opening] for opening in self.openings), [6, ENTITY, start, end, []]]
        rows += reads + readings
        about = [(number, payload) for number, payload in self.statements if self.is_of(payload, start)]
        rows += sorted([9, number, payload] for number, payload in about) + [[11, *lift] for lift in self.lifts]
        if self.commissioned:
            return rows + [[12, *item] for item in self.commissioned]
        return rows + sorted([13, *self.told(gateway)] for gateway in self.gateways)

    @staticmethod
    def told(gateway: Gateway) -> list[Any]:
        """The gateway's note 5 as a commissioning of its revenue meter."""
        record, _, identity = next(row for row in gateway.records if row[0][8] == 3)
        uptime, _, note = record[9]
        return [gateway.meters[note[1]], record[6][4] - record[6][3] + uptime, identity, note[2], note[5]]

    @staticmethod
    def is_of(payload: bytes, start: int) -> bool:
        value = next(item for item, _ in sequence(payload, "statement"))
        return bool(value[4] == start)

    def readings(self, start: int, end: int) -> tuple[list[list[Any]], list[list[Any]]]:
        """Items 8 and 7: samples of the span; before it only for a meter that has no opening."""
        known = {opening[1] for opening in self.openings}
        rows, reads = [], {}
        for gateway in self.gateways:
            birth = gateway.records[0][2]
            for record, _, identity in gateway.records:
                if record[8] != 2:
                    continue
                base = record[6][4] - record[6][3] + record[9][0]
                for sample, (read, dt, _, status, data) in enumerate(record[9][1]):
                    meter = gateway.meters[READS[read][1]]
                    if start - (0 if meter in known else DAY) < base + dt <= end:
                        rows.append(
                            [8, ENTITY, gateway.point, base + dt, identity, sample, (meter, birth, read), status, data]
                        )
                        reads[meter, birth, read] = self.read(gateway, meter, birth, read)
        numbers = {key: number for number, key in enumerate(sorted(reads))}
        rows = [[*row[:6], numbers[row[6]], *row[7:]] for row in rows]
        return sorted(rows), [[7, number, *reads[key]] for key, number in numbers.items()]

    def read(self, gateway: Gateway, meter: str, birth: bytes, read: int) -> list[Any]:
        described = gateway.records[0][0][9][3][READS[read][1]]
        return [meter, described[4], *READS[read][2:], described.get(7, []), described[5], birth, read]

    def window(self, number: int) -> None:
        start, end = START + number * DAY, START + (number + 1) * DAY
        name, now = f"W-2016-07-{7 + number:02}-1", end + DAY
        data = b"".join(deterministic(item) for item in self.items(name, start, end))
        # Fewer than 4 096 items: one input segment, an empty checkpoint segment.
        outcome = replay_window.compute(read_inputs(sequence(data, name)), sha256(data))
        segments = [(1, data), (2, b""), (3, outcome.output)]
        self.segments |= {sha256(segment).hex(): segment for _, segment in segments}
        head = self.evidence.checkpoint()
        cut = self.journal.append(
            "WindowCut",
            "window",
            now,
            sha256(b"timecut", name.encode()),
            {
                1: name,
                2: start,
                3: end,
                4: sha256(deterministic(self.manifest)),
                5: head,
                6: [[ENTITY, end, None, []]],
                7: [sha256(data)],
                8: sha256(data),
            },
        )
        production = self.verified(name, now, cut, outcome)
        output = next(item for item, _ in sequence(outcome.output, name))
        self.issue(name, now, cut, output, outcome.digest, segments, head)
        weights = [[ENTITY, sum(production), 1200, 1_000_000]]
        self.journal.append(
            "WeightCalculated", "governance", now, sha256(self.production, b"weights"), {1: name, 2: True, 3: weights}
        )
        self.openings, self.carry, self.lifts = output[3][5], output[3][6][0], output[3][8]
        self.commissioned = output[3][9]

    def verified(self, name: str, now: int, cut: bytes, outcome: replay_window.Outcome) -> list[int]:
        (result,) = outcome.entities
        command = sha256(cut, f"verify/{ENTITY}".encode())
        self.journal.append(
            "ReconciliationComplete", "verification", now, command, {1: name, 2: ENTITY, 3: outcome.verdicts}
        )
        attestations = [sign(deterministic(verdict), "attestation", KEYS["seal"])[0] for verdict in outcome.verdicts]
        lowest = min(verdict[11] for verdict in outcome.verdicts)
        body = {
            1: name,
            2: ENTITY,
            3: result.span.settled_from,
            4: result.through,
            5: result.wh,
            6: lowest,
            7: attestations,
        }
        self.production = self.journal.append("ProductionVerified", "verification", now, command, body, 1)
        self.produced.append(result.wh)
        return self.produced

    def issue(
        self,
        name: str,
        now: int,
        cut: bytes,
        output: Any,
        digest: bytes,
        segments: list[tuple[int, bytes]],
        head: list[Any],
    ) -> None:
        allocated = self.journal.append(
            "AllocationCalculated",
            "issuance",
            now,
            sha256(cut, b"allocate"),
            {1: name, 2: digest, 3: output[2], 4: output[3][6]},
        )
        rows = [[kind, len(segment), sha256(segment)] for kind, segment in segments]
        root = root_of([sha256(b"\x00", row[2]) for row in rows])
        seal, _ = sign(
            deterministic({1: 1, 2: name, 3: digest, 4: root, 5: head, 6: rows, 7: now}), "seal", KEYS["seal"]
        )
        sealed = self.journal.append("TranscriptSealed", "issuance", now, sha256(allocated, b"seal"), {1: seal})
        compared = {1: name, 2: digest, 3: digest, 4: True, 5: "equal"}
        self.journal.append("ReplayCompared", "issuance", now, sha256(sealed, b"replay"), compared)
        identities = [
            self.prove(kind, key, name, digest, now) for kind, key in (("ACK", "finance"), ("CT", "compliance"))
        ]
        answers = [[row[1], "ALLOW", None, None] for row in output[2]]
        decision = {1: 1, 2: name, 3: digest, 4: sha256(*sorted(identities)), 5: answers, 6: now}
        signed, _ = sign(deterministic(decision), "decision", KEYS["seal"])
        decided = self.journal.append(
            "AuthorizationDecided", "issuance", now, sha256(b"timeauthorize", name.encode()), {1: signed}
        )
        for ordinal, (entity, principal, account, _, amount, _) in enumerate(output[2]):
            body = {1: name, 2: entity, 3: principal, 4: account, 5: amount, 6: digest}
            issued = self.journal.append("IssuanceComplete", "issuance", now, sha256(decided, b"issue"), body, ordinal)
            command = sha256(issued, b"credit")
            self.journal.append(
                "AccountCredited",
                "settlement",
                now,
                command,
                {1: [bytes(4) + command[:12], "issuance", account, amount, 1, issued]},
            )

    def prove(self, kind: str, key: str, name: str, digest: bytes, now: int) -> bytes:
        value = {1: 1, 2: kind, 3: name, 4: digest, 5: None, 6: "VALID", 7: now, 8: now + DAY, 9: key, 10: digest}
        envelope, identity = sign(deterministic(value), "proof", KEYS[key])
        self.journal.append("ProofReceived", "issuance", now, identity, {1: envelope})
        return identity

    def write(self, folder: pathlib.Path) -> None:
        for log in (self.journal, self.evidence):
            log.write(folder, ED["log"])
        vkeys = [vkey(log.origin, spki(ED["log"])[-32:]) for log in (self.journal, self.evidence)]
        write(folder / "house", deterministic({1: 1, 2: 1, 3: vkeys}))
        for name, segment in self.segments.items():
            write(folder / "segments" / name, segment)
        write(folder.with_suffix(".receipts"), b"".join(deterministic(receipt) for receipt in self.receipts))
