"""The installer's tools against other people's meters, beside a running agent and without one. What is shown is compared with
the words that the test put in; what the agent reads meanwhile is not disturbed."""

import fcntl
import io
import logging
import os
import pty
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import termios
import threading
import time
import unittest
from collections.abc import Callable

import cbor2
import yaml
from devices import ExcCodes, Servers, Slave
from formats import envelope
from lone_agent import BIN, LoneAgent


def words(value: float, form: str) -> list[int]:
    data = struct.pack(">" + form, value)
    return [int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2)]


def text(value: str, registers: int) -> list[int]:
    data = value.encode().ljust(2 * registers, b"\0")
    return [int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2)]


def eastron(unit: int = 1) -> Slave:
    """An SDM630: floats under function 4."""
    slave = Slave(unit)
    slave.put(0, [0] * 0x180, 4)
    slave.put(72, words(1234.5, "f"), 4)
    slave.put(74, words(6.25, "f"), 4)
    slave.put(52, words(-321.0, "f"), 4)
    slave.put(0, words(230.5, "f"), 4)
    slave.put(64512, words(12345678, "I"), 3)
    return slave


def values() -> Slave:
    """Every word differs: an order that is wrong shows."""
    slave = Slave(7)
    slave.put(0, words(0x12345678, "I") + words(-2, "i") + words(230.5, "f") + words(-0.125, "d") + text("AB-12", 3))
    return slave


def sunspec() -> Slave:
    """A marker at 40000, then models 1 and 103 with their true lengths."""
    common = text("Fronius", 16) + text("Symo 10.0-3-M", 16) + text("", 8) + text("0.3.30", 8) + text("33170815", 16) + [1, 0]
    slave = Slave(3)
    slave.put(40_000, text("SunS", 2) + [1, len(common)] + common + [103, 50] + [0] * 50 + [0xFFFF, 0])
    return slave


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(terminal: int, words: bytes) -> bytes:
    """What a terminal shows up to `words`."""
    shown = b""
    deadline = time.monotonic() + 20
    while words not in shown:
        if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"{words!r} is not shown: {shown[-2000:]!r}")
        shown += os.read(terminal, 65_536)
    return shown


def exported(data: bytes, key: bytes) -> list[dict]:
    """The records of an export, each verified with pycose."""
    found, stream = [], io.BytesIO(data)
    while stream.tell() < len(data):
        start = stream.tell()
        cbor2.load(stream)
        signed = envelope(data[start:stream.tell()], "record", str(start))
        assert signed.signed_by(key), f"at {start}: not the gateway's"
        found.append(signed.map(str(start)))
    return found


class Beside(unittest.TestCase):
    """A running agent, and people who ask beside it."""

    @classmethod
    def setUpClass(cls) -> None:
        # pymodbus tells of each unit that it does not have.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL + 1)
        cls.servers = Servers().__enter__()
        cls.addClassCleanup(cls.servers.__exit__)
        cls.meter, cls.other = eastron(), values()
        cls.port = cls.servers.tcp(cls.meter, cls.other, said={"VendorName": "Acme", "ProductCode": "M-1", "MajorMinorRevision": "V2.7"})
        cls.free = cls.servers.tcp(values())
        cls.sun = cls.servers.tcp(sunspec())
        cls.nobody = free_port()
        cls.line = cls.servers.serial(eastron(2))
        cls.agent = LoneAgent(interval="500ms")
        cls.addClassCleanup(cls.agent.__exit__, None)
        cls.agent.configure([
            f"{{tcp: 127.0.0.1:{cls.port}, meters: [{{id: m-tcp, profile: eastron/sdm630}}]}}",
            f"{{rtu: {{device: {cls.line}}}, meters: [{{id: m-line, unit: 2, profile: eastron/sdm630}}]}}",
        ])
        cls.agent.start()
        cls.agent.until("the meters are read", lambda: cls.agent.status()["head"] >= 3)

    def tool(self, *words: object, check: bool = True):
        return self.agent.tool(*words, "--config", self.agent.config, check=check)

    def test_read_goes_through_the_running_agent(self) -> None:
        shown = self.tool("read").stdout
        self.assertEqual(shown.count("through the running agent"), 2, shown)
        for line in ("1-0:1.8.0  1234500 Wh", "1-0:2.8.0  6250 Wh", "1-0:16.7.0  -321 W"):
            self.assertEqual(shown.count(line), 2, shown)
        shown = self.tool("read", "--meter", "m-line").stdout
        self.assertIn(f"rtu:{self.line}, through the running agent", shown)
        self.assertNotIn("m-tcp", shown)
        refused = self.tool("read", "--meter", "m-none", check=False)
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertIn("it has: m-line, m-tcp", refused.stderr)

    def test_an_endpoint_of_the_agent_goes_through_its_bus(self) -> None:
        # The same address under another name: still the owner's.
        for place in (f"tcp:127.0.0.1:{self.port}", f"tcp:localhost:{self.port}"):
            shown = self.tool("read", "--endpoint", place, "--unit", 7, "--address", 4, "--as", "f32").stdout
            self.assertIn("through the running agent", shown)
            self.assertIn("4  230.5", shown)
        shown = self.tool("read", "--endpoint", f"rtu:{self.line}", "--unit", 2, "--function", 4, "--address", 72, "--count", 4, "--as", "f32").stdout
        self.assertIn("through the running agent", shown)
        self.assertIn("72  1234.5", shown)
        self.assertIn("74  6.25", shown)
        said = self.tool("read", "--endpoint", f"tcp:127.0.0.1:{self.port}", "--function", 43).stdout
        self.assertIn("vendor: Acme", said)
        self.assertIn("revision: V2.7", said)

    def test_values_are_decoded_as_asked(self) -> None:
        place = ("read", "--endpoint", f"tcp:127.0.0.1:{self.free}", "--unit", 7)
        for options, line in (
            (("--address", 0, "--as", "u32"), "0  305419896"), (("--address", 2, "--as", "s32"), "2  -2"),
            (("--address", 6, "--as", "f64"), "6  -0.125"), (("--address", 10, "--count", 3, "--as", "text"), '10  "AB-12.'),
            (("--address", 0, "--as", "u32", "--order", "cdab"), f"0  {0x56781234}"),
            (("--address", 0, "--as", "u32", "--order", "badc"), f"0  {0x34127856}"),
            (("--address", 0, "--as", "u32", "--order", "dcba"), f"0  {0x78563412}"),
            (("--address", 0, "--count", 5), "0  1234 5678 ffff fffe 4366"),
            (("--address", 0, "--count", 3, "--as", "u32"), "1 registers are left: too few for u32"),
        ):
            shown = self.tool(*place, *options).stdout
            self.assertIn("directly", shown)
            self.assertIn(line, shown)
        missing = self.tool(*place, "--address", 500, check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("exception 2: the device has no such registers", missing.stderr)

    def test_one_who_asks_without_end_makes_nobody_miss(self) -> None:
        before = self.agent.status()
        end = time.monotonic() + 6
        failed: list[str] = []

        def ask() -> None:
            while time.monotonic() < end:
                done = self.tool("read", "--endpoint", f"tcp:127.0.0.1:{self.port}", "--unit", 99, "--timeout", 200, check=False)
                # No such unit: nobody answers, and pymodbus may close.
                if done.returncode != 1:
                    failed.append(done.stdout + done.stderr)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = self.agent.status()
        self.assertEqual(failed, [])
        for old, new in zip(before["buses"], after["buses"]):
            self.assertEqual(new["missed"], old["missed"])
            self.assertEqual(new["meters"][0]["timeouts"], old["meters"][0]["timeouts"])
            # Twice a second, whoever asks beside it.
            self.assertGreaterEqual(new["requests"] - old["requests"], 6)
        self.assertGreater(after["buses"][0]["asked_by_people"], before["buses"][0]["asked_by_people"] + 3)

    def test_identify_ranks_profiles_and_says_why(self) -> None:
        shown = self.tool("identify", "--meter", "m-line").stdout
        self.assertIn(f"rtu:{self.line}, through the running agent", shown)
        self.assertIn("serial: 12345678", shown)
        self.assertIn("eastron/sdm630, level driver", shown)
        self.assertIn("1-0:32.7.0 is 230 V", shown)
        self.assertIn("      - {id: NAME, unit: 2, profile: eastron/sdm", shown)
        self.assertNotIn("…", shown)
        said = self.tool("identify", "--endpoint", f"tcp:127.0.0.1:{self.port}", "--unit", 1).stdout
        self.assertIn("vendor: Acme", said)
        sun = self.tool("identify", "--endpoint", f"tcp:127.0.0.1:{self.sun}", "--unit", 3).stdout
        self.assertIn("SunSpec models: 1 (66), 103 (50)", sun)
        self.assertIn("plausible: sunspec/inverter-103", sun)
        self.assertIn("firmware: 0.3.30", sun)
        # Fronius' own profiles want model 160, which this one lacks.
        self.assertNotIn("fronius/", sun)

    def test_scan_finds_what_the_person_named(self) -> None:
        ports = f"{self.port},{self.sun},{self.free},{self.nobody}"
        shown = self.tool("scan", "--tcp", "127.0.0.1", "--port", ports, "--unit", "1-7").stdout
        for line in (f"127.0.0.1:{self.port} unit 1 answers", f"127.0.0.1:{self.sun} unit 3 answers", f"127.0.0.1:{self.free} unit 7 answers"):
            self.assertIn(line, shown)
        self.assertNotIn(str(self.nobody), shown)
        self.assertIn(f"  - tcp: 127.0.0.1:{self.sun}\n    meters:\n      - {{id: NAME, unit: 3, profile: VENDOR/MODEL}}", shown)
        # The owner's endpoint was asked through its bus.
        owned = next(line for line in shown.splitlines() if f":{self.port} unit 1" in line)
        self.assertIn("through the running agent", owned)
        known = self.tool("scan", "--tcp", "127.0.0.1", "--port", self.sun, "--unit", 3, "--identify").stdout
        self.assertIn("unit: 3, profile: sunspec/inverter-103", known)
        # To paste: one key, whatever was found, and a profile that may be the wrong one says so.
        both = self.tool("scan", "--tcp", "127.0.0.1", "--port", f"{self.port},{self.sun}", "--unit", "1,3", "--identify").stdout
        pasted = yaml.safe_load(both[both.index("\nbuses:\n"):])
        self.assertEqual({bus["tcp"]: bus["meters"][0]["unit"] for bus in pasted["buses"]}, {f"127.0.0.1:{self.port}": 1, f"127.0.0.1:{self.sun}": 3})
        self.assertRegex(both, r"# Not sure, or eastron/sdm\S+: compare the values with the display .*\n +- \{id: NAME, unit: 1, profile: eastron/sdm")
        for wrong in ("127.0.0.0/8", "localhost", "127.0.0.1-126.0.0.1"):
            self.assertIn("allowed: 192.168.1.0/24", self.tool("scan", "--tcp", wrong, check=False).stderr)

    def test_scan_of_a_line_of_the_agent_keeps_its_speed(self) -> None:
        shown = self.tool("scan", "--rtu", self.line, "--unit", "1-4", "--baud", "9600,19200").stdout
        self.assertIn("only 19200 8E1, as the agent has the line; other speeds: stop the agent", shown)
        self.assertIn("19200 8E1  unit 2 answers", shown)
        self.assertNotIn("unit 3", shown)
        self.assertIn(f"      device: {self.line}\n      baud: 19200\n      parity: even", shown)

    def test_watch_shows_what_is_read_and_leaves_the_terminal_as_it_was(self) -> None:
        plain = self.tool("watch", "--times", 2, "--every", 200).stdout
        self.assertRegex(plain, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ m-tcp 1-0:1\.8\.0 1234500 Wh age \d+ ms, good$")
        self.assertNotIn("\x1b", plain)
        only = self.tool("watch", "--times", 1, "--meter", "m-line").stdout
        self.assertIn("m-line", only)
        self.assertNotIn("m-tcp", only)
        nobody = self.tool("watch", "--times", 1, "--meter", "m-line,m-none", check=False)
        self.assertEqual((nobody.returncode, nobody.stdout), (1, ""))
        self.assertIn("m-none is not read by the running agent; it reads: m-line, m-tcp", nobody.stderr)
        # Whoever reads takes a line and goes, as `| head -1` does.
        command = [str(BIN / "kilomint-agent"), "watch", "--every", "200", "--config", str(self.agent.config)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout and watch.stderr
            watch.stdout.readline()
            watch.stdout.close()
            self.assertEqual((watch.wait(10), watch.stderr.read()), (0, ""))
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        command = [str(BIN / "kilomint-agent"), "watch", "--every", "200", "--config", str(self.agent.config)]
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as watch:
            shown = until(master, b"1234500")
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 40, 0, 0))
            shown += until(master, b"more lines")
            watch.send_signal(signal.SIGINT)
            shown += until(master, b"\x1b[?1049l")
            self.assertEqual(watch.wait(10), 0)
        os.close(master)
        os.close(slave)
        self.assertTrue(shown.startswith(b"\x1b[?1049h\x1b[?25l"))
        self.assertIn(b"\x1b[?25h", shown[-40:])

    def test_watch_keeps_what_a_meter_said_last(self) -> None:
        async def fail(*_: object) -> ExcCodes:
            return ExcCodes.DEVICE_FAILURE

        def seen(text: str) -> Callable[[], bool]:
            return lambda: text in self.tool("watch", "--times", 1, "--meter", "m-tcp").stdout

        self.meter.act = fail
        try:
            self.agent.until("the old value is told as one", seen("m-tcp 1-0:1.8.0 exception 4; was 1234500 Wh "))
        finally:
            self.meter.act = None
        self.agent.until("it is read again", seen("m-tcp 1-0:1.8.0 1234500 Wh age "))

    def test_plan_says_what_a_configuration_costs(self) -> None:
        shown = self.tool("plan").stdout
        self.assertIn(f"bus rtu:{self.line}: ", shown)
        self.assertRegex(shown, r"uplink +\d+\.\d MB a month")
        self.assertRegex(shown, r"spool +\d+ days")

    def test_spool_is_looked_at_while_the_agent_runs(self) -> None:
        shown = self.tool("spool", "status").stdout
        self.assertIn("the running agent's spool", shown)
        self.assertRegex(shown, r"stream +[0-9a-f]{16}: \d+ signed, 0 receipted")
        sound = self.tool("spool", "verify").stdout
        self.assertRegex(sound, r"\d+ records, \d+ bytes")
        self.assertIn("every signature, chain, size and hash holds", sound)
        out = self.agent.dir / "export.cbor"
        self.tool("spool", "export", "--out", out)
        records = exported(out.read_bytes(), self.agent.spki)
        self.assertGreater(len(records), 2)
        self.assertEqual([record[4] for record in records], list(range(1, len(records) + 1)))
        # What is there is not written over.
        again = self.tool("spool", "export", "--out", out, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("File exists", again.stderr)
        # A stream that is not there is no empty file.
        none = self.agent.dir / "none.cbor"
        refused = self.tool("spool", "export", "--out", none, "--stream", "0" * 16, check=False)
        self.assertEqual((refused.returncode, none.exists()), (1, False))
        self.assertIn("is not in the spool; it has: ", refused.stderr)
        # The file is the agent's alone while it runs.
        held = self.agent.tool("spool", "verify", "--folder", self.agent.spool, "--key", self.agent.spki.hex(), check=False)
        self.assertEqual(held.returncode, 1)
        self.assertIn("is used by another process", held.stderr)

    def test_hostile_callers_stop_neither_tools_nor_reading(self) -> None:
        before = self.agent.status()["buses"][0]["requests"]
        path = str(self.agent.spool / "control.sock")
        kept = []
        for round in range(300):
            caller = socket.socket(socket.AF_UNIX)
            caller.connect(path)
            caller.settimeout(5)
            try:
                caller.sendall((b"", b"stat", b"\xff\x00\n", b"read " + b"a" * 100_000)[round % 4])
            except (BrokenPipeError, ConnectionResetError):
                pass
            kept.append(caller)
        self.assertIn('"gateway":"gw-wild"', self.agent.ask().decode())
        for caller in kept:
            caller.close()
        self.agent.until("reading goes on", lambda: self.agent.status()["buses"][0]["requests"] > before + 3)
        self.assertLess(self.agent.resident(), 60_000)


class Alone(unittest.TestCase):
    """No agent runs: a tool asks by itself, and says so."""

    def test_read_takes_the_line_itself(self) -> None:
        with Servers() as servers, LoneAgent() as agent:
            line = servers.serial(eastron(2))
            agent.configure([f"{{rtu: {{device: {line}}}, meters: [{{id: m-line, unit: 2, profile: eastron/sdm630}}]}}"])
            shown = agent.tool("read", "--config", agent.config).stdout
            self.assertIn(f"rtu:{line}, directly", shown)
            self.assertIn("1-0:1.8.0  1234500 Wh", shown)
            # Where there is no agent there is no status.
            refused = agent.tool("status", "--config", agent.config, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("is it running", refused.stderr)
            # A line that another agent has is not taken from it.
            agent.start()
            agent.until("the line is open", lambda: agent.status()["buses"][0]["good"] > 0)
            taken = agent.tool("read", "--endpoint", f"rtu:{line}", "--unit", 2, check=False)
            self.assertEqual(taken.returncode, 1)
            self.assertRegex(taken.stderr, "in use by another process|Device or resource busy")
            agent.end(signal.SIGTERM)

    def test_scan_of_a_free_line_tries_each_speed_and_stops_on_ctrl_c(self) -> None:
        with Servers() as servers, LoneAgent() as agent:
            line = servers.serial(eastron(2))
            shown = agent.tool("scan", "--rtu", line, "--unit", "1-3", "--baud", "9600,19200", "--parity", "none", "--timeout", 300).stdout
            # A pseudo terminal has no speed: the unit answers at each.
            for mode in ("9600 8N1", "19200 8N1"):
                self.assertIn(f"{mode}  unit 2 answers", shown)
            command = [str(BIN / "kilomint-agent"), "scan", "--rtu", line, "--timeout", "300"]
            scan = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for text in scan.stdout:
                if "unit 2 answers" in text:
                    break
            scan.send_signal(signal.SIGINT)
            _, words = scan.communicate(timeout=20)
            self.assertEqual(scan.returncode, 1)
            self.assertIn("stopped; what is above was found until then", words)
            # The line is free again.
            self.assertIn("directly", agent.tool("read", "--endpoint", f"rtu:{line}", "--unit", 2, "--function", 4, "--count", 2).stdout)

    def test_a_copied_spool_is_verified_and_its_damage_named(self) -> None:
        with Servers() as servers, LoneAgent() as agent:
            agent.configure([f"{{tcp: 127.0.0.1:{servers.tcp(eastron())}, meters: [{{id: m, profile: eastron/sdm630}}]}}"])
            agent.start()
            agent.until("records", lambda: agent.status()["head"] >= 8)
            agent.end(signal.SIGTERM)
            sound = agent.tool("spool", "verify", "--config", agent.config).stdout
            self.assertIn("every signature, chain, size and hash holds", sound)
            copy = agent.dir / "copy"
            copy.mkdir()
            shutil.copy(agent.spool / "spool.db", copy)
            verify = ("spool", "verify", "--folder", copy, "--key", agent.spki.hex())
            self.assertIn("every signature", agent.tool(*verify).stdout)
            with sqlite3.connect(copy / "spool.db") as base:
                (data,) = base.execute("SELECT envelope FROM record WHERE position & 1099511627775 = 5").fetchone()
                base.execute("UPDATE record SET envelope = ? WHERE position & 1099511627775 = 5", (data[:-1] + bytes([data[-1] ^ 1]),))
                base.execute("DELETE FROM record WHERE position & 1099511627775 = 3")
            damaged = agent.tool(*verify, check=False)
            self.assertEqual(damaged.returncode, 1)
            self.assertIn("record 4: follows 2: records between them are missing", damaged.stdout)
            self.assertIn("record 5: is not signed by the gateway's key", damaged.stdout)
            self.assertIn("2 things are wrong", damaged.stderr)
            other = agent.tool("spool", "verify", "--folder", agent.spool, "--key", agent.spki[:-1].hex() + "00", check=False)
            self.assertEqual(other.returncode, 1)

    def test_a_shadow_profile_is_compared_and_never_signed(self) -> None:
        with Servers() as servers, LoneAgent() as agent:
            # sdm120 has energy and power where sdm630 has them, and swapped directions in a copy of it.
            folder = agent.dir / "profiles"
            shutil.copytree(agent.profiles, folder)
            text = (folder / "eastron/sdm630.yaml").read_text().replace("eastron/sdm630", "eastron/new")
            (folder / "eastron/new.yaml").write_text(text.replace("0x0048", "0x004A", 1).replace("address: 0x004A, type: f32, scale: 1000,\n     step: 1, resolution: 10}\n  # Active", "address: 0x0048, type: f32, scale: 1000,\n     step: 1, resolution: 10}\n  # Active", 1))
            agent.profiles = folder
            agent.configure([
                f"{{tcp: 127.0.0.1:{servers.tcp(eastron())}, meters: [{{id: m, profile: eastron/sdm630, shadow: eastron/new}}]}}"])
            agent.start()
            agent.until("the shadow was read", lambda: len(agent.status()["shadow"]) == 3)
            report = agent.tool("shadow", "--config", agent.config, check=False)
            self.assertEqual(report.returncode, 1, report.stdout)
            self.assertIn("m: eastron/new beside eastron/sdm630", report.stdout)
            self.assertRegex(report.stdout, r"1-0:16\.7\.0  agrees over \d+ reads since \d{4}-")
            self.assertRegex(report.stdout, r"1-0:1\.8\.0  DIFFERS, \d+ times: 6250, where eastron/sdm630 says 1234500")
            self.assertIn("2 quantities differ", report.stderr)
            self.assertIn("shadow profile differs", agent.log())
            agent.end(signal.SIGTERM)
            signed = {meter[4] for record in agent.records() if record[8] == 1 for meter in record[9][3]}
            self.assertEqual(len(signed), 1)


if __name__ == "__main__":
    unittest.main()
