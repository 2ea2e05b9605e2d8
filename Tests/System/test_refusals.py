"""Who is refused, and where somebody sees it: a real agent, collector and Mosquitto on mutual TLS, and somebody who should not be.

Other refusals stand where their subject does: test_agent_enrolment.py (used codes, a CA that the code does not name),
test_enrolment.py (what the enrolment port takes), test_revocation.py (topics and client ids), test_front_door.py (records).
docs/capabilities.md lists all of them.
"""

import json
import re
import shutil
import time
import unittest

import rogue
from enrol_house import GATEWAY, EnrolHouse, run
from test_front_door import FORKED, KEY_UNKNOWN, TOPIC

OTHER = "gw-other"


class RefusalHouse(EnrolHouse):
    """With a second gateway, a plant, and what the agent counts as a file."""

    def adapted(self, text):
        text = super().adapted(text).replace("\ngateways:\n", f"\ngateways:\n  - {{id: {OTHER}, entity: serf-east, clock_error: 0s}}\n")
        return text.replace("\nboundary:", f"\nmetrics: {{file: {self.dir}/agent.prom}}\nboundary:")

    def brokers(self):
        return f"{{host: 127.0.0.1, port: {self.ports['broker']}}}"

    def serve(self):
        super().serve()
        self.run_one("plant")

    def alive(self):
        """The gateway enrolled, and its first record taken."""
        self.enrol_gateway()
        self.run_one("agent")
        self.until("the first record", self.evidence)

    def copy(self, name, *changes):
        """The agent's file for another box, with a spool and a key of its own."""
        text = (self.dir / "agent.yaml").read_text().replace(f"{self.dir}/agent}}", f"{self.dir}/{name}}}").replace("agent.prom", f"{name}.prom")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        (self.dir / f"{name}.yaml").write_text(text)

    # -- where people look ----------------------------------------------------------------------------------------

    def status(self, name="agent"):
        return self.tool("kilomint-agent", "status", "--config", self.dir / f"{name}.yaml", check=False).stdout

    def findings(self, name="agent"):
        """{id: finding} of the doctor."""
        done = self.tool("kilomint-agent", "doctor", "--json", "--config", self.dir / f"{name}.yaml", check=False)
        return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}

    def counted(self, figure, name="agent"):
        path = self.dir / f"{name}.prom"
        return int(re.search(rf"(?m)^kilomint_agent_{figure} (\d+)$", path.read_text()).group(1)) if path.exists() else None

    def log(self, name="agent"):
        return (self.dir / f"log/{name}.log").read_text()

    def listed(self):
        return self.tool("kilomint-collector", "device", "list", *self.base()).stdout

    def refused(self, code):
        text = self.request("/metrics")[1].decode()
        return int(re.search(rf'kilomint_refusals_total\{{code="{code}"\}} (\d+)', text).group(1))

    def publish(self, port, certificate, key, topic, *more, ca=None):
        """(status, what the broker said) of a message with this certificate."""
        done = run("mosquitto_pub", "-V", "5", "-d", "-h", "127.0.0.1", "-p", self.ports[port], "--cafile", ca or self.ca / "ca.pem", "--cert", certificate,
                   "--key", key, "-q", "1", "-t", topic, *(more or ("-m", "x")), check=False)
        return done.returncode, (done.stdout + done.stderr).decode()


class Refusals(unittest.TestCase):
    def test_a_copied_disk(self):
        """Key, certificate and spool run elsewhere too: both sides say so, and nothing either signs settles until a person decides."""
        with RefusalHouse() as one:
            one.serve()
            one.alive()
            one.end("agent")
            shutil.copytree(one.dir / "agent", one.dir / "copy", ignore=shutil.ignore_patterns("*.sock"))
            one.copy("copy")
            one.run_one("agent")
            one.start("copy", one.bin / "kilomint-agent", "run", "--config", one.dir / "copy.yaml")

            # The same certificate from two places: each throws the other out, and one of them says who it thinks that is.
            def alarmed():
                return [name for name in ("agent", "copy") if one.counted("broker_rival", name) == 1]

            name = one.until("a rival to be noticed", alarmed, 90)[0]
            one.until("the log to say so", lambda: "another client uses this gateway's id" in one.log(name), 10)
            one.until("the status to say so", lambda: "ANOTHER CLIENT USES THIS GATEWAY'S ID" in "".join(map(one.status, ("agent", "copy"))))
            one.until("the doctor to say so", lambda: any("client-rival" in one.findings(each) for each in ("agent", "copy")), 60)

            # Both went on with one chain.
            one.until("the fork to be found", lambda: one.refused(FORKED) > 0, 60)
            one.until("the agents to begin anew", lambda: all("reason=forked" in one.log(each) for each in ("agent", "copy")), 90)

            def holds():
                streams = next(gateway for gateway in one.get("/v1/gateways")["items"] if gateway["gateway"] == GATEWAY)["streams"]
                return [stream["hold"] for stream in streams]

            one.until("all three streams to be held", lambda: sorted(map(str, holds())) == ["GATEWAY_CLONED", "GATEWAY_CLONED", "STREAM_FORKED"], 60)
            device = next(each for each in one.get("/v1/devices")["items"] if each["gateway"] == GATEWAY)
            self.assertIn("two boxes sign with its key", device["reason"])
            self.assertIn("two boxes sign with its key", one.request("/devices")[1].decode())
            self.assertEqual(one.verify().returncode, 0)
            self.another_key_decides(one)

    def another_key_decides(self, one):
        """What the page says to do: the copy is found, and the right box gets another key."""
        one.end("copy")
        one.end("agent")
        text = (one.dir / "agent.yaml").read_text()
        (one.dir / "agent.yaml").write_text(text.replace("keys/gateway.pem", "keys/another.pem"))
        one.enrol_gateway()
        one.run_one("agent")

        def device():
            return next(each for each in one.get("/v1/devices")["items"] if each["gateway"] == GATEWAY)

        def last():
            return next(each for each in one.get("/v1/gateways")["items"] if each["gateway"] == GATEWAY)["streams"][-1]

        one.until("a stream of the new key that nobody holds", lambda: last()["hold"] is None and last()["through"] > 1, 90)
        self.assertIsNone(device()["reason"])
        self.assertEqual(device()["state"], "alive")
        self.assertEqual(one.verify().returncode, 0)

    def test_a_broker_or_a_gateway_of_another_ca(self):
        with RefusalHouse() as one:
            one.serve()
            one.alive()
            own = (one.dir / "agent/enrolled/gateway.crt", one.dir / "keys/gateway.pem")
            # A certificate in the gateway's name, of a CA that somebody made.
            false = one.dir / "false-ca"
            one.tool("kilomint-collector", "ca", "create", "--out", false)
            one.tool("kilomint-collector", "ca", "client", "--ca", false, "--name", GATEWAY, "--out", one.dir / "false-client")
            before = one.log("broker").count(f" as {GATEWAY} ")
            status, said = one.publish("broker", one.dir / "false-client.pem", one.dir / "false-client-key.pem", rogue.topic(GATEWAY, "live"))
            self.assertNotEqual((status, "PUBACK" in said), (0, True), said)
            one.until("the broker to say why", lambda: "certificate verify failed" in one.log("broker"), 10)
            self.assertEqual(one.log("broker").count(f" as {GATEWAY} "), before)
            # The gateway's own is let in, so that it was not something else.
            self.assertIn("PUBACK", one.publish("inside", *own, rogue.topic(GATEWAY, "live"))[1])

            # A broker of that CA in the real one's place hears nothing.
            one.end("broker")
            sessions = one.log("broker").count(f" as {GATEWAY} ")
            one.tool("kilomint-collector", "ca", "server", "--ca", false, "--name", "127.0.0.1", "--out", one.dir / "false-server")
            conf = one.dir / "broker/mosquitto.conf"
            conf.write_text(conf.read_text().replace("broker/server", "false-server"))
            one.run_one("broker")
            finding = one.until("the doctor to find it", lambda: one.findings().get("broker-unreachable"), 60)
            self.assertIn("unknown CA", finding["evidence"])
            self.assertIn("does not believe", finding["remedy"])
            self.assertRegex(one.status(), r"WRONG +not connected to the broker: TLS: unknown CA.*what is read is kept")
            self.assertIn('reason="TLS: unknown CA', one.log())
            self.assertEqual(one.log("broker").count(f" as {GATEWAY} "), sessions)
            one.until("the figure", lambda: one.counted("broker_connected") == 0)

    def test_one_gateway_for_another(self):
        """A gateway with a key and a certificate that count, for itself."""
        with RefusalHouse() as one:
            one.serve()
            one.alive()
            one.copy("other", (f"gateway: {GATEWAY}", f"gateway: {OTHER}"), ("keys/gateway.pem", "keys/other.pem"))
            one.enrol_gateway(OTHER, "other.yaml")
            own = (one.dir / "other/enrolled/gateway.crt", one.dir / "keys/other.pem")
            key = rogue.key(own[1])
            forged = one.dir / "forged"
            forged.write_bytes(rogue.envelope(key, rogue.record(GATEWAY, bytes(7) + b"\1", 1, rogue.ZERO)))
            held = {place: through for place, through in one.evidence().items() if place[0] == OTHER}

            # On the first one's topic: the broker refuses, and tells who tried.
            self.assertIn("Not authorized", one.publish("broker", *own, rogue.topic(GATEWAY, "evidence"), "-f", forged)[1])
            # On its own topic: the record is another gateway's.
            before = one.refused(TOPIC)
            self.assertIn("PUBACK", one.publish("broker", *own, rogue.topic(OTHER, "evidence"), "-f", forged)[1])
            one.until("it to be counted", lambda: one.refused(TOPIC) > before, 10)
            # Where the topic is the first one's, as over HTTP: the key is not.
            before = one.refused(KEY_UNKNOWN)
            status, body = one.request(f"/ingest/events?gateway={GATEWAY}", forged.read_bytes())
            self.assertEqual((status, json.loads(body)["code"]), (422, KEY_UNKNOWN), body)
            self.assertGreater(one.refused(KEY_UNKNOWN), before)
            # Under the first one's client id: the broker takes the certificate's word, and the first one's session stays.
            sessions = one.log("broker").count(f" as {GATEWAY} ")
            self.assertIn("PUBACK", one.publish("broker", *own, rogue.topic(OTHER, "live"), "-i", GATEWAY, "-m", "x")[1])
            self.assertEqual(one.log("broker").count(f" as {GATEWAY} "), sessions)
            self.assertNotIn("broker lost", one.log())
            self.assertEqual({place: through for place, through in one.evidence().items() if place[0] == OTHER}, held)
            self.assertEqual(one.verify().returncode, 0)

    def test_codes_that_are_guessed_or_too_late(self):
        with RefusalHouse(speed=36_000) as one:
            one.serve()
            one.tool("kilomint-agent", "init", "--config", one.dir / "agent.yaml")
            code = one.open_claim(GATEWAY, "--hours", "2000")
            kind, secret, fingerprint = code.split("-")
            guess = f"{kind}-{'0' * 20}-{fingerprint}"
            for _ in range(10):
                done = one.enrol_with(guess, check=False)
                self.assertEqual((done.returncode, "fit no open claim" in done.stderr), (1, True), done.stderr)
            # Not even the right one now; the operator sees it, and lets one more try.
            one.until("the claim is locked", lambda: "is locked" in one.enrol_with(code, check=False).stderr, 20)
            self.assertRegex(one.listed(), rf"{GATEWAY} .* claim locked")
            self.assertIn("a wrong secret for an open claim", one.log("collector"))
            one.tool("kilomint-collector", "device", "unlock", GATEWAY, *one.base())
            self.assertRegex(one.listed(), rf"{GATEWAY} .* claim open")

            # An hour of the house is a tenth of a second, once its clock runs.
            code = one.open_claim(GATEWAY, "--hours", "1")
            one.until("an hour to pass", lambda: time.time() > one.zero + 1, 60)
            said = one.enrol_with(code, check=False).stderr.rpartition("The server says")[2]
            self.assertIn("expired", said)
            self.assertRegex(one.listed(), rf"{GATEWAY} .* claim expired")
            self.assertFalse((one.dir / "agent/enrolled").exists())

    def test_a_revoked_gateway_is_out_at_once(self):
        with RefusalHouse() as one:
            one.serve()
            one.alive()
            one.until("the gateway is alive", lambda: re.search(rf"{GATEWAY} .* alive", one.listed()), 60)
            one.revoke()
            one.until("its session was ended", lambda: "administrator ended the connection" in one.log(), 20)
            self.assertRegex(one.listed(), rf"{GATEWAY} .* revoked")
            held = one.evidence()
            one.until("the broker refuses it", lambda: one.counted("broker_refuses") == 1, 30)
            self.assertIn("does not authorise", one.log())
            self.assertRegex(one.status(), "WRONG +the broker gives this gateway no topic")
            self.assertIn("revoked", one.findings()["not-admitted"]["remedy"])
            # Mosquitto 2.0.11 with max_queued_messages 0 ends a session with each message it refuses: still no rival.
            one.until("six sessions of it", lambda: one.log("broker").count(f" as {GATEWAY} ") >= 7, 60)
            self.assertNotIn("client-rival", one.findings())
            self.assertEqual(one.evidence(), held)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)


if __name__ == "__main__":
    unittest.main()
