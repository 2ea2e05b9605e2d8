"""A gateway from nothing to its first receipt: the agent's own init and enroll, the house's claims and CA, Mosquitto with mutual TLS.

The house is the demonstration's: nothing is switched off.
"""

import subprocess
import unittest

import rogue
from test_enrolment import GATEWAY, EnrolHouse  # Puts Tests/Interop on the path.

class GatewayHouse(EnrolHouse):
    """With a plant, and an agent whose key nobody has seen."""

    def adapted(self, text):
        return super().adapted(text).replace("keys/gateway.pem", "own.pem")

    def brokers(self):
        return f"{{host: 127.0.0.1, port: {self.ports['broker']}}}"

    @property
    def server(self):
        return self.enrolment_url

    def agent(self, *words, check=True, config="agent.yaml"):
        return self.tool("kilomint-agent", *words, "--config", self.dir / config, check=check)

    def enroll(self, code, **more):
        return self.agent("enroll", "--url", self.server, "--code", code, **more)

    def status(self):
        return self.agent("status", check=False).stdout

    def received(self):
        return any(gateway == GATEWAY and through > 0 for (gateway, _), through in self.evidence().items())

    def publish(self, topic, certificate, key, client):
        """mosquitto_pub with a gateway's certificate, beside the gateway's session: what the broker said of it."""
        command = ["mosquitto_pub", "-V", "5", "-h", "127.0.0.1", "-p", str(self.ports["inside"]), "--cafile", str(self.ca / "ca.pem"), "--cert", str(certificate),
                   "--key", str(key), "-i", client, "-q", "1", "-t", topic, "-m", "x", "-d"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr


class AgentEnrolment(unittest.TestCase):
    def test_from_nothing_to_the_first_receipt(self):
        with GatewayHouse() as one:
            one.serve()
            one.run_one("plant")
            made = one.agent("init").stdout
            self.assertIn("made", made)
            one.run_one("agent")
            one.until("the agent reads and stores", lambda: "NOT ENROLLED" in one.status() and "records    0 signed" not in one.status(), 60)
            self.assertFalse(one.received())

            _, code = one.claim()
            self.wrong_codes_are_refused(one, code)
            self.assertIn("is enrolled", one.enroll(code).stdout)
            one.until("the first receipt", lambda: "NOT ENROLLED" not in one.status() and "connected" in one.status() and one.received(), 60)
            one.until("receipts are held", lambda: " 0 receipted" not in one.status(), 60)
            self.another_box_is_refused(one, code)
            self.a_certificate_writes_its_own_topics_alone(one)

            # Renewed while it runs: the same stream goes on.
            self.assertIn("has a new certificate", one.agent("renew", "--force").stdout)
            streams = [stream for gateway, stream in one.evidence() if gateway == GATEWAY]
            one.until("the renewed certificate is taken up", lambda: "enrolment taken up" in one.tail("agent", 400), 30)
            self.assertEqual([stream for gateway, stream in one.evidence() if gateway == GATEWAY], streams)

            one.revoke()
            done = one.agent("renew", "--force", check=False)
            self.assertEqual((done.returncode, "revoked" in done.stderr), (1, True), done.stderr)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def wrong_codes_are_refused(self, one, code):
        kind, secret, fingerprint = code.split("-")
        other = "Z" if secret[5] != "Z" else "Y"
        cases = [
            (f"{kind}-{secret[:5]}{other}{secret[6:]}-{fingerprint}", "fit no open claim"),
            (f"{kind}-{secret}-{'0' * 26}", "does not show the CA whose fingerprint"),
        ]
        for wrong, words in cases:
            done = one.enroll(wrong, check=False)
            self.assertEqual((done.returncode, words in done.stderr), (1, True), done.stderr)
        self.assertFalse((one.dir / "agent/enrolled").exists())

    def another_box_is_refused(self, one, code):
        """The code is read over somebody's shoulder: a box with another key gets nothing, and leaves no trace of success."""
        text = (one.dir / "agent.yaml").read_text()
        (one.dir / "thief.yaml").write_text(text.replace("own.pem", "thief.pem").replace(f"path: {one.dir}/agent", f"path: {one.dir}/thief"))
        one.agent("init", config="thief.yaml")
        done = one.enroll(code, check=False, config="thief.yaml")
        self.assertEqual((done.returncode, "was used" in done.stderr), (1, True), done.stderr)
        self.assertFalse((one.dir / "thief/enrolled").exists())

    def a_certificate_writes_its_own_topics_alone(self, one):
        own = (one.dir / "agent/enrolled/gateway.crt", one.dir / "own.pem")
        # Taken; nobody listens there (16).
        self.assertIn("PUBACK (Mid: 1, RC:16)", one.publish(rogue.topic(GATEWAY, "live"), *own, "probe"))
        self.assertIn("Not authorized", one.publish(rogue.topic("gw-other", "evidence"), *own, "probe"))
        self.assertIn("Not authorized", one.publish(rogue.topic(GATEWAY, "receipt"), *own, "probe"))
        # A certificate alone, its key left behind: no handshake.
        self.assertNotIn("PUBACK", one.publish(rogue.topic(GATEWAY, "live"), own[0], one.dir / "keys/owner.pem", "probe"))


if __name__ == "__main__":
    unittest.main()
