"""Hostile slaves and a hostile broker: no crash, no wrong value, no growing memory; counted and shown. A receipt is believed
only if a key of the key list signed it for this gateway and stream."""

import os
import pathlib
import random
import sqlite3
import tempfile
import time
import unittest
from typing import Any

import profile_yaml
from cryptography.hazmat.primitives.asymmetric import ec
from devices import Cable
from formats import envelope
from hostile_broker import HostileBroker, packet, publish, text, topic_of
from hostile_slaves import HONEST, ONLY_TCP, POISON, WAYS, HostileSlave
from lone_agent import FAR, GATEWAY, LoneAgent, key_list
from synthetic_logs import sign
from vectors import deterministic
from wild_devices import COUNTER, profile

SEED = int(os.environ.get("KILOMINT_SEED", random.SystemRandom().randrange(1 << 32)))
# KiB that an agent may grow by while it is shouted at.
GROWTH_MAX = 12_288
COUNTED = ("timeouts", "checksums", "wrong_units", "wrong_answers", "echoes", "disconnects")


class HostileSlaves(unittest.TestCase):
    """All ways to misbehave at once, over TCP, RTU over TCP and a line; every third answer is sound and must be taken."""

    @classmethod
    def setUpClass(cls) -> None:
        print(f"KILOMINT_SEED={SEED}")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        path = pathlib.Path(cls.folder.name) / "wild/victim.yaml"
        path.parent.mkdir()
        path.write_text(profile("victim", [f"obis: 1-0:1.8.0, {COUNTER}, address: 0"]))
        cls.profiles = {"wild/victim": profile_yaml.encode(path)}
        cls.slaves = [HostileSlave(way, is_tcp, SEED) for is_tcp in (True, False) for way in (*WAYS, *(ONLY_TCP if is_tcp else []))]
        cls.on_lines = [HostileSlave(way, False, SEED + 1) for way in WAYS]
        cls.agent = LoneAgent(pathlib.Path(cls.folder.name), interval="300ms")
        cls.addClassCleanup(cls.agent.__exit__, None)
        cls.agent.configure(cls.buses())
        cls.agent.start()
        cls.agent.until("the first commits", lambda: cls.agent.status()["head"] >= 5)
        before = cls.agent.resident()
        try:
            cls.agent.until("honest answers of all", cls.heard, 90)
        except AssertionError as problem:
            silent = [(slave.name, slave.asked, slave.honest) for slave in cls.slaves + cls.on_lines if slave.asked < 5]
            raise AssertionError(f"{silent}\n{problem}") from None
        cls.growth = cls.agent.resident() - before
        cls.status = cls.agent.status()
        cls.ended = cls.agent.end()
        cls.samples = cls.agent.samples(cls.profiles)

    @classmethod
    def heard(cls) -> bool:
        """Taken, not only given: a busy machine may miss one."""
        given = all(slave.asked >= 5 for slave in cls.slaves + cls.on_lines)
        return given and all(bus["meters"][0]["good"] >= 2 for bus in cls.agent.status()["buses"])

    @classmethod
    def buses(cls) -> list[str]:
        meter = "{{id: {}, unit: 7, profile: wild/victim}}"
        found = []
        for slave in cls.slaves:
            kind = "tcp" if slave.framing.is_tcp else "rtu_tcp"
            found.append(f"{{{kind}: 127.0.0.1:{slave.listen()}, timeout: 500ms, timeout_max: 1s, meters: [{meter.format(slave.name)}]}}")
        for slave in cls.on_lines:
            cable = Cable(False)
            cls.addClassCleanup(cable.close)
            slave.serve_line(cable.masters[0])
            line = f"rtu: {{device: {cable.ends[0]}, baud: 115200, parity: none}}"
            found.append(f"{{{line}, timeout: 500ms, timeout_max: 1s, meters: [{meter.format('line-' + slave.name)}]}}")
        return found

    def test_it_lives_and_does_not_grow(self) -> None:
        self.assertEqual(self.ended, 0)
        self.assertLess(self.growth, GROWTH_MAX, "KiB")

    def test_no_wrong_value_and_every_right_one(self) -> None:
        named = [(slave.name, slave) for slave in self.slaves] + [("line-" + slave.name, slave) for slave in self.on_lines]
        for name, slave in named:
            with self.subTest(name):
                samples = self.samples[name]
                good = [sample for sample in samples if sample.status == 0]
                self.assertEqual({sample.words for sample in good}, {HONEST})
                self.assertTrue(all(not sample.words for sample in samples if sample.status))
                self.assertGreaterEqual(len(good), 2)
                self.assertLessEqual(len(good), slave.honest)
                self.assertFalse(any(POISON in sample.words for sample in samples))

    def test_each_is_counted_and_shown(self) -> None:
        for bus in self.status["buses"]:
            meter = bus["meters"][0]
            with self.subTest(meter["id"]):
                exceptions = sum(meter["exceptions"].values())
                self.assertGreater(sum(meter[name] for name in COUNTED) + exceptions + bus["stray_bytes"], 0, meter)


def receipt(key: ec.EllipticCurvePrivateKey, stream: bytes, through: int, identity: bytes, **changes: Any) -> bytes:
    fields = {1: 1, 2: GATEWAY, 3: stream, 4: through, 5: identity, 6: 1_700_000_000_000, 7: "wild/evidence/1", 8: 0, 9: 1, 10: [1]}
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return sign(deterministic(fields), "receipt", key)[0]


class ABrokerThatLies(unittest.TestCase):
    def setUp(self) -> None:
        self.broker = HostileBroker()
        self.addCleanup(self.broker.close)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        path = pathlib.Path(self.folder.name) / "wild/victim.yaml"
        path.parent.mkdir()
        path.write_text(profile("victim", [f"obis: 1-0:1.8.0, {COUNTER}, address: 0"]))
        self.slave = HostileSlave(WAYS[0], True, SEED)
        self.chance = random.Random(SEED)

    def started(self, agent: LoneAgent) -> tuple[bytes, dict[int, bytes]]:
        """(stream, identity by number) of what the agent has sent so far."""
        mqtt = f"mqtt: {{host: 127.0.0.1, port: {self.broker.port}}}\nresend_after: 500ms\nresend_after_max: 1s\ncommit: 200ms\ninterval: 500ms\nboundary: 1m\n"
        agent.configure([f"{{tcp: 127.0.0.1:{self.slave.listen()}, meters: [{{id: victim, unit: 7, profile: wild/victim}}]}}"], mqtt)
        agent.start()
        agent.until("records", lambda: len(set(self.sent())) >= 4)
        records = {}
        for data in self.sent():
            signed = envelope(data, "record", "sent")
            record = signed.map("sent")
            records[record[4]] = signed.identity
        return record[3], records

    def sent(self) -> list[bytes]:
        return self.broker.messages("evidence")

    def forged(self, agent: LoneAgent, stream: bytes, records: dict[int, bytes]) -> dict[str, bytes]:
        """Everything that must not be believed."""
        stranger, expired = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        (agent.dir / "key-list.cbor").write_bytes(
            sign(
                deterministic({
                    1: 1, 2: 2, 3: 1_700_000_000_000,
                    4: [[self.spki(agent.receipt), 2, 0, FAR], [self.spki(expired), 2, 0, 1_700_000_000_000], [self.spki(stranger), 5, 0, FAR]],
                }), "key-list", agent.root)[0])  # fmt: skip
        good = receipt(agent.receipt, stream, 2, records[2])
        return {
            "a stranger's": receipt(ec.generate_private_key(ec.SECP256R1()), stream, 2, records[2]),
            "the gateway's own key": receipt(agent.key, stream, 2, records[2]),
            "the root's": receipt(agent.root, stream, 2, records[2]),
            "a key of another role": receipt(stranger, stream, 2, records[2]),
            "an expired key": receipt(expired, stream, 2, records[2]),
            "another gateway's": receipt(agent.receipt, stream, 2, records[2], _2="gw-other"),
            "another stream's": receipt(agent.receipt, bytes(8), 2, records[2]),
            "another identity": receipt(agent.receipt, stream, 2, records[1]),
            "a broken signature": good[:-1] + bytes([good[-1] ^ 1]),
            "a bit more": good + b"\0",
            "a record": self.sent()[0],
            "a key list": key_list(agent.root, stranger, number=9),
            "nothing": b"",
            "noise": self.chance.randbytes(4_000),
            "deep nesting": b"\x81" * 100_000,
            "a long array": b"\x9a\xff\xff\xff\xff",
        }

    def spki(self, key: Any) -> bytes:
        from vectors import spki

        return spki(key)

    def test_only_genuine_receipts_are_believed(self) -> None:
        with LoneAgent(pathlib.Path(self.folder.name)) as agent:
            stream, records = self.started(agent)
            there = topic_of(GATEWAY, "receipt")
            for name, data in self.forged(agent, stream, records).items():
                with self.subTest(name):
                    self.assertTrue(self.broker.send(publish(there, data)))
            # The last one is genuine: when it counts, the others were looked at before it.
            self.broker.send(publish(there, receipt(agent.receipt, stream, 1, records[1])))
            agent.until("the genuine one to count", lambda: agent.status()["receipted"] >= 1)
            status = agent.status()
            self.assertEqual(status["receipted"], 1)
            self.assertGreaterEqual(status["receipts_refused"], 11, status)
            self.assertGreaterEqual(status["receipts_ignored"], 2, status)
            # Replayed, also with its records resent: nothing is receipted that was not.
            for _ in range(50):
                self.broker.send(publish(there, receipt(agent.receipt, stream, 2, records[2])), publish(there, receipt(agent.receipt, stream, 1, records[1])))
            self.broker.send(publish(there, receipt(agent.receipt, stream, 3, records[3])))
            agent.until("the newest to count", lambda: agent.status()["receipted"] == 3)
            self.assertEqual(agent.end(), 0)
            self.held_what_it_signed(agent)

    def held_what_it_signed(self, agent: LoneAgent) -> None:
        with sqlite3.connect(agent.spool / "spool.db") as base:
            streams = base.execute("SELECT count(*) FROM stream").fetchone()[0]
        self.assertEqual(streams, 1, "no forged receipt opens a stream")
        self.assertGreater(len(agent.records()), 4)

    def test_a_flood_changes_nothing(self) -> None:
        """Unknown topics, retained messages without end, messages as large as the session takes and larger, broken packets."""
        with LoneAgent(pathlib.Path(self.folder.name)) as agent:
            self.started(agent)
            before = agent.resident()
            there = topic_of(GATEWAY, "receipt")
            command = topic_of(GATEWAY, "command")
            for number in range(3_000):
                self.broker.send(publish(f"km/1/00/other-{number}/receipt", self.chance.randbytes(500)), publish(command, self.chance.randbytes(200)))
            for size in (10_000, 60_000, 130_000, 200_000):
                for _ in range(40):
                    self.broker.send(publish(there, self.chance.randbytes(size)))
            for broken in self.broken_packets():
                self.broker.subscribed.clear()
                connections = self.broker.connections
                self.broker.send(broken)
                # A broken packet may cost the connection, never the agent.
                time.sleep(0.2)
                agent.until("a connection again", lambda known=connections: self.broker.connections == known or self.broker.subscribed.is_set(), 60)
            agent.until("records to go on", lambda count=len(self.sent()): len(self.sent()) > count)
            self.assertLess(agent.resident() - before, GROWTH_MAX, "KiB")
            status = agent.status()
            self.assertEqual(status["receipted"], 0)
            self.assertGreater(status["receipts_refused"], 40)
            self.assertGreater(status["messages_unknown"], 1_000)
            self.assertGreater(status["commands_unbelieved"], 1_000)
            self.assertEqual(agent.end(), 0)

    def broken_packets(self) -> list[bytes]:
        return [
            b"\x30\xff\xff\xff\xff",  # a length without end
            b"\x30\xff\xff\xff\x7f",  # 256 MiB to come
            b"\x30\x02\xff\xff",  # a topic longer than the packet
            publish(b"\xff\xfe\x00", b"x"),  # a topic that is no text
            b"\x00\x00",
            b"\xf0\x00",
            b"\x90\x03\x00\x01\x00",  # SUBACK of nothing
            b"\x30\x7f" + bytes(40),  # half a packet
        ]

    def test_an_unknown_property_costs_its_connection_alone(self) -> None:
        """libmosquitto 2.0.11 asserts on a property it does not know: the process lives, counts, comes back ever later, and goes on with its stream."""
        with LoneAgent(pathlib.Path(self.folder.name)) as agent:
            stream, records = self.started(agent)
            assert agent.process
            process = agent.process.pid
            for round in range(1, 4):
                self.broker.subscribed.clear()
                self.assertTrue(self.broker.send(packet(0x30, text(topic_of(GATEWAY, "receipt")) + b"\x01\x7e" + b"x")))
                self.assertTrue(self.broker.subscribed.wait(30), f"round {round}: it comes back")
                self.assertIsNone(agent.process.poll())
            agent.until("each to be counted", lambda: agent.status()["unknown_packets"] == 3)
            self.assertEqual(agent.process.pid, process)
            agent.until("records to go on", lambda count=len(set(self.sent())): len(set(self.sent())) > count)
            self.assertEqual(agent.end(), 0)
            held = agent.records()
            self.assertEqual({record[3] for record in held}, {stream})
            self.assertEqual([record[4] for record in held], list(range(1, len(held) + 1)))
            self.assertGreater(len(held), len(records))


if __name__ == "__main__":
    unittest.main()
