"""The doctor on a real path that swallows large packets: network namespaces as gateway, router and broker, and a cable whose far
end takes shorter frames than the near end sends, and tells nobody. Needs the right to make namespaces: it fails without, for a
check that is left out would look like one that holds."""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lone_agent import BIN, LoneAgent

NEAR, NEAR_ROUTER, FAR_ROUTER, FAR = "10.98.0.1", "10.98.0.2", "10.99.0.1", "10.99.0.2"


class Path:
    """A gateway's machine and a broker's, with a router between them, or none."""

    def __init__(self, router: bool = True) -> None:
        self.kept: list[subprocess.Popen] = []
        # Without root a user namespace gives the rights inside it, where the kernel allows that.
        self.user = os.geteuid() != 0
        self.near = self.namespace(["unshare", *(["--map-root-user"] if self.user else []), "--net"])
        self.far = self.namespace([*self.entering(self.near), "unshare", "--net"])
        self.router = self.namespace([*self.entering(self.near), "unshare", "--net"]) if router else 0
        # Frames as they are on a wire, not several segments in one: gso_max_segs.
        self.ip(self.near, f"link add near type veth peer name {'inner' if router else 'far'} netns {self.router or self.far}",
                "link set lo up", f"addr add {NEAR}/24 dev near", "link set near gso_max_segs 1 up")
        if router:
            self.ip(self.router, f"link add outer type veth peer name far netns {self.far}", f"addr add {NEAR_ROUTER}/24 dev inner",
                    f"addr add {FAR_ROUTER}/24 dev outer", "link set inner up", "link set outer gso_max_segs 1 up")
            self.inside(self.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self.ip(self.near, f"route add default via {NEAR_ROUTER}")
        self.ip(self.far, "link set lo up", f"addr add {FAR}/24 dev far", "link set far up")
        if not router:
            self.ip(self.near, f"route add {FAR}/32 dev near")
        self.routes()

    def ip(self, machine: int, *commands: str) -> None:
        for words in commands:
            self.inside(machine, "ip", *words.split())

    def routes(self) -> None:
        """The broker's machine believes in 1 500 bytes, whatever its end of the cable takes."""
        if self.router:
            self.ip(self.far, f"route replace default via {FAR_ROUTER} advmss 1460")
        else:
            self.ip(self.far, f"route replace {NEAR}/32 dev far advmss 1460")

    def namespace(self, command: list[str]) -> int:
        holder = subprocess.Popen([*command, "sh", "-c", "echo in; exec sleep 600"], stdout=subprocess.PIPE, text=True)
        self.kept.append(holder)
        if holder.stdout is None or holder.stdout.readline() != "in\n":
            raise AssertionError("this test needs network namespaces: run it as root, or allow user namespaces (kernel.unprivileged_userns_clone)")
        return holder.pid

    def entering(self, machine: int) -> list[str]:
        return ["nsenter", "--target", str(machine), *(["--user", "--preserve-credentials"] if self.user else []), "--net"]

    def inside(self, machine: int, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run([*self.entering(machine), *command], capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{command}: {done.stderr}")
        return done

    def take(self, longest: int) -> None:
        """The far end drops longer packets from now on, and tells nobody."""
        self.ip(self.far, f"link set far mtu {longest}")
        self.routes()

    def broker(self, folder: pathlib.Path, lines: str) -> pathlib.Path:
        """Mosquitto on the far machine; its log."""
        (folder / "broker.conf").write_text(lines + "allow_anonymous true\nlog_type all\nlog_dest stderr\nuser root\n")
        log = folder / "broker.log"
        with open(log, "wb") as out:
            command = [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(folder / "broker.conf")]
            self.kept.append(subprocess.Popen([*self.entering(self.far), *command], stdout=out, stderr=out))
        deadline = time.monotonic() + 20
        while b"running" not in log.read_bytes():
            if time.monotonic() > deadline:
                raise AssertionError(log.read_text())
            time.sleep(0.05)
        return log

    def __enter__(self) -> "Path":
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.kept):
            process.kill()
            process.wait()


def certified(folder: pathlib.Path) -> str:
    """mosquitto.conf for TLS with a certificate of its own, which is its CA as well."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FAR)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=90)).sign(key, hashes.SHA256())
    )
    (folder / "broker.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "broker.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return f"certfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n"


class BlackHole(unittest.TestCase):
    def doctor(self, world: Path, agent: LoneAgent) -> dict[str, dict]:
        """As an installer's account without any right, where there is one to become."""
        if not world.user:
            for path in (agent.dir, agent.spool):
                path.mkdir(exist_ok=True)
                path.chmod(0o755)
        become = [] if world.user else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = world.inside(
            world.near, *become, str(BIN / "kilomint-agent"), "doctor", "--json", "--config", str(agent.config), check=False)
        self.assertTrue(done.stdout, done.stderr)
        return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}

    def through(self, tls: bool, router: bool) -> None:
        with Path(router) as world, LoneAgent() as agent:
            secure = certified(agent.dir) if tls else ""
            log = world.broker(agent.dir, f"listener 18883 {FAR}\n{secure}")
            agent.configure(
                ["{tcp: 127.0.0.1:1, meters: [{id: m, profile: eastron/sdm630}]}"],
                extra=f"mqtt: {{host: {FAR}, port: 18883{f', ca_file: {agent.dir}/broker.pem' if tls else ''}}}\n")
            sound = self.doctor(world, agent)
            self.assertNotIn("packets-too-large", sound)
            self.assertNotIn("broker-unreachable", sound)

            world.take(1_300)
            found = self.doctor(world, agent)
            self.assertNotIn("broker-unreachable", found)
            finding = found["packets-too-large"]
            self.assertEqual(finding["subject"], f"{FAR}:18883")
            self.assertRegex(
                finding["evidence"],
                r"^64 bytes were acknowledged, but 2896 of 2896 bytes in full segments \(1448 bytes, packets of 1500, path MTU 1500\) "
                r"were not, after \d+ retransmissions in \d+ s; packets of 1280 bytes pass$")
            self.assertIn("ip link set dev near mtu 1280", finding["remedy"])

            # What it says to do is what helps.
            world.ip(world.near, "link set dev near mtu 1280")
            self.assertNotIn("packets-too-large", self.doctor(world, agent))
            # The broker saw people hang up, and nothing that it would have had to refuse.
            self.assertNotRegex(log.read_text(), r"(?i)malformed|bad |ssl routines::(?!unexpected eof)")

    def test_named_on_tls_and_its_remedy_helps(self) -> None:
        self.through(tls=True, router=True)

    def test_named_without_tls(self) -> None:
        self.through(tls=False, router=True)

    def test_named_where_the_own_device_drops(self) -> None:
        """As a tunnel does whose MTU is set too high: the kernel learns of it, and tells nobody either."""
        self.through(tls=False, router=False)

    def test_a_link_that_loses_whatever_the_size_is_another_fault(self) -> None:
        with Path() as world, LoneAgent() as agent:
            world.broker(agent.dir, f"listener 18883 {FAR}\n")
            agent.configure(
                ["{tcp: 127.0.0.1:1, meters: [{id: m, profile: eastron/sdm630}]}"], extra=f"mqtt: {{host: {FAR}, port: 18883}}\n")
            world.take(200)
            found = self.doctor(world, agent)
            self.assertNotIn("packets-too-large", found)
            self.assertIn("not even packets of 576 bytes pass", found["broker-unreachable"]["evidence"])


if __name__ == "__main__":
    unittest.main()
