"""Torture, seeded: everything around an agent fails in turn, and after each round the collector must hold every committed sample
exactly once, or a signed record must say what is missing and why; and no stream may be wedged.

    .venv/bin/python3 Tests/System/torture.py --rounds 200 --seed 7

Each round is printed with what was done. The same seed does the same things in the same order; processes are no clockwork, so
a finding may need several runs. Rounds of ten share a house.
"""

import argparse
import datetime
import functools
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import sys
import time

import links
import storm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from house import Failed, House
from reckoning import SKIP, Reckoning, Wrong, envelope

ROUNDS_OF_A_HOUSE = 10
UNITS = (1, 2, 3)
PROFILE = """profile: wild/truth
revision: 1
vendor: Nobody
models: [truth]
level: simulator
source: {document: Tests/System/links.py, revision: '1', place: TruthSlave}
limits: {registers-max: 125, gap-max: 0, pause: 0ms, timeout: 1s}
identity: {}
quantities:
  - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: u64, scale: 1}
"""


class StormHouse(House):
    """A house on real time: the agent's disk and clock are the storm's, its line to the broker and its meters are ours."""

    def __init__(self):
        super().__init__(lead=5)
        self.start_at = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        self.slaves = [links.TruthSlave(1)]
        self.link = links.Link(self.ports["broker"])
        self.disk = None
        self.durable = {}
        self.backup = None
        self.clones = 0
        # How often the agent ended without being killed.
        self.endings = 0

    def __exit__(self, *how):
        super().__exit__(*how)
        self.link.close()
        for slave in self.slaves:
            slave.close()

    def write_configurations(self):
        super().write_configurations()
        (self.dir / "profiles/wild").mkdir(parents=True)
        (self.dir / "profiles/wild/truth.yaml").write_text(PROFILE)
        self.control = storm.Control(self.dir / "storm")
        self.write_agent("agent", self.slaves[0].port)

    def adapted(self, text):
        text = super().adapted(text)
        # A real house: no replayed clock, no test money, and no profile that only drivers know.
        text = re.sub(r"(?m)^clock:.*\n(  replay:.*\n)?", "clock: real\n", text)
        return text.replace("asset: K$-TEST", "asset: K$").replace("[abb/b23, sunspec/inverter-103]", "[sunspec/inverter-103]")

    def write_agent(self, name, slave):
        """The demonstration's file with our line to the broker, our meters, and short waits. What enrolment brought lies beside
        the disk that the storm is over: a clone shows the same certificate."""
        text = (self.dir / "agent.yaml").read_text().split("buses:")[0]
        text = re.sub(r"(?m)^(enrolment|mqtt|commit|resend_after|resend_after_max|interval|boundary|profiles):.*\n", "", text)
        text = text.replace(f"{self.dir}/agent}}", f"{self.dir}/{name}}}")
        meters = ", ".join(f"{{id: truth-{unit}, unit: {unit}, profile: wild/truth}}" for unit in UNITS)
        enrolled = self.dir / "enrolled"
        text += f"enrolment: {{folder: {enrolled}}}\nmqtt: {{host: 127.0.0.1, port: {self.link.port}, keep_alive: 5s, "
        text += f"ca_file: {enrolled}/ca.pem, certificate_file: {enrolled}/gateway.crt}}\n"
        text += f"profiles: {self.dir}/profiles\ncommit: 300ms\nresend_after: 1s\nresend_after_max: 2s\ninterval: 200ms\nboundary: 1m\n"
        (self.dir / f"{name}.yaml").write_text(text + f"buses:\n  - {{tcp: 127.0.0.1:{slave}, meters: [{meters}]}}\n")

    def commands(self, name):
        if not name.startswith("agent"):
            return super().commands(name)
        run = (self.bin / "kilomint-agent", "run", "--config", self.dir / f"{name}.yaml")
        if name != "agent":
            return run
        shim = {"LD_PRELOAD": storm.library(), "STORM_FOLDER": self.spool, "STORM_CONTROL": self.control.path, "STORM_TRACE": self.trace}
        return ("env", *(f"{key}={value}" for key, value in shim.items()), *run)

    @property
    def spool(self):
        return self.dir / "agent"

    @property
    def trace(self):
        return self.dir / "storm-trace"

    def run_one(self, name):
        if name == "agent":
            self.trace.unlink(missing_ok=True)
            self.disk = storm.Disk(self.spool, self.trace)
        return super().run_one(name)

    def launch(self):
        for name in ("broker", "collector"):
            self.run_one(name)
        self.until("a healthy collector", self.healthy)
        self.enrol_gateway()
        self.run_one("agent")

    # -- the agent, as a supervisor would keep it ------------------------------------------------------------------

    def tend(self):
        """Starts an agent again that ended by itself, as systemd would; says with what status."""
        for name, child in list(self.children):
            if (status := child.poll()) is None:
                continue
            self.children = [pair for pair in self.children if pair[1] is not child]
            if name != "agent":
                raise Failed(f"{name} ended with status {status}:\n{self.tail(name)}")
            if status < 0 and status != -signal.SIGKILL:
                raise Failed(f"the agent died of signal {-status}:\n{self.tail('agent')}")
            if status >= 0:
                self.endings += 1
            self.note_durable()
            time.sleep(0.2)
            self.run_one("agent")

    def watch(self):
        self.tend()

    def passing(self, seconds):
        deadline = time.time() + seconds
        while time.time() < deadline:
            self.tend()
            time.sleep(0.05)

    def kill_agent(self):
        child = self.child("agent")
        self.children = [pair for pair in self.children if pair[1] is not child]
        child.send_signal(signal.SIGKILL)
        child.wait()

    def note_durable(self, disk=None):
        """Remembers the records that are safe on the agent's disk now. The agent is dead."""
        copy = self.dir / "durable"
        disk = disk or self.disk.follow()
        disk.write(disk.durable(), copy)
        for stream, number, identity, whole in stored(copy):
            if self.durable.get((stream, number), identity) == identity:
                if whole() is not False:
                    self.durable[stream, number] = identity
            elif whole():
                raise Failed(f"{stream}/{number} was another record before")

    def status(self):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(2)
            asking.connect(str(self.spool / "control.sock"))
            asking.sendall(b"status format=json\n")
            data = b"".join(iter(lambda: asking.recv(65_536), b""))
        return json.JSONDecoder().raw_decode(data.decode())[0]

    def working(self):
        """It reads and commits, whatever it lost."""
        self.tend()
        try:
            before = self.status()
            self.passing(1)
            after = self.status()
        except (OSError, ValueError):
            return False
        return after["spool_writable"] and (after["stream"], after["head"]) != (before["stream"], before["head"])

    def drained(self):
        """Whether everything the agent signed is receipted, and it says so itself."""
        self.tend()
        try:
            now = self.status()
        except (OSError, ValueError):
            return False
        return now["sending"] == now["stream"] and now["receipted"] == now["head"] > 0 and now["spool_writable"]

    def given(self):
        """Answers that the agent's own slave gave so far."""
        return sum(self.answers(self.slaves[0]).values())

    def answers(self, slave):
        with slave.lock:
            return dict(slave.answers)


def stored(folder):
    """[(stream hex, number, identity, whether it is whole)] of single records in a spool; nothing of one that is no database. A bit
    that a worn page has lost in a row of before makes no other record of it, and nobody can be asked to hold it."""
    if not (folder / "spool.db").exists():
        return []
    try:
        with sqlite3.connect(folder / "spool.db") as base:
            streams = dict(base.execute("SELECT ordinal, id FROM stream").fetchall())
            rows = base.execute("SELECT position, through, link, kind, envelope FROM record WHERE envelope IS NOT NULL").fetchall()
    except sqlite3.DatabaseError:
        return []
    return [
        (streams[position >> 40].hex(), number, link, functools.partial(is_whole, link, kind, data))
        for position, through, link, kind, data in rows
        if (number := position & (1 << 40) - 1) == through
    ]


@functools.lru_cache(4_096)
def is_whole(link, kind, data):
    """None: nobody can say. A skip has the link of what it stands for, which is not seen in it."""
    if kind == SKIP:
        return None
    try:
        return envelope(data, "record", "spool").identity == link
    except Wrong:
        return False


# -- what happens in a round: each does it and says what it did -----------------------------------------------------------


def broker_stop(house, chance):
    how = chance.choice((signal.SIGTERM, signal.SIGKILL))
    house.end("broker", how)
    pause = chance.uniform(0.2, 3)
    house.passing(pause)
    house.run_one("broker")
    return f"broker ended with {how.name}, away for {pause:.1f} s"


def link_cut(house, chance):
    cuts = [(chance.randrange(2), links.some(chance, 1, 6_000)) for _ in range(chance.randint(2, 6))]
    for way, after in cuts:
        house.link.cut(way, after)
        house.passing(chance.uniform(0.3, 1))
    return "link cut after " + ", ".join(f"{after} bytes {'back' if way else 'up'}" for way, after in cuts)


def link_stall(house, chance):
    mode = chance.choice((links.STALL, links.SWALLOW, links.REFUSE))
    house.link.mode = mode
    if mode == links.REFUSE:
        house.link.cut(0, 1)
    pause = chance.uniform(1, 5)
    house.passing(pause)
    house.link.heal()
    return f"link {mode} for {pause:.1f} s"


def agent_kill(house, chance):
    count = chance.randint(1, 3)
    for _ in range(count):
        house.passing(chance.uniform(0.1, 1.5))
        house.kill_agent()
        house.note_durable()
        house.run_one("agent")
    return f"agent killed {count} times"


def collector_kill(house, chance):
    count = chance.randint(1, 2)
    for _ in range(count):
        house.passing(chance.uniform(0.1, 1.5))
        house.end("collector", signal.SIGKILL)
        house.passing(chance.uniform(0, 1))
        house.run_one("collector")
    return f"collector killed {count} times"


def power_cut(house, chance):
    """At any moment, or in the middle of a write; what was not synced is lost, torn, or there."""
    said = []
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.6:
            house.control["writes_left"] = writes = chance.randint(1, 60)
            deadline = time.time() + 8
            while house.child("agent").poll() is None and time.time() < deadline:
                time.sleep(0.01)
            said.append(f"in write {writes}")
        else:
            house.passing(chance.uniform(0.1, 1))
            said.append("between")
        house.kill_agent()
        house.control.heal()
        disk = house.disk.follow()
        house.note_durable(disk)
        image, (lost, whole) = disk.after_power_cut(chance)
        disk.write(image)
        said[-1] += f" ({lost} of {whole} sectors lost)"
        check_image(house)
        house.run_one("agent")
    return "power cut " + ", ".join(said)


def check_image(house):
    """A durable record is in what the power cut left, or the agent's own start will have to say why not."""
    left = {(stream, number) for stream, number, *_ in stored(house.dir / "durable")}
    copy = house.dir / "left"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(house.spool, copy, ignore=shutil.ignore_patterns("*.sock"))
    found = {(stream, number) for stream, number, *_ in stored(copy)}
    if left - found:
        raise Failed(f"a power cut took {len(left - found)} records that were synced: {sorted(left - found)[:3]}")


def disk_full(house, chance):
    house.control["room"] = room = links.some(chance, 0, 80_000)
    pause = chance.uniform(1, 4)
    house.passing(pause)
    killed = chance.random() < 0.3
    if killed:
        house.kill_agent()
        house.note_durable()
        house.run_one("agent")
        house.passing(1)
    house.control.heal()
    return f"disk full after {room} bytes for {pause:.1f} s" + (", agent killed meanwhile" if killed else "")


def read_only(house, chance):
    mode = chance.choice((storm.READ_ONLY, storm.UNWRITABLE))
    house.control["mode"] = mode
    pause = chance.uniform(1, 4)
    house.passing(pause)
    house.control.heal()
    return f"disk {'read-only' if mode == storm.READ_ONLY else 'refuses writes (EIO)'} for {pause:.1f} s"


def bad_sector(house, chance):
    """Sectors of the database, of its log, or of a small file beside them."""
    name = chance.choice(["spool.db"] * 4 + ["spool.db-wal"] * 2 + ["marks", "keys", "floor", "key-list"])
    size = (house.spool / name).stat().st_size if (house.spool / name).exists() else 0
    # The first sector is the file's head: without it nothing of the file is found.
    begin = chance.choice((0, *[chance.randrange(0, max(1, size), 512)] * 3))
    sectors_cannot_be_read(house, name, begin, begin + 512 * chance.randint(1, 16))
    return f"sectors of {name} from {begin} of {size} could not be read, over a start"


def sectors_cannot_be_read(house, name, begin, end):
    """While the agent runs, and over a start."""
    path = house.spool / name
    house.backup = None
    while not path.exists():
        house.passing(0.1)
    house.control["bad_from"], house.control["bad_to"] = begin, end
    house.control["bad_file"] = path.stat().st_ino
    house.passing(0.5)
    if house.child("agent").poll() is None:
        house.kill_agent()
        house.note_durable()
        house.run_one("agent")
    house.until("an agent that works although sectors are bad", house.working, 20)
    house.control.heal()


def damaged_pages(house, chance):
    """What a worn flash does to a file that nobody writes: noise, zeros, pages in each other's place, a file cut short."""
    house.kill_agent()
    house.note_durable()
    house.backup = None
    path = house.spool / "spool.db"
    data = bytearray(path.read_bytes())
    pages = max(1, len(data) // 4_096)
    said = []
    for _ in range(chance.randint(1, 3)):
        page, other = (4_096 * chance.randrange(pages) for _ in range(2))
        what = chance.choice(("noise", "zeros", "swapped", "cut", "flipped"))
        said.append(f"{what} at {page}")
        if what == "noise":
            data[page : page + 4_096] = chance.randbytes(4_096)
        elif what == "zeros":
            data[page : page + 4_096] = bytes(4_096)
        elif what == "swapped":
            data[page : page + 4_096], data[other : other + 4_096] = data[other : other + 4_096], data[page : page + 4_096]
        elif what == "cut":
            del data[page:]
            pages = max(1, len(data) // 4_096)
        elif page < len(data):
            data[min(len(data) - 1, page + chance.randrange(4_096))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    if chance.random() < 0.5:
        # Found by a start that looks; otherwise by whoever needs the page.
        (house.spool / "damaged").touch()
    house.run_one("agent")
    house.until("an agent that works although pages are damaged", house.working, 40)
    return f"pages damaged: {', '.join(said)}"


def clock_step(house, chance):
    """Reads go on at their 200 ms whatever the clock says: before anybody starts the agent again."""
    said = []
    agent = house.child("agent")

    def goes_on(step):
        head, before = house.status()["head"], house.answers(house.slaves[0])

        def reads():
            if house.child("agent") is not agent or agent.poll() is not None:
                raise Failed(f"the agent ended after a clock step of {step}")
            now = house.answers(house.slaves[0])
            return all(now[unit] >= before[unit] + 5 for unit in UNITS) and house.status()["head"] > head

        house.until(f"reads after a clock step of {step}", reads, 20)

    for _ in range(chance.randint(1, 3)):
        step = int(chance.choice((-1, 1)) * 10 ** chance.uniform(2.5, 9.5))
        house.control["clock_ms"] = step
        said.append(f"{step / 1000:+.1f} s")
        house.passing(chance.uniform(0.5, 2))
        goes_on(said[-1])
    if chance.random() < 0.3:
        house.kill_agent()
        house.note_durable()
        house.run_one("agent")
        house.until("an agent that works after a clock step", house.working, 20)
        said.append("agent killed")
    agent = house.child("agent")
    house.control.heal()
    goes_on("back to the right time")
    return "clock stepped " + ", ".join(said)


def collector_restored(house, chance):
    """From the copy made when the house began, some rounds ago, or from one made just now. What a damaged disk and a collector set
    back behind that damage both lost nobody has: then the copy is young."""
    age = "an old"
    if house.backup is None or chance.random() < 0.4:
        age = "a young"
        back_up(house)
        house.passing(chance.uniform(1, 3))
    house.end("collector", chance.choice((signal.SIGKILL, signal.SIGTERM)))
    lost = house.dir / f"lost-{time.time_ns()}"
    shutil.move(house.dir / "collector", lost)
    shutil.copytree(house.backup, house.dir / "collector")
    shutil.rmtree(lost)
    opened = open_epochs(house) + start_collector(house)
    # That copy knows nothing of the epochs opened since: it would open the same ones once more.
    opened += back_up(house)
    return f"collector restored from {age} copy, epochs opened: {', '.join(opened) or 'none'}"


def back_up(house):
    """A copy of the collector at rest, to be restored from in a later round."""
    house.end("collector")
    house.backup = house.dir / "backup"
    shutil.rmtree(house.backup, ignore_errors=True)
    shutil.copytree(house.dir / "collector", house.backup)
    return start_collector(house)


def start_collector(house):
    """As a person does it: looks once gateways have shown the receipts they hold, and opens an epoch where the log is behind one."""
    opened = []
    while True:
        house.run_one("collector")
        house.until("a collector that answers", lambda: house.healthy() or is_behind(house), 60)
        house.passing(1.5)
        if not is_behind(house):
            house.until("a healthy collector", house.healthy, 60)
            return opened
        house.end("collector")
        now = open_epochs(house)
        if not now:
            raise Failed(f"no epoch can be opened, and the collector asks for one: {house.tail('collector')}")
        opened += now


def is_behind(house):
    return any("epoch open" in reason for reason in house.health()["reasons"])


def open_epochs(house):
    """Of the logs of which somebody holds more; their names."""
    opened = []
    for log in ("journal", "evidence"):
        done = house.tool("kilomint-collector", "epoch", "open", "--config", house.dir / "collector.yaml", "--log", log, "--root-key", house.dir / "keys/root.pem", check=False)
        if done.returncode == 0:
            opened.append(log)
            if log == "journal":
                house.tool("kilomint-collector", "epoch", "reconcile", "--config", house.dir / "collector.yaml", "--log", log)
    return opened


def cloned_spool(house, chance):
    """A copy of the disk runs beside the original for a while, on meters of its own."""
    house.clones += 1
    name = f"agent-{house.clones}"
    house.kill_agent()
    house.note_durable()
    shutil.copytree(house.spool, house.dir / name, ignore=shutil.ignore_patterns("*.sock"))
    house.slaves.append(links.TruthSlave(1 + house.clones))
    house.write_agent(name, house.slaves[-1].port)
    house.run_one("agent")
    clone = house.run_one(name)
    pause = chance.uniform(2, 5)
    house.passing(pause)
    house.children = [pair for pair in house.children if pair[1] is not clone]
    clone.kill()
    clone.wait()
    return f"a clone of the spool ran beside it for {pause:.1f} s"


ROUNDS = [broker_stop, link_cut, link_stall, agent_kill, collector_kill, power_cut, power_cut, disk_full, read_only, bad_sector, damaged_pages, clock_step, collector_restored, cloned_spool]


# An agent that finds a damaged page at work ends, and the next start sets the file aside.
ENDINGS = {"bad_sector": 3, "damaged_pages": 3, "whole_file": 3}
# What happens elsewhere, or only to the disk.
READ_ON = (broker_stop, link_cut, link_stall, collector_kill, collector_restored, disk_full, read_only)


class Torture:
    def __init__(self, rounds, seed, only=()):
        self.rounds, self.seed = rounds, seed
        self.kinds = [kind for kind in ROUNDS if not only or kind.__name__ in only]
        self.deck = []
        self.held = self.missing = self.done = 0

    def draw(self, chance):
        """Every kind comes before one comes again."""
        if not self.deck:
            self.deck = list(self.kinds)
            random.Random(chance.random()).shuffle(self.deck)
        return self.deck.pop()

    def run(self):
        order = random.Random(self.seed)
        number = 0
        while number < self.rounds:
            with StormHouse() as house:
                house.launch()
                house.until("the first receipts", lambda: house.drained(), 60)
                back_up(house)
                reckoning = Reckoning(house.dir / "collector/evidence.sqlite", public(house.dir / "keys/gateway.pem"))
                for _ in range(min(ROUNDS_OF_A_HOUSE, self.rounds - number)):
                    number += 1
                    self.round(house, reckoning, number, self.draw(order))
        return self

    def round(self, house, reckoning, number, kind):
        began = time.time()
        chance = random.Random(f"{self.seed}/{number}")
        print(f"round {number} (seed {self.seed}): {kind.__name__}: ", end="", flush=True)
        house.until("an agent that reads", house.working)
        asked, endings, struck = house.given(), house.endings, time.time()
        print(kind(house, chance), end="", flush=True)
        self.went_on(kind, house.given() - asked, house.endings - endings, time.time() - struck)
        house.until("every record to be receipted", lambda: self.decided(house) and house.drained(), 60)
        # A clean end commits and sends all that was read: from here on every answer has to be accounted for.
        self.end_cleanly(house)
        held, missing = self.reckon(house, reckoning)
        house.run_one("agent")
        self.held, self.missing, self.done = held, missing, number
        print(f"; {held} samples held, {missing} missing and owned up to, {time.time() - began:.0f} s ... ok", flush=True)

    def decided(self, house):
        """Gateways may show what they hold of a restored log only after somebody looked: then the person comes back."""
        if is_behind(house):
            house.end("collector")
            opened = open_epochs(house)
            print(f", later: {', '.join(opened + start_collector(house) + back_up(house))}", end="", flush=True)
        return True

    def went_on(self, kind, answers, endings, seconds):
        """Only damage that is found at work ends an agent, and what does not touch it keeps no meter from being read."""
        if endings > ENDINGS.get(kind.__name__, 0):
            raise Failed(f"the agent ended {endings} times by itself in {kind.__name__}")
        if kind in READ_ON and answers < 0.4 * len(UNITS) * seconds / 0.2:
            raise Failed(f"{answers} answers of {len(UNITS)} meters in {seconds:.1f} s of {kind.__name__}, at one each 200 ms")

    def end_cleanly(self, house):
        status = house.end("agent", signal.SIGTERM)
        if status != 0:
            raise Failed(f"the agent did not end in order: status {status}")

    def reckon(self, house, reckoning):
        """The log, and after it what the agent's last commit left for its next start."""
        records = reckoning.records()
        house.note_durable()
        records += reckoning.unsent(house.dir / "durable", records)
        chains = reckoning.chains(records)
        slave = house.slaves[0]
        result = reckoning.truth(records, slave.instance, house.answers(slave))
        reckoning.durable_is_held(chains, house.durable)
        return result


def public(path):
    key = load_pem_private_key(path.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("KILOMINT_SEED", random.SystemRandom().randrange(1 << 32))))
    parser.add_argument("--only", default="", help="kinds of rounds, with commas: " + ", ".join(dict.fromkeys(kind.__name__ for kind in ROUNDS)))
    options = parser.parse_args()
    print(f"torture: {options.rounds} rounds, seed {options.seed}", flush=True)
    began = time.time()
    torture = Torture(options.rounds, options.seed, [name for name in options.only.split(",") if name])
    try:
        torture.run()
    except Failed as problem:
        print(f" ... FAIL\ntorture: round {torture.done + 1} of seed {options.seed} failed: {problem}", flush=True)
        sys.exit(1)
    print(f"torture: {options.rounds} rounds in {time.time() - began:.0f} s, seed {options.seed}: every committed sample once, or owned up to", flush=True)


if __name__ == "__main__":
    main()
