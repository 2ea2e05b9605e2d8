"""Random windows through two implementations of the rules: this one and kilomint-collector's must write the same output bytes.

Needs kilomint-collector built (KILOMINT_BIN or .build/debug). KILOMINT_WILD=first:count chooses the seeds.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest
from collections import Counter

import replay_window
from formats import sha256
from transcripts import SEGMENT_ITEMS, read_inputs
from vectors import deterministic
from wild_windows import Wild

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")) / "kilomint-collector"
FIRST, COUNT = (int(text) for text in os.environ.get("KILOMINT_WILD", "1:60").split(":"))


def segments(window: Wild) -> list[bytes]:
    pieces = [deterministic(item) for item in window.items]
    return [b"".join(pieces[at : at + SEGMENT_ITEMS]) for at in range(0, len(pieces), SEGMENT_ITEMS)]


def outcome(window: Wild) -> replay_window.Outcome:
    data = b"".join(segments(window))
    return replay_window.compute(read_inputs((item, b"") for item in window.items), sha256(data))


def other_digest(folder: pathlib.Path, data: list[bytes]) -> str:
    """What kilomint-collector computes from the same segments."""
    names = [sha256(segment).hex() for segment in data]
    for name, segment in zip(names, data):
        (folder / name[:2]).mkdir(exist_ok=True)
        (folder / name[:2] / name).write_bytes(segment)
    done = subprocess.run([PROGRAM, "replay", "--objects", folder, *names], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip()


class Windows(unittest.TestCase):
    def test_the_generator_reaches_every_rule(self) -> None:
        """Otherwise equal digests would say little."""
        seen: Counter[str] = Counter()
        for seed in range(1, 61):
            window = Wild(seed)
            found = outcome(window)
            seen["two segments"] += len(segments(window)) > 1
            for entity in found.entities:
                seen["debt"] += entity.carry[0] < 0
                seen["rest"] += entity.carry[0] > 0 and entity.days > 0
                seen["nothing settled"] += entity.days == 0
                seen["second epoch"] += entity.days > 0 and any(
                    len(walk.epochs) > 1 for point in entity.points for walk in point.walks.values()
                )
            for verdict in found.verdicts:
                seen.update([verdict[12], verdict[15], *(finding[0] for finding in verdict[13])])
                seen.update(source[0] for source in verdict[7])
                seen["no value"] += verdict[6][0] is None
                seen["passed"] += verdict[6][0] == 0 and verdict[9] == 1_000_000 and not verdict[7]
        wanted = {
            "A",
            "B",
            "C",
            "D",
            "F",
            "S",
            "verified",
            "pending",
            "disputed",
            "no value",
            "passed",
            "second epoch",
            "two segments",
            "debt",
            "rest",
            "nothing settled",
        } | set(replay_window.FINDINGS)
        self.assertEqual(wanted - set(+seen), set())

    @unittest.skipUnless(PROGRAM.is_file(), f"{PROGRAM} is not built")
    def test_both_write_the_same(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(FIRST, FIRST + COUNT):
                with self.subTest(seed=seed):
                    window = Wild(seed)
                    self.assertEqual(other_digest(pathlib.Path(folder), segments(window)), outcome(window).digest.hex())


if __name__ == "__main__":
    unittest.main()
