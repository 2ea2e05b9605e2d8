"""An enrolment server of Python's own libraries (http.server, ssl, cryptography), as docs/agent.md and RFC 7030 describe it.

It is honest, or it lies in one way that a test names. It writes down every secret that reached it.
"""

import base64
import datetime
import hashlib
import http.server
import ipaddress
import pathlib
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from formats import decode
from lone_agent import key_list
from vectors import deterministic, spki

SECRET = "0123456789ABCDEFGHJK"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def base32(data: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


class CA:
    """A certificate authority of one certificate."""

    def __init__(self, name: str = "Test CA", since: datetime.datetime | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = since or now() - DAY
        self.certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + 4000 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).digest()[:16]

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, key: Any, *, server: bool = False, names: tuple[str, ...] = (), begin: datetime.datetime | None = None, life: datetime.timedelta = 90 * DAY) -> x509.Certificate:
        begin = begin or now() - datetime.timedelta(minutes=5)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).issuer_name(self.name)
            .public_key(key).serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if names:
            entries = [x509.IPAddress(ipaddress.ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Lie:
    """What this server does not do as it should; nothing by default."""

    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    server_begin: datetime.datetime | None = None
    server_life: datetime.timedelta = 90 * DAY
    chain: bool = True
    certificate: str = ""
    body: str = ""
    provision: dict[int, Any] = field(default_factory=dict)
    drop_after: int = 10**9


class EstServer:
    """`with EstServer(gateway) as server:`; server.url, server.code."""

    def __init__(self, gateway: str, *, ca: CA | None = None, lie: Lie | None = None, since: datetime.datetime | None = None, life: datetime.timedelta = 90 * DAY, port: int = 0) -> None:
        self.gateway, self.ca, self.lie, self.life, self.since = gateway, ca or CA(since=since), lie or Lie(), life, since
        self.root = ec.generate_private_key(ec.SECP256R1())
        self.receipt = ec.generate_private_key(ec.SECP256R1())
        self.brokers: list[list[Any]] = [["127.0.0.1", 8883]]
        self.claims = {SECRET: None}
        self.secrets: list[str] = []
        self.paths: list[str] = []
        self.issued: list[x509.Certificate] = []
        self.list_number = 1
        self.clock_ahead = 0 * DAY
        self.time_ahead = 0 * DAY
        self.folder = tempfile.TemporaryDirectory()
        self.port = port

    def __enter__(self) -> "EstServer":
        key = ec.generate_private_key(ec.SECP256R1())
        own = self.ca.issue("collector", key.public_key(), server=True, names=self.lie.names, begin=self.lie.server_begin or self.since, life=self.lie.server_life)
        folder = pathlib.Path(self.folder.name)
        pem = own.public_bytes(serialization.Encoding.PEM) + (self.ca.pem if self.lie.chain else b"")
        (folder / "server.crt").write_bytes(pem)
        (folder / "server.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (folder / "ca.pem").write_bytes(self.ca.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / "server.crt", folder / "server.pem")
        # With its CA loaded OpenSSL would send it along by itself.
        if self.lie.chain:
            context.load_verify_locations(folder / "ca.pem")
            context.verify_mode = ssl.CERT_OPTIONAL
        self.context = context
        self.http = Listener(("127.0.0.1", self.port), context, self)
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
        self.folder.cleanup()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def code(self) -> str:
        return f"KM1-{SECRET}-{base32(self.ca.fingerprint)}"

    def pkcs7(self, key: Any) -> bytes:
        lie = self.lie.certificate
        if lie == "other key":
            key = ec.generate_private_key(ec.SECP256R1()).public_key()
        issuer = CA() if lie == "other issuer" else self.ca
        begin = now() - 400 * DAY if lie == "expired" else self.since
        certificate = issuer.issue("gw-other" if lie == "other gateway" else self.gateway, key, begin=begin, life=self.life, server=lie == "for servers")
        self.issued.append(certificate)
        der = pkcs7.serialize_certificates([certificate], serialization.Encoding.DER)
        return b"0\x82\x10\x00garbage" + der[9:] if lie == "garbage" else der[:-20] if lie == "cut" else der

    def provision(self) -> bytes:
        fields = {
            1: 1, 2: self.gateway, 3: key_list(self.root, self.receipt, number=self.list_number), 4: spki(self.root), 5: self.brokers,
            6: self.ca.pem.decode(), 7: int((now() + self.time_ahead).timestamp() * 1000),
        }
        return deterministic(fields | self.lie.provision)


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, est: EstServer) -> None:
        self.context, self.est = context, est
        super().__init__(address, Handler)

    def get_request(self) -> Any:
        plain, address = super().get_request()
        return self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # A client that goes away in the handshake is what these tests want to see.


class Handler(http.server.BaseHTTPRequestHandler):
    server: Listener
    timeout = 60

    def setup(self) -> None:
        self.request.settimeout(60)
        self.request.do_handshake()
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def est(self) -> EstServer:
        return self.server.est

    @property
    def client(self) -> str | None:
        found = self.connection.getpeercert()
        return found["subject"][0][0][1] if found else None

    def answer(self, status: int, kind: str, body: bytes) -> None:
        lie = self.est.lie.body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if lie in ("endless", "drip"):
            self.end_headers()
            while True:
                self.wfile.write(b"A" * (65536 if lie == "endless" else 1))
                self.wfile.flush()
                time.sleep(0 if lie == "endless" else 0.3)
        self.send_header("Content-Length", str(len(body) + (100 if lie == "short" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, reason: str) -> None:
        self.answer(status, "text/plain", (reason + "\n").encode())

    def do_GET(self) -> None:
        self.est.paths.append(self.path)
        if self.path != "/.well-known/est/kilomint/provision":
            return self.refuse(404, "there is nothing here")
        if self.client != self.est.gateway:
            return self.refuse(401, "come with your certificate")
        self.answer(200, "application/cbor", self.est.provision())

    def do_POST(self) -> None:
        est = self.est
        est.paths.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/.well-known/est/kilomint/reenroll":
            return self.overdue(body)
        request = x509.load_der_x509_csr(base64.b64decode(body))
        key = request.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if not request.is_signature_valid or request.subject.rfc4514_string() != f"CN={est.gateway}":
            return self.refuse(400, "the request is not this gateway's")
        if self.path == "/.well-known/est/simpleenroll":
            user, _, password = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
            est.secrets.append(password)
            if user != est.gateway or password not in est.claims:
                return self.refuse(401, "no claim has this secret")
            if est.claims[password] not in (None, key):
                return self.refuse(401, "the claim was used by another key")
            est.claims[password] = key
        elif self.path == "/.well-known/est/simplereenroll":
            if self.client != est.gateway:
                return self.refuse(401, "come with your certificate")
        else:
            return self.refuse(404, "there is nothing here")
        self.answer(200, "application/pkcs7-mime; smime-type=certs-only", base64.encodebytes(est.pkcs7(request.public_key())))

    def overdue(self, body: bytes) -> None:
        protected, unprotected, payload, signature = decode(body, "request").value
        said = decode(payload, "request")
        request = x509.load_der_x509_csr(said[3])
        known = self.est.issued[-1].public_key()
        half = len(signature) // 2
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        known.verify(der, deterministic(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA256()))
        if said[1] != 1 or said[2] != self.est.gateway or unprotected or abs(said[4] - (now() + self.est.clock_ahead).timestamp() * 1000) > 600_000:
            return self.refuse(400, "not a request of this gateway")
        if self.headers["Content-Type"] != "application/vnd.kilomint.reenrol+cbor":
            return self.refuse(415, "another type")
        self.est.life = 90 * DAY
        self.answer(200, "application/pkcs7-mime", base64.encodebytes(self.est.pkcs7(request.public_key())))
