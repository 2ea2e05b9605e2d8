"""Broken configuration: each process refuses to start, ends with status 78, and names file, key, value and what is allowed."""

import subprocess
import unittest

from house import CSV, House

# (what is replaced, by what, words that must stand in the message: the key, the value, what is allowed)
COLLECTOR = [
    ("log_origin: kilomint.example/demo\n", "", ["log_origin"]),
    ("open_reads: true", "open_reads: maybe", ["http.open_reads", "maybe", "true"]),
    ("open_reads: true", "open_reads: true, threads: 4", ["http.threads"]),
    ("speed: 7200", "speed: 0", ["clock.replay.speed", "0", "1000000"]),
    ("speed: 7200", "speed: 60", ["clock"]),
    ("role: auditor", "role: king", ["tokens[1].role", "king", "viewer"]),
    ("keys/seal.pem", "keys/nothing.pem", ["nothing.pem"]),
    ("seal: {folder}/keys/seal.pem", "seal: {folder}/keys/receipt.pem", ["keys.seal"]),
    ("kilomint.example/demo", "kilomint.example/other", ["log_origin", "kilomint.example/demo"]),
    ("firmware-profiles", "no-profiles", ["no-profiles"]),
    ("witness: {folder}/witness", "witness: {folder}/no-witness", ["no-witness"]),
    ("collector-key.pem", "no-key.pem", ["no-key.pem"]),
    ("operator.token", "no.token", ["no.token"]),
]
AGENT = [
    ("gateway: gw-serf-east\n", "gateway: GW East\n", ["gateway", "GW East", "a-z"]),
    ("commit: 500ms", "commit: 1h", ["commit", "1h", "1m"]),
    ("resend_after: 2s", "resend_after: 2", ["resend_after", "2"]),
    ("profile: abb/b23", "profile: abb/b99", ["abb/b99"]),
    ("interval: 5m", "interval: 7m", ["interval", "7m"]),
    ("speed: 7200", "speed: fast", ["speed", "fast"]),
    ("keys/gateway.pem", "keys/none.pem", ["none.pem"]),
    ("buses:", "busses:", ["buses"]),
    ("boundary: PT15M\n", "boundary: PT15M\nbusses: 1\n", ["busses"]),
    ("boundary: PT15M\n", "boundary: PT15M\nboundary: PT5M\n", ["boundary"]),
]
HOUSE = [
    ("cadence: 24h", "cadence: 25h", ["cadence", "25h"]),
    ("cadence: 24h", "cadence: soon", ["manifest.cadence", "soon"]),
    ("share: 400000", "share: 399999", ["principals", "1000000"]),
    ("role: owner", "role: emperor", ["role", "emperor", "owner"]),
    ("asset: K$-TEST", "asset: K$", ["asset", "-TEST"]),
    ("profile: abb/b23", "profile: 'no profile'", ["profile"]),
    ("billing_grade: [abb/b23", "billing_grade: [abb/b99", ["billing_grade[0]", "abb/b99"]),
    ("direction: export", "direction: sideways", ["direction", "sideways", "export"]),
    ("revenue_meter: b23-east", "revenue_meter: nobody", ["serf-east-pv", "not registered"]),
]
# Options of the plant: what is given instead, and what the message must name. It has no file: status 64, 65 or 66.
PLANT = [("--csv", "nowhere.csv"), ("--port", "70000"), ("--speed", "0"), ("--start", "yesterday"), ("--meters", "0")]


class Configuration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.house.__enter__()
        cls.addClassCleanup(cls.house.__exit__, None, None, None)
        cls.house.tool("kilomint-agent", "init", "--config", cls.house.dir / "agent.yaml")

    def refused(self, name, cases, command):
        """Runs `command` on each broken copy of the file `name`."""
        text = (self.house.dir / name).read_text()
        path = self.house.dir / f"broken-{name}"
        for old, new, words in cases:
            old, new = (part.replace("{folder}", str(self.house.dir)) for part in (old, new))
            with self.subTest(file=name, value=new):
                self.assertIn(old, text, "the case does not fit the file any more")
                path.write_text(text.replace(old, new, 1))
                self.ends(command(path), 78, words)

    def ends(self, command, status, words):
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=20)
        except subprocess.TimeoutExpired:
            self.fail("it runs")
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, said)
        for word in words:
            self.assertIn(word, said)

    def test_collector(self):
        self.refused("collector.yaml", COLLECTOR, lambda path: [self.house.bin / "kilomint-collector", "serve", "--config", path])

    def test_agent(self):
        self.refused("agent.yaml", AGENT, lambda path: [self.house.bin / "kilomint-agent", "run", "--config", path])

    def test_agent_check_only(self):
        def check(path):
            return [self.house.bin / "kilomint-agent", "config", "check", "--config", path]

        # The guide looks at the file before there is a key: that is said, and is no mistake.
        keyless = next(case for case in AGENT if case[1] == "keys/none.pem")
        self.refused("agent.yaml", [case for case in AGENT if case is not keyless], check)
        path = self.house.dir / "keyless.yaml"
        path.write_text((self.house.dir / "agent.yaml").read_text().replace(keyless[0], keyless[1], 1))
        self.ends(check(path), 0, ["no gateway key yet: kilomint-agent init"])

    def test_genesis(self):
        text = (self.house.dir / "collector.yaml").read_text()
        fresh = self.house.dir / "fresh-collector.yaml"
        fresh.write_text(text.replace(f"data: {self.house.dir}/collector", f"data: {self.house.dir}/fresh").replace(
            f"witness: {self.house.dir}/witness", f"witness: {self.house.dir}/fresh-witness"))
        (self.house.dir / "fresh-witness").mkdir()
        self.refused("house.yaml", HOUSE, lambda path: [
            self.house.bin / "kilomint-collector", "genesis", "--config", fresh, "--house", path, "--key-list", self.house.dir / "fresh.cbor"])

    def test_genesis_happens_once(self):
        self.ends([self.house.bin / "kilomint-collector", "genesis", "--config", self.house.dir / "collector.yaml", "--house",
                   self.house.dir / "house.yaml", "--key-list", self.house.dir / "again.cbor"], 64, ["holds a house already"])

    def test_plant(self):
        command = [str(part) for part in self.house.commands("plant")] + ["--meters", "1"]
        for option, value in PLANT:
            with self.subTest(option=option):
                broken = list(command)
                broken[broken.index(option) + 1] = value
                done = subprocess.run(broken, capture_output=True, text=True, timeout=20)
                self.assertIn(done.returncode, (64, 65, 66), done.stderr)
                self.assertIn(value, done.stderr)


if __name__ == "__main__":
    unittest.main()
