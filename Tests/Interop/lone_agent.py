"""An agent alone: its configuration, keys and spool in a folder of its own. Its records are read with Python's libraries.

Nothing is sent. What it signed is verified with pycose, explained by its birth, and decoded by profiles.py, which knows
docs/formats/profile.md and no line of the agent.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import profile_yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from formats import envelope, sha256
from profiles import Count, NotAvailable, Profile
from synthetic_logs import sign
from vectors import deterministic, spki

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")).resolve()
BIRTH, READINGS, NOTE, SKIP = 1, 2, 3, 4
GATEWAY = "gw-wild"
RECEIPT_ROLE = 2
FAR = 4_102_444_800_000  # 2100-01-01


@dataclass(frozen=True)
class Sample:
    """One request of one meter and what was signed about it. `values` only where the status is good."""

    request: tuple[int, int, int]
    instant: int
    took: int
    status: int
    words: bytes
    values: dict[str, Count | NotAvailable]


def key_list(root: ec.EllipticCurvePrivateKey, *receipt: ec.EllipticCurvePrivateKey, number: int = 1, until: int = FAR) -> bytes:
    entries = [[spki(key), RECEIPT_ROLE, 0, until] for key in receipt]
    return sign(deterministic({1: 1, 2: number, 3: 1_700_000_000_000, 4: entries}), "key-list", root)[0]


class LoneAgent:
    """`with LoneAgent() as agent:`; a failed test shows the agent's last words."""

    def __init__(self, profiles: pathlib.Path = ROOT / "firmware-profiles", *, commit: str = "200ms", interval: str = "500ms") -> None:
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-lone-"))
        self.profiles = profiles
        self.head = f"commit: {commit}\ninterval: {interval}\nboundary: 1m\n"
        self.root = ec.generate_private_key(ec.SECP256R1())
        self.receipt = ec.generate_private_key(ec.SECP256R1())
        self.process: subprocess.Popen[bytes] | None = None
        (self.dir / "key-list.cbor").write_bytes(key_list(self.root, self.receipt))
        self.tool("key", "create", "--out", self.dir / "gateway.pem")
        self.key = load_pem_private_key((self.dir / "gateway.pem").read_bytes(), None)
        self.spool = self.dir / "spool"

    def __enter__(self) -> "LoneAgent":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if self.process:
            self.end(signal.SIGKILL)
        if kind is not None:
            print(f"--- agent, in {self.dir}\n{self.log()[-4000:]}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def spki(self) -> bytes:
        return spki(self.key)

    @property
    def config(self) -> pathlib.Path:
        return self.dir / "agent.yaml"

    def configure(self, buses: list[str], extra: str = "") -> None:
        """`buses`: the YAML of each, without the leading dash."""
        text = (
            f"gateway: {GATEWAY}\nkey: {self.dir}/gateway.pem\nkey_list: {self.dir}/key-list.cbor\n"
            f"root_key: {spki(self.root).hex()}\nspool: {{path: {self.spool}}}\nprofiles: {self.profiles}\n"
        )
        if "commit:" not in extra:
            text += self.head
        self.config.write_text(text + extra + "buses:\n" + "".join(f"  - {bus}\n" for bus in buses))

    def tool(self, *words: Any, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "kilomint-agent"), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    # -- the process --------------------------------------------------------------------------------------------

    def start(self, **environment: str) -> None:
        with open(self.dir / "agent.log", "ab") as log:
            command = [BIN / "kilomint-agent", "run", "--config", self.config]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)

    def end(self, how: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(how)
        status = self.process.wait(30)
        self.process = None
        return status

    def log(self) -> str:
        path = self.dir / "agent.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def ask(self, verb: str = "status format=json") -> bytes:
        with socket.socket(socket.AF_UNIX) as asking:
            # Whoever comes while many stand at the door waits there, as a person's command does.
            asking.connect(str(self.spool / "control.sock"))
            asking.settimeout(10)
            asking.sendall(verb.encode() + b"\n")
            return b"".join(iter(lambda: asking.recv(65_536), b""))

    def status(self) -> dict[str, Any]:
        """As `status --json` has it. OSError while nobody answers."""
        done = self.tool("status", "--json", "--config", self.config, check=False)
        if done.returncode != 0 or not done.stdout:
            raise OSError(done.stderr)
        return dict(json.loads(done.stdout))

    def until(self, what: str, holds: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            assert self.process
            if self.process.poll() is not None:
                raise AssertionError(f"the agent ended with status {self.process.returncode} before: {what}\n{self.log()[-2000:]}")
            try:
                if found := holds():
                    return found
            except (OSError, sqlite3.OperationalError):
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.log()[-2000:]}")
            time.sleep(0.05)

    def resident(self) -> int:
        """VmRSS in KiB."""
        assert self.process
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) if found else 0

    # -- what it signed --------------------------------------------------------------------------------------------

    def records(self, folder: pathlib.Path | None = None) -> list[dict[int, Any]]:
        """The stopped agent's records in order, each verified; each stream's chain and numbers checked."""
        with sqlite3.connect((folder or self.spool) / "spool.db") as base:
            rows = base.execute("SELECT position, envelope FROM record ORDER BY position").fetchall()
        found, last = [], {}
        for position, data in rows:
            assert data is not None, f"{position} is a range"
            signed = envelope(data, "record", str(position))
            assert signed.signed_by(self.spki), f"{position} is not signed by the gateway"
            record = signed.map(str(position))
            number, link = last.get(record[3], (0, bytes(32)))
            assert record[4] == number + 1 and record[5] == link, f"{position} does not follow {number}"
            last[record[3]] = (record[9][1], record[9][2]) if record[8] == SKIP else (record[4], signed.identity)
            found.append(record)
        return found

    def samples(self, profiles: dict[str, bytes]) -> dict[str, list[Sample]]:
        """By meter. `profiles`: name to CBOR."""
        known = {sha256(data): Profile(data, name) for name, data in profiles.items()}
        return explained(self.records(), known)


def explained(records: list[dict[int, Any]], known: dict[bytes, Profile]) -> dict[str, list[Sample]]:
    """Each good sample's values, explained by the birth before it."""
    found: dict[str, list[Sample]] = {}
    for record in records:
        if record[8] == BIRTH:
            meters = {meter[1]: meter for meter in record[9][3]}
            reads = {read[0]: read for read in record[9][4]}
            identity = {read for meter in meters.values() for read in meter.get(8, [])}
        if record[8] != READINGS:
            continue
        base, taken = record[9]
        for read, offset, took, status, words in taken:
            if read in identity:
                continue
            _, meter, *request, _ = reads[read]
            values = {}
            if status == 0 and meters[meter][4] in known:
                values = known[meters[meter][4]].values(request, meters[meter].get(7, []), words)
            sample = Sample(tuple(request), base + offset, took, status, words, values)
            found.setdefault(meters[meter][2], []).append(sample)
    return found


def shipped(*names: str) -> dict[str, bytes]:
    return {name: profile_yaml.encode(profile_yaml.FOLDER / f"{name}.yaml") for name in names}


def printed(text: str) -> Iterator[tuple[str, str, str]]:
    """(meter, OBIS code, value as printed) of `kilomint-agent read`."""
    meter = ""
    for line in text.splitlines():
        if found := re.match(r"\s*meter ([a-z0-9-]+)", line):
            meter = found[1]
        elif found := re.match(r"\s+(\d+-\d+:\d+\.\d+\.\d+)\s+(\S.*)$", line):
            yield meter, found[1], found[2].strip()
