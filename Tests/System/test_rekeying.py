"""A gateway changes its key while it runs, in each key store: the stream goes on, receipts come, the audit follows, the former key goes."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from house import Failed
from test_agent_enrolment import GATEWAY, GatewayHouse  # Puts Tests/Interop on the path.
from test_key_stores import MODULE, chip


class RekeyingHouse(GatewayHouse):
    """Readings are kept for an hour of the house, so that the former key is soon needed no more."""

    def adapted(self, text):
        return super().adapted(text).replace("path: {dir}/agent}}", "path: {dir}/agent, age_max: 1h}}").replace(
            f"path: {self.dir}/agent}}", f"path: {self.dir}/agent, age_max: 1h}}")

    def begin(self):
        """From nothing to the first receipts."""
        self.serve()
        self.run_one("plant")
        self.agent("init")
        self.run_one("agent")
        done = self.enroll(self.claim()[1])
        if "is enrolled" not in done.stdout:
            raise Failed(f"not enrolled: {done.stdout}{done.stderr}")
        self.until("receipts are held", lambda: self.received() and " 0 receipted" not in self.status(), 90)

    def status_json(self):
        return self.agent("status", "--json").stdout

    def device(self, *words):
        return self.tool("kilomint-collector", "device", *words, *self.base()).stdout

    def enroll(self, code, replace=False, **more):
        return self.agent("enroll", "--url", self.server, "--code", code, *(["--replace"] if replace else []), **more)

    def kid(self):
        return json.loads(self.status_json())["key"]["kid"]

    def streams(self):
        return [stream for gateway, stream in self.evidence() if gateway == GATEWAY]

    def goes_on(self):
        """What is signed from now on is receipted."""
        self.until("the agent answers", lambda: self.agent("status", "--json", check=False).returncode == 0, 30)
        head = json.loads(self.status_json())["head"]
        self.until("receipts go on", lambda: json.loads(self.status_json())["receipted"] > head, 60)


class Rekeying(unittest.TestCase):
    def test_a_key_file_is_changed_twice(self):
        with RekeyingHouse() as one:
            one.begin()
            first = (one.dir / "own.pem").read_text()
            self.changes_its_key(one)
            second = (one.dir / "own.pem").read_text()
            self.assertNotEqual(first, second)
            self.assertFalse((one.dir / "own.pem.next").exists())
            # The certificate is the new key's; the broker was shown it without a restart.
            shown = subprocess.run(["openssl", "x509", "-in", one.dir / "agent/enrolled/gateway.crt", "-noout", "-pubkey"], capture_output=True, text=True, check=True)
            own = subprocess.run(["openssl", "pkey", "-in", one.dir / "own.pem", "-pubout"], capture_output=True, text=True, check=True)
            self.assertEqual(shown.stdout, own.stdout)
            # Killed right after the new key is named, before it has a certificate: the next renewal goes on.
            self.half_a_change(one)
            self.changes_its_key_back(one)
            self.assertNotIn((one.dir / "own.pem").read_text(), (first, second))
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def test_another_key_under_the_same_spool(self):
        """A new claim's key, the old one gone: the collector sees a clean new stream, and nothing waits for the old one's tail."""
        with RekeyingHouse() as one:
            one.begin()
            # The broker goes first: what is read then is signed by the old key and never receipted.
            one.end("broker")
            head = json.loads(one.status_json())["head"]
            one.until("a tail is kept", lambda: json.loads(one.status_json())["head"] > head + 3, 30)
            one.end("agent")
            (one.dir / "own.pem").rename(one.dir / "gone.pem")
            self.assertIn("made", one.agent("init").stdout)
            one.run_one("broker")
            one.run_one("agent")
            one.until("the collector is back", lambda: "connected to the broker" in one.tail("collector", 4), 60)
            self.assertIn("is enrolled", one.enroll(one.claim()[1]).stdout)
            one.until("a second stream", lambda: len(one.streams()) == 2, 60)
            one.goes_on()
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def test_a_box_put_back_from_a_copy(self):
        """Key and spool of before the change: refused where it would begin anew, with what to do; a new claim lets it go on."""
        with RekeyingHouse() as one:
            one.begin()
            one.end("agent")
            shutil.copytree(one.dir / "agent", one.dir / "copy", ignore=shutil.ignore_patterns("*.sock"))
            shutil.copy2(one.dir / "own.pem", one.dir / "copy.pem")
            one.run_one("agent")
            one.goes_on()
            former = one.kid()
            self.assertIn("has a new key", one.agent("renew", "--rekey").stdout)
            one.goes_on()
            self.assertRegex(one.device("show", GATEWAY), rf"key +{one.kid()} since ")
            one.end("agent")
            shutil.rmtree(one.dir / "agent")
            (one.dir / "copy").rename(one.dir / "agent")
            (one.dir / "copy.pem").rename(one.dir / "own.pem")
            for left in one.dir.glob("own.pem.*"):
                left.unlink()
            one.run_one("agent")

            one.until("it is refused", lambda: "another key took this one's place" in one.status(), 90)
            self.assertIn("kilomint-agent enroll --replace", one.status())
            self.assertEqual(one.kid(), former)
            self.assertEqual(len(one.streams()), 1)
            self.assertIn("the collector takes nothing that this key signs", (one.dir / "log/agent.log").read_text())
            doctor = one.agent("doctor", "--json", check=False).stdout
            self.assertIn("key-refused", [each["id"] for each in json.loads(doctor)["findings"]])
            refused = re.search(r'kilomint_refusals_total\{code="14"\} (\d+)', one.request("/metrics")[1].decode())
            self.assertGreater(int(refused.group(1)), 0)
            self.assertIn("a box signed with a former key of it", one.device("show", GATEWAY))
            self.assertIn("a box signed with a former key of it", one.request("/devices")[1].decode())
            # Its certificate is renewed for the successor alone.
            done = one.agent("renew", "--force", check=False)
            self.assertEqual((done.returncode, "named its successor" in done.stderr), (1, True), done.stderr)

            # The record of it stands when the collector starts anew: nothing of this depends on what it remembers.
            one.end("collector")
            one.run_one("collector")
            one.until("the collector answers", one.healthy)
            self.assertIn("is enrolled", one.enroll(one.claim()[1], replace=True).stdout)
            one.goes_on()
            self.assertNotIn("another key took", one.status())
            self.assertNotIn("former key of it", one.device("show", GATEWAY))
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def half_a_change(self, one):
        """The collector is away: the new key is named and signs, and no certificate comes."""
        before = one.kid()
        one.end("collector")
        asking = subprocess.Popen([one.bin / "kilomint-agent", "renew", "--rekey", "--config", one.dir / "agent.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(asking.wait)
        self.addCleanup(asking.kill)
        one.until("the new key signs", lambda: one.kid() != before, 30)
        asking.kill()
        one.end("agent", how=signal.SIGKILL)
        one.run_one("agent")
        one.until("the agent answers", lambda: one.agent("status", "--json", check=False).returncode == 0, 30)
        self.assertNotEqual(one.kid(), before)
        self.assertIn("waiting for the collector's receipt", one.status())
        self.assertTrue((one.dir / "own.pem.next").exists())
        one.run_one("collector")
        one.until("the collector answers", one.healthy)

    def changes_its_key_back(self, one):
        kid = one.kid()
        # Without --rekey: what was begun is finished by the timer's call.
        self.assertIn("has a new key", one.agent("renew").stdout)
        self.assertEqual(one.kid(), kid)
        one.goes_on()
        one.until("the former key is removed", lambda: not (one.dir / "own.pem.next").exists(), 60)
        self.assertEqual(len(one.streams()), 1)

    def test_with_a_key_in_a_token(self):
        with RekeyingHouse() as one:
            (one.dir / "tokens").mkdir()
            (one.dir / "softhsm2.conf").write_text(f"directories.tokendir = {one.dir}/tokens\n")
            os.environ["SOFTHSM2_CONF"] = f"{one.dir}/softhsm2.conf"
            self.addCleanup(os.environ.pop, "SOFTHSM2_CONF")
            subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", "kilomint", "--pin", "93175", "--so-pin", "08150815"], check=True, capture_output=True)
            pin = one.dir / "pin"
            pin.touch(0o600)
            pin.write_text("93175\n")
            place = "pkcs11:token=kilomint;object=gateway"
            one.tool("kilomint-agent", "key", "create", "--store", place, "--module", MODULE, "--pin-file", pin)
            self.enrols_and_is_receipted(one, f'{{pkcs11: "{place}", module: {MODULE}, pin_file: {pin}}}')

    def test_with_a_key_in_a_tpm(self):
        with chip() as tpm, RekeyingHouse() as one:
            one.tool("kilomint-agent", "key", "create", "--store", "tpm2:0x81000001", "--device", tpm.socket)
            self.enrols_and_is_receipted(one, f'{{tpm2: "0x81000001", device: {tpm.socket}}}')

    def enrols_and_is_receipted(self, one, key):
        """The one key signs requests, records and TLS; no file holds it."""
        path = one.dir / "agent.yaml"
        path.write_text(path.read_text().replace(f"key: {one.dir}/own.pem", f"key: {key}"))
        one.begin()
        self.assertIn("has a new certificate", one.agent("renew", "--force").stdout)
        self.changes_its_key(one)
        # A start finds the new key beside the place that the configuration names.
        one.end("agent")
        one.run_one("agent")
        one.goes_on()
        self.assertEqual(len(one.streams()), 1)
        self.assertFalse((one.dir / "own.pem").exists())

    def changes_its_key(self, one):
        before, stream = one.kid(), one.streams()
        self.assertIn("has a new key", one.agent("renew", "--rekey").stdout)
        self.assertNotEqual(one.kid(), before)
        # Broker and collector take the new key: what it signs is receipted, in the same stream.
        one.goes_on()
        one.until("the former key is removed", lambda: json.loads(one.status_json())["key"]["rekeying"] == "rest", 60)
        self.assertEqual(one.streams(), stream)
        self.assertIn("every signature, chain, size and hash holds", one.agent("spool", "verify").stdout)


if __name__ == "__main__":
    unittest.main()
