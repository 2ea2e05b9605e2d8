"""What is not authentic or not next is refused with a number and counted; the connection and everything else go on."""

import json
import re
import sqlite3
import unittest

import cbor2
import rogue
from cryptography.hazmat.primitives.asymmetric import ec
from house import GATEWAY, House

FRESH = bytes.fromhex("0102030405060708")
OVERSIZED, MALFORMED, UNPROTECTED, CONTENT, TOPIC, GATEWAY_UNKNOWN, KEY_UNKNOWN = 1, 2, 3, 4, 5, 6, 7
SIGNATURE, FORKED, ENDED, NOT_NEXT, NOT_BORN = 9, 10, 11, 12, 13


class FrontDoor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House(speed=600)
        cls.house.__enter__()
        cls.addClassCleanup(cls.house.__exit__, None, None, None)
        cls.house.launch()
        cls.key = rogue.key(cls.house.dir / "keys/gateway.pem")
        cls.other = ec.generate_private_key(ec.SECP256R1())

    def refusals(self):
        text = self.house.request("/metrics")[1].decode()
        return {int(code): int(count) for code, count in re.findall(r'kilomint_refusals_total\{code="(\d+)"\} (\d+)', text)}

    def own(self):
        """(stream, seq, previous) that would be the gateway's next."""
        (stream, through), = [(stream, through) for (gateway, stream), through in self.house.evidence().items() if gateway == GATEWAY]
        return bytes.fromhex(stream), through

    def cases(self):
        """(name, envelope, code, whether a receipt can name it)."""
        stream, through = self.own()
        good = rogue.record(GATEWAY, FRESH, 1, rogue.ZERO)
        signed = rogue.envelope(self.key, good)
        protected, _, payload, signature = cbor2.loads(signed).value
        flipped = bytes([signature[0] ^ 1]) + signature[1:]
        return [
            ("nothing", b"", MALFORMED, False),
            ("no CBOR", b"\xff" * 40, MALFORMED, False),
            ("deep nesting", b"\x81" * 100_000 + b"\x00", MALFORMED, False),
            ("not COSE", cbor2.dumps([1, 2, 3]), MALFORMED, False),
            ("unsigned", rogue.encoded(cbor2.CBORTag(18, [protected, {}, payload, b""])), MALFORMED, False),
            ("another tag", rogue.encoded(cbor2.CBORTag(98, [protected, {}, payload, signature])), MALFORMED, False),
            ("oversized", rogue.envelope(self.key, rogue.record(GATEWAY, FRESH, 1, rogue.ZERO, body=[0, 99, {1: bytes(140_000)}])), OVERSIZED, False),
            ("filled unprotected header", rogue.envelope(self.key, good, unprotected={4: b"x"}), UNPROTECTED, False),
            ("other content type", rogue.envelope(self.key, good, content=rogue.RECORD.replace("record", "receipt")), CONTENT, False),
            ("another gateway's name", rogue.envelope(self.key, rogue.record("gw-other", FRESH, 1, rogue.ZERO)), TOPIC, False),
            ("no place", rogue.envelope(self.key, rogue.encoded({1: 1})), MALFORMED, False),
            ("unknown key", rogue.envelope(self.other, good), KEY_UNKNOWN, True),
            ("zero signature", rogue.envelope(self.key, good, signature=bytes(64)), SIGNATURE, True),
            ("flipped signature", rogue.envelope(self.key, good, signature=flipped), SIGNATURE, True),
            ("signed by another under this key's name", rogue.envelope(self.other, good, named=rogue.kid(self.key)), SIGNATURE, True),
            ("not born", signed, NOT_BORN, True),
            ("not the first", rogue.envelope(self.key, rogue.record(GATEWAY, FRESH, 7, rogue.ZERO)), NOT_NEXT, True),
            ("far ahead", rogue.envelope(self.key, rogue.record(GATEWAY, stream, through + 1000, rogue.ZERO)), NOT_NEXT, True),
            ("number without end", rogue.envelope(self.key, rogue.record(GATEWAY, FRESH, 2**63 - 1, rogue.ZERO)), MALFORMED, True),
        ]

    def test_1_http(self):
        for name, data, code, _ in self.cases():
            with self.subTest(name):
                before = self.refusals()
                status, body = self.house.request(f"/ingest/events?gateway={GATEWAY}", data)
                if name == "oversized" and status == 413:
                    continue
                self.assertEqual(status, 409 if code == NOT_NEXT else 422, body)
                self.assertEqual(json.loads(body)["code"], code)
                self.assertEqual(self.refusals()[code], before[code] + 1)
        unknown = rogue.envelope(self.key, rogue.record("gw-unknown", FRESH, 1, rogue.ZERO))
        status, body = self.house.request("/ingest/events?gateway=gw-unknown", unknown)
        self.assertEqual((status, json.loads(body)["code"]), (422, GATEWAY_UNKNOWN))
        self.assertEqual(self.house.request("/ingest/events?gateway=GW", b"")[0], 400)
        self.assertEqual(self.house.request(f"/ingest/events?gateway={GATEWAY}", b"x", role="owner")[0], 403)
        self.assertEqual(self.house.request(f"/ingest/events?gateway={GATEWAY}", b"x", role=None)[0], 401)

    def test_2_broker(self):
        client = rogue.Client(self.house)
        try:
            client.subscribe(rogue.topic(GATEWAY, "receipt"))
            for name, data, code, is_named in self.cases():
                with self.subTest(name):
                    before = self.refusals()
                    client.publish(rogue.topic(GATEWAY, "evidence"), data)
                    self.house.until(f"{name} to be counted", lambda: self.refusals()[code] > before[code], 10)
                    if is_named and code != NOT_NEXT:
                        self.house.until(f"{name} in a receipt", lambda: code in self.named(client), 10)
        finally:
            client.close()
        # Another gateway's topic is not this user's to write: the broker sees to that. A status decides nothing.
        before = self.refusals()
        for name, data in (
            (rogue.topic("gw-other", "evidence"), b"x"), (rogue.topic(GATEWAY, "status"), b"\xff not a status"),
            (rogue.topic(GATEWAY, "status"), rogue.encoded({1: 1, 2: GATEWAY, 3: True, 4: 2**63, 5: b"no receipt", 6: b"no note"})),
        ):
            client = rogue.Client(self.house)
            try:
                client.publish(name, data)
            except ConnectionError:
                pass  # Refused by closing the connection is refused as well.
            finally:
                client.close()
        self.goes_on()
        after = self.refusals()
        self.assertEqual({code: count for code, count in after.items() if code != NOT_NEXT}, {code: count for code, count in before.items() if code != NOT_NEXT})

    def named(self, client):
        return {code for _, data in client.messages for _, code in rogue.receipt(data).get(12, [])}

    def goes_on(self):
        """The gateway's own records are still taken."""
        before = self.own()[1]
        self.house.until("more records of the gateway", lambda: self.own()[1] > before + 1, 20)
        self.assertTrue(self.house.healthy(), self.house.health())

    def test_3_authentic_but_strange_is_kept(self):
        """Authentic and next, but not understood: kept with a finding, receipted; then the gateway's own record of that
        number is the second history of its stream: told once, the stream ends, the gateway begins another."""
        self.house.end("agent")
        stream, through = self.own()
        with sqlite3.connect(f"file:{self.house.dir}/collector/evidence.sqlite?mode=ro", uri=True) as base:
            previous, = base.execute("SELECT identity FROM stream WHERE stream = ?", (stream,)).fetchone()
        strange = rogue.envelope(self.key, rogue.record(GATEWAY, stream, through + 1, previous, kind=99, body={7: "?"}))
        for _ in range(2):
            status, body = self.house.request(f"/ingest/events?gateway={GATEWAY}", strange)
            self.assertEqual(status, 200, body)
            self.assertEqual((rogue.receipt(body)[4], rogue.receipt(body)[5]), (through + 1, rogue.identity(strange)))
        self.house.until("the finding", lambda: self.streams()[0]["findings"] == 1, 10)
        before = self.refusals()[FORKED]
        self.house.run_one("agent")
        self.house.until("the fork to be told", lambda: self.refusals()[FORKED] > before, 20)
        self.house.until("the gateway's next stream", lambda: len(self.streams()) == 2 and self.streams()[1]["through"] > 3, 30)
        self.assertEqual(self.streams()[0]["hold"], "STREAM_FORKED")
        self.assertEqual(self.streams()[0]["through"], through + 1)
        # After a restart it is the same.
        self.house.end("collector", 9)
        self.house.run_one("collector")
        self.house.until("the collector", self.house.healthy, 30)
        self.assertEqual(self.streams()[0]["hold"], "STREAM_FORKED")
        reached = self.streams()[1]["through"]
        self.house.until("more of the next stream", lambda: self.streams()[1]["through"] > reached, 20)
        verdict = self.house.verify()
        self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def streams(self):
        found = next(gateway for gateway in self.house.get("/v1/gateways")["items"] if gateway["gateway"] == GATEWAY)
        return found["streams"]


if __name__ == "__main__":
    unittest.main()
