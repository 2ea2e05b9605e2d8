"""The Python replay against the golden vector, and against vectors in which one thing was changed."""

import json
import os
import pathlib
import random
import unittest
from collections.abc import Callable
from typing import Any

import replay_window
from exports import Export
from formats import Wrong, sequence, sha256
from transcripts import read_inputs
from vectors import deterministic

VECTOR = pathlib.Path(__file__).resolve().parents[1] / "Vectors/window.json"
EXPORT = os.environ.get("KILOMINT_EXPORT")


def vector() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTOR.read_text())
    return found


def items() -> list[list[Any]]:
    """The inputs of the vector, decoded."""
    data = b"".join(bytes.fromhex(text) for text in vector()["inputs"])
    return [item for item, _ in sequence(data, "vector")]


def compute(changed: list[list[Any]]) -> replay_window.Outcome:
    """The outcome of other inputs, under the vector's own input digest: only the rules can make a difference."""
    pairs = [(item, deterministic(item)) for item in changed]
    return replay_window.compute(read_inputs(pairs), bytes.fromhex(vector()["inputDigest"]))


class Golden(unittest.TestCase):
    def test_output_is_equal(self) -> None:
        outcome = replay_window.replay_vector(VECTOR)
        self.assertEqual(outcome.digest.hex(), vector()["outputDigest"])

    def test_unchanged_items_give_the_same(self) -> None:
        self.assertEqual(compute(items()).output.hex(), vector()["output"])

    def test_every_kind_of_input_counts(self) -> None:
        """Without all items of a kind the replay refuses, or comes to another output."""
        kinds = sorted({item[0] for item in items()})
        self.assertGreaterEqual(len(kinds), 9)
        for kind in kinds:
            with self.subTest(kind=kind):
                left = [item for item in items() if item[0] != kind]
                try:
                    self.assertNotEqual(compute(left).output.hex(), vector()["output"])
                except Wrong:
                    pass

    def test_damage_is_refused_or_changes_the_digest(self) -> None:
        data = bytes.fromhex("".join(vector()["inputs"]))
        generator, refused = random.Random(20160707), 0
        for _ in range(200):
            bit = generator.randrange(8 * len(data))
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            segments = [(1, bytes(damaged)), (2, b""), (3, b"")]
            try:
                outcome = replay_window.replay(segments)
                self.assertNotEqual(outcome.digest.hex(), vector()["outputDigest"], f"bit {bit}")
            except Wrong as wrong:
                self.assertRegex(str(wrong), "^(input|items|[a-z-]+:|profiles|no reading|read|the inputs)")
                refused += 1
        self.assertGreater(refused, 20)

    def test_order_matters(self) -> None:
        changed = items()
        for place in range(len(changed) - 1):
            swapped = changed[:place] + [changed[place + 1], changed[place]] + changed[place + 2 :]
            with self.subTest(place=place), self.assertRaises(Wrong):
                compute(swapped)

    def test_the_seal_must_name_what_is_there(self) -> None:
        segments = [(1, b"a"), (2, b""), (3, b"b")]
        rows = [[kind, len(data), sha256(data)] for kind, data in segments]
        root = replay_window.merkle_root([row[2] for row in rows])
        good: dict[int, Any] = {3: rows[-1][2], 4: root, 6: rows}
        replay_window.check_seal(good, segments, "seal")
        changes: list[Callable[[dict[int, Any]], Any]] = [
            lambda seal: seal.update({3: bytes(32)}),
            lambda seal: seal.update({4: bytes(32)}),
            lambda seal: seal.update({6: [[1, 2, rows[0][2]], *rows[1:]]}),
            lambda seal: seal.update({6: [[1, 1, bytes(32)], *rows[1:]]}),
        ]
        for change in changes:
            seal = dict(good)
            change(seal)
            with self.assertRaises(Wrong):
                replay_window.check_seal(seal, segments, "seal")


@unittest.skipUnless(EXPORT, "KILOMINT_EXPORT names no export")
class Exported(unittest.TestCase):
    def test_every_window_replays(self) -> None:
        export = Export(pathlib.Path(EXPORT or ""))
        windows = sorted(replay_window.seals(export))
        self.assertGreater(len(windows), 0)
        for window in windows:
            with self.subTest(window):
                replay_window.replay_export(export, window)


if __name__ == "__main__":
    unittest.main()
