"""The Python decoder against every frame of firmware-profiles/, and the digests the frames files name."""

import hashlib
import pathlib
import struct
import unittest
from fractions import Fraction
from typing import Any

import profile_yaml
import yaml
from formats import Wrong
from profiles import Count, NotAvailable, Profile, quantity
from vectors import deterministic

FRAMES = sorted(profile_yaml.FOLDER.glob("*/*.frames.yaml"))


def expected(value: dict[str, Any]) -> Any:
    if "not-available" in value:
        return value["not-available"]
    return value["count"], Fraction(str(value["unit"]))


def got(value: Count | NotAvailable) -> Any:
    return str(value) if isinstance(value, NotAvailable) else (value.value, value.unit)


class Profiles(unittest.TestCase):
    def profile(self, frames: pathlib.Path) -> tuple[dict[str, Any], bytes]:
        return yaml.safe_load(frames.read_text()), profile_yaml.encode(
            frames.with_name(frames.name.replace(".frames", ""))
        )

    def test_there_are_frames(self) -> None:
        self.assertGreaterEqual(len(FRAMES), 3)

    def test_digests(self) -> None:
        for path in FRAMES:
            frames, data = self.profile(path)
            with self.subTest(path.name):
                self.assertEqual(hashlib.sha256(data).hexdigest(), frames["digest"])

    def test_frames(self) -> None:
        for path in FRAMES:
            frames, data = self.profile(path)
            profile = Profile(data, path.name)
            for frame in frames["frames"]:
                with self.subTest(profile=path.name, frame=frame["name"]):
                    request = [frame["request"][name] for name in ("function", "address", "count")]
                    chain = [[each["id"], each["address"], each["length"]] for each in frame.get("chain", [])]
                    words = bytes.fromhex("".join(frame["words"]).replace(" ", ""))
                    values = profile.values(request, chain, words)
                    self.assertEqual(
                        {name: got(value) for name, value in values.items()},
                        {value["obis"]: expected(value) for value in frame["values"]},
                    )

    def test_a_damaged_profile_is_read_or_refused(self) -> None:
        _, data = self.profile(FRAMES[0])
        readable = 0
        for place in range(len(data)):
            damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            try:
                Profile(damaged, "damaged")
                readable += 1
            except Wrong as wrong:
                self.assertTrue(str(wrong).startswith("damaged"), wrong)
        # Most bytes are free text and numbers.
        self.assertIn(readable, range(1, len(data)))

    def test_edges_of_64_bits_and_ties(self) -> None:
        for kind, type_, words, value in [
            (2, 6, struct.pack(">q", -(2**63)), "overflow"),
            (2, 6, struct.pack(">q", -(2**63) + 1), -(2**63) + 1),
            (1, 5, b"\xff" * 8, 2**64 - 1),
            (1, 6, b"\xff" * 8, "negative-counter"),
            (1, 7, struct.pack(">f", -1), "negative-counter"),
            (1, 7, struct.pack(">f", -(2.0**63)), "overflow"),
            (1, 8, struct.pack(">d", 2.5), 2),
            (1, 8, struct.pack(">d", 3.5), 4),
            (2, 8, struct.pack(">d", -2.5), -2),
            (1, 7, b"\x7f\xc0\x00\x01", "not-a-number"),
            (1, 7, b"\xff\x80\x00\x00", "not-a-number"),
        ]:
            with self.subTest(type=type_, words=words.hex()):
                item: dict[int, Any] = {
                    1: "1-0:2.8.0",
                    2: kind,
                    3: "Wh",
                    4: [3, 0],
                    5: type_,
                    6: 0,
                    7: [1, 1],
                    10: [],
                    11: 0,
                    13: False,
                    15: [1, 1],
                }
                if type_ in (7, 8):
                    item[8] = [1, 1]
                self.assertTrue(quantity(item, "test"))
                data = deterministic(
                    {
                        1: 1,
                        2: "a/b",
                        3: 1,
                        4: "a",
                        5: ["b"],
                        6: ["a", "b", "c"],
                        7: 0,
                        8: [125, 0, 0, 0, 100, 0],
                        9: [],
                        11: {},
                        12: [item],
                    }
                )
                result = Profile(data, "test").values([3, 0, len(words) // 2], [], words)["1-0:2.8.0"]
                self.assertEqual(str(result) if isinstance(result, NotAvailable) else result.value, value)


if __name__ == "__main__":
    unittest.main()
