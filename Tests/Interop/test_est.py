"""Enrolment against a server that was written without a line of the agent: honest, and lying in every way we could think of."""

import base64
import datetime
import fcntl
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from est_server import CA, DAY, SECRET, EstServer, Lie, base32, now
from lone_agent import BIN, ROOT

GATEWAY = "gw-enrol"


class Gateway:
    """A gateway's files; no process runs."""

    def __init__(self, gateway: str = GATEWAY, program: pathlib.Path | None = None) -> None:
        """- program: copied, so that its file's time is its own."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-enrol-"))
        self.program = pathlib.Path(shutil.copy(program, self.dir)) if program else BIN / "kilomint-agent"
        self.config = self.dir / "agent.yaml"
        self.config.write_text(
            f"gateway: {gateway}\nkey: {self.dir}/gateway.pem\nspool: {{path: {self.dir}/spool}}\nprofiles: {ROOT}/firmware-profiles\n"
            "buses:\n  - {tcp: 127.0.0.1:9, meters: [{id: m-1, profile: abb/b23}]}\n")
        self.enrolled = self.dir / "spool/enrolled"
        self.call("init")

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.dir)

    def call(self, *words: str, seconds: float = 60, before: tuple[str, ...] = (), typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [*before, str(self.program), *words, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, input=typed)

    def enroll(self, server: EstServer, code: str = "", url: str = "", before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self.call("enroll", "--url", url or server.url, "--code", code or server.code, before=before)

    @property
    def written(self) -> list[pathlib.Path]:
        """What the agent wrote, whose times hint at the time."""
        return [path for path in (self.dir / "spool/spool.db", self.dir / "spool/spool.db-wal", self.enrolled) if path.exists()]

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.enrolled / "gateway.crt").read_bytes())

    @property
    def spki(self) -> bytes:
        key = load_pem_private_key((self.dir / "gateway.pem").read_bytes(), None).public_key()
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def at(instant: str) -> tuple[str, ...]:
    """Before a command: the clock that it sees. Files keep their own times."""
    return ("env", "NO_FAKE_STAT=1", "faketime", "-f", instant)


class Terminal:
    """A terminal with a shell that runs one command as its job, as a person's would: what it shows, and whether it shows what is typed."""

    SCRIPT = 'set -m; "$@"; echo "ended with $?"; while [ -n "$(jobs -s)" ]; do fg; echo "ended with $?"; done'

    def __init__(self, *command: object) -> None:
        self.master, slave = os.openpty()
        self.shown = ""

        def prepare() -> None:
            os.login_tty(slave)
            # Tests that were started in the background ignore them, and so would everything below.
            for name in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(name, signal.SIG_DFL)

        environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
        self.shell = subprocess.Popen(
            ["bash", "-c", self.SCRIPT, "shell", *map(str, command)], stdin=slave, stdout=slave, stderr=slave, preexec_fn=prepare, env=environment)
        self.slave = slave

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait()
        for descriptor in (self.master, self.slave):
            os.close(descriptor)

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def until(self, words: str, times: int = 1) -> None:
        deadline = time.monotonic() + 60
        while self.shown.count(words) < times:
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"never: {words}\n{self.shown}")
            self.shown += os.read(self.master, 4096).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())


def spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class EnrolmentTests(unittest.TestCase):
    def check(self, done: subprocess.CompletedProcess[str], status: int, *texts: str) -> None:
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, said)
        for text in texts:
            self.assertIn(text, said)

    def test_from_nothing_to_a_certificate(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server), 0, "is enrolled", "key list     number 1", "127.0.0.1:8883")
            self.assertEqual(server.secrets, [SECRET])
            self.assertEqual(spki(gateway.certificate), gateway.spki)
            names = sorted(path.name for path in gateway.enrolled.iterdir())
            self.assertEqual(names, ["brokers.yaml", "ca.pem", "gateway.crt", "key-list.cbor", "root.spki", "server"])
            self.assertEqual((gateway.enrolled / "ca.pem").read_bytes(), server.ca.pem)
            self.check(gateway.call("config", "check"), 0, "key list number 1")
            # The answer was lost: the same key with the same code is answered again.
            before = gateway.certificate
            self.check(gateway.enroll(server), 0)
            self.assertNotEqual(gateway.certificate, before)
            self.assertFalse((gateway.dir / "spool/enrolled.new").exists())

    def test_a_code_however_it_is_typed(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            typed = server.code.lower().replace("0", "o").replace("1", "l")
            self.check(gateway.enroll(server, code=" ".join(typed[at : at + 5] for at in range(0, len(typed), 5))), 0)

    def test_a_code_on_standard_input(self) -> None:
        """Not on the command line, where the list of processes shows it."""
        for words in ((), ("--code", "-")):
            with EstServer(GATEWAY) as server, Gateway() as gateway:
                self.check(gateway.call("enroll", "--url", server.url, *words, typed=""), 2, "no claim code")
                self.check(gateway.call("enroll", "--url", server.url, *words, typed="X" * 5000), 2, "--code")
                self.check(gateway.call("enroll", "--url", server.url, *words, typed=server.code + "\n"), 0, "is enrolled")

    def test_a_typed_code_stands_on_no_screen(self) -> None:
        prompt = "claim code (KM1"
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            command = (BIN / "kilomint-agent", "enroll", "--url", server.url, "--config", gateway.config)
            with Terminal(*command) as terminal:
                terminal.until(prompt)
                self.assertFalse(terminal.echoes)
                terminal.type(server.code[:12])
                # Stopped in the middle, the shell has its echo; gone on with, it asks again from the beginning.
                terminal.type("\x1a")
                terminal.until("ended with 148")
                terminal.until(prompt, times=2)
                self.assertFalse(terminal.echoes)
                terminal.type(server.code + "\n")
                terminal.until("ended with 0")
                self.assertTrue(terminal.echoes)
                self.assertIn("is enrolled", terminal.shown)
                self.assertNotIn(SECRET[:4], terminal.shown)
            # A shell ends with a job that ends by SIGINT, unless it has a trap.
            outlives = f"trap : INT QUIT; {' '.join(map(str, command))}; echo ended with $?"
            for keys, status in (("\x03", 130), ("\x1c", 131), ("\x04", 2), ("nonsense\n", 2), ("X" * 2000 + "\n", 2)):
                with self.subTest(status=status, keys=keys[:4]), Terminal("sh", "-c", outlives) as terminal:
                    terminal.until(prompt)
                    self.assertFalse(terminal.echoes)
                    terminal.type(keys)
                    terminal.until(f"ended with {status}")
                    self.assertTrue(terminal.echoes)
            for name in (signal.SIGTERM, signal.SIGHUP):
                with self.subTest(name), Terminal("sh", "-c", "echo pid $$; exec " + " ".join(map(str, command))) as terminal:
                    terminal.until(prompt)
                    os.kill(int(terminal.shown.split("pid ")[1].split()[0]), name)
                    terminal.until(f"ended with {128 + name}")
                    self.assertTrue(terminal.echoes)

    def test_a_mistyped_code(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server, code=server.code[:-3]), 2, "--code", "type all of it")
            self.check(gateway.enroll(server, code=server.code.replace("KM1", "KM2")), 2, "begins with KM1-")
            self.check(gateway.enroll(server, code=server.code.replace(SECRET[3:6], "ZZZ")), 1, "mistyped, expired, or used", "no claim has this secret")
            self.assertEqual(server.secrets, [SECRET.replace(SECRET[3:6], "ZZZ")])
            self.assertFalse(gateway.enrolled.exists())

    def test_a_used_code(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway, Gateway() as other:
            self.check(gateway.enroll(server), 0)
            self.check(other.enroll(server), 1, "used by another key", "ask the operator for a new code")
            self.assertFalse(other.enrolled.exists())

    def test_the_secret_goes_to_nobody_else(self) -> None:
        """Each of these servers gets the connection and not the secret."""
        ours = CA()
        code = f"KM1-{SECRET}-{base32(ours.fingerprint)}"
        servers = [
            # Another CA; a CA of the same name; our CA's certificate shown beside a chain that does not lead to it.
            (EstServer(GATEWAY), "", "does not show the CA whose fingerprint"),
            (EstServer(GATEWAY, ca=CA("Test CA")), "", "does somebody sit between"),
            (EstServer(GATEWAY, ca=Pretender(ours)), "", "The secret of the code was not sent"),
            (EstServer(GATEWAY, ca=ours, lie=Lie(chain=False)), "", "does not show the CA whose fingerprint"),
            (EstServer(GATEWAY, ca=ours, lie=Lie(names=("elsewhere.example",))), "", "not for localhost"),
            (EstServer(GATEWAY, ca=ours, lie=Lie(names=("localhost",))), "127.0.0.1", "not for 127.0.0.1"),
            (EstServer(GATEWAY, ca=ours, lie=Lie(server_begin=now() - 100 * DAY, server_life=90 * DAY)), "", "expired: CN=collector"),
            (EstServer(GATEWAY, ca=ours, lie=Lie(server_begin=now() + DAY)), "", "not yet valid: CN=collector"),
        ]
        for number, (server, host, text) in enumerate(servers):
            with self.subTest(number), server, Gateway() as gateway:
                url = server.url.replace("localhost", host or "localhost")
                done = gateway.enroll(server, code=code, url=url)
                self.check(done, 1, text)
                self.assertEqual((server.secrets, server.paths), ([], []))
                self.assertFalse(gateway.enrolled.exists())

    def test_a_client_certificate_is_no_server(self) -> None:
        with EstServer(GATEWAY, ca=ClientsOnly()) as server, Gateway() as gateway:
            self.check(gateway.enroll(server), 1, "unsuitable certificate purpose")
            self.assertEqual(server.secrets, [])

    def test_answers_that_cannot_be_used_change_nothing(self) -> None:
        lies = [
            (Lie(certificate="other key"), "for another key"), (Lie(certificate="other gateway"), "is for CN=gw-other, not for gw-enrol"),
            (Lie(certificate="other issuer"), "does not lead to the CA"), (Lie(certificate="expired"), "certificate has expired"),
            (Lie(certificate="for servers"), "unsuitable certificate purpose"),
            (Lie(certificate="garbage"), "not a PKCS#7"), (Lie(certificate="cut"), "not a PKCS#7"),
            (Lie(body="endless"), "more than 262144 bytes"), (Lie(body="short"), "ended the connection in the middle"),
            (Lie(provision={2: "gw-other"}), "its provision is for gw-other"), (Lie(provision={3: b"nothing"}), "its key list"),
            (Lie(provision={4: spki(CA().certificate)}), "its key list is not signed by its root"),
            (Lie(provision={5: []}), "1 … 8 brokers"), (Lie(provision={5: [["a b", 1]]}), "a name or an address"),
            (Lie(provision={6: CA().pem.decode()}), "is not among its CAs"), (Lie(provision={6: "none"}), "its CA certificates"),
            (Lie(provision={9: 1}), "not understood"),
        ]
        ours = CA()
        with Gateway() as gateway:
            with EstServer(GATEWAY, ca=ours) as server:
                self.check(gateway.enroll(server), 0)
            before = {path.name: path.read_bytes() for path in gateway.enrolled.iterdir()}
            for lie, text in lies:
                with self.subTest(text), EstServer(GATEWAY, ca=ours, lie=lie) as server:
                    self.check(gateway.enroll(server), 1, text)
                    self.assertEqual({path.name: path.read_bytes() for path in gateway.enrolled.iterdir()}, before)

    def test_a_slow_drip_ends(self) -> None:
        with EstServer(GATEWAY, lie=Lie(body="drip")) as server, Gateway() as gateway:
            done = gateway.enroll(server)
            self.check(done, 1, "did not answer within 30 s", "goes on reading and storing")

    def test_nobody_there(self) -> None:
        with EstServer(GATEWAY) as server:
            url, code = server.url, server.code
        with Gateway() as gateway:
            self.check(gateway.call("enroll", "--url", url, "--code", code), 1, "is not reached", "check SIM")
            self.check(gateway.call("enroll", "--url", "https://no-such-host.invalid", "--code", code), 1, "is not found")
            self.check(gateway.call("enroll", "--url", "http://localhost", "--code", code), 2, "--url", "https://HOST")

    def test_a_clock_of_1970_is_judged_by_the_floor(self) -> None:
        """No battery, no NTP: what had ended before the program was built is refused, the rest is taken."""
        past = at("@1970-01-02 00:00:00")
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server, before=past), 0, "The clock shows 1970", "is enrolled")
        long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
        with EstServer(GATEWAY, lie=Lie(server_begin=long_ago, server_life=3650 * DAY), ca=CA(since=long_ago)) as server, Gateway() as gateway:
            # By its own clock, 1970 is long before 2011; by what must have passed it is not.
            self.check(gateway.enroll(server, before=past), 1, "expired: CN=", "The clock shows 1970")
            self.assertEqual(server.secrets, [])

    def test_a_clock_in_the_future_says_so(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server, before=at("@2090-01-01 00:00:00")), 1, "expired: CN=", "mend the clock")
            self.assertEqual(server.secrets, [])

    def test_renewal(self) -> None:
        with EstServer(GATEWAY, life=40 * DAY) as server, Gateway() as gateway:
            self.check(gateway.call("renew"), 1, "there is no certificate", "enroll first")
            self.check(gateway.enroll(server), 0)
            first = gateway.certificate
            self.check(gateway.call("renew"), 0, "renewal is due at")
            self.assertEqual(gateway.certificate, first)
            # Half of forty days, and at most a twentieth more.
            self.check(gateway.call("renew", before=at("+19d")), 0, "renewal is due at")
            server.list_number = 2
            self.check(gateway.call("renew", before=at("+23d")), 0, "has a new certificate", "key list     number 2")
            self.assertNotEqual(gateway.certificate, first)
            self.assertEqual(spki(gateway.certificate), gateway.spki)
            second = gateway.certificate
            self.check(gateway.call("renew", "--force"), 0, "has a new certificate")
            self.assertNotEqual(gateway.certificate, second)
            self.assertEqual(server.secrets, [SECRET], "the secret is for the first time only")

    def test_renewal_with_a_server_of_another_ca(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server), 0)
            with EstServer(GATEWAY) as other:
                (gateway.enrolled / "server").write_text(other.url + "\n")
                self.check(gateway.call("renew", "--force"), 1, "unknown CA")
                self.assertEqual(other.paths, [])

    def test_a_renewal_changes_no_root_key(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server), 0)
            before = {path.name: path.read_bytes() for path in gateway.enrolled.iterdir()}
            server.root = CA().key
            self.check(gateway.call("renew", "--force"), 1, "another root key")
            self.assertEqual({path.name: path.read_bytes() for path in gateway.enrolled.iterdir()}, before)

    def test_a_certificate_that_ended_is_renewed_by_its_key(self) -> None:
        with EstServer(GATEWAY, life=40 * DAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server), 0)
            ended = gateway.certificate
            server.clock_ahead = 60 * DAY
            self.check(gateway.call("renew", before=at("+60d")), 0, "the former one had ended")
            self.assertNotEqual(gateway.certificate, ended)
            self.assertIn("/.well-known/est/kilomint/reenroll", server.paths)

    def test_the_end_of_a_certificate_slept_through_without_a_clock(self) -> None:
        """No battery, no NTP, and switched off for longer than the certificate's life: nothing at the gateway says that it has ended."""
        since = now() - 60 * DAY
        with EstServer(GATEWAY, since=since, life=40 * DAY) as server, Gateway(program=BIN / "kilomint-agent") as gateway:
            # Built before all that.
            os.utime(gateway.program, (0, (now() - 100 * DAY).timestamp()))
            no_times = 0x20_0000
            server.context.verify_flags |= no_times
            past = at("@1970-01-02 00:00:00")
            for path in gateway.written:
                os.utime(path, (0, 0))
            self.check(gateway.enroll(server, before=past), 0, "is enrolled")
            first = gateway.certificate
            for path in gateway.written:
                os.utime(path, (0, 0))
            server.clock_ahead = -60 * DAY
            # As long as the server takes it and says that it is not due, nothing happens.
            server.time_ahead = -55 * DAY
            self.check(gateway.call("renew", before=past), 0, "The clock shows 1970", "renewal is due at")
            self.assertEqual(gateway.certificate, first)
            server.context.verify_flags &= ~no_times
            self.check(gateway.call("renew", before=past), 0, "has a new certificate")
            self.assertNotEqual(gateway.certificate, first)
            self.assertIn("/.well-known/est/kilomint/reenroll", server.paths)

    def test_an_older_key_list_is_not_taken(self) -> None:
        """A collector that was set back has an older list: the certificate is renewed, the newer list stays."""
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            server.list_number = 5
            self.check(gateway.enroll(server), 0, "key list     number 5")
            (first, list_here) = (gateway.certificate, (gateway.enrolled / "key-list.cbor").read_bytes())
            server.list_number = 4
            self.check(gateway.call("renew", "--force"), 0, "key list     number 5", "number 4 and is older")
            self.assertNotEqual(gateway.certificate, first)
            self.assertEqual((gateway.enrolled / "key-list.cbor").read_bytes(), list_here)
            server.list_number = 6
            self.check(gateway.call("renew", "--force"), 0, "key list     number 6")
            # Another root's numbers are its own: with a code it is believed from its first list on.
            (server.root, server.list_number) = (CA().key, 1)
            self.check(gateway.enroll(server), 0, "key list     number 1")

    def test_one_at_a_time(self) -> None:
        """A renewal that was asked for before an enrolment elsewhere would put the former operator's words over the new ones."""
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            self.check(gateway.enroll(server), 0)
            asked = list(server.paths)
            folder = os.open(gateway.dir / "spool", os.O_RDONLY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                command = [str(gateway.program), "renew", "--force", "--config", str(gateway.config)]
                with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as renewal:
                    assert renewal.stderr and renewal.stdout
                    self.assertIn("waiting for it", renewal.stderr.readline())
                    self.assertEqual(server.paths, asked)
                    fcntl.flock(folder, fcntl.LOCK_UN)
                    self.assertIn("has a new certificate", renewal.stdout.read())
            finally:
                os.close(folder)

    def test_before_init(self) -> None:
        with EstServer(GATEWAY) as server, Gateway() as gateway:
            shutil.rmtree(gateway.dir / "spool")
            self.check(gateway.enroll(server), 1, "kilomint-agent init")
            self.assertEqual(server.secrets, [])


class Pretender(CA):
    """Signs with its own key under the name of another CA, and shows the other's certificate in its chain."""

    def __init__(self, ours: CA) -> None:
        super().__init__()
        self.shown = ours

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM) + self.shown.pem


class ClientsOnly(CA):
    """A gateway that plays the server: its certificate is of the CA, and for clients."""

    def issue(self, name, key, *, server=False, **more):  # type: ignore[no-untyped-def]
        return super().issue(name, key, server=False, **more)


if __name__ == "__main__":
    unittest.main()
