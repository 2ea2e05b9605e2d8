"""The smooth run: windows settle, the audit and other checkers agree, a flipped bit is found and named.

KILOMINT_EXPORT=FOLDER and KILOMINT_RECEIPTS=FILE leave the export and the gateway's receipts there for checkers that want them.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import cbor2
import rogue
import tampering
from house import GATEWAY, ROOT, House

WINDOWS = 2


class SmoothRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.house.__enter__()
        cls.addClassCleanup(cls.house.__exit__, None, None, None)
        cls.house.launch()
        client = rogue.Client(cls.house)
        cls.addClassCleanup(client.close)
        client.subscribe(rogue.topic(GATEWAY, "receipt"))
        cls.house.audit_first_window()
        cls.windows = cls.house.settle(WINDOWS)
        cls.online = cls.house.verify()
        cls.export = cls.house.export()
        cls.receipts = pathlib.Path(os.environ.get("KILOMINT_RECEIPTS", cls.house.dir / "receipts"))
        cls.receipts.write_bytes(b"".join(cbor2.dumps(data) for _, data in client.messages))
        if kept := os.environ.get("KILOMINT_EXPORT"):
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(cls.export, pathlib.Path(kept))

    def test_money_is_what_was_measured(self):
        for window in self.windows:
            issued = sum(int(row["amount"]) for row in window["issued"])
            self.assertEqual(issued, 1000 * (window["entities"][0]["verified_wh"] or 0), window["window_id"])
            self.assertTrue(window["replay"]["equal"])
        # At the ends of the windows no register moves: exact to the last count.
        verified = sum(window["entities"][0]["verified_wh"] or 0 for window in self.windows)
        self.assertEqual(verified, self.house.energy(self.house.start_at, self.house.settled_through(self.windows)))
        self.assertGreater(verified, 0)

    def test_the_audit_agrees(self):
        self.assertEqual(self.online.returncode, 0, self.online.stdout + self.online.stderr)
        offline = self.house.verify(self.export)
        self.assertEqual(offline.returncode, 0, offline.stdout + offline.stderr)

    def test_others_agree(self):
        """Python with cbor2, pycose and the documents alone: signatures, chains, trees, receipts, and each window replayed."""
        done = subprocess.run(
            [sys.executable, ROOT / "Tests/Interop/verify_export.py", self.export, "--receipts", self.receipts, "--replay"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = re.search(r"receipts: (\d+) are signed and true of the log", done.stdout)
        self.assertTrue(found and int(found[1]) > 5, done.stdout)

    def test_windows_replay_elsewhere(self):
        script = ROOT / "Tests/Interop/replay_window.py"
        for window in self.windows:
            done = subprocess.run([sys.executable, script, self.export, window["window_id"]], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(window["output_digest"], done.stdout)

    def test_a_flipped_bit_is_found_and_named(self):
        places = tampering.places(self.export)
        self.assertGreaterEqual(len(places), 20)
        for name, path, offset, named in places:
            with self.subTest(name):
                copy = tampering.tampered(self.export, self.house.dir / "tampered", path, offset)
                done = self.house.verify(copy)
                self.assertEqual(done.returncode, 70, f"{path} at {offset}: {done.stdout}{done.stderr}")
                self.assertIn(named, done.stderr)

    def test_a_missing_file_is_found_and_named(self):
        copy = self.house.dir / "tampered"
        for path in ("log/journal/1/checkpoint", "records/evidence/1/0", "house"):
            with self.subTest(path):
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(self.export, copy)
                (copy / path).unlink()
                done = self.house.verify(copy)
                self.assertIn(done.returncode, (69, 70), done.stdout + done.stderr)
                self.assertIn(path, done.stderr)


if __name__ == "__main__":
    unittest.main()
