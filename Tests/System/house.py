"""A house of real processes for tests: broker with mutual TLS, plant, enrolled agent, collector, audit. Judges nothing.

Built on the demonstration's own machinery (demo/run.py), so that what is tested is what people start. Each house has its own
folder, its own free ports and its own clock; every process it starts ends with it.
"""

import argparse
import datetime
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")).resolve()
CSV = ROOT / "Tests/Plant/Data/serf-east-2016.csv"


def _demonstration():
    spec = importlib.util.spec_from_file_location("demonstration", ROOT / "demo/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo = _demonstration()
Failed = demo.Failed
stamp = demo.stamp
GATEWAY, ENTITY, POINT = demo.GATEWAY, demo.ENTITY, demo.POINT
# A listener that gateways do not reach in a real house: there a certificate may open several sessions, as client ids say. A
# collector with partitions needs that, and so does a test that speaks beside a gateway under its name.
INSIDE = """
listener {port} 127.0.0.1
cafile {dir}/ca/ca.pem
certfile {dir}/broker/server.pem
keyfile {dir}/broker/server-key.pem
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
"""
HOURS = datetime.timedelta(hours=1)
# Midnight at the plant. A window is a day: at its ends no register moves, so that a late reading shows the same.
START = demo.START


def free_ports(count):
    """Ports that nobody has now. Kept open together, so that none is given twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class House(demo.House):
    """One house. Start it with `with House() as house:`; a failed test shows the processes' last words."""

    def __init__(self, *, cadence=24, grace=6, speed=7200, lead=12, clock_error=0):
        """Cadence and grace in hours of the house's time; lead in real seconds before its clock begins to run."""
        folder = tempfile.mkdtemp(prefix="kilomint-house-")
        super().__init__(argparse.Namespace(bin=BIN, once=True, dir=folder, broker_port=0, plant_port=0, port=0, enrolment_port=0))
        names = ("broker", "inside", "plant", "inverter", "console", "enrolment")
        self.ports = dict(zip(names, free_ports(len(names))))
        self.cadence, self.grace, self.speed, self.lead = cadence * HOURS, grace * HOURS, speed, lead
        self.clock_error = clock_error
        self.start_at = START
        self.proved = set()

    def __enter__(self):
        try:
            self.prepare()
            self.zero = float(int(time.time()) + self.lead)
            self.write_configurations()
            self.genesis()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        self.stop()
        if kind is None:
            shutil.rmtree(self.dir, ignore_errors=True)
        else:
            for log in sorted((self.dir / "log").glob("*.log")):
                print(f"--- {log.name} (in {self.dir})\n{self.tail(log.stem, 15)}")

    # -- preparation --------------------------------------------------------------------------------------------

    def write_configurations(self):
        zero = datetime.datetime.fromtimestamp(self.zero, datetime.timezone.utc)
        values = dict(
            dir=self.dir, root=ROOT, start=stamp(self.start_at), speed=self.speed, zero=zero.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            gateway=GATEWAY, entity=ENTITY, point=POINT, **{name + "_port": port for name, port in self.ports.items()})
        for name in ("house", "collector", "agent"):
            text = (ROOT / "demo" / f"{name}.yaml.in").read_text().format(**values)
            (self.dir / f"{name}.yaml").write_text(self.adapted(text))
        self.write_broker(values)

    def write_broker(self, values):
        super().write_broker(values)
        with open(self.dir / "broker/mosquitto.conf", "a") as conf:
            conf.write(INSIDE.format(port=self.ports["inside"], dir=self.dir))

    def adapted(self, text):
        """The demonstration's configuration with this house's windows."""
        for old, new in (
            ("cadence: 24h", f"cadence: {self.cadence // HOURS}h"), ("grace: 24h", f"grace: {self.grace // HOURS}h"),
            ("clock_error: 0s", f"clock_error: {self.clock_error}s"), ("commit: 1s", "commit: 500ms"), ("interval: 60s", "interval: 5m"),
            # At this speed a late poll looks like much energy in little time; that is not what these tests are about.
            ("nameplate: 6000,", "nameplate: 6000000,"),
        ):
            text = text.replace(old, new)
        return text

    def genesis(self):
        self.tool("kilomint-collector", "genesis", "--config", self.dir / "collector.yaml", "--house", self.dir / "house.yaml",
                  "--key-list", self.dir / "key-list.cbor")

    # -- processes ----------------------------------------------------------------------------------------------

    def commands(self, name):
        return {
            "broker": ("mosquitto", "-c", self.dir / "broker/mosquitto.conf"),
            "plant": (self.bin / "kilomint-plant", "run", "--csv", CSV, "--port", self.ports["plant"], "--inverter-port", self.ports["inverter"],
                      "--start", stamp(self.start_at), "--speed", self.speed, "--zero", int(self.zero * 1000)),
            "collector": (self.bin / "kilomint-collector", "serve", "--config", self.dir / "collector.yaml"),
            "agent": (self.bin / "kilomint-agent", "run", "--config", self.dir / "agent.yaml"),
        }[name]

    def run_one(self, name):
        return self.start(name, *self.commands(name))

    def launch(self):
        for name in ("broker", "plant", "collector"):
            self.run_one(name)
        self.wait_for("the collector to answer", self.is_served)
        self.enrol_gateway()
        self.run_one("agent")
        self.wait_ready()
        self.commission()

    def child(self, name):
        return next(child for known, child in self.children if known == name)

    def end(self, name, how=signal.SIGTERM):
        """Ends one process, by its id; its status."""
        child = self.child(name)
        self.children = [(known, other) for known, other in self.children if other is not child]
        child.send_signal(how)
        try:
            return child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Failed(f"{name} did not end within 15 s of signal {how}; its last words:\n{self.tail(name)}") from None

    # -- clock and waiting ---------------------------------------------------------------------------------------

    def real(self, instant):
        return self.zero + (instant - self.start_at).total_seconds() / self.speed

    def until(self, what, condition, seconds=30):
        """Asks until `condition` gives something true; then that."""
        deadline = time.time() + seconds
        while True:
            self.watch()
            try:
                if found := condition():
                    return found
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            if time.time() > deadline:
                raise Failed(f"not within {seconds} s: {what}")
            time.sleep(0.1)

    # -- HTTP ---------------------------------------------------------------------------------------------------

    def request(self, path, body=None, role="operator", content="application/cbor", url=None):
        """(status, bytes) of a GET, or of a POST with a body."""
        request = urllib.request.Request((url or self.url) + path, data=body, headers={"Content-Type": content})
        if role:
            request.add_header("Authorization", "Bearer " + self.tokens[role])
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def healthy(self):
        return self.request("/healthz")[0] == 200

    def health(self):
        return json.loads(self.request("/healthz")[1])

    def metric(self, name):
        for line in self.request("/metrics")[1].decode().splitlines():
            if line.startswith(f"kilomint_{name} "):
                return int(line.split()[-1])
        raise Failed(f"/metrics has no {name}")

    def windows(self):
        return sorted(self.get("/v1/windows?limit=500")["items"], key=lambda window: window["start"])

    # -- the main job --------------------------------------------------------------------------------------------

    def audit_first_window(self):
        """An auditor's reading of the first window, which lifts the days after it."""
        end = self.start_at + min(self.cadence, 24 * HOURS)
        energy = self.energy(self.start_at, end)
        self.tool("kilomint-audit", "state", "--url", self.url, "--token-file", self.dir / "keys/auditor.token", "--key", self.dir / "keys/auditor.pem",
                  "--source", "A", "--metering-point", POINT, "--from", stamp(self.start_at), "--to", stamp(end), "--energy", energy, "--resolution", 10,
                  "--issued-at", stamp(end), "--method", "own reference meter, read at both instants")

    def energy(self, begin, end, resolution=10):
        return int(self.tool("kilomint-plant", "energy", "--csv", CSV, "--from", stamp(begin), "--to", stamp(end), "--resolution", resolution).stdout)

    def prove_due(self):
        for window in self.windows():
            if window["state"] == "replayed" and window["window_id"] not in self.proved:
                self.prove(window["window_id"])
                self.proved.add(window["window_id"])

    def prove_if_served(self):
        """The same while processes are being killed: what cannot be proved now is proved later."""
        try:
            self.prove_due()
        except (Failed, urllib.error.URLError, ConnectionError, TimeoutError):
            pass

    def settled(self):
        return [window for window in self.windows() if window["state"] == "settled"]

    def settle(self, count, seconds=60):
        """Proves what is due until `count` windows are settled; those."""

        def condition():
            self.prove_due()
            found = self.settled()
            return found if len(found) >= count else None

        return self.until(f"{count} settled windows", condition, seconds)

    def settled_through(self, windows):
        """A day's end. On a busy machine a day with too many late reads waits for the next; not all days do."""
        reached = [window["entities"][0]["settled_through"] for window in windows]
        if not any(reached):
            raise Failed(f"nothing is settled: {windows}")
        return max(datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z") for text in reached if text)

    def export(self, name="export"):
        folder = self.dir / name
        self.tool("kilomint-collector", "export", "--url", self.url, "--token-file", self.dir / "keys/auditor.token", "--out", folder)
        return folder

    def verify(self, folder=None):
        """The audit's verdict on an exported folder, or on the running house."""
        where = [folder] if folder else ["--url", self.url, "--token-file", self.dir / "keys/auditor.token"]
        return self.tool("kilomint-audit", "verify", *where, check=False)

    # -- what stands in the files ---------------------------------------------------------------------------------

    def evidence(self):
        """{(gateway, stream hex): through} of the collector's log."""
        with sqlite3.connect(f"file:{self.dir}/collector/evidence.sqlite?mode=ro", uri=True) as base:
            rows = base.execute("SELECT gateway, hex(stream), through FROM stream").fetchall()
        return {(gateway, stream.lower()): through for gateway, stream, through in rows}

    def spooled(self):
        """[(stream hex, seq, through, identity of through)] of the stopped agent's spool, and {stream hex: head}."""
        copy = self.dir / "spool-copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.dir / "agent", copy, ignore=shutil.ignore_patterns("*.sock"))
        with sqlite3.connect(copy / "spool.db") as base:
            streams = {ordinal: (identifier.hex(), head) for ordinal, identifier, head in base.execute("SELECT ordinal, id, head FROM stream")}
            records = [
                (streams[position >> 40][0], position & (1 << 40) - 1, through, link)
                for position, through, link in base.execute("SELECT position, through, link FROM record")
            ]
        return records, dict(streams.values())
