"""An agent whose key lies in a token or a TPM: what it signs is verified with Python's libraries, and a TPM that goes away
while it runs costs nothing that was read."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from devices import Servers
from lone_agent import READINGS, LoneAgent
from test_tools import eastron

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


class StoredKeyAgent(LoneAgent):
    """Its key is what `key create` made at a place, and only the public half is known here."""

    def at(self, place: str, *options: str, yaml: str) -> None:
        made = self.tool("key", "create", "--store", place, *options).stdout.split("\n")[1]
        key = load_der_public_key(bytes.fromhex(made))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.public, self.yaml = bytes.fromhex(made), yaml

    @property
    def spki(self) -> bytes:
        return self.public

    def configure(self, buses: list[str], extra: str = "") -> None:
        super().configure(buses, extra)
        text = self.config.read_text().replace(f"key: {self.dir}/gateway.pem", f"key: {self.yaml}", 1)
        self.config.write_text(text)


class Chip:
    """swtpm behind a Unix socket."""

    def __init__(self) -> None:
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-tpm-"))
        self.socket = self.dir / "tpm"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen([
            "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.dir}", "--server", f"type=unixio,path={self.socket}",
            "--flags", "not-need-init,startup-clear",
        ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self.socket.exists():
            assert time.monotonic() < deadline and self.process.poll() is None, "swtpm does not start"
            time.sleep(0.02)

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(20)
            self.process = None


@contextlib.contextmanager
def chip() -> Iterator[Chip]:
    found = Chip()
    found.start()
    try:
        yield found
    finally:
        found.end()


class KeyStores(unittest.TestCase):
    def test_a_tpm_that_goes_away_delays_and_loses_nothing(self) -> None:
        with chip() as tpm, Servers() as servers, StoredKeyAgent(interval="200ms") as agent:
            agent.at("tpm2:0x81000001", "--device", str(tpm.socket), yaml=f'{{tpm2: "0x81000001", device: {tpm.socket}}}')
            port = servers.tcp(eastron(1))
            agent.configure([f"{{tcp: 127.0.0.1:{port}, meters: [{{id: m-tcp, profile: eastron/sdm630}}]}}"])
            agent.start()
            agent.until("records are signed", lambda: agent.status()["head"] >= 5)
            tpm.end()
            status = agent.until("the agent says that it cannot sign", lambda: (s := agent.status())["key_problem"] and s)
            self.assertIn("cannot be asked at", status["key_problem"])
            self.assertIn("DOES NOT SIGN", agent.tool("status", "--config", agent.config).stdout)
            head = status["head"]
            agent.until("reads wait", lambda: agent.status()["reads_waiting"] >= 20)
            self.assertEqual(agent.status()["head"], head)
            tpm.start()
            agent.until("it signs again", lambda: (s := agent.status())["key_problem"] is None and s["head"] > head + 2)
            self.assertEqual(agent.end(), 0)
            records = agent.records()
            lost = [record for record in records if record[8] == 3 and record[9][1] in (6, 7, 8)]
            self.assertFalse([record for record in records if record[8] == 4], "a skip stands for something lost")
            # Every multiple of the interval was read and is signed, over the time without a TPM too.
            instants = sorted({
                record[9][0] + offset for record in records if record[8] == READINGS for _, offset, *_ in record[9][1]
            })
            self.assertGreater(len(instants), 30)
            gaps = [later - before for before, later in zip(instants, instants[1:])]
            self.assertLess(max(gaps), 2_000, f"{lost}")

    def test_the_agent_ends_and_says_why_when_the_tpm_is_not_there(self) -> None:
        with chip() as tpm, StoredKeyAgent() as agent:
            agent.at("tpm2:0x81000001", "--device", str(tpm.socket), yaml=f'{{tpm2: "0x81000001", device: {tpm.socket}}}')
            agent.configure(["{tcp: 127.0.0.1:1, meters: [{id: m-tcp, profile: eastron/sdm630}]}"])
            tpm.end()
            # 1, not 78: the supervisor starts it again, and some time the TPM is there.
            done = agent.tool("run", "--config", agent.config, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is there a TPM 2", done.stderr)
            self.assertEqual(agent.tool("config", "check", "--config", agent.config, check=False).returncode, 78)

    def test_a_token_signs_and_its_pin_is_nowhere(self) -> None:
        with Servers() as servers, StoredKeyAgent(interval="200ms") as agent:
            (agent.dir / "tokens").mkdir()
            (agent.dir / "softhsm2.conf").write_text(f"directories.tokendir = {agent.dir}/tokens\n")
            os.environ["SOFTHSM2_CONF"] = f"{agent.dir}/softhsm2.conf"
            self.addCleanup(os.environ.pop, "SOFTHSM2_CONF")
            subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", "kilomint", "--pin", "93175", "--so-pin", "08150815"],
                check=True, capture_output=True)
            pin = agent.dir / "pin"
            pin.touch(0o600)
            pin.write_text("93175\n")
            uri = "pkcs11:token=kilomint;object=gateway"
            agent.at(uri, "--module", MODULE, "--pin-file", str(pin), yaml=f'{{pkcs11: "{uri}", module: {MODULE}, pin_file: {pin}}}')
            port = servers.tcp(eastron(1))
            agent.configure([f"{{tcp: 127.0.0.1:{port}, meters: [{{id: m-tcp, profile: eastron/sdm630}}]}}"])
            agent.start()
            agent.until("records are signed", lambda: agent.status()["head"] >= 5)
            shown = agent.tool("status", "--config", agent.config).stdout
            self.assertEqual(agent.end(signal.SIGTERM), 0)
            self.assertGreater(len(agent.records()), 4)
            self.assertNotIn("93175", shown + agent.log())
            pin.write_text("11111\n")
            done = agent.tool("run", "--config", agent.config, check=False)
            self.assertEqual(done.returncode, 78, "trying again would lock the token")
            self.assertIn("refuses the PIN", done.stderr)
            self.assertNotIn("11111", done.stderr)

    def test_a_key_file_loads_no_library(self) -> None:
        with Servers() as servers, LoneAgent(interval="200ms") as agent:
            port = servers.tcp(eastron(1))
            agent.configure([f"{{tcp: 127.0.0.1:{port}, meters: [{{id: m-tcp, profile: eastron/sdm630}}]}}"])
            agent.start()
            agent.until("records are signed", lambda: agent.status()["head"] >= 5)
            assert agent.process
            mapped = pathlib.Path(f"/proc/{agent.process.pid}/maps").read_text()
            for library in ("p11", "tss2", "softhsm", "pkcs11"):
                self.assertNotIn(library, mapped)


if __name__ == "__main__":
    unittest.main()
