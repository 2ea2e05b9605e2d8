"""The list of revoked certificates, as OpenSSL, Python's cryptography and a real Mosquitto read it."""

import base64
import datetime
import os
import signal
import unittest

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from enrol_house import GATEWAY, certificate, run
from test_revocation import MutualHouse


class ListedHouse(MutualHouse):
    def adapted(self, text):
        self.crl = self.dir / "broker/gateways.crl"
        return super().adapted(text).replace("enrolment:\n", f"enrolment:\n  crl_file: {self.crl}\n  crl_lifetime: 6h\n")

    def write_broker(self, values):
        super().write_broker(values)
        path = self.dir / "broker/mosquitto.conf"
        path.write_text(path.read_text().replace("keyfile ", f"crlfile {self.crl}\nkeyfile ", 1))

    def serve(self):
        # The list first: Mosquitto does not start without the file it names.
        # As under its unit: what it writes is nobody else's unless it says so.
        before = os.umask(0o077)
        self.run_one("collector")
        os.umask(before)
        self.until("the list stands", self.crl.exists)
        self.run_one("broker")
        self.until("the collector is connected", self.healthy)

    def list(self):
        return x509.load_pem_x509_crl(self.crl.read_bytes())

    def serials(self):
        return sorted(entry.serial_number for entry in self.list())

    def takes(self, path):
        """OpenSSL's verdict on a certificate."""
        done = run("openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", self.ca / "ca.pem", "-CRLfile", self.crl, path, check=False)
        return (done.returncode == 0, b"revoked" in done.stderr)

    def made(self, key):
        return self.dir / f"{key}-made.pem"

    def serial(self, key):
        return x509.load_pem_x509_certificate(self.made(key).read_bytes()).serial_number


class RevocationList(unittest.TestCase):
    def test_a_replaced_and_a_revoked_certificate_are_listed(self):
        with ListedHouse() as one:
            one.serve()
            self.list_is_sound(one)
            self.assertEqual((one.serials(), one.crl.stat().st_mode & 0o777), ([], 0o644))
            first = one.enrolled(key="first")
            renewed = self.renewed(one, "first")
            # The broker came after the collector, which is still making itself known there.
            one.until("the broker lets the first key in", lambda: one.publish(first, one.topics() + "evidence"))
            self.assertEqual((one.takes(one.made("first")), one.takes(renewed)), ((True, False), (True, False)))

            second = one.enrolled(key="second")
            one.until("the first key's are listed", lambda: len(one.serials()) == 2)
            self.assertIn(one.serial("first"), one.serials())
            self.assertEqual((one.takes(one.made("first")), one.takes(renewed)), ((False, True), (False, True)))
            self.assertEqual(one.takes(one.made("second")), (True, False))
            self.list_is_sound(one)
            # Same common name, so the broker knows it; only the list tells the two apart.
            self.assertTrue(one.publish(first, one.topics() + "evidence"))
            one.child("broker").send_signal(signal.SIGHUP)
            one.until("the broker has read the list", lambda: not one.publish(first, one.topics() + "evidence"))
            self.assertTrue(one.publish(second, one.topics() + "evidence"))

            before = {entry.serial_number: entry.revocation_date_utc for entry in one.list()}
            number = self.number(one)
            one.end("collector")
            one.run_one("collector")
            one.until("a list of the new process", lambda: self.number(one) > number)
            self.assertEqual({entry.serial_number: entry.revocation_date_utc for entry in one.list()}, before)
            one.until("the collector answers", one.healthy)
            one.revoke()
            one.until("the second one is listed", lambda: one.takes(one.made("second")) == (False, True))
            self.list_is_sound(one)

    def list_is_sound(self, one):
        """Signed by the CA, as OpenSSL and cryptography see it, and good for as long as was said."""
        found = one.list()
        authority = x509.load_pem_x509_certificate((one.ca / "ca.pem").read_bytes())
        self.assertTrue(found.is_signature_valid(authority.public_key()))
        self.assertEqual(found.issuer, authority.subject)
        self.assertEqual(found.next_update_utc - found.last_update_utc, datetime.timedelta(hours=6))
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        self.assertEqual(found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier, own)
        self.assertIn(b"verify OK", run("openssl", "crl", "-in", one.crl, "-noout", "-CAfile", one.ca / "ca.pem").stderr)

    def number(self, one):
        return one.list().extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    def renewed(self, one, key):
        """Another certificate of the same key."""
        status, body = one.est("/simplereenroll", one.request_of(one.dir / f"{key}.pem"), None, "--cert", one.made(key), "--key", one.dir / f"{key}.pem")
        self.assertEqual(status, 200, body)
        path = one.dir / "renewed.pem"
        path.write_bytes(certificate(body).public_bytes(Encoding.PEM))
        return path

    def test_one_key_gets_no_more_than_can_be_remembered(self):
        with ListedHouse() as one:
            one.serve()
            one.enrolled(key="greedy")
            path = one.dir / f"collector/enrolment/{GATEWAY}.certificate"
            serial, kid, end, _ = path.read_text().split()
            one.end("collector")
            path.write_text("".join(f"{number:040x} {kid} {end} -\n" for number in range(1, 65)))
            one.run_one("collector")
            one.until("the collector answers", one.healthy)
            request = base64.encodebytes(run("openssl", "req", "-new", "-key", one.dir / "greedy.pem", "-subj", f"/CN={GATEWAY}", "-outform", "DER").stdout)
            status, body = one.est("/simplereenroll", request, None, "--cert", one.made("greedy"), "--key", one.dir / "greedy.pem")
            self.assertEqual((status, b"too many certificates" in body), (429, True), body)
            # All of them are listed when the key is replaced, and the new key gets its own.
            one.enrolled(key="heir")
            one.until("all are listed", lambda: len(one.serials()) == 64)


if __name__ == "__main__":
    unittest.main()
