"""verify_export.py and two_runs.py on houses written by synthetic_house.py, whole and damaged, and on KILOMINT_EXPORT.

Every file of an export is damaged in turn: a check that lets one bit pass fails here. The project's own auditor
(kilomint-audit, if it is built) must judge the same houses, written by Python from docs/formats alone, the same way.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import two_runs
import verify_export
from exports import Export
from formats import Wrong, sha256
from synthetic_gateway import DAY, KEYS, START
from synthetic_house import House
from synthetic_logs import Private, sign
from vectors import deterministic

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")) / "kilomint-audit"
EXPORT = os.environ.get("KILOMINT_EXPORT")
AUDIT = BUILT if BUILT.is_file() else None
RECEIPTS = os.environ.get("KILOMINT_RECEIPTS")


def verify(folder: pathlib.Path, receipts: pathlib.Path | None = None, replays: bool = False) -> list[str]:
    return list(verify_export.verify(Export(folder), None, receipts, replays))


def files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(path: pathlib.Path, bit: int) -> bytes:
    """Changes a bit of a file; what the file was."""
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    return whole


class Synthetic(unittest.TestCase):
    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.place = pathlib.Path(cls.folder.name)
        House().build(cls.place / "a")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_whole(self) -> None:
        lines = verify(self.place / "a", self.place / "a.receipts", True)
        self.assertIn("receipts: 31 are signed and true of the log, 0 are signed and beyond it", lines)
        self.assertEqual(lines[-1], "ledger: 2 accounts, supply 144000000")

    def test_a_key_of_elsewhere(self) -> None:
        export = Export(self.place / "a")
        right = export.vkey("journal", 1)
        next(verify_export.verify(export, right, None, False))
        with self.assertRaisesRegex(Wrong, "log key"):
            next(verify_export.verify(export, right[:-4] + "AAA=", None, False))

    def test_one_bit_anywhere(self) -> None:
        """Of each file a bit of its first, its last and a random byte; the place must be named."""
        copy, generator = self.place / "damaged", random.Random(7)
        shutil.copytree(self.place / "a", copy)
        for path in files(copy):
            size = 8 * path.stat().st_size
            for bit in {0, size - 1, generator.randrange(size)} if size else set():
                name = path.relative_to(copy)
                with self.subTest(file=name, bit=bit):
                    whole = flip(path, bit)
                    with self.assertRaises(Wrong) as raised:
                        verify(copy)
                    path.write_bytes(whole)
                    self.assertRegex(str(raised.exception), place_of(str(name)))
        verify(copy)

    def test_one_bit_of_receipts(self) -> None:
        path, generator = self.place / "damaged.receipts", random.Random(8)
        shutil.copy(self.place / "a.receipts", path)
        for _ in range(20):
            bit = generator.randrange(8 * path.stat().st_size)
            whole = flip(path, bit)
            with self.subTest(bit=bit), self.assertRaisesRegex(Wrong, "receipt"):
                verify(self.place / "a", path)
            path.write_bytes(whole)

    def test_a_missing_file_is_named(self) -> None:
        copy = self.place / "missing"
        shutil.copytree(self.place / "a", copy)
        for path in files(copy):
            whole = path.read_bytes()
            path.unlink()
            with self.subTest(path.name), self.assertRaisesRegex(Wrong, re.escape(str(path.relative_to(copy)))):
                verify(copy)
            path.write_bytes(whole)

    def test_houses_that_sign_what_is_wrong(self) -> None:
        """Everything is signed and in the trees: only the rules of the formats can find it."""
        for number, (house, text) in enumerate(LIARS):
            with self.subTest(text):
                made = house()
                made.build(self.place / f"liar{number}")
                with self.assertRaisesRegex(Wrong, text):
                    verify(self.place / f"liar{number}")

    def test_arrival_does_not_matter(self) -> None:
        House(seed=2, alternates=False).build(self.place / "b")
        House(seed=3, wh_off=10).build(self.place / "c")
        names = ["a", "b", "c"]
        a, b, c = (Export(self.place / name) for name in names)
        self.assertEqual(len(two_runs.compare(names[:2], [a, b], False)), 2)
        with self.assertRaisesRegex(Wrong, "W-2016-07-07-1: the input digest"):
            two_runs.compare(["a", "c"], [a, c], False)
        self.assertEqual(len(two_runs.compare(["a", "c"], [a, c], True)), 2)

    @unittest.skipUnless(AUDIT, "kilomint-audit is not built")
    def test_the_auditor_agrees(self) -> None:
        for number, house in enumerate([House(), House(seed=2, alternates=False)]):
            folder = self.place / f"audited{number}"
            house.build(folder)
            done = subprocess.run([str(AUDIT), "verify", folder], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(AUDIT, "kilomint-audit is not built")
    def test_the_auditor_refuses_liars(self) -> None:
        for number, (house, text) in enumerate(LIARS):
            with self.subTest(text):
                folder = self.place / f"audited-liar{number}"
                house().build(folder)
                done = subprocess.run([str(AUDIT), "verify", folder], capture_output=True, text=True)
                self.assertNotEqual(done.returncode, 0, done.stdout)


def place_of(name: str) -> str:
    """What a message about a damaged file must name."""
    parts = name.split("/")
    if parts[0] == "log" or parts[0] == "records":
        return f"{parts[1]}/{parts[2]}|{parts[1]}: "
    return "house|verifier" if parts[0] == "house" else f"{parts[-1]}|W-2016"


class Unchained(House):
    """A gateway's record does not name the one before it."""

    def take(self) -> None:
        self.gateways[0].records.pop(4)
        super().take()


class WrongKey(House):
    """A record is signed by another gateway's key."""

    def take(self) -> None:
        gateway = self.gateways[1]
        record, _, _ = gateway.records[-1]
        gateway.records[-1] = (record, *sign(deterministic(record), "record", KEYS["gw-north"]))
        super().take()


class OnePerson(House):
    """A meter is registered by one person alone."""

    def registered(self, kind: int, body: dict[int, object], *signers: str) -> None:
        super().registered(kind, body, *(signers[:2] if kind == 5 else signers))


class Generous(House):
    """One minor unit more is issued than was allocated."""

    def issue(self, name, now, cut, output, digest, segments, head):  # type: ignore[no-untyped-def]
        changed = output | {2: [[*row[:4], row[4] + 1, row[5]] for row in output[2]]}
        super().issue(name, now, cut, changed, digest, segments, head)


class OwnProof(House):
    """The auditor, who is no verifier, signs a proof."""

    def prove(self, kind: str, key: str, name: str, digest: bytes, now: int) -> bytes:
        return super().prove(kind, "auditor", name, digest, now)


class Twice(House):
    """A statement is recorded twice."""

    def state(self, day: int) -> None:
        super().state(day)
        if day == 0:
            envelope, _ = sign(self.statements[0][1], "statement", KEYS["auditor"])
            self.journal.append("StatementReceived", "verification", START + DAY, self.statements[0][0], {1: envelope})


class WrongSecret(House):
    """A key is bound with a secret that is not the claim's."""

    def enrol(self, name: str, secret: str, signer: Private) -> None:
        super().enrol(name, secret[::-1], signer)


class OthersKey(House):
    """A key is bound that did not sign the request."""

    def enrol(self, name: str, secret: str, signer: Private) -> None:
        super().enrol(name, secret, KEYS["gw-north"])


class NoClaim(House):
    """A key is bound and no claim stands."""

    def registered(self, kind: int, body: dict[int, object], *signers: str) -> None:
        if kind == 7:
            self.registrations.append((kind, sha256(b"nothing"), b""))
        else:
            super().registered(kind, body, *signers)


LIARS = [
    (WrongSecret, "secret is not the claim's"),
    (OthersKey, "the request has another key"),
    (NoClaim, "has no claim"),
    (Unchained, "number 6 after 4"),
    (WrongKey, "signature is not that of gw-south"),
    (OnePerson, "dual control"),
    (Generous, "allocation"),
    (OwnProof, "no key of role finance verifier"),
    (Twice, "event id stands already"),
]


@unittest.skipUnless(EXPORT, "KILOMINT_EXPORT names no export")
class Exported(unittest.TestCase):
    def test_whole(self) -> None:
        receipts = pathlib.Path(RECEIPTS) if RECEIPTS else None
        for line in verify(pathlib.Path(EXPORT or ""), receipts, True):
            print(line)

    def test_one_bit_anywhere(self) -> None:
        """Ten places, as random as the seed says."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "export"
            shutil.copytree(EXPORT or "", copy)
            generator = random.Random(11)
            chosen = [path for path in files(copy) if path.stat().st_size]
            for path in generator.sample(chosen, min(10, len(chosen))):
                bit = generator.randrange(8 * path.stat().st_size)
                with self.subTest(file=path.relative_to(copy), bit=bit):
                    whole = flip(path, bit)
                    with self.assertRaises(Wrong):
                        verify(copy)
                    path.write_bytes(whole)


if __name__ == "__main__":
    unittest.main()
