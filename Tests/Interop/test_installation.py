"""Wrong wiring, from current transformers to the doctor's words: three-phase meters as other people's slaves, read and signed by a
real agent. Each fault is what the physics of that mistake makes of a load with a power factor of one; a right meter beside
them is not accused, and what was mended is not found any more."""

import json
import unittest

from devices import Servers, Slave
from lone_agent import LoneAgent
from test_tools import words

VOLTS = (230.4, 229.8, 231.2)
AMPERES = (4.4, 4.8, 4.6)
PHASES = [f"1-0:{code}.7.0" for code in (36, 56, 76, 32, 52, 72, 31, 51, 71)]
QUANTITIES = ["1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0", *PHASES]


class Meter:
    """An SDM630 and what its transformers see: watts by phase, and the total that the device shows."""

    def __init__(self, unit: int) -> None:
        self.slave = Slave(unit)
        self.slave.put(0, [0] * 0x180, 4)
        self.slave.put(72, words(1234.5, "f") + words(6.25, "f"), 4)
        self.slave.put(64512, words(1000 + unit, "I"), 3)
        self.shows([volts * amperes for volts, amperes in zip(VOLTS, AMPERES)])

    def shows(self, watts: list[float], total: float | None = None, amperes: tuple[float, ...] = AMPERES) -> None:
        for at, values in ((0, VOLTS), (6, amperes), (12, watts)):
            for phase, value in enumerate(values):
                self.slave.put(at + 2 * phase, words(value, "f"), 4)
        self.slave.put(52, words(sum(watts) if total is None else total, "f"), 4)


class Installation(unittest.TestCase):
    def test_wrong_wiring_is_named_and_mended_wiring_is_not(self) -> None:
        right = [volts * amperes for volts, amperes in zip(VOLTS, AMPERES)]
        meters = {name: Meter(unit) for unit, name in enumerate(("right", "turned", "lost", "crossed", "ratio"), 1)}
        # The transformer of L2 is mounted the other way round; the device adds up what it sees.
        meters["turned"].shows([right[0], -right[1], right[2]])
        # So is this one, and the device's total is that of another wiring mode: of magnitudes.
        meters["lost"].shows([right[0], -right[1], right[2]], total=sum(right))
        # The transformers of L1 and L2 sit on each other's phase: 120° and 240° between volts and amperes, cosine −0.5.
        meters["crossed"].shows([-0.5 * VOLTS[0] * AMPERES[1], -0.5 * VOLTS[1] * AMPERES[0], right[2]], amperes=(AMPERES[1], AMPERES[0], AMPERES[2]))
        # A ratio that counts in the power and not in the amperes.
        meters["ratio"].shows([20 * watts for watts in right])
        with Servers() as servers, LoneAgent(interval="5s") as agent:
            port = servers.tcp(*(meter.slave for meter in meters.values()))
            listed = ", ".join(
                f"{{id: {name}, unit: {meter.slave.unit}, profile: eastron/sdm630, quantities: [{', '.join(QUANTITIES)}]}}" for name, meter in meters.items())
            agent.configure([f"{{tcp: '127.0.0.1:{port}', meters: [{listed}]}}"])
            agent.start()

            def findings() -> dict[tuple[str, str], dict]:
                done = agent.tool("doctor", "--json", "--config", agent.config, check=False)
                report = json.loads(done.stdout)
                self.unseen = " ".join(each["what"] for each in report["not_looked_at"])
                return {(each["subject"].split(",")[0], each["id"]): each for each in report["findings"]}

            wanted = {("turned", "phases-sum"), ("lost", "phases-sum"), ("crossed", "power-factor"), ("ratio", "power-factor")}
            # And each meter looked at: a finding takes rounds enough, and so does finding nothing.
            looked = "phases against the total of"
            found = agent.until("each fault to be named", lambda: (now := findings()) and wanted <= set(now) and looked not in self.unseen and now, 180)
            wrong = {(name, kind) for name, kind in found if name in meters and kind != "not-commissioned"}
            self.assertEqual(wrong, wanted)
            turned = found["turned", "phases-sum"]
            self.assertEqual(turned["subject"], "turned, unit 2")
            self.assertIn("L1 1013 + L2 -1103 + L3 1063 W make 974 W; L2 is as large as the others and runs the other way", turned["evidence"])
            self.assertIn("Turn the current transformer of L2", turned["remedy"])
            self.assertRegex(found["lost", "phases-sum"]["evidence"], r"make 974 W; the total says 3180 W, in \d+ rounds")
            self.assertIn("L1: volts times amperes are 1105 VA, the power says -553 W: a power factor below 0.6", found["crossed", "power-factor"]["evidence"])
            self.assertIn("more than there can be", found["ratio", "power-factor"]["evidence"])
            self.assertIn("the frequency of right, turned, lost, crossed, ratio", self.unseen)

            meters["turned"].shows(right)
            agent.until("the mended one to be silent", lambda: ("turned", "phases-sum") not in findings(), 60)
            self.assertIn(("lost", "phases-sum"), findings())
            # Nothing of it is the agent's to correct: what it signed is what the device said.
            self.assertEqual(agent.end(), 0)


if __name__ == "__main__":
    unittest.main()
