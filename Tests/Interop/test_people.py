"""What devices and people on a site do beside the plain way: a device with room for one client, a device that is busy, a meter
whose firmware no profile is for, a person at a terminal."""

import json
import os
import pty
import select
import shutil
import socket
import subprocess
import threading
import time
import unittest

from devices import ExcCodes, Servers, Slave
from est_server import EstServer
from lone_agent import BIN, LoneAgent
from test_est import GATEWAY, Gateway
from test_tools import eastron, until


class OneClient:
    """A door to a server that lets one in at a time, and hangs up on whoever comes meanwhile."""

    def __init__(self, port: int) -> None:
        self.behind, self.door = port, socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.inside, self.turned_away, self.visits = 0, 0, 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                caller, _ = self.door.accept()
            except OSError:
                return
            if self.inside:
                self.turned_away += 1
                caller.close()
                continue
            self.inside, self.visits = 1, self.visits + 1
            threading.Thread(target=self.carry, args=(caller,), daemon=True).start()

    def carry(self, caller: socket.socket) -> None:
        with caller, socket.create_connection(("127.0.0.1", self.behind)) as server:
            while True:
                for side in select.select([caller, server], [], [])[0]:
                    try:
                        data = side.recv(4096)
                    except OSError:
                        data = b""
                    if not data:
                        self.inside = 0
                        return
                    (server if side is caller else caller).sendall(data)


def profile(agent: LoneAgent, name: str, *changes: tuple[str, str]) -> None:
    """A copy of the SDM630's profile under another name, with changes."""
    if agent.profiles.parent != agent.dir:
        folder = agent.dir / "profiles"
        shutil.copytree(agent.profiles, folder)
        agent.profiles = folder
    text = (agent.profiles / "eastron/sdm630.yaml").read_text().replace("eastron/sdm630", name, 1)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (agent.profiles / f"{name}.yaml").write_text(text)


class Devices(unittest.TestCase):
    def test_a_device_with_room_for_one_is_left_to_others_between_reads(self) -> None:
        with Servers() as servers, LoneAgent(interval="15s") as agent:
            door = OneClient(servers.tcp(eastron()))
            self.addCleanup(door.door.close)
            profile(agent, "eastron/alone", ("limits:\n", "limits:\n  single-client: true\n"))
            agent.configure([f"{{tcp: 127.0.0.1:{door.port}, meters: [{{id: m, profile: eastron/alone}}]}}"])
            agent.start()
            agent.until("a read", lambda: agent.status()["buses"][0]["good"] > 0)
            agent.until("the agent to let go", lambda: not door.inside, 20)
            # Now there is room for somebody else: a tool of another box.
            shown = agent.tool("read", "--endpoint", f"tcp:127.0.0.1:{door.port}", "--function", 4, "--address", 72, "--as", "f32").stdout
            self.assertIn("directly", shown)
            self.assertIn("1234.5", shown)
            good = agent.status()["buses"][0]["good"]
            agent.until("the next read", lambda: agent.status()["buses"][0]["good"] > good, 40)
            bus = agent.status()["buses"][0]
            # It went by itself, and was nobody's fault.
            self.assertEqual((door.turned_away, bus["timeouts"], bus["other_failures"]), (0, 0, 0))
            self.assertGreaterEqual(door.visits, 3)

    def test_a_tool_asks_a_busy_device_again(self) -> None:
        slave, left = eastron(), [2]

        async def busy(*_: object) -> ExcCodes | None:
            left[0] -= 1
            return ExcCodes.DEVICE_BUSY if left[0] >= 0 else None

        slave.act = busy
        with Servers() as servers, LoneAgent() as agent:
            place = ("read", "--endpoint", f"tcp:127.0.0.1:{servers.tcp(slave)}", "--function", 4, "--address", 72, "--as", "f32")
            self.assertIn("1234.5", agent.tool(*place).stdout)
            self.assertEqual(len(slave.asked), 3)
            # One that stays busy is asked four times in all, and then it is said.
            left[0] = 1_000
            refused = agent.tool(*place, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("exception 6", refused.stderr + refused.stdout)
            self.assertEqual(len(slave.asked), 7)

    def test_a_meter_without_a_profile_for_its_firmware_is_not_commissioned(self) -> None:
        slave = eastron()
        slave.put(64512, [0, 77], 3)
        slave.put(64516, [9], 3)
        with Servers() as servers, LoneAgent() as agent:
            for name, range in (("eastron/known", 'below: "2"'), ("eastron/known-2", 'from: "2", below: "3"')):
                profile(agent, name, ("identity:\n", f"firmware: [{{{range}}}]\nidentity:\n"),
                        ("address: 0xFC03, type: u16, optional: true}", "address: 0xFC04, type: u16}"))
            agent.configure([f"{{tcp: 127.0.0.1:{servers.tcp(slave)}, meters: [{{id: m, profile: eastron/known, fallback: eastron/known}}]}}"])
            agent.start()
            agent.until("reads", lambda: agent.status()["buses"][0]["good"] > 3)
            commission = ("commission", "--config", agent.config, "--meter", "m", "--serial", "77", "--import", "1234.5", "--name", "Ann")
            refused = agent.tool(*commission, check=False)
            self.assertEqual(refused.returncode, 1, refused.stdout)
            self.assertIn("no version of its profile is for m: it is read with eastron/known meanwhile", refused.stderr)
            self.assertIn("Add the profile for its firmware and reload", refused.stderr)
            agent.until("status to say so", lambda: "WILL NOT SETTLE" in agent.tool("status", "--config", agent.config).stdout, 20)
            self.assertEqual(agent.status()["not_commissioned"], ["m"])
            # The firmware becomes one that the profile is for: the same words commission it.
            slave.put(64516, [1], 3)
            agent.end()
            agent.start()
            agent.until("reads", lambda: agent.status()["buses"][0]["good"] > 3)
            self.assertIn("commissioned m", agent.tool(*commission).stdout)


class Person(unittest.TestCase):
    def enroll(self, gateway: Gateway, server: EstServer, typed: bytes) -> tuple[int, bytes]:
        """Types at a terminal once it is asked. Exit status and all that the terminal shows."""
        master, slave = pty.openpty()
        command = [str(BIN / "kilomint-agent"), "enroll", "--url", server.url, "--config", str(gateway.config)]
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as enroll:
            os.close(slave)
            shown = until(master, b"The operator's claim code (KM1-")
            os.write(master, typed)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    data = os.read(master, 65_536)
                except OSError:  # Linux: the last one left the terminal.
                    break
                if not data:
                    break
                shown += data
            status = enroll.wait(60)
        os.close(master)
        return status, shown

    def test_a_code_typed_at_the_terminal(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            status, shown = self.enroll(gateway, server, b"\n")
            self.assertEqual(status, 2, shown)
            self.assertIn(b"no claim code", shown)
            status, shown = self.enroll(gateway, server, b"\x04")
            self.assertEqual(status, 2, shown)
            # With a slip, taken back on the terminal, and as people type.
            typed = server.code.lower().encode()
            status, shown = self.enroll(gateway, server, typed[:9] + b"XX\x7f\x7f" + typed[9:] + b"\n")
            self.assertEqual(status, 0, shown)
            self.assertIn(b"is enrolled", shown)
            self.assertTrue((gateway.enrolled / "gateway.crt").exists())


class Installer(unittest.TestCase):
    """An account that may use the control socket and nothing else; without root to become one, what it may not read is closed."""

    root = os.geteuid() == 0

    def report(self, agent: LoneAgent) -> tuple[dict, dict[str, str], set[str]]:
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if self.root else []
        command = [*become, str(BIN / "kilomint-agent"), "doctor", "--json", "--config", str(agent.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        self.assertTrue(done.stdout, done.stderr)
        report = json.loads(done.stdout)
        return report, {each["what"]: each["because"] for each in report["not_looked_at"]}, {each["id"] for each in report["findings"]}

    def test_the_doctor_of_an_account_without_rights(self) -> None:
        with Servers() as servers, LoneAgent() as agent, socket.create_server(("127.0.0.1", 0)) as broker:
            port, control, enrolled = broker.getsockname()[1], agent.dir / "control.sock", agent.spool / "enrolled"
            agent.dir.chmod(0o755)
            enrolled.mkdir(parents=True)
            (enrolled / "brokers.yaml").write_text(f'brokers:\n  - {{host: "127.0.0.1", port: {port}}}\n')
            agent.spool.chmod(0o700)
            group = "control_mode: 0660\ncontrol_group: 65534\n" if self.root else ""
            agent.configure([f"{{tcp: 127.0.0.1:{servers.tcp(eastron())}, meters: [{{id: m, profile: eastron/sdm630}}]}}"], extra=f"control: {control}\n{group}")

            # No agent that could tell: what is hidden is not called missing.
            if not self.root:
                enrolled.chmod(0)
            report, rest, found = self.report(agent)
            self.assertIn("agent-not-running", found)
            self.assertFalse(report["agent_running"])
            self.assertIn(f"may not read {enrolled}", rest["certificates"])
            self.assertIn(f"may not read {enrolled}", rest["the way to the broker"])
            self.assertNotIn("certificate-missing", found)
            enrolled.chmod(0o700)

            # The agent tells where it sends: large packets are tried without any right.
            agent.start()
            agent.until("reads", lambda: agent.status()["buses"][0]["good"] > 3)
            report, rest, found = self.report(agent)
            self.assertTrue(report["agent_running"])
            self.assertIn("the way to the broker", report["looked_at"])
            self.assertFalse({"certificates", "the way to the broker", f"large packets to 127.0.0.1:{port}"} & set(rest), rest)
            self.assertFalse({"agent-not-running", "broker-unreachable", "packets-too-large"} & found)

            # It may not even ask: that is no sign that no agent runs.
            control.chmod(0o600 if self.root else 0)
            report, rest, found = self.report(agent)
            self.assertNotIn("agent-not-running", found)
            self.assertIn("may this user? see `control_mode`", rest["how lines and meters answer"])
            control.chmod(0o660)
            agent.end()


if __name__ == "__main__":
    unittest.main()
