"""Enrolment as an installer and a thief do it: OpenSSL and curl as the gateway, Python's cryptography reads what comes back."""

import base64
import pathlib
import shlex
import socket
import ssl
import sys
import time
import unittest

import house
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from enrol_house import GATEWAY, EnrolHouse, certificate, run, spki

# Behind the tests' own folder: both have files of the same names.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Interop"))
import cbor2  # noqa: E402
from synthetic_logs import sign  # noqa: E402
from vectors import deterministic  # noqa: E402


class Enrolment(unittest.TestCase):
    def test_from_a_claim_to_a_certificate_and_on(self):
        with EnrolHouse() as one:
            one.serve()
            authority = x509.load_pem_x509_certificate((one.ca / "ca.pem").read_bytes())
            status, body = one.est("/cacerts")
            self.assertEqual((status, certificate(body)), (200, authority))
            self.authority_is_bounded(one, authority)

            secret, code = one.claim()
            self.wrong_things_are_refused(one, secret)
            key = one.key("gateway-key")
            request = one.request_of(key)
            status, body = one.enrol(request, secret)
            self.assertEqual(status, 200, body)
            self.certificate_is_the_gateways(one, authority, certificate(body), key)

            # The answer was lost: the same again is answered again. Another key is not.
            self.assertEqual(one.enrol(request, secret.lower())[0], 200)
            status, body = one.enrol(one.request_of(one.key("thief")), secret)
            self.assertEqual((status, b"was used" in body), (403, True), body)

            (one.dir / "own.pem").write_bytes(certificate(one.enrol(request, secret)[1]).public_bytes(Encoding.PEM))
            own = ["--cert", one.dir / "own.pem", "--key", key]
            self.provision_says_everything(one, secret, own)
            self.renewal_and_rekeying(one, request, own)
            self.expired_ones_come_back(one, key)

            # Killed and started again: the key stands in the Journal.
            one.end("collector", house.signal.SIGKILL)
            one.run_one("collector")
            one.until("the collector answers", one.healthy)
            self.assertEqual(one.est("/simplereenroll", request, None, *own)[0], 200)

            one.revoke()
            for status, body in (one.est("/simplereenroll", request, None, *own), one.est("/kilomint/provision", None, None, *own)):
                self.assertEqual((status, b"revoked" in body), (403, True), body)
            self.assertEqual(one.enrol(request, secret)[0], 401)
            secret, _ = one.claim()
            status, body = one.enrol(request, secret)
            self.assertEqual((status, b"revoked" in body), (403, True), body)
            self.assertEqual(one.enrol(one.request_of(one.key("fresh")), secret)[0], 200)
            one.events()

    def authority_is_bounded(self, one, authority):
        constraints = authority.extensions
        basic = constraints.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((basic.critical, basic.value.ca, basic.value.path_length), (True, True, 0))
        usage = constraints.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.key_cert_sign and usage.crl_sign and not usage.digital_signature)
        names = constraints.get_extension_for_class(x509.NameConstraints)
        self.assertTrue(names.critical and len(names.value.permitted_subtrees) == 2)
        mode = (one.ca / "ca-key.pem").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)
        again = one.tool("kilomint-collector", "ca", "create", "--out", one.ca, check=False)
        self.assertEqual((again.returncode, "never overwritten" in again.stderr), (78, True), again.stderr)
        # TLS 1.3 and nothing below.
        older = run("openssl", "s_client", "-connect", f"127.0.0.1:{one.ports['enrolment']}", "-tls1_2", check=False, input=b"")
        self.assertNotEqual(older.returncode, 0)

    def wrong_things_are_refused(self, one, secret):
        key = one.key("wrong")
        request = one.request_of(key)
        broken = bytearray(base64.b64decode(request))
        broken[-1] ^= 1
        rsa = one.request_of(one.key("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"))
        cases = [
            (401, b"fit no open claim", request, f"{GATEWAY}:{'0' * 20}"),
            (401, b"fit no open claim", request, f"nobody:{secret}"),
            (401, b"fit no open claim", request, f"{GATEWAY}:short"),
            (401, b"fit no open claim", request, None),
            (400, b"common name", one.request_of(key, "gw-other"), f"{GATEWAY}:{secret}"),
            (400, b"not signed by its own", base64.encodebytes(bytes(broken)), f"{GATEWAY}:{secret}"),
            (400, b"no PKCS #10", rsa, f"{GATEWAY}:{secret}"),
            (400, b"no PKCS #10", b"AAAA", f"{GATEWAY}:{secret}"),
            (400, b"not base64", b"\x00\x01", f"{GATEWAY}:{secret}"),
            (403, b"somebody else", one.request_of(one.dir / "keys/owner.pem"), f"{GATEWAY}:{secret}"),
            (413, b"bytes", b"A" * 9000, f"{GATEWAY}:{secret}"),
        ]
        for expected, words, body, user in cases:
            with self.subTest(words=words, user=user):
                status, answer = one.est("/simpleenroll", body, user)
                self.assertEqual(status, expected, answer)
                self.assertIn(words, answer)
                self.assertEqual(answer.count(b"\n"), 1)
        self.assertEqual(one.est("/simplereenroll", request)[0], 401)
        self.assertEqual(one.est("/elsewhere")[0], 404)

    def certificate_is_the_gateways(self, one, authority, made, key):
        names = made.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        self.assertEqual([name.value for name in names], [GATEWAY])
        made.verify_directly_issued_by(authority)
        self.assertEqual(made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), spki(key))
        usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        self.assertFalse(made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        days = (made.not_valid_after_utc - made.not_valid_before_utc).total_seconds() / 86_400
        self.assertAlmostEqual(days, 90, delta=0.1)
        path = one.dir / "made.pem"
        path.write_bytes(made.public_bytes(Encoding.PEM))
        run("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", one.ca / "ca.pem", path)

    def provision_says_everything(self, one, secret, own):
        for status, body in (one.est("/kilomint/provision", None, f"{GATEWAY}:{secret}"), one.est("/kilomint/provision", None, None, *own)):
            self.assertEqual(status, 200, body)
            told = cbor2.loads(body)
            self.assertEqual([told[1], told[2]], [1, GATEWAY])
            self.assertEqual(told[3], (one.dir / "key-list.cbor").read_bytes())
            self.assertEqual(told[4].hex(), (one.dir / "keys/root.pem.pub").read_text().strip())
            self.assertEqual(told[5], [["broker.example", 8883], ["10.0.0.2", 1884]])
            self.assertEqual(told[6], (one.ca / "ca.pem").read_text())
            self.assertLess(abs(told[7] - time.time() * 1000), 60_000)

    def renewal_and_rekeying(self, one, request, own):
        status, body = one.est("/simplereenroll", request, None, *own)
        self.assertEqual((status, certificate(body).public_bytes(Encoding.PEM) != (one.dir / "own.pem").read_bytes()), (200, True))
        self.assertEqual(one.est("/simplereenroll", one.request_of(one.key("next")), None, *own)[0], 200)
        self.assertEqual(one.est("/simplereenroll", one.request_of(one.dir / "keys/owner.pem"), None, *own)[0], 403)
        # A certificate of another CA is not let in at all.
        self_signed = one.dir / "self.pem"
        other = one.key("self-key")
        run("openssl", "req", "-x509", "-new", "-key", other, "-subj", f"/CN={GATEWAY}", "-out", self_signed)
        with self.assertRaises(AssertionError):
            one.est("/simplereenroll", request, None, "--cert", self_signed, "--key", other)

    def expired_ones_come_back(self, one, key):
        private = load_pem_private_key(key.read_bytes(), None)
        self.assertIsInstance(private, ec.EllipticCurvePrivateKey)
        der = base64.b64decode(one.request_of(key))

        def asked(signer, gateway=GATEWAY):
            payload = deterministic({1: 1, 2: gateway, 3: der, 4: int(time.time() * 1000)})
            return one.est("/kilomint/reenroll", sign(payload, "reenrol", signer)[0])

        status, body = asked(private)
        self.assertEqual(status, 200, body)
        self.assertEqual(spki(key), certificate(body).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        stranger = load_pem_private_key((one.dir / "thief.pem").read_bytes(), None)
        self.assertEqual(asked(stranger)[0], 400)
        self.assertEqual(asked(private, "gw-other")[0], 403)

    def test_who_tries_is_slowed_and_the_claim_locked(self):
        with EnrolHouse() as one:
            one.serve()
            secret, _ = one.claim()
            request = one.request_of(one.key("key"))
            seen = [one.enrol(request, "1" * 20)[0] for _ in range(12)]
            self.assertEqual(seen[0], 401)
            self.assertIn(429, seen)
            # Not even the right secret now: the bucket is empty, or the claim is locked.
            self.assertIn(one.enrol(request, secret)[0], (429, 403))
            # Who keeps asking on one connection is cut too: a few of them would keep all others out.
            self.endless_ones_are_cut(one)
            # A slow client is cut, and others are served meanwhile.
            slow = house.socket.create_connection(("127.0.0.1", one.ports["enrolment"]))
            self.assertEqual(one.est("/cacerts")[0], 200)
            slow.settimeout(30)
            self.assertEqual(slow.recv(1), b"")
            slow.close()

    def endless_ones_are_cut(self, one):
        context = ssl.create_default_context(cafile=one.ca / "ca.pem")
        ask = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n"
        plain = socket.create_connection(("127.0.0.1", one.ports["enrolment"]), timeout=30)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as line:
            answers, end = 0, time.monotonic() + 120
            try:
                while time.monotonic() < end:
                    line.sendall(ask)
                    if not line.recv(65536):
                        break
                    answers += 1
                    time.sleep(1)
                else:
                    self.fail("one connection was served for two minutes")
            except (ConnectionError, ssl.SSLError):
                pass  # Cut in the middle of something.
        self.assertGreater(answers, 1)

    def test_persons_sign_in_different_places(self):
        with EnrolHouse() as one:
            one.serve()
            draft, copy = one.dir / "claim.cbor", one.dir / "copy.cbor"
            made = one.tool("kilomint-collector", "device", "claim", GATEWAY, *one.base(), "--draft", draft, "--quiet")
            secret = made.stdout.strip().split("-")[1]
            self.assertNotIn(secret.encode(), draft.read_bytes())
            copy.write_bytes(draft.read_bytes())
            request = one.request_of(one.key("key"))
            self.assertEqual(one.enrol(request, secret)[0], 401)
            for path, *names in ((draft, "root", "person-a"), (copy, "person-b")):
                for name in names:
                    said = one.tool("kilomint-collector", "device", "sign", path, "--key", one.dir / f"keys/{name}.pem").stdout
                    self.assertIn(f"gateway {GATEWAY} may bind a key", said)
            early = one.tool("kilomint-collector", "device", "submit", draft, *one.base(), check=False)
            self.assertNotEqual(early.returncode, 0)
            self.assertIn("two registered persons", early.stdout + early.stderr)
            one.tool("kilomint-collector", "device", "submit", draft, copy, *one.base())
            self.assertEqual(one.enrol(request, secret)[0], 200)

    def test_a_terminal_shows_a_code_that_a_reader_takes(self):
        with EnrolHouse() as one:
            one.serve()
            command = [one.bin / "kilomint-collector", "device", "claim", GATEWAY, *one.base(), *one.keys("root", "person-a", "person-b")]
            shown = run("script", "-qec", shlex.join(str(part) for part in command), "/dev/null").stdout.decode()
            code = next(word for word in shown.split() if word.startswith("KM1-"))
            blocks = {"\u2588": (255, 255), "\u2580": (255, 0), "\u2584": (0, 255), " ": (0, 0)}
            lines = [line.rstrip("\r") for line in shown.split("\n") if "\u2588" in line or "\u2580" in line]
            rows = [[blocks[char][half] for char in line] for line in lines for half in (0, 1)]
            width, scale, margin = len(rows[0]), 6, [255] * 12
            pixels = [value for row in rows for _ in range(scale) for value in margin + [value for value in row for _ in range(scale)] + margin]
            picture = one.dir / "code.pgm"
            picture.write_bytes(b"P5 %d %d 255\n" % (width * scale + 24, len(rows) * scale) + bytes(pixels))
            self.assertEqual(run("zbarimg", "--quiet", "--raw", picture).stdout.decode().strip(), code)

    def test_an_expired_claim_is_told_to_who_knows_its_secret(self):
        with EnrolHouse(speed=36_000) as one:
            one.serve()
            secret, _ = one.claim(GATEWAY, "--hours", "1")
            request = one.request_of(one.key("key"))

            def expired():
                status, body = one.enrol(request, secret)
                return status == 403 and b"expired" in body

            # Until the clock begins to run the claim is open: another request does not use it.
            one.until("the claim expires", lambda: time.time() > one.zero + 1 and expired(), 60)
            self.assertEqual(one.enrol(request, "0" * 20)[0], 401)


if __name__ == "__main__":
    unittest.main()
