"""The torture's judges can say no: reckoning finds what is lost, doubled or made up; the disk loses what was not synced."""

import pathlib
import random
import tempfile
import unittest

import storm
from house import Failed
from reckoning import BIRTH, CRASHED, NOTE, QUARANTINED, READINGS, SKIP, Reckoning

STREAM = bytes(8)


def record(number, kind, body, at=0):
    return {3: STREAM, 4: number, 5: bytes(32), 6: [2, 0, bytes(16), at, at], 8: kind, 9: body}


def sample(number, status=0, instance=1, unit=1):
    words = instance.to_bytes(2, "big") + unit.to_bytes(2, "big") + number.to_bytes(4, "big")
    return [0, 0, 0, status, words if status == 0 else b""]


BORN = record(1, BIRTH, {2: None, 3: [{1: 0, 6: [1, "x"]}], 4: [[0, 0, 3, 0, 4, 200]]}, at=1)


class Judges(unittest.TestCase):
    def truth(self, *records, answers=3):
        judge = Reckoning("", b"")
        return judge.truth([(STREAM.hex(), each, b"") for each in (BORN, *records)], 1, {1: answers})

    def readings(self, number, *samples, at=None):
        return record(number, READINGS, [0, list(samples)], number if at is None else at)

    def test_whole(self):
        self.assertEqual(self.truth(self.readings(2, sample(1), sample(2)), self.readings(3, sample(3))), (3, 0))

    def test_missing(self):
        for lost in ([sample(1), sample(3)], [sample(2), sample(3)], [sample(1), sample(2)]):
            with self.assertRaisesRegex(Failed, "missing"):
                self.truth(self.readings(2, *lost))

    def test_twice_and_out_of_order(self):
        for wrong in ([sample(1), sample(2), sample(2), sample(3)], [sample(2), sample(1), sample(3)]):
            with self.assertRaises(Failed):
                self.truth(self.readings(2, *wrong))

    def test_made_up(self):
        for wrong in (sample(4), sample(3, unit=2)):
            with self.assertRaisesRegex(Failed, "nobody gave it"):
                self.truth(self.readings(2, sample(1), sample(2), wrong))

    def test_owned_up_to(self):
        crash = record(3, NOTE, [0, CRASHED, {1: 0, 2: [[0, 1]]}], 4)
        self.assertEqual(self.truth(self.readings(2, sample(1)), self.readings(4, sample(3), at=4), crash), (2, 1))
        self.assertEqual(self.truth(self.readings(2, sample(1), sample(2, status=32), sample(3))), (2, 1))
        skip = record(3, SKIP, {1: 3, 2: bytes(32), 3: "spool full", 4: [], 5: [[0, 1]]})
        self.assertEqual(self.truth(self.readings(2, sample(1)), skip, self.readings(4, sample(3))), (2, 1))
        other = record(3, NOTE, [0, QUARANTINED, {1: 1, 2: 2, 3: "x"}], 3)
        self.assertEqual(self.truth(self.readings(2, sample(1)), other, self.readings(4, sample(3))), (2, 1))

    def test_owned_up_to_too_little(self):
        crash = record(3, NOTE, [0, CRASHED, {1: 0, 2: [[0, 1]]}], 4)
        with self.assertRaisesRegex(Failed, "missing"):
            self.truth(self.readings(2, sample(1)), self.readings(4, sample(4), at=4), crash, answers=4)

    def test_chain(self):
        judge = Reckoning("", b"")
        with self.assertRaisesRegex(Failed, "does not follow"):
            judge.chains([("a", BORN, b"1"), ("a", self.readings(3, sample(1)), b"3")])
        # A skip that begins below what was accepted counts for the rest alone.
        second = self.readings(2, sample(1)) | {5: b"1"}
        skip = record(2, SKIP, {1: 5, 2: b"5", 3: "deleted", 4: [], 5: []})
        chains = judge.chains([("a", BORN, b"1"), ("a", second, b"2"), ("a", skip, b"s"), ("a", self.readings(6, sample(2)) | {5: b"5"}, b"6")])
        self.assertEqual(chains["a"], {1: b"1", 2: b"2", 3: None, 4: None, 5: None, 6: b"6"})


class Disk(unittest.TestCase):
    def test_a_power_cut_loses_what_was_not_synced(self):
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place) / "spool"
            folder.mkdir()
            (folder / "file").write_bytes(b"a" * 1024)
            number = (folder / "file").stat().st_ino
            disk = storm.Disk(folder, pathlib.Path(place) / "trace")
            disk.follow()
            disk.step(storm.WRITE, number, 0, b"b" * 1024)
            disk.step(storm.SYNC, number, 0, b"")
            disk.step(storm.WRITE, number, 512, b"c" * 1024)
            disk.step(storm.RENAME, 0, 0, f"{folder}/file\n{folder}/other".encode())
            self.assertEqual(disk.durable(), {f"{folder}/file": b"b" * 1024})
            seen = {(path.rsplit("/")[-1], data) for seed in range(60) for path, data in disk.after_power_cut(random.Random(seed))[0].items()}
            self.assertEqual({name for name, _ in seen}, {"file", "other"})
            states = {data for _, data in seen}
            whole, none = b"b" * 512 + b"c" * 1024, b"b" * 1024
            torn = {b"b" * 512 + b"c" * 512, b"b" * 1024 + b"c" * 512}
            self.assertEqual(states, {whole, none, *torn})


if __name__ == "__main__":
    unittest.main()
