"""Remote configuration through the programs people start: collector, Mosquitto with dynamic security, an enrolled agent, plant."""

import datetime
import hashlib
import json
import re
import signal
import unittest

import cbor2
import house
import storm
import torture
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from enrol_house import GATEWAY, run
from test_revocation import MutualHouse

REMOTE = "remote: {allowed: true, parts: [intervals, meters, uplink], interval_min: 1m, trial: 15s}\n"
# Hours of the house's time that last for the whole test.
LONG = 8_784


def envelope(payload, key):
    """A command's COSE_Sign1 by hand, from docs/formats/evidence.md."""
    private = load_pem_private_key(key.read_bytes(), None)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    protected = cbor2.dumps({1: -7, 3: "application/vnd.kilomint.command+cbor", 4: hashlib.sha256(spki).digest()[:8]})
    r, s = decode_dss_signature(private.sign(cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA256())))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, r.to_bytes(32, "big") + s.to_bytes(32, "big")]))


class Commanding:
    """A house whose collector may give commands, and whose gateway lets itself be told."""

    def write_configurations(self):
        super().write_configurations()
        self.tool("kilomint-collector", "key", "create", "--out", self.dir / "keys/command.pem")
        path = self.dir / "collector.yaml"
        path.write_text(path.read_text().replace("keys:\n", f"keys:\n  command: {self.dir}/keys/command.pem\n", 1))
        self.file = self.dir / "agent.yaml"
        self.file.write_text(self.file.read_text() + REMOTE)

    def configure(self, text, *more):
        """(exit status, output) of the operator's command, which waits for the gateway's verdict."""
        path = self.dir / "remote.yaml"
        path.write_text(text)
        base = ("--url", self.url, "--token-file", self.dir / "keys/operator.token")
        done = self.tool("kilomint-collector", "device", "configure", GATEWAY, path, *base, "--hours", LONG, *more, check=False)
        return done.returncode, done.stdout + done.stderr

    def outcome(self):
        return json.loads(self.request(f"/v1/devices/{GATEWAY}/configuration")[1])["outcome"]


class RemoteStorm(Commanding, torture.StormHouse):
    """The same on a disk that fails when it is told."""


class RemoteHouse(Commanding, MutualHouse):
    """With a plant, mutual TLS, and somebody who speaks beside the collector."""

    def brokers(self):
        return f"{{host: 127.0.0.1, port: {self.ports['broker']}}}"

    def begin(self):
        self.serve()
        self.run_one("plant")
        self.enrol_gateway()
        self.start_agent()
        self.until("the meters are read", lambda: "never answered" not in self.said() and self.evidence(), 60)

    def start_agent(self):
        self.run_one("agent")
        self.until("the agent answers", lambda: (self.status() or {}).get("ready"), 30)

    def status(self):
        done = run(self.bin / "kilomint-agent", "status", "--json", "--config", self.file, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def said(self):
        return run(self.bin / "kilomint-agent", "status", "--config", self.file, check=False).stdout.decode()

    def interval(self, meter):
        shown = run(self.bin / "kilomint-agent", "config", "show", "--origin", "--config", self.file).stdout.decode()
        return re.search(rf"{meter}\.interval +(\S+) +(.*)", shown).groups()

    # -- the attacker's side: somebody who may publish on the topic --------------------------------------------------

    def command(self, number, text, key="command", gateway=GATEWAY, hours=LONG):
        now = json.loads(self.request(f"/v1/devices/{GATEWAY}")[1])["now"]
        at = int(datetime.datetime.fromisoformat(now.replace("Z", "+00:00")).timestamp() * 1000)
        payload = {1: 1, 2: gateway, 3: number, 4: at - 10 * 3_600_000, 5: at + hours * 3_600_000, 6: 1, 7: {1: text}}
        return envelope(cbor2.dumps(payload), self.dir / f"keys/{key}.pem")

    def inject(self, data):
        """Published beside the collector, under its name."""
        path = self.dir / "injected"
        path.write_bytes(data)
        options = ["inside" if part == str(self.ports["broker"]) else part for part in self.collectors_own()]
        options = [str(self.ports["inside"]) if part == "inside" else part for part in options]
        run("mosquitto_pub", *options, "-q", "1", "-t", self.topics() + "command", "-f", path)


class RemoteConfiguration(unittest.TestCase):
    def test_confirmed_rolled_back_and_refused(self):
        with RemoteHouse() as one:
            one.begin()
            meter = next(m["id"] for bus in one.status()["buses"] for m in bus["meters"] if m["good"])

            status, said = one.configure("interval: 3m\n", "--wait", "60")
            self.assertEqual(status, 0, said)
            self.assertIn("command 1 applied", said)
            self.assertEqual(one.interval(meter), ("3m", "remote version 1"))
            self.assertEqual(one.status()["remote"]["version"], 1)

            # A meter that is not there: back by itself, to version 1.
            status, said = one.configure(f"meters: [{{id: {meter}, unit: 77}}]\n", "--wait", "60")
            self.assertEqual(status, 1, said)
            self.assertIn(f"command 2 rolled back: no longer answering: {meter}", said)
            self.assertEqual(one.interval(meter), ("3m", "remote version 1"))

            # Beyond the site's limits, and what is never remote.
            for number, text, words in (
                (3, "interval: 30s\n", "is too short"), (4, "mqtt: {host: elsewhere.example}\n", "not known"), (5, "commit: 10s\n", "not known"),
            ):
                status, said = one.configure(text, "--wait", "60")
                self.assertEqual(status, 1, said)
                self.assertIn(f"command {number} refused", said)
                self.assertIn(words, said)

            # The uplink does not come back: the collector is gone while the version is on trial.
            sent = one.command(6, "interval: 15m\n")
            one.end("collector", signal.SIGKILL)
            one.inject(sent)
            one.until("it is rolled back", lambda: one.status()["remote"]["last_outcome"] == "rolled back" and one.status()["remote"]["on_trial"] == 0, 60)
            self.assertEqual(one.status()["remote"]["last_command"], 6)
            self.assertIn("no receipt came", one.status()["remote"]["last_reason"])
            self.assertEqual(one.interval(meter), ("3m", "remote version 1"))
            one.run_one("collector")
            one.until("the collector answers", one.healthy)
            one.until("the outcome arrives", lambda: (one.outcome() or {}).get("number") == 6, 60)
            self.assertEqual(one.outcome()["word"], "rolled back")

            self.unbelieved(one)

            one.inject(one.command(7, "interval: 15m\n", hours=-1))
            one.until("it is refused", lambda: one.outcome()["number"] == 7, 60)
            self.assertIn("expired", one.outcome()["reason"])

            # The next number is above what the gateway took from elsewhere, and the empty version ends it all.
            status, said = one.configure("", "--wait", "60")
            self.assertEqual(status, 0, said)
            self.assertIn("command 8 applied", said)
            self.assertEqual(one.interval(meter)[1], "site file")
            self.assertIn("command 8 applied", one.request("/devices/fragment")[1].decode())
            self.shown_of_a_silent_one(one)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def shown_of_a_silent_one(self, one):
        """Number, what, when, whose key and the gateway's own word, though it is switched off."""
        one.end("agent")
        one.until("it is offline", lambda: "offline" in one.request("/devices/fragment")[1].decode(), 30)
        for page in ("/devices/fragment", f"/gateways/{GATEWAY}/fragment"):
            self.assertIn("command 8 applied, ", one.request(page)[1].decode())
        shown = one.tool("kilomint-collector", "device", "show", GATEWAY, *one.base()).stdout
        spki = load_pem_private_key((one.dir / "keys/command.pem").read_bytes(), None).public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.assertRegex(shown, r"number +8, configuration")
        self.assertRegex(shown, rf"given +\S+Z, signed by key {hashlib.sha256(spki).digest()[:8].hex()}")
        self.assertRegex(shown, r"version +empty: the site's own file alone")
        self.assertRegex(shown, r"outcome +command 8 applied, the gateway said at \S+Z")

    def unbelieved(self, one):
        """Replayed, forged, another gateway's, oversized, expired: nothing follows but counts, a note and a refusal."""
        before = one.status()
        for data in (
            one.command(5, "interval: 15m\n"), one.command(9, "interval: 15m\n", key="seal"), one.command(9, "interval: 15m\n", key="receipt"),
            one.command(9, "interval: 15m\n", gateway="gw-other"), bytes(20_481), b"\xa0",
        ):
            one.inject(data)
        one.until("all are counted", lambda: one.status()["commands_unbelieved"] >= before["commands_unbelieved"] + 6)
        now = one.status()
        self.assertEqual((now["remote"]["highest"], now["remote"]["version"]), (6, 1))

    def test_a_spool_that_refuses_as_a_trial_begins(self):
        """The trial is stored, and with it the disk takes nothing more: no receipt can come, and going back is withdrawn, since what
        was read cannot be signed under the birth that explains it. Reading goes on; healed, it goes back by itself."""
        with RemoteStorm() as one:
            one.launch()
            one.until("everything to be receipted", one.drained, 60)
            before = one.status()
            one.control["next_mode"] = storm.READ_ONLY
            status, said = one.configure("interval: 500ms\n")
            self.assertEqual(status, 0, said)
            one.until("it is taken back", lambda: one.status()["remote"]["rolled_back"] == 1, 60)
            self.assertEqual(one.control["mode"], storm.READ_ONLY, "the disk refuses from the trial on")
            self.assertFalse(one.status()["remote"]["stored"])
            one.until("going back is withdrawn", lambda: one.status()["reload_refused_because"], 60)
            # Every meter is read all the same.
            given = one.given()
            one.until("reads go on", lambda: one.given() > given + 10)
            one.control.heal()
            one.until("what was before is applied", lambda: not one.status()["reload_refused_because"], 60)
            one.until("everything to be receipted", one.drained, 60)
            one.until("the collector knows", lambda: (one.outcome() or {}).get("word") == "rolled back", 60)
            now = one.status()
            self.assertEqual((now["stream"], now["remote"]["version"], now["remote"]["stored"]), (before["stream"], 0, True))
            # The same command does not come back; the next one is tried on the disk that is whole.
            status, said = one.configure("interval: 500ms\n", "--wait", "60")
            self.assertEqual(status, 0, said)
            self.assertIn("command 2 applied", said)
            self.assertEqual((one.status()["remote"]["rolled_back"], one.endings), (1, 0))

    def test_killed_in_mid_trial(self):
        with RemoteHouse() as one:
            one.begin()
            # No receipt can come: it stays on trial until the collector is back.
            sent = one.command(1, "interval: 3m\n")
            one.end("collector", signal.SIGKILL)
            one.inject(sent)
            one.until("it is on trial", lambda: one.status()["remote"]["on_trial"] == 1)
            one.end("agent", signal.SIGKILL)
            one.start_agent()
            self.assertEqual(one.status()["remote"]["on_trial"], 1)
            one.run_one("collector")
            one.until("it is in force", lambda: one.status()["remote"]["version"] == 1, 60)
            one.until("the collector knows", lambda: (one.outcome() or {}).get("word") == "applied", 60)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def test_only_the_collector_publishes_commands(self):
        with RemoteHouse() as one:
            one.serve()
            options = one.enrolled()
            self.assertFalse(one.publish(options, one.topics() + "command"))
            denied = run("mosquitto_sub", *options, "-t", one.topics("gw-other") + "command", "-W", "2", check=False)
            self.assertIn(b"denied", (denied.stderr + denied.stdout).lower())
            own = run("mosquitto_sub", *options, "-t", one.topics() + "command", "-W", "2", check=False)
            self.assertNotIn(b"denied", (own.stderr + own.stdout).lower())


if __name__ == "__main__":
    unittest.main()
