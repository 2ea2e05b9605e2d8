"""A gateway without a battery and without NTP wakes in 1970: it believes the house's receipts, and keeps the time they tell."""

import time
import unittest

import torture


class NoClock(unittest.TestCase):
    def test_receipts_are_believed_in_1970(self):
        with torture.StormHouse() as house:
            house.control["clock_ms"] = 86_400_000 - int(time.time() * 1_000)
            house.launch()
            house.until("an agent that reads and commits", house.working)
            house.until("everything to be receipted", house.drained, 60)
            self.assertEqual(house.status()["receipts_refused"], 0)
            house.until("the time that receipts told", (house.spool / "floor").exists)
            self.assertGreater((house.spool / "floor").read_text()[:10], "2026-01-01")


if __name__ == "__main__":
    unittest.main()
