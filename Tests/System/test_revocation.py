"""Mutual TLS with a real Mosquitto and its dynamic-security plugin: who is enrolled speaks, who is revoked is out at once."""

import getpass
import hashlib
import subprocess
import time
import unittest

import house
from cryptography.hazmat.primitives.serialization import Encoding
from enrol_house import EnrolHouse, certificate, run

CONF = """per_listener_settings false
listener {port} 127.0.0.1
cafile {ca}/ca.pem
certfile {dir}/broker.pem
keyfile {dir}/broker-key.pem
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
plugin {plugin}
plugin_opt_config_file {dir}/broker/dynsec.json
tls_version tlsv1.3
user {user}
"""
OTHER = "gw-other"


class MutualHouse(EnrolHouse):
    def write_configurations(self):
        super().write_configurations()
        for kind, name in (("server", "broker"), ("client", "collector"), ("client", "gw-never")):
            host = "127.0.0.1" if kind == "server" else name
            self.tool("kilomint-collector", "ca", kind, "--ca", self.ca, "--name", host, "--out", self.dir / name)
        plugin = subprocess.run("ls /usr/lib/*/mosquitto_dynamic_security.so", shell=True, capture_output=True, text=True, check=True).stdout.strip()
        conf = CONF.format(port=self.ports["broker"], ca=self.ca, dir=self.dir, plugin=plugin, user=getpass.getuser())
        (self.dir / "broker/mosquitto.conf").write_text(conf)
        run("mosquitto_ctrl", "dynsec", "init", self.dir / "broker/dynsec.json", "collector", "a-first-password")
        path = self.dir / "collector.yaml"
        old = f"mqtt: {{host: 127.0.0.1, port: {self.ports['broker']}, username: collector, password_file: {self.dir}/keys/collector.password}}"
        text = path.read_text()
        assert old in text, text
        new = (f"mqtt: {{host: 127.0.0.1, port: {self.ports['broker']}, username: collector, ca_file: {self.ca}/ca.pem, "
               f"certificate_file: {self.dir}/collector.pem, key_file: {self.dir}/collector-key.pem, dynamic_security: true}}")
        path.write_text(text.replace(old, new))

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
        return run("mosquitto_ctrl", *self.options(self.dir / "collector.pem", self.dir / "collector-key.pem")[:4], "--cafile", self.ca / "ca.pem",
                   "--cert", self.dir / "collector.pem", "--key", self.dir / "collector-key.pem", "dynsec", *arguments)

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
            run("mosquitto_rr", *one.options(one.dir / "collector.pem", one.dir / "collector-key.pem"), "-t", "$CONTROL/dynamic-security/v1",
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
            run("mosquitto_rr", *one.options(one.dir / "collector.pem", one.dir / "collector-key.pem"), "-t", "$CONTROL/dynamic-security/v1",
                "-e", "$CONTROL/dynamic-security/v1/response", "-W", "5", "-m", make)
            self.assertTrue(one.publish(stranger, "any/topic"))
            one.control("deleteClient", "gw-never")
            self.assertFalse(one.publish(stranger, "any/topic"))


if __name__ == "__main__":
    unittest.main()
