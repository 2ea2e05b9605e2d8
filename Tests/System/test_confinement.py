"""Agent and collector under what their own units forbid them (confinement.py): all that they are there for still works.

A unit that forbids what the agent asks for is seen, too: by the agent, which goes on reading, and by whoever looks at it.
"""

import ctypes
import fnmatch
import grp
import json
import os
import re
import sqlite3
import stat
import struct
import sys
import tempfile
import unittest
import urllib.request

import confinement
from test_agent_enrolment import GatewayHouse
from test_agent_service import READINGS, Cabinet, decode, envelope

AGENT, RENEWAL, COLLECTOR = "kilomint-agent.service", "kilomint-agent-renew.service", "kilomint-collector.service"
TIME_ERROR, STA_UNSYNC = 5, 0x40

# Reads the clock, then tries what must fail: each with values that would change nothing, should it not.
PROBE = """
import ctypes, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)

def tried(call, *arguments):
    ctypes.set_errno(0)
    return 0 if call(*arguments) >= 0 else ctypes.get_errno()

state = ctypes.create_string_buffer(512)
said = {"adjtimex, asked": tried(libc.adjtimex, state)}
ctypes.memmove(state, b"\\2\\0\\0\\0", 4)  # ADJ_FREQUENCY, to what it is
said["adjtimex, set"] = tried(libc.adjtimex, state)
now = ctypes.create_string_buffer(16)
libc.clock_gettime(0, now)
said["clock_settime"] = tried(libc.clock_settime, 0, now)
path = sys.argv[1].encode()
said["chown to a group of its own"] = tried(libc.chown, path, -1, os.getgid())
said["chown to somebody"] = tried(libc.chown, path, os.getuid() + 1, -1)
said["unshare"] = tried(libc.unshare, 0x20000)
said["mount"] = tried(libc.mount, b"none", path, b"tmpfs", 0, None)
said["personality"] = tried(libc.personality, 0x0400000)
libc.mmap.restype = ctypes.c_ssize_t
said["code that is written"] = tried(libc.mmap, None, 4096, 7, 0x22, -1, 0)
for family in ("AF_INET", "AF_UNIX", "AF_NETLINK", "AF_PACKET"):
    said[family] = tried(libc.socket, int(getattr(socket, family)), 2, 0)
print(json.dumps(said))
"""


def kernel_clock():
    """(sync as a record has it, error in ms), asked without any filter."""
    state = ctypes.create_string_buffer(512)
    result = ctypes.CDLL(None).adjtimex(state)
    _, _, _, error, _, status = struct.unpack_from("@Illlli", state)
    return (2 if result != TIME_ERROR and not status & STA_UNSYNC else 1), error // 1000


class ConfinedCabinet(Cabinet):
    """Its agent runs under a unit, the tools do not: people call them."""

    def __init__(self, unit=AGENT):
        super().__init__()
        self.unit = unit

    def commands(self, name):
        command = super().commands(name)
        return confinement.under(self.unit, *command) if name == "agent" else command

    def run_agent(self, **environment):
        # A name that the configuration takes, and another group than the one that files have anyway, where there is one.
        known = {group.gr_gid: group.gr_name for group in grp.getgrall() if re.fullmatch("[a-z0-9_-]{1,32}", group.gr_name)}
        self.group = next((number for number in os.getgroups() if number != os.getgid() and number in known), os.getgid())
        self.write(f"control_mode: 0660\ncontrol_group: {known.get(self.group, self.group)}\n" + self.text)
        super().run_agent(**environment)
        self.until("readings", lambda: self.status()["buses"][0]["good"] > 3)

    def socket_belongs_to(self):
        found = (self.dir / "agent/control.sock").stat()
        return stat.S_IMODE(found.st_mode), found.st_gid

    def findings(self):
        return self.tool("kilomint-agent", "doctor", "--json", "--config", self.dir / "agent.yaml", check=False).stdout

    def clocks(self):
        """[sync, error in ms] of each record of readings that the ended agent stored."""
        with sqlite3.connect(self.dir / "agent/spool.db") as base:
            rows = base.execute("SELECT position, envelope FROM record WHERE kind = ? ORDER BY position", [READINGS]).fetchall()
        return [decode(envelope(data, "record", str(position)).payload, str(position))[6][:2] for position, data in rows]


class ConfinedGateway(GatewayHouse):
    """Collector, agent and renewal, each under its unit."""

    def commands(self, name):
        unit = {"agent": AGENT, "collector": COLLECTOR}.get(name)
        command = super().commands(name)
        return confinement.under(unit, *command) if unit else command


class Confinement(unittest.TestCase):
    def test_what_the_units_forbid(self):
        for unit, allowed in ((AGENT, {"adjtimex, asked", "chown to a group of its own"}), (RENEWAL, {"adjtimex, asked"}), (COLLECTOR, set())):
            with self.subTest(unit), tempfile.NamedTemporaryFile() as file:
                said = json.loads(self.run_under(unit, sys.executable, "-c", PROBE, file.name))
                self.assertEqual({what for what, code in said.items() if code == 0}, {"AF_INET", "AF_UNIX"} | allowed)
                for what in ("adjtimex, set", "clock_settime", "chown to somebody", "unshare", "mount", "personality", "code that is written"):
                    self.assertEqual(said[what], 1, what)
                self.assertEqual((said["AF_NETLINK"], said["AF_PACKET"]), (97, 97))

    def test_every_kind_of_line_is_allowed(self):
        """As systemd looks a name up in /proc/devices: fnmatch; or a number."""
        allowed = [value for key, value in confinement.service((confinement.UNITS / AGENT).read_text()) if key == "DeviceAllow"]
        kinds = [value.split()[0].removeprefix("char-") for value in allowed]
        self.assertTrue(all(value.startswith("char-") and value.endswith(" rw") for value in allowed))

        def names(driver):
            return any(fnmatch.fnmatchcase(driver, kind) for kind in kinds)

        for driver in ("S", "USB", "ACM", "AMA", "mxc", "O", "STM", "SC", "LP", "PS", "MSM", "HS", "SAC", "THS", "AML", "UL", "MAX", "MI", "r",
                       "XRUSB", "CH343USB", "GS"):
            self.assertTrue(names("tty" + driver), driver)
        self.assertTrue(names("tpm"))
        for driver in ("tty", "/dev/tty", "/dev/console", "mem", "misc", "hidraw", "rtc", "watchdog", "input"):
            self.assertFalse(names(driver), driver)
        # Those of USB, by the kernel's numbers, while no adapter was ever plugged in.
        self.assertEqual({kind for kind in kinds if kind.isdigit()}, {"188", "166"})

    def run_under(self, unit, *command):
        done = confinement.subprocess.run([str(word) for word in confinement.under(unit, *command)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_agent_reads_and_knows_its_clock(self):
        before = kernel_clock()
        with ConfinedCabinet() as cabinet:
            cabinet.run_agent()
            self.assertEqual(cabinet.socket_belongs_to(), (0o660, cabinet.group))
            self.assertIsNone(cabinet.status()["control_problem"])
            self.assertNotIn("clock-unknown", cabinet.findings())
            self.assertEqual("clock-unsynchronised" in cabinet.findings(), kernel_clock()[0] == 1)
            self.assertEqual(cabinet.end("agent"), 0)
            self.assertEqual(cabinet.without_gaps("b23-east", 5_000), {500})
            clocks = cabinet.clocks()
            self.assertTrue(clocks)
            after = kernel_clock()
            for sync, error in clocks:
                self.assertIn(sync, {before[0], after[0]})
                # As the kernel has it: it grows by half a millisecond a second, and falls when somebody sets the clock.
                self.assertLessEqual(error, max(before[1], after[1]) + 1)
                self.assertGreaterEqual(error, min(before[1], after[1]) - 1)

    def test_a_unit_that_forbids_too_much_is_told_and_reading_goes_on(self):
        text = (confinement.UNITS / AGENT).read_text()
        lines = [line for line in text.splitlines() if not line.startswith("SystemCallFilter=adjtimex")]
        self.assertEqual(len(lines), len(text.splitlines()) - 1)
        with ConfinedCabinet() as cabinet:
            cabinet.unit = cabinet.dir / AGENT
            cabinet.unit.write_text("\n".join(lines).replace("[Service]", "[Service]\nProtectClock=yes") + "\n")
            cabinet.run_agent()
            self.assertEqual(cabinet.socket_belongs_to()[0], 0o600)
            problem = cabinet.status()["control_problem"]
            self.assertRegex(problem, r"Operation not permitted: .*usermod -aG .*SystemCallFilter=@chown")
            self.assertIn("NOT FOR THE GROUP", cabinet.tool("kilomint-agent", "status", "--config", cabinet.dir / "agent.yaml").stdout)
            self.assertIn('event="control socket for the agent\'s own user alone"', cabinet.tail("agent", 400))
            self.assertIn("clock-unknown", cabinet.findings())
            self.assertEqual(cabinet.end("agent"), 0)
            self.assertEqual(cabinet.without_gaps("b23-east", 5_000), {500})
            self.assertEqual({tuple(clock) for clock in cabinet.clocks()}, {(0, 0)})

    def test_from_a_claim_to_a_renewed_certificate(self):
        with ConfinedGateway() as one:
            one.serve()
            self.assertEqual(one.request("/devices")[0], 200)
            with urllib.request.urlopen(one.url + "/", timeout=10) as page:
                self.assertIn("text/html", page.headers["Content-Type"])
            one.run_one("plant")
            one.agent("init")
            one.run_one("agent")
            _, code = one.claim()
            self.assertIn("is enrolled", one.enroll(code).stdout)
            one.until("a receipt over TLS", lambda: "connected" in one.status() and one.received() and " 0 receipted" not in one.status(), 60)
            said = self.run_under(RENEWAL, one.bin / "kilomint-agent", "renew", "--force", "--config", one.dir / "agent.yaml")
            self.assertIn("has a new certificate", said)
            one.until("the renewed certificate is taken up", lambda: "enrolment taken up" in one.tail("agent", 400), 30)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)
            for name in ("agent", "collector"):
                self.assertEqual(one.end(name), 0)


if __name__ == "__main__":
    unittest.main()
