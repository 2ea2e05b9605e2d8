"""A house whose gateways enrol in the test, and the gateway's side of it with OpenSSL's and curl's command line. Judges nothing."""

import base64
import pathlib
import re
import subprocess

import house
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, pkcs7

EST = "/.well-known/est"
GATEWAY = house.GATEWAY


def run(*command, check=True, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=60, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done


class EnrolHouse(house.House):
    """Broker and collector; no plant and no agent."""

    def adapted(self, text):
        return re.sub(r"(?m)^  brokers: .*", f"  brokers: [{self.brokers()}]", super().adapted(text))

    def brokers(self):
        """What gateways are told; nobody calls there."""
        return "{host: broker.example, port: 8883}, {host: 10.0.0.2, port: 1884}"

    def serve(self):
        for name in ("broker", "collector"):
            self.run_one(name)
        self.until("the collector answers", self.healthy)

    def base(self):
        return ["--url", self.url, "--token-file", self.dir / "keys/operator.token"]

    def keys(self, *names):
        return [part for name in names for part in ("--key", self.dir / f"keys/{name}.pem")]

    def claim(self, gateway=GATEWAY, *more):
        """A new claim's (secret, code)."""
        done = self.tool("kilomint-collector", "device", "claim", gateway, *self.base(), *self.keys("root", "person-a", "person-b"), "--quiet", *more)
        code = done.stdout.strip()
        return code.split("-")[1], code

    def revoke(self, gateway=GATEWAY):
        self.tool("kilomint-collector", "device", "revoke", gateway, *self.base(), *self.keys("person-b"), "--reason", "stolen")

    # -- the gateway's side ---------------------------------------------------------------------------------------

    def key(self, name, *options):
        path = self.dir / f"{name}.pem"
        run("openssl", "genpkey", *(options or ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")), "-out", path)
        return path

    def request_of(self, key, name=GATEWAY):
        return base64.encodebytes(run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-outform", "DER").stdout)

    def est(self, path, body=None, user=None, *more):
        """(status, body) as curl has them."""
        command = ["curl", "--silent", "--show-error", "--tlsv1.3", "--cacert", self.ca / "ca.pem", "--max-time", "30", "--write-out", "\n%{http_code}"]
        command += ["--user", user] if user else []
        command += ["--header", "Content-Type: application/pkcs10", "--data-binary", "@-"] if body is not None else []
        done = run(*command, *more, f"https://127.0.0.1:{self.ports['enrolment']}{EST}{path}", input=body if body is not None else b"")
        text, _, status = done.stdout.rpartition(b"\n")
        return int(status), text

    def enrol(self, request, secret, gateway=GATEWAY):
        return self.est("/simpleenroll", request, f"{gateway}:{secret}")

    def events(self):
        """Kinds of the Journal's events, from an export that the audit accepts."""
        verdict = self.verify()
        if verdict.returncode != 0:
            raise AssertionError(verdict.stdout + verdict.stderr)
        return verdict.stdout


def certificate(body):
    found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    assert len(found) == 1, found
    return found[0]


def spki(key):
    private = load_pem_private_key(pathlib.Path(key).read_bytes(), None)
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
