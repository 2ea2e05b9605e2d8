"""A collector restored from an older copy: refuses, says what to do, opens an epoch, gets its tail again, tells one history."""

import shutil
import signal
import unittest

import cbor2
from house import GATEWAY, House


class Notes:
    """Every checkpoint seen: for an origin and a size there is one root."""

    def __init__(self, test):
        self.test, self.roots = test, {}

    def take(self, note, where):
        origin, size, root = note.decode().splitlines()[:3]
        known = self.roots.setdefault((origin, int(size)), root)
        self.test.assertEqual(known, root, f"{where}: two histories of {origin} at {size}")

    def take_all(self, house):
        for log in ("journal", "evidence"):
            self.take((house.dir / f"witness/{log}.checkpoint").read_bytes(), "witness")
            for epoch in (1, 2):
                status, note = house.request(f"/log/{log}/{epoch}/checkpoint", role="auditor")
                if status == 200:
                    self.take(note, f"/log/{log}/{epoch}")

    def largest(self, origin):
        return max((size for known, size in self.roots if known == origin), default=0)


class Restore(unittest.TestCase):
    def test_an_older_copy_tells_no_second_history(self):
        notes = Notes(self)
        with House() as house:
            house.launch()
            house.audit_first_window()
            house.settle(1)
            house.end("collector")
            shutil.copytree(house.dir / "collector", house.dir / "backup")
            house.run_one("collector")
            first = house.settle(2)
            notes.take_all(house)
            house.end("collector", signal.SIGKILL)
            lost = dict(house.evidence())
            sizes = {log: notes.largest(f"kilomint.example/demo/{log}/1") for log in ("journal", "evidence")}
            shutil.move(house.dir / "collector", house.dir / "lost")
            shutil.copytree(house.dir / "backup", house.dir / "collector")
            self.refuses(house, notes)
            self.open_epochs(house)
            house.run_one("collector")
            house.until("a healthy collector", house.healthy)
            house.until("the lost tail", lambda: all(house.evidence().get(key, 0) >= through for key, through in lost.items()))
            house.until("both epochs reconciled", lambda: self.kinds(house).count("EpochReconciled") == 2, 60)
            house.proved.clear()
            again = house.settle(3, seconds=90)
            notes.take_all(house)
            self.same_money(first, again)
            for log, size in sizes.items():
                self.assertGreaterEqual(sizes[log], notes.largest(f"kilomint.example/demo/{log}/1"), "the ended epoch grew")
            self.one_of_each(house)
            for verdict in (house.verify(), house.verify(house.export())):
                self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def refuses(self, house, notes):
        """It runs, answers, appends nothing, signs nothing, and tells people what to do."""
        house.run_one("collector")
        reasons = house.until("a degraded collector", lambda: [reason for reason in house.health()["reasons"] if "epoch open" in reason])
        self.assertEqual(house.request("/healthz")[0], 503)
        self.assertEqual(len(reasons), 2, reasons)
        held = house.evidence()
        witness = {log: (house.dir / f"witness/{log}.checkpoint").read_bytes() for log in ("journal", "evidence")}
        # The gateway goes on sending: what follows the lost tail is not next here.
        house.until("the gateway to try", lambda: 'kilomint_refusals_total{code="12"} 0' not in house.request("/metrics")[1].decode(), 20)
        self.assertEqual(house.evidence(), held)
        notes.take_all(house)
        for log, before in witness.items():
            self.assertEqual((house.dir / f"witness/{log}.checkpoint").read_bytes(), before)
        status, body = house.request(f"/ingest/events?gateway={GATEWAY}", b"anything")
        self.assertEqual(status, 422, body)
        house.end("collector")

    def command(self, house, log):
        return house.tool("kilomint-collector", "epoch", "open", "--config", house.dir / "collector.yaml", "--log", log,
                          "--root-key", house.dir / "keys/root.pem", check=False)

    def open_epochs(self, house):
        early = self.command(house, "evidence")
        self.assertNotEqual(early.returncode, 0, "the opening must be journalled, and the Journal is behind")
        self.assertIn("--log journal", early.stdout + early.stderr)
        for log in ("journal", "evidence"):
            done = self.command(house, log)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            again = self.command(house, log)
            self.assertNotEqual(again.returncode, 0, "an epoch is opened once")
        # What the Journal lost is a person's to judge; the evidence comes again by itself.
        house.tool("kilomint-collector", "epoch", "reconcile", "--config", house.dir / "collector.yaml", "--log", "journal")

    def kinds(self, house):
        """Kinds of the Journal's events, as served."""
        found = []
        for epoch in (1, 2):
            note = house.request(f"/log/journal/{epoch}/checkpoint", role="auditor")[1].decode()
            size = int(note.splitlines()[1])
            for bundle in range((size + 255) // 256):
                width = min(256, size - 256 * bundle)
                path = f"/log/journal/{epoch}/tile/entries/{bundle:03}" + ("" if width == 256 else f".p/{width}")
                data = house.request(path, role="auditor")[1]
                while data:
                    length = int.from_bytes(data[:2], "big")
                    value = cbor2.loads(data[2:2 + length])
                    found.append(value.get(1, "epoch"))
                    data = data[2 + length:]
        return found

    def same_money(self, first, again):
        """Windows computed again from the tail that came again give what they gave."""
        # A window that a busy machine cut before its readings came had none; the second time they were there before it.
        pairs = [(before, after) for before, after in zip(first, again) if before["entities"][0]["days"]]
        self.assertTrue(pairs)
        for before, after in pairs:
            self.assertEqual(before["window_id"], after["window_id"])
            self.assertEqual(before["output_digest"], after["output_digest"])
            self.assertEqual([(row["principal_id"], row["amount"]) for row in before["issued"]],
                             [(row["principal_id"], row["amount"]) for row in after["issued"]])
        self.assertTrue(any(window["issued"] for window in again))

    def one_of_each(self, house):
        """Each number of the stream stands once over all epochs."""
        seen = {}
        folder = house.export("numbers")
        for epoch in (1, 2):
            for file in sorted((folder / f"log/evidence/{epoch}/tile/entries").rglob("*")):
                data = file.read_bytes() if file.is_file() else b""
                while data:
                    length = int.from_bytes(data[:2], "big")
                    value = cbor2.loads(data[2:2 + length])
                    data = data[2 + length:]
                    if -1 in value:
                        continue
                    place = (value[2], value[3])
                    self.assertNotIn(place, seen)
                    seen[place] = value[4]
        numbers = sorted(number for _, number in seen)
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))


if __name__ == "__main__":
    unittest.main()
