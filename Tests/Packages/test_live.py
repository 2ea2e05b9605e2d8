"""The packages on a machine that runs (machine.py): every unit is started by systemd and does there what it is for.

First the gateway alone, then operator and installer as docs/collector.md and docs/install.md have them: broker, collector and
agent as services, from nothing to the first receipt. Beside them on the machine: Debian's Mosquitto, and the plant's meter.
"""

import datetime
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import debs  # noqa: E402
import root as roots  # noqa: E402
from machine import Machine  # noqa: E402

AGENT, COLLECTOR, RENEWAL = "kilomint-agent.service", "kilomint-collector.service", "kilomint-agent-renew.service"
METER_PORT, SERIAL = 1502, "20160701"
CONFIG = ("--config", "/etc/kilomint/agent.yaml")
KEYS = ("root", "person-a", "person-b", "owner", "finance", "compliance", "auditor", "satellite", "receipt", "seal", "log", "command")

HOUSE = """\
tenant: solar-east
asset: K$
grid_anchor: ANCHOR
sign:
  root: KEYS/root.pem
  persons: [KEYS/person-a.pem, KEYS/person-b.pem]
manifest: {cadence: 24h, grace: 24h, quorum: 1, kinds: [ACK, CT], billing_grade: [abb/a43]}
organisations:
  - {id: operations, name: Operations}
  - {id: owners, name: Owners}
  - {id: ledger-finance, name: Ledger Finance}
  - {id: compliance-house, name: Compliance House}
  - {id: audit-bureau, name: Audit Bureau}
keys:
  - {subject: person-a, role: person, organisation: operations, public: KEYS/person-a.pem.pub}
  - {subject: person-b, role: person, organisation: operations, public: KEYS/person-b.pem.pub}
  - {subject: solar-east, role: owner, organisation: owners, public: KEYS/owner.pem.pub}
  - {subject: finance, role: finance-verifier, organisation: ledger-finance, public: KEYS/finance.pem.pub}
  - {subject: compliance, role: compliance-verifier, organisation: compliance-house, public: KEYS/compliance.pem.pub}
  - {subject: auditor, role: auditor, organisation: audit-bureau, public: KEYS/auditor.pem.pub}
  - {subject: satellite, role: satellite, organisation: operations, public: KEYS/satellite.pem.pub}
entities:
  - {id: solar-east, organisation: owners, population: 1200, principals: [{id: coop, account: coop, share: 1000000}]}
""".replace("KEYS", "/etc/kilomint/keys").replace("ANCHOR", f"{datetime.date.today() - datetime.timedelta(days=3)}T00:00:00Z")
SITE = f"""\
gateways:
  - {{id: gw-1, entity: solar-east, clock_error: 1s}}
meters:
  - {{id: meter-1, vendor: ABB, model: B23, serial: "{SERIAL}", gateway: gw-1, profile: abb/b23, class: mid}}
metering_points:
  - {{id: east-1, entity: solar-east, nameplate: 6000, direction: export, revenue_meter: meter-1, latitude: 39.742, longitude: -105.1727}}
"""


class Live(unittest.TestCase):
    wanted, names = (), ("kilomint-profiles", "kilomint-agent")

    def setUp(self):
        self.root = roots.Root(*self.wanted)
        self.addCleanup(self.root.__exit__)
        self.root.fill()
        debs.toolchain(self.root)
        self.prepared()
        self.machine = Machine(self.root).__enter__()
        self.addCleanup(self.machine.__exit__)
        self.run_in, self.unit = self.machine.run, self.machine.unit

    def prepared(self):
        """Before the machine starts."""
        self.said = self.root.run("dpkg", "-i", *self.files()).stdout

    def files(self):
        return debs.brought(self.root, [debs.packages()[name] for name in self.names])

    def plant(self):
        """The meter, on the machine's own network."""
        data = debs.ROOT / "Tests/Plant/Data/serf-east-2016.csv"
        child = subprocess.Popen(
            ["nsenter", f"--target={self.machine.init}", "--net", "--", debs.BIN / "kilomint-plant", "run", "--csv", data, "--port", str(METER_PORT), "--real"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(lambda: (child.kill(), child.wait(), child.stdout.close()))
        for line in child.stdout:
            if "listening" in line:
                return
        self.fail("the plant does not start")

    def wait(self, what, condition, seconds=90, units=(AGENT,)):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"no {what} within {seconds} s\n" + "\n".join(
                    self.run_in("systemctl", "status", "--no-pager", "--full", unit, check=False).stdout + self.machine.journal(unit) for unit in units))
            time.sleep(0.2)

    def start(self, *units):
        done = self.run_in("systemctl", "enable", "--now", *units, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + "\n".join(map(self.machine.journal, units)))

    def agent(self, *words, **more):
        return self.run_in("kilomint-agent", *words, *CONFIG, user="kilomint-agent", **more)

    def begin_reading(self):
        """What docs/install.md says from *Configure* to *Start*."""
        self.plant()
        self.root.at("etc/kilomint/agent.yaml").write_text(debs.filled(self.root, METER_PORT))
        self.agent("config", "check")
        self.agent("init")
        self.assertIn("1-0:2.8.0", self.agent("read").stdout)
        self.start(AGENT, "kilomint-agent-renew.timer")

    def records(self):
        """(stream, number of its last record, session) as the running agent says it."""
        done = self.agent("status", "--json", check=False).stdout
        found = [re.search(rf'"{key}":"?([^",}}]+)', done) for key in ("stream", "head", "session")]
        return (found[0][1], int(found[1][1]), int(found[2][1])) if all(found) else ("", 0, 0)

    def reads_on(self):
        _, head, _ = self.records()
        self.wait("further records", lambda: self.records()[1] >= head + 2)


class Gateway(Live):
    def test_the_agents_unit(self):
        """Started, reloaded, killed, hung, upgraded and stopped by systemd: one stream, and nothing is missing in it."""
        # Not enabled: neither by installing nor by the first start of a machine made from an image, which has no identity yet.
        self.assertEqual(self.run_in("systemctl", "list-unit-files", "--state=enabled", "--no-legend", "kilomint*", check=False).stdout, "")
        self.assertIn("not enabled yet", self.said)
        # Left unconfigured it says what is missing, once: 78 is not tried again.
        self.run_in("systemctl", "start", AGENT, check=False)
        self.assertEqual(self.unit(AGENT, "ActiveState", "ExecMainStatus", "NRestarts"), {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"})
        self.assertIn("CHANGE-ME", self.machine.journal(AGENT))

        self.begin_reading()
        state = self.unit(AGENT, "ActiveState", "SubState", "NotifyAccess", "WatchdogUSec", "StatusText", "User")
        self.assertEqual((state["ActiveState"], state["SubState"], state["User"]), ("active", "running", "kilomint-agent"))
        self.reads_on()
        self.assertNotEqual(self.unit(AGENT, "StatusText")["StatusText"], "", "no STATUS= reached systemd")
        self.assertRegex(self.run_in("systemctl", "list-timers", "--no-legend").stdout, "kilomint-agent-renew.timer")
        said = self.agent("doctor", "--json", check=False).stdout
        self.assertIn('"the clock"', said)
        self.assertNotIn("clock-unknown", said)
        self.assertEqual(self.root_owner("/run/kilomint-agent"), "kilomint-agent:kilomint-agent 755")

        # Its lines have their priority, for whoever asks for warnings alone.
        warned = self.run_in("journalctl", "--no-pager", "--output=cat", "--priority=warning", "--unit", AGENT).stdout
        self.assertIn("not enrolled: readings are signed and stored", warned)
        self.assertNotIn("event=started", warned)

        stream = self.records()[0]
        for step in (self.reloaded, self.killed, self.hung, self.upgraded):
            with self.subTest(step.__name__):
                step()
                self.reads_on()
                self.assertEqual(self.records()[0], stream, "the stream goes on")
        verified = self.agent("spool", "verify")
        self.assertNotIn("missing", verified.stdout)

        self.run_in("systemctl", "stop", AGENT)
        self.assertEqual(self.unit(AGENT, "Result", "ExecMainStatus"), {"Result": "success", "ExecMainStatus": "0"})
        self.assertEqual(self.run_in("ps", "-u", "kilomint-agent", check=False).stdout.count("kilomint"), 0)

    def root_owner(self, path):
        return self.run_in("stat", "-c", "%U:%G %a", path).stdout.strip()

    def reloaded(self):
        pid = self.unit(AGENT, "MainPID")
        self.root.at("etc/kilomint/agent.yaml").write_text(self.root.at("etc/kilomint/agent.yaml").read_text().replace("interval: 1s", "interval: 2s"))
        self.run_in("systemctl", "reload", AGENT)
        self.wait("the reload", lambda: "configuration applied" in self.machine.journal(AGENT))
        self.assertEqual(self.unit(AGENT, "MainPID"), pid)

    def killed(self):
        session = self.records()[2]
        self.run_in("systemctl", "kill", "--signal=KILL", AGENT)
        self.wait("a restart", lambda: self.unit(AGENT, "ActiveState")["ActiveState"] == "active" and self.records()[2] == session + 1)

    def hung(self):
        """A process that stands still is ended by the watchdog; a second instead of a minute, or the test would take it."""
        drop_in = self.root.at(f"etc/systemd/system/{AGENT}.d/watchdog.conf")
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nWatchdogSec=2\nTimeoutAbortSec=2\n")
        self.run_in("systemctl", "daemon-reload")
        self.run_in("systemctl", "restart", AGENT)
        self.reads_on()
        time.sleep(4)  # Twice as long as the watchdog waits: the agent shows itself in time.
        before, session = int(self.unit(AGENT, "NRestarts")["NRestarts"]), self.records()[2]
        self.assertEqual(before, 0)
        self.run_in("systemctl", "kill", "--signal=STOP", AGENT)
        self.wait("an end by the watchdog", lambda: "watchdog" in self.machine.journal(AGENT).lower())
        self.wait("a restart", lambda: self.unit(AGENT, "ActiveState")["ActiveState"] == "active" and self.records()[2] == session + 1)

    def upgraded(self):
        session = self.records()[2]
        self.run_in("dpkg", "--force-confold", "-i", *self.files())
        self.wait("the new one", lambda: self.records()[2] == session + 1)
        self.assertEqual(self.unit(AGENT, "ActiveState")["ActiveState"], "active")


class House(Live):
    wanted = ("mosquitto", "openssl")
    names = ("kilomint-profiles", "kilomint-agent", "kilomint-collector", "kilomint-audit")

    def prepared(self):
        super().prepared()
        # What Mosquitto's own package makes when it is installed, which in this root nobody did.
        self.root.run("useradd", "--system", "--no-create-home", "--home-dir", "/var/lib/mosquitto", "--shell", "/usr/sbin/nologin", "mosquitto")
        for path in ("/var/lib/mosquitto", "/var/log/mosquitto"):
            self.root.run("install", "-d", "-o", "mosquitto", "-g", "mosquitto", path)

    def operator(self, *words, **more):
        return self.run_in("kilomint-collector", *words, user="kilomint-collector", **more)

    def begin_house(self):
        """docs/collector.md, *Begin a house* and *Let a gateway enrol*, as far as they are the operator's."""
        for name in KEYS:
            self.operator("key", "create", "--algorithm", "eddsa" if name == "log" else "es256", "--out", f"/etc/kilomint/keys/{name}.pem")
        for role in ("operator", "auditor", "verifier", "owner", "viewer"):
            self.run_in("sh", "-c", f"umask 077; openssl rand -hex 24 > /etc/kilomint/tokens/{role}", user="kilomint-collector")
        self.run_in("install", "-d", "-o", "kilomint-collector", "-m", "700", "/srv/witness")
        writable = self.root.at(f"etc/systemd/system/{COLLECTOR}.d/override.conf")
        writable.parent.mkdir()
        writable.write_text("[Service]\nReadWritePaths=/srv/witness\n")
        self.operator("ca", "create", "--out", "/etc/kilomint/keys/ca", "--server-name", "localhost")
        self.operator("ca", "client", "--ca", "/etc/kilomint/keys/ca", "--name", "collector", "--out", "/etc/kilomint/keys/collector")
        text = self.root.at("etc/kilomint/collector.yaml").read_text()
        for old, new in (
            ("log_origin: (CHANGE-ME)", "log_origin: localhost/solar-east"), ("witness: /mnt/witness/kilomint", "witness: /srv/witness"),
            ("host: broker.example", "host: localhost"),
            ("server_names: [collector.example]", "server_names: [localhost]\n  crl_file: /etc/mosquitto/crl/gateways.crl"),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.root.at("etc/kilomint/collector.yaml").write_text(text)
        self.root.at("etc/kilomint/house.yaml").write_text(HOUSE)
        self.root.at("etc/kilomint/site.yaml").write_text(SITE)
        genesis = ("genesis", "--config", "/etc/kilomint/collector.yaml", "--house", "/etc/kilomint/house.yaml")
        # Where the service's user may not write: said in one line, and nothing has begun.
        refused = self.operator(*genesis, "--key-list", "/etc/kilomint/list.cbor", check=False)
        self.assertEqual((refused.returncode, refused.stdout.count("\n")), (74, 1), refused.stdout)
        self.assertIn("Permission denied, for the user kilomint-collector", refused.stdout)
        self.operator(*genesis)

    def begin_broker(self):
        """The broker's part of docs/collector.md, word for word but for its paths."""
        self.run_in("install", "-d", "-o", "kilomint-collector", "/etc/mosquitto/crl")
        self.run_in("install", "-d", "-o", "mosquitto", "-m", "700", "/etc/mosquitto/tls")
        self.run_in("kilomint-collector", "ca", "server", "--ca", "/etc/kilomint/keys/ca", "--name", "localhost", "--out", "/etc/mosquitto/tls/broker")
        self.run_in("cp", "/etc/kilomint/keys/ca/ca.pem", "/etc/mosquitto/tls/ca.pem")
        self.run_in("sh", "-c", "chown mosquitto /etc/mosquitto/tls/*")
        self.run_in("mosquitto_ctrl", "dynsec", "init", "/var/lib/mosquitto/dynsec.json", "collector", "nobody-is-asked", user="mosquitto")
        text = (debs.ROOT / "docs/collector.md").read_text()
        lines = re.search(r"(?m)^    listener 8883\n(    .*\n)+", text)[0].replace("    ", "")
        for name in ("ca.pem", "broker.pem", "broker-key.pem"):
            lines = re.sub(rf"(?m) {name}$", f" /etc/mosquitto/tls/{name}", lines)
        self.root.at("etc/mosquitto/conf.d/kilomint.conf").write_text(lines + "crlfile /etc/mosquitto/crl/gateways.crl\nlog_type all\n")

    def site(self):
        """Facility, meter and gateway registered under dual control: the code for the installer."""
        keys = [word for name in ("root", "person-a", "person-b") for word in ("--key", f"/etc/kilomint/keys/{name}.pem")]
        said = self.operator("device", "add", "/etc/kilomint/site.yaml", "--claim", *self.base, *keys).stdout
        return re.search(r"KM1-[0-9A-Z]+-[0-9A-Z]+", said)[0]

    base = ("--url", "http://127.0.0.1:8080", "--token-file", "/etc/kilomint/tokens/operator")

    def shown(self):
        return self.operator("device", "show", "gw-1", *self.base, check=False).stdout

    def test_from_the_package_to_the_first_receipt(self):
        self.begin_house()
        self.begin_broker()
        # The collector first: Mosquitto does not start without the list that it writes.
        self.start(COLLECTOR)
        self.run_in("systemctl", "restart", "mosquitto.service")
        self.start("mosquitto.service", "kilomint-crl.path")
        self.begin_reading()
        self.reads_on()

        code = self.site()
        self.assertIn("is enrolled", self.agent("enroll", "--url", "https://localhost:8443", said=code + "\n").stdout)
        services = (AGENT, COLLECTOR, "mosquitto.service")
        receipted = lambda: re.search(r'"receipted":([1-9]\d*)', self.agent("status", "--json", check=False).stdout)  # noqa: E731
        self.wait("receipt", receipted, units=services)
        self.assertRegex(self.shown(), "alive")

        # The renewal's unit may do what it is there for: it looks, and a certificate of today needs nothing.
        self.run_in("systemctl", "start", RENEWAL)
        self.assertEqual(self.unit(RENEWAL, "Result", "ExecMainStatus"), {"Result": "success", "ExecMainStatus": "0"}, self.machine.journal(RENEWAL))

        self.commissioned()
        self.revoked(services)
        # Refused by the unit it is errno 1; 13 is the system's, who lets no user be more urgent than others.
        self.assertNotRegex(self.machine.journal(COLLECTOR), r"errno=1\b")
        self.run_in("systemctl", "stop", AGENT, COLLECTOR)
        for name in (AGENT, COLLECTOR):
            self.assertEqual(self.unit(name, "Result", "ExecMainStatus", "NRestarts"), {"Result": "success", "ExecMainStatus": "0", "NRestarts": "0"}, self.machine.journal(name))

    def commissioned(self):
        """Through the control socket, as root, who types what the display shows."""
        value = re.search(r"1-0:2\.8\.0\s+(\d+) Wh", self.agent("read").stdout)
        self.run_in("kilomint-agent", "commission", *CONFIG, "--meter", "meter-1", "--serial", SERIAL, "--export", f"{int(value[1]) / 1000:.2f}", "--name", "A. Meier")
        self.wait("commissioning", lambda: "commissioned 2" in self.shown() or re.search(r"meter-1.*commissioned", self.shown()))
        self.assertIn("meter-1", self.run_in("kilomint-agent", "report", *CONFIG).stdout)

    def revoked(self, services):
        """Its session ends, and systemd tells the broker of the list that names its certificate."""
        crl = self.root.at("etc/mosquitto/crl/gateways.crl")
        before = crl.read_bytes()
        self.operator("device", "revoke", "gw-1", *self.base, "--key", "/etc/kilomint/keys/person-b.pem", "--reason", "the test")
        self.wait("list that names the certificate", lambda: crl.read_bytes() != before, units=services)
        log = self.root.at("var/log/mosquitto/mosquitto.log")
        self.wait("word to the broker", lambda: "Reloading config" in log.read_text(), units=("kilomint-crl.service", "mosquitto.service"))
        self.wait("word of it at the gateway", lambda: "revoked" in self.agent("status", check=False).stdout.lower(), units=services)


if __name__ == "__main__":
    unittest.main()
