"""The same evidence in another order of arrival, with restarts and duplicates: the same windows to the last bit.

Two gateways send to one collector. What it took is fed to a second collector of the same genesis, stream by stream in
another interleaving, some of it twice, some of it too early, while both are killed now and then. The first listens at the
broker with four connections that share the partitions, the second with none.
KILOMINT_SEED=N repeats a run's choices; the seed is printed.
"""

import collections
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import time
import unittest
import urllib.error

import cbor2
import rogue
from house import HOURS, Failed, House, free_ports, stamp

WINDOWS = 3
# Their partitions are 73 and af: two of four shares.
SECOND, WEST = "gw-west", "serf-west-pv"
SEED = int(os.environ.get("KILOMINT_SEED", random.SystemRandom().randrange(1 << 32)))


class TwoGateways(House):
    """A second gateway with a revenue and a check meter of its own, and a folder for the second collector."""

    def prepare(self):
        super().prepare()
        # Another kind of key than `init` makes: one that is there stays.
        self.tool("kilomint-collector", "key", "create", "--algorithm", "eddsa", "--out", self.dir / "keys/gateway-west.pem")
        (self.dir / "agent-west").mkdir()

    def adapted(self, text):
        text = super().adapted(text)
        for after, line in (
            ("gateways:\n", f"  - {{id: {SECOND}, entity: serf-east, clock_error: {self.clock_error}s}}\n"),
            ("metering_points:\n", f"  - {{id: {WEST}, entity: serf-east, nameplate: 6000000, direction: export, revenue_meter: b23-west, "
             "check_meters: [b23-check], latitude: 39.742, longitude: -105.1727, performance_ratio: 800000}\n"),
        ):
            if after in text:
                text = text.replace(after, after + line, 1)
        meters = "".join(
            f'  - {{id: {name}, vendor: ABB, model: B23, serial: "{serial}", gateway: {SECOND}, profile: abb/b23, class: mid}}\n'
            for name, serial in (("b23-west", 20160702), ("b23-check", 20160703)))
        return text.replace("\nmeters:\n", "\nmeters:\n" + meters, 1)

    def write_configurations(self):
        super().write_configurations()
        text = (self.dir / "agent.yaml").read_text()
        text = text.replace("gw-serf-east", SECOND).replace("keys/gateway.pem", "keys/gateway-west.pem").replace(f"{self.dir}/agent", f"{self.dir}/agent-west")
        buses = f"buses:\n  - tcp: 127.0.0.1:{self.ports['plant']}\n    meters:\n      - {{id: b23-west, unit: 2, profile: abb/b23}}\n      - {{id: b23-check, unit: 3, profile: abb/b23}}\n"
        (self.dir / "agent-west.yaml").write_text(text[:text.index("buses:")] + buses)
        self.mirror_port, nobody = free_ports(2)
        text = (self.dir / "collector.yaml").read_text().replace(f"data: {self.dir}/collector", f"data: {self.dir}/mirror").replace(
            f"witness: {self.dir}/witness", f"witness: {self.dir}/mirror-witness").replace(
            f"port: {self.ports['console']}", f"port: {self.mirror_port}").replace(f"port: {self.ports['broker']}", f"port: {nobody}")
        (self.dir / "mirror.yaml").write_text(re.sub(r"(?m)^enrolment:\n(  .*\n)+", "", text))
        text = (self.dir / "collector.yaml").read_text()
        before = f"mqtt:\n  host: 127.0.0.1\n  port: {self.ports['broker']}\n"
        assert before in text
        # Four sessions under one certificate: over the listener that takes the client id's word.
        (self.dir / "collector.yaml").write_text(text.replace(before, f"mqtt:\n  host: 127.0.0.1\n  port: {self.ports['inside']}\n  partitions: 4\n"))

    def enrol_gateway(self):
        """Both, and then the second collector begins with what the first one's Journal holds: the same keys, bound once."""
        super().enrol_gateway()
        super().enrol_gateway(SECOND, "agent-west.yaml")
        self.end("collector")
        shutil.copytree(self.dir / "collector", self.dir / "mirror")
        shutil.copytree(self.dir / "witness", self.dir / "mirror-witness")
        for name in ("collector", "mirror", "agent-west"):
            self.run_one(name)

    def commands(self, name):
        if name == "mirror":
            return (self.bin / "kilomint-collector", "serve", "--config", self.dir / "mirror.yaml")
        if name == "agent-west":
            return (self.bin / "kilomint-agent", "run", "--config", self.dir / "agent-west.yaml")
        command = super().commands(name)
        return (*command, "--meters", "3") if name == "plant" else command

    def launch(self):
        super().launch()
        self.commission("agent-west.yaml", SECOND, "b23-west", "20160702")

    @property
    def mirror(self):
        return f"http://127.0.0.1:{self.mirror_port}"

    def audit_west(self):
        end = self.start_at + self.cadence
        self.tool("kilomint-audit", "state", "--url", self.url, "--token-file", self.dir / "keys/auditor.token", "--key", self.dir / "keys/auditor.pem",
                  "--source", "A", "--metering-point", WEST, "--from", stamp(self.start_at), "--to", stamp(end), "--energy", self.energy(self.start_at, end),
                  "--resolution", 10, "--issued-at", stamp(end), "--method", "own reference meter, read at both instants")


class Feeder:
    """Brings what the first collector took to the second, in another order."""

    def __init__(self, house, chance):
        self.house, self.chance = house, chance
        self.position = -1
        self.queues = collections.defaultdict(list)
        self.order, self.counts = [], collections.Counter()

    def look(self):
        with sqlite3.connect(f"file:{self.house.dir}/collector/evidence.sqlite?mode=ro", uri=True) as base:
            rows = base.execute(
                "SELECT entry.position, entry.bytes, envelope.bytes FROM entry JOIN envelope ON envelope.position = entry.position "
                "WHERE entry.position > ? ORDER BY entry.position", (self.position,)).fetchall()
        for position, entry, envelope in rows:
            value = cbor2.loads(entry)
            self.queues[value[1], value[2]].append((value[3], envelope))
            self.position = position

    def post(self, gateway, envelope):
        status, body = self.house.request(f"/ingest/events?gateway={gateway}", envelope, url=self.house.mirror)
        if status != 200:
            raise Failed(f"the second collector answers {status}: {body}")
        return rogue.receipt(body)

    def feed(self):
        """Everything that waits, streams interleaved at random; a few stay for the next time."""
        waiting = [key for key, queue in self.queues.items() if queue]
        while waiting:
            key = self.chance.choice(waiting)
            queue = self.queues[key]
            if self.chance.random() < 0.1 and len(queue) > 1:
                self.counts["early"] += 1
                status, body = self.house.request(f"/ingest/events?gateway={key[0]}", queue[1][1], url=self.house.mirror)
                if status != 409 or json.loads(body)["code"] != 12:
                    raise Failed(f"{key[0]}: a record that is not next is answered with {status}: {body}")
            number, envelope = queue[0]
            receipt = self.post(key[0], envelope)
            if receipt[4] < number:
                raise Failed(f"{key[0]}: {number} was not taken: {receipt}")
            if self.chance.random() < 0.1:
                self.counts["twice"] += 1
                self.post(key[0], envelope)
            del queue[0]
            self.order.append((key, number))
            waiting = [key for key, queue in self.queues.items() if queue and self.chance.random() > 0.3]


class Order(unittest.TestCase):
    def test_the_same_evidence_gives_the_same_windows(self):
        print(f"KILOMINT_SEED={SEED}")
        chance = random.Random(SEED)
        with TwoGateways(clock_error=30, lead=16) as house:
            house.launch()
            house.until("the second collector", lambda: house.request("/metrics", url=house.mirror)[0] == 200)
            house.audit_first_window()
            house.audit_west()
            self.copy_statements(house)
            feeder = Feeder(house, chance)
            kills = sorted(chance.uniform(2, 12 * WINDOWS) for _ in range(4))
            first, second = self.run_both(house, feeder, kills, chance)
            self.assertEqual([window["window_id"] for window in first], [window["window_id"] for window in second])
            for one, other in zip(first, second):
                name = one["window_id"]
                self.assertEqual(one["input_digest"], other["input_digest"], name)
                self.assertEqual(one["output_digest"], other["output_digest"], name)
            # A busy machine reads late, and a day with gaps waits for the next: but something must have come of it.
            self.assertGreater(sum(window["entities"][0]["verified_wh"] or 0 for window in first), 0)
            print(f"{len(feeder.order)} records, {dict(feeder.counts)}, 4 kills")
            self.assertNotEqual(feeder.order, self.order(house, "collector"))
            log = (house.dir / "log/broker.log").read_text()
            self.assertEqual([number for number in range(5) if f"as kilomint-collector-{number} " in log], [0, 1, 2, 3])

    def copy_statements(self, house):
        """The very envelopes: another signature would be another statement."""
        with sqlite3.connect(f"file:{house.dir}/collector/journal.sqlite?mode=ro", uri=True) as base:
            rows = base.execute("SELECT entry.bytes, payload.bytes FROM entry JOIN payload ON payload.position = entry.position").fetchall()
        envelopes = [cbor2.loads(payload)[3][1] for entry, payload in rows if cbor2.loads(entry)[1] == "StatementReceived"]
        self.assertEqual(len(envelopes), 2)
        for envelope in reversed(envelopes):
            self.assertEqual(house.request("/v1/statements", envelope, role="auditor", url=house.mirror)[0], 201)

    def run_both(self, house, feeder, kills, chance):
        """Feeds and kills until both have replayed the windows."""
        deadline = house.real(house.start_at + (WINDOWS + 1) * house.cadence) + 30
        while time.time() < deadline:
            house.watch()
            feeder.look()
            if kills and time.time() > house.zero + kills[0]:
                victim = ("mirror", "collector")[len(kills) % 2]
                house.end(victim, signal.SIGKILL)
                house.run_one(victim)
                del kills[0]
            try:
                if chance.random() < 0.5 or self.is_cut_near(house):
                    feeder.feed()
                both = [self.done(house, url) for url in (house.url, house.mirror)]
                if all(len(windows) >= WINDOWS for windows in both) and not kills:
                    return [windows[:WINDOWS] for windows in both]
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass  # One of them was just killed.
            time.sleep(0.1)
        self.fail("the windows were not replayed in time")

    def is_cut_near(self, house):
        """The last records of a window must be there when it is cut."""
        into = (time.time() - house.zero) * house.speed / 3600 % (house.cadence // HOURS)
        return into < house.grace // HOURS

    def done(self, house, url):
        items = json.loads(house.request("/v1/windows?limit=500", url=url)[1])["items"]
        return sorted((window for window in items if window["state"] in ("replayed", "settled")), key=lambda window: window["start"])

    def order(self, house, name):
        with sqlite3.connect(f"file:{house.dir}/{name}/evidence.sqlite?mode=ro", uri=True) as base:
            values = [cbor2.loads(entry) for entry, in base.execute("SELECT bytes FROM entry ORDER BY position")]
        return [((value[1], value[2]), value[3]) for value in values]


if __name__ == "__main__":
    unittest.main()
