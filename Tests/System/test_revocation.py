"""Mutual TLS with a real Mosquitto and its dynamic-security plugin: who is enrolled speaks, who is revoked is out at once."""

import hashlib
import subprocess
import time
import unittest

import house
from cryptography.hazmat.primitives.serialization import Encoding
from enrol_house import EnrolHouse, certificate, run

OTHER = "gw-other"


class MutualHouse(EnrolHouse):
    """With a certificate of the CA that no gateway enrolled for."""

    def write_configurations(self):
        super().write_configurations()
        self.tool("kilomint-collector", "ca", "client", "--ca", self.ca, "--name", "gw-never", "--out", self.dir / "gw-never")

    def enrolled(self, name=house.GATEWAY, key="gateway-key"):
        """Options of mosquitto's clients with a new certificate of the gateway."""
        path = self.key(key)
        secret, _ = self.claim(name)
        status, body = self.enrol(self.request_of(path, name), secret, name)
        assert status == 200, body
        made = self.dir / f"{key}-made.pem"
        made.write_bytes(certificate(body).public_bytes(Encoding.PEM))
        return self.options(made, path)

    def options(self, made, key):
        return ["-h", "127.0.0.1", "-p", str(self.ports["broker"]), "-V", "5", "--cafile", self.ca / "ca.pem", "--cert", made, "--key", key]

    def publish(self, options, topic, *more):
        """Whether the broker took it."""
        done = run("mosquitto_pub", *options, "-q", "1", "-t", topic, "-m", "x", *more, check=False)
        return done.returncode == 0 and b"Not authorized" not in done.stderr

    def control(self, *arguments):
        own = self.collectors_own()
        return run("mosquitto_ctrl", *own[:4], *own[6:], "dynsec", *arguments)

    def collectors_own(self):
        return self.options(self.dir / "keys/collector.pem", self.dir / "keys/collector-key.pem")

    def topics(self, gateway=house.GATEWAY):
        return f"km/1/{hashlib.sha256(gateway.encode()).hexdigest()[:2]}/{gateway}/"


class Revocation(unittest.TestCase):
    def test_a_live_session_is_ended_and_does_not_come_back(self):
        with MutualHouse() as one:
            one.serve()
            options = one.enrolled()
            own, other = one.topics(), one.topics(OTHER)
            # The answer comes when the broker knows: the very first message is taken.
            self.assertTrue(one.publish(options, own + "evidence"))
            for topic in (other + "evidence", own + "receipt", own + "command", "km/1/00/x/evidence", "$CONTROL/dynamic-security/v1"):
                self.assertFalse(one.publish(options, topic), topic)
            # Another client id is not believed: the broker says the certificate's name.
            one.publish(options, own + "evidence", "-i", OTHER)
            self.assertNotIn(f" as {OTHER} ", (one.dir / "log/broker.log").read_text())
            # A certificate of the CA alone opens nothing.
            stranger = one.options(one.dir / "gw-never.pem", one.dir / "gw-never-key.pem")
            self.assertFalse(one.publish(stranger, one.topics("gw-never") + "evidence"))
            denied = run("mosquitto_sub", *options, "-t", other + "receipt", "-W", "2", check=False)
            self.assertIn(b"denied", (denied.stderr + denied.stdout).lower())

            # Bounded, and line by line although it is a pipe.
            command = ["timeout", "60", "stdbuf", "-oL", "mosquitto_sub", *options, "-t", own + "receipt", "-d"]
            live = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                for line in live.stdout:
                    if "Subscribed" in line:
                        break
                began = time.monotonic()
                one.revoke()
                for line in live.stdout:
                    if "DISCONNECT (152)" in line:  # administrative action
                        break
                else:
                    self.fail("the session was not ended")
                self.assertLess(time.monotonic() - began, 15)
            finally:
                live.kill()
                live.wait()
                live.stdout.close()
            self.assertFalse(one.publish(options, own + "evidence"))
            # A new key of the same gateway is let in.
            again = one.enrolled(key="second-key")
            self.assertTrue(one.publish(again, own + "evidence"))
            self.assertTrue(one.healthy())

    def test_what_others_did_to_the_broker_is_mended(self):
        with MutualHouse() as one:
            one.serve()
            options = one.enrolled()
            own = one.topics()
            one.end("collector")
            one.control("deleteClient", house.GATEWAY)
            one.control("createRole", "gateway/gw-never")
            one.control("addRoleACL", "gateway/gw-never", "publishClientSend", "#", "allow")
            run("mosquitto_rr", *one.collectors_own(), "-t", "$CONTROL/dynamic-security/v1",
                "-e", "$CONTROL/dynamic-security/v1/response", "-W", "5", "-m",
                '{"commands":[{"command":"createClient","username":"gw-never","roles":[{"rolename":"gateway/gw-never"}]}]}')
            stranger = one.options(one.dir / "gw-never.pem", one.dir / "gw-never-key.pem")
            self.assertFalse(one.publish(options, own + "evidence"))
            self.assertTrue(one.publish(stranger, "any/topic"))
            one.run_one("collector")
            one.until("the collector answers", one.healthy)
            one.until("the gateway is let in again", lambda: one.publish(options, own + "evidence"))
            one.until("the stranger is out", lambda: not one.publish(stranger, "any/topic"))

    def test_disabling_a_client_is_not_enough(self):
        """Why the collector deletes: Mosquitto 2.0.11 asks no password of who shows a certificate, and never looks whether it is disabled."""
        with MutualHouse() as one:
            one.run_one("broker")
            stranger = one.options(one.dir / "gw-never.pem", one.dir / "gw-never-key.pem")
            one.until("the broker answers", lambda: run("mosquitto_pub", *stranger, "-t", "x", "-m", "x", check=False).returncode == 0)
            one.control("createRole", "any")
            one.control("addRoleACL", "any", "publishClientSend", "#", "allow")
            make = '{"commands":[{"command":"createClient","username":"gw-never","roles":[{"rolename":"any"}]},{"command":"disableClient","username":"gw-never"}]}'
            run("mosquitto_rr", *one.collectors_own(), "-t", "$CONTROL/dynamic-security/v1",
                "-e", "$CONTROL/dynamic-security/v1/response", "-W", "5", "-m", make)
            self.assertTrue(one.publish(stranger, "any/topic"))
            one.control("deleteClient", "gw-never")
            self.assertFalse(one.publish(stranger, "any/topic"))


if __name__ == "__main__":
    unittest.main()
