"""kill −9 of agent, broker and collector at random moments: no committed reading is lost and none is counted twice.

KILOMINT_SEED=N repeats a run's choices; the seed is printed.
"""

import collections
import os
import random
import signal
import sqlite3
import time
import unittest

import cbor2
from house import GATEWAY, House

ROUNDS = 20
WINDOWS = 5
SEED = int(os.environ.get("KILOMINT_SEED", random.SystemRandom().randrange(1 << 32)))


class Kills(unittest.TestCase):
    def test_nothing_is_lost_and_nothing_counts_twice(self):
        print(f"KILOMINT_SEED={SEED}")
        chance = random.Random(SEED)
        with House(lead=14) as house:
            house.launch()
            house.audit_first_window()
            self.kill_often(house, chance)
            windows = house.settle(WINDOWS, seconds=120)[:WINDOWS]
            self.check_energy(house, windows)
            # What the agent committed until here must arrive, whatever was killed.
            house.end("agent")
            records, heads = house.spooled()
            house.run_one("agent")
            house.until("the agent's commits to be held", lambda: self.held(house, heads))
            house.end("agent")
            self.check_evidence(house, records, heads)
            for verdict in (house.verify(), house.verify(house.export())):
                self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def kill_often(self, house, chance):
        """Each victim once in three rounds; two at once now and then."""
        house.wait_until(house.start_at, "the clock to run")
        counted = collections.Counter()
        for number in range(ROUNDS):
            pause = chance.uniform(0.3, 3.0)
            deadline = time.time() + pause
            while time.time() < deadline:
                house.watch()
                time.sleep(0.02)
            house.prove_if_served()
            victims = chance.sample(("agent", "broker", "collector"), 2 if chance.random() < 0.2 else 1)
            for victim in victims:
                house.end(victim, signal.SIGKILL)
                counted[victim] += 1
            time.sleep(chance.choice((0, 0, 0.1, 0.5)))
            for victim in victims:
                house.run_one(victim)
        print(f"{ROUNDS} rounds: {dict(counted)}")

    def held(self, house, heads):
        evidence = house.evidence()
        return all(evidence.get((GATEWAY, stream), 0) >= head for stream, head in heads.items())

    def check_energy(self, house, windows):
        """Money is what was verified, and what was verified is what the plant's register advanced, to the last count."""
        verified = [sum(entity["verified_wh"] or 0 for entity in window["entities"]) for window in windows]
        issued = [sum(int(row["amount"]) for row in window["issued"]) for window in windows]
        self.assertEqual(issued, [1000 * energy for energy in verified])
        self.assertTrue(all(window["replay"]["equal"] for window in windows))
        self.assertEqual(sum(verified), house.energy(house.start_at, house.settled_through(windows)))
        supply = house.get("/v1/supply")
        self.assertEqual(int(supply["supply"]), sum(int(row["amount"]) for window in house.settled() for row in window["issued"]))

    def check_evidence(self, house, records, heads):
        """Every number of every stream stands once, and is the record the agent committed."""
        numbers = collections.defaultdict(dict)
        with sqlite3.connect(f"file:{house.dir}/collector/evidence.sqlite?mode=ro", uri=True) as base:
            for position, entry in base.execute("SELECT position, bytes FROM entry ORDER BY position"):
                value = cbor2.loads(entry)
                stream, number = value[2].hex(), value[3]
                self.assertNotIn(number, numbers[stream], f"{stream}/{number} stands twice, the second time at {position}")
                numbers[stream][number] = value[4]
        for stream, head in heads.items():
            missing = [number for number in range(1, head + 1) if number not in numbers[stream]]
            self.assertEqual(missing, [], f"stream {stream} with head {head}")
        compared = 0
        for stream, number, through, link in records:
            if number == through and link is not None:
                self.assertEqual(numbers[stream][number], link, f"{stream}/{number} is another record")
                compared += 1
        self.assertGreater(compared, 50)


if __name__ == "__main__":
    unittest.main()
