"""The agent as a service: what it tells its supervisor, its figures, and a configuration that changes while it reads."""

import json
import os
import re
import signal
import socket
import sqlite3
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

from house import ROOT, Failed, House, free_ports

sys.path.insert(0, str(ROOT / "Tests/Interop"))
from formats import decode, envelope  # noqa: E402

BIRTH, READINGS = 1, 2
GOOD = 0


class Supervisor:
    """Listens as systemd would, and remembers what it was told and when."""

    def __init__(self, address):
        self.address = address
        self.told = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except OSError:
                return
            self.told.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines())))

    def count(self, name):
        return sum(name in message for _, message in self.told)

    def last(self, name):
        return next((message[name] for _, message in reversed(self.told) if name in message), None)


class Cabinet(House):
    """A house of which only plant and agent run, the agent on the machine's own clock, reading twice a second."""

    def __init__(self, address=None):
        super().__init__(lead=0)
        self.metrics, self.page = free_ports(1)[0], self.dir / "agent.prom"
        self.supervisor_address, self.supervisor = address, None

    def __enter__(self):
        super().__enter__()
        self.supervisor = Supervisor(self.supervisor_address or str(self.dir / "notify"))
        self.text = re.sub(r"(?m)^(clock|interval|boundary|commit|resend_after):.*\n", "", (self.dir / "agent.yaml").read_text())
        self.text = (f"commit: 300ms\nboundary: 1m\ninterval: 500ms\nidentity_interval: 1m\n"
                     f"metrics: {{listen: 127.0.0.1:{self.metrics}, file: {self.page}}}\n" + self.text)
        self.write(self.text)
        self.tool("kilomint-agent", "init", "--config", self.dir / "agent.yaml")
        command = self.commands("plant")
        self.start("plant", *command, "--record", self.dir / "wire.csv")
        return self

    def __exit__(self, *how):
        super().__exit__(*how)
        if self.supervisor:
            self.supervisor.socket.close()

    def write(self, text):
        (self.dir / "agent.yaml").write_text(text)

    def run_agent(self, **environment):
        environment |= {"NOTIFY_SOCKET": self.supervisor.address, "WATCHDOG_USEC": "600000"}
        variables = [f"{name}={value}" for name, value in environment.items()]
        self.start("agent", "env", *variables, *self.commands("agent"))
        self.until("READY=1", lambda: self.supervisor.count("READY"))

    def status(self):
        return json.loads(self.tool("kilomint-agent", "status", "--json", "--config", self.dir / "agent.yaml").stdout)

    def status_of_running(self):
        """As `status --json`, whatever the file says by now."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.dir / "agent/control.sock"))
            asking.sendall(b"status format=json\n")
            answer = b"".join(iter(lambda: asking.recv(65536), b""))
        line, verdict, _ = answer.split(b"\n")
        if verdict != b"ok":
            raise Failed(f"the agent answers {verdict}")
        return json.loads(line)

    def reload(self):
        """SIGHUP, and then what the supervisor waits for."""
        before = self.supervisor.count("READY"), self.supervisor.count("RELOADING")
        self.child("agent").send_signal(signal.SIGHUP)
        self.until("READY=1 after the reload", lambda: self.supervisor.count("READY") > before[0])
        if self.supervisor.count("RELOADING") != before[1] + 1:
            raise Failed(f"RELOADING was not told: {self.supervisor.told}")

    def samples(self):
        """{meter: [(instant in ms, interval in ms, status)]} of the stopped agent's spool, each explained by the birth before it."""
        found = {}
        with sqlite3.connect(self.dir / "agent/spool.db") as base:
            rows = base.execute("SELECT position, kind, envelope FROM record ORDER BY position").fetchall()
        for position, kind, data in rows:
            if kind not in (BIRTH, READINGS):
                continue
            record = decode(envelope(data, "record", str(position)).payload, str(position))
            if kind == BIRTH:
                meters = {meter[1]: meter[2] for meter in record[9][3]}
                identity = {read for meter in record[9][3] for read in meter.get(8, [])}
                reads = {read[0]: (meters[read[1]], read[5]) for read in record[9][4]}
                continue
            base, taken = record[9]
            for read, offset, _, status, _ in taken:
                meter, interval = reads[read]
                if read not in identity:
                    found.setdefault((meter, read), []).append((base + offset, interval, status))
        return found

    def without_gaps(self, meter, longest):
        """The samples of a meter's reads, by interval; refuses two neighbours further apart than `longest` milliseconds: a
        busy machine reads late, but not by so much."""
        reads = {read: samples for (known, read), samples in self.samples().items() if known == meter}
        instants = sorted(instant for samples in reads.values() for instant, _, status in samples if status == GOOD)
        gaps = [later - earlier for earlier, later in zip(instants, instants[1:])]
        if not instants or max(gaps) > longest:
            raise Failed(f"{meter}: {len(instants)} samples, longest gap {max(gaps, default=0)} ms")
        return {interval for samples in reads.values() for _, interval, _ in samples}


class AgentService(unittest.TestCase):
    def test_it_tells_the_supervisor_how_it_is(self):
        with Cabinet() as cabinet:
            log = cabinet.dir / "log/agent.log"
            log.touch()
            found = log.stat()
            began = time.monotonic()
            cabinet.run_agent(JOURNAL_STREAM=f"{found.st_dev}:{found.st_ino}")
            self.assertLess(time.monotonic() - began, 10)
            self.assertTrue(cabinet.status()["ready"])
            cabinet.until("five signs of life", lambda: cabinet.supervisor.count("WATCHDOG") >= 5)
            signs = [when for when, message in cabinet.supervisor.told if "WATCHDOG" in message]
            # The supervisor's patience is 600 ms; a busy machine may be late once.
            gaps = sorted(later - earlier for earlier, later in zip(signs, signs[1:]))
            self.assertLess(gaps[len(gaps) // 2], 0.6)
            self.assertRegex(cabinet.supervisor.last("STATUS"), r"^2 meters; \d+ records signed, \d+ not receipted; not enrolled, nothing is sent")
            self.assertEqual(cabinet.end("agent"), 0)
            self.assertEqual(cabinet.supervisor.count("STOPPING"), 1)
            for line in log.read_text().splitlines():
                self.assertRegex(line, r"^<[346]>level=(error|warning|info) event=")

    def test_a_process_that_hangs_gives_no_sign_of_life(self):
        with Cabinet("@kilomint-test-%d" % os.getpid()) as cabinet:
            cabinet.run_agent()
            cabinet.until("a sign of life", lambda: cabinet.supervisor.count("WATCHDOG"))
            cabinet.child("agent").send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            before = cabinet.supervisor.count("WATCHDOG")
            time.sleep(1)
            self.assertEqual(cabinet.supervisor.count("WATCHDOG"), before)
            cabinet.child("agent").send_signal(signal.SIGCONT)
            cabinet.until("a sign of life again", lambda: cabinet.supervisor.count("WATCHDOG") > before)
            # Without journald no level stands before the line.
            self.assertTrue((cabinet.dir / "log/agent.log").read_text().startswith("level=info event="))

    def test_figures_for_prometheus(self):
        with Cabinet() as cabinet:
            cabinet.run_agent()
            url = f"http://127.0.0.1:{cabinet.metrics}"

            def figures(text):
                lines = [line for line in text.splitlines() if not line.startswith("#")]
                for line in lines:
                    self.assertRegex(line, r'^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?\d+$')
                return dict(line.rsplit(" ", 1) for line in lines)

            def read():
                with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
                    self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
                    return figures(answer.read().decode())

            good = f'kilomint_agent_meter_good_total{{bus="tcp://127.0.0.1:{cabinet.ports["plant"]}",meter="b23-east"}}'
            signed = "kilomint_agent_records_signed_total"
            cabinet.until("three good answers", lambda: int(read()[good]) >= 3 and int(read()[signed]) > 0)
            now = read()
            self.assertEqual(now["kilomint_agent_ready"], "1")
            self.assertLess(int(now["kilomint_agent_key_age_seconds"]), 3_600)
            self.assertEqual(now["kilomint_agent_key_change_hangs"], "0")
            # The first page may be older than the first look at the key.
            cabinet.until("a page with every figure", lambda: set(figures(cabinet.page.read_text())) == set(now), 40)
            self.assertFalse(cabinet.page.with_name("agent.prom.new").exists())
            for path, method, expected in (("/", "GET", 404), ("/metrics", "POST", 405), ("/metrics/..", "GET", 404)):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(urllib.request.Request(url + path, method=method), timeout=5)
                self.assertEqual(refused.exception.code, expected)
                refused.exception.close()
            self.refuse_rude_callers(cabinet)
            self.assertIn(good, read())
            # Everything the status says as JSON is one object, with the same figures.
            bus = cabinet.status()["buses"][0]
            self.assertGreaterEqual(bus["good"], int(now[good]))

    def refuse_rude_callers(self, cabinet):
        """Too much, nothing, half a request drop by drop: others wait for two seconds at most."""
        for sent in (b"GET /metrics HTTP/1.1\r\n" + b"x" * 9000, b"\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", cabinet.metrics), 5) as caller:
                caller.sendall(sent)
                self.assertRegex(caller.recv(100), rb"^HTTP/1.1 4(00|31) ")
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", cabinet.metrics), 5) as caller:
            try:
                while time.monotonic() - began < 6:
                    caller.sendall(b"G")
                    time.sleep(0.2)
                self.fail("a caller who never ends keeps the port")
            except (BrokenPipeError, ConnectionResetError):
                self.assertLess(time.monotonic() - began, 4)

    def test_a_broken_file_is_refused_and_the_old_one_goes_on(self):
        with Cabinet() as cabinet:
            cabinet.run_agent()
            cases = [("interval: 500ms", "interval: 7h", "interval"), ("abb/b23", "abb/b99", "abb/b99"), ("buses:", "busses:", "buses"),
                     ("keys/gateway.pem", "keys/nothing.pem", "nothing.pem"), (cabinet.text, "", "is empty"), (cabinet.text, "\0: [", "agent.yaml")]
            for number, (old, new, word) in enumerate(cases):
                cabinet.write(cabinet.text.replace(old, new))
                cabinet.reload()
                status = cabinet.status_of_running()
                self.assertEqual((status["reloads"], status["reloads_refused"]), (0, number + 1))
                self.assertIn(word, status["reload_refused_because"])
            log = (cabinet.dir / "log/agent.log").read_text()
            self.assertIn('event="configuration refused; the old one goes on"', log)
            self.assertRegex(log, r"key=interval value=7h problem=.* allowed=")
            cabinet.end("agent")
            self.assertEqual(cabinet.without_gaps("b23-east", 5_000), {500})

    def test_changed_buses_begin_anew_and_no_sample_is_lost(self):
        with Cabinet() as cabinet:
            cabinet.run_agent()
            cabinet.until("both are read", lambda: all(bus["good"] > 3 for bus in cabinet.status()["buses"]))
            # The second bus is read at another interval, a third one comes, and what cannot change is named.
            changed = cabinet.text.replace("profile: sunspec/inverter-103}", "profile: sunspec/inverter-103, interval: 250ms}")
            changed += f"  - {{tcp: 'localhost:{cabinet.ports['plant']}', meters: [{{id: b23-again, profile: abb/b23}}]}}\n"
            for number in range(1, 5):
                cabinet.write(changed if number % 2 else cabinet.text)
                cabinet.reload()
                status = cabinet.status_of_running()
                self.assertEqual((status["reloads"], status["reloads_refused"]), (number, 0))
                self.assertEqual(len(status["buses"]), 3 if number % 2 else 2)
                cabinet.until("all are read", lambda: all(bus["good"] > 3 for bus in cabinet.status_of_running()["buses"]))
            cabinet.write(cabinet.text.replace("spool: {", "spool: {bytes_max: 64MiB, "))
            cabinet.reload()
            self.assertEqual(cabinet.status_of_running()["restart_needed"], ["spool"])
            cabinet.until("the first bus to go on", lambda: cabinet.status_of_running()["buses"][0]["good"] > 10)
            self.assertEqual(cabinet.status_of_running()["buses"][0]["connects"], 1)
            self.assertEqual(cabinet.end("agent"), 0)
            # Every sample is explained by the birth before it, or this would not find it; the first bus never paused.
            self.assertEqual(cabinet.without_gaps("b23-east", 5_000), {500})
            self.assertEqual(cabinet.without_gaps("inverter-east", 8_000), {250, 500})
            self.assertEqual(cabinet.without_gaps("b23-again", 60_000), {500})
            log = (cabinet.dir / "log/agent.log").read_text()
            self.assertEqual(log.count('event="configuration applied"'), 5)
            self.assertNotIn("identity", log)

    def test_sighup_in_the_middle_of_everything(self):
        with Cabinet() as cabinet:
            cabinet.run_agent()
            for _ in range(50):
                cabinet.child("agent").send_signal(signal.SIGHUP)
                time.sleep(0.01)
            cabinet.until("the last reload", lambda: cabinet.status_of_running()["reloads"] > 0)
            cabinet.child("agent").send_signal(signal.SIGHUP)
            self.assertEqual(cabinet.end("agent"), 0)
            self.assertEqual(cabinet.without_gaps("b23-east", 5_000), {500})


if __name__ == "__main__":
    unittest.main()
