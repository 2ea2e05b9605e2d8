"""Doctor, commissioning and exchange of a meter, through the running agent, against a meter we did not write. What was
signed is read with Python's libraries."""

import asyncio
import json
import pathlib
import struct
import tempfile
import time
import unittest

from devices import Servers, Slave
from lone_agent import BIRTH, NOTE, READINGS, ROOT, LoneAgent
from pymodbus.constants import ExcCodes

EXPORT, IMPORT = "1-0:2.8.0", "1-0:1.8.0"


def words(value: float, form: str) -> list[int]:
    data = struct.pack(">" + form, value)
    return [int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2)]


def eastron(serial: int, taken: float, given: float) -> Slave:
    """An SDM630 on unit 1: floats under function 4, serial number in a holding register."""
    slave = Slave(1)
    slave.put(0, [0] * 0x180, 4)
    slave.put(0x48, words(taken, "f"), 4)
    slave.put(0x4A, words(given, "f"), 4)
    slave.put(0x34, words(0.0, "f"), 4)
    slave.put(0xFC00, words(serial, "I") + [0x70, 0x0102], 3)
    return slave


async def deaf(*_: object) -> None:
    """Longer than anybody waits for an answer."""
    await asyncio.sleep(10)


class Commissioning(unittest.TestCase):
    def setUp(self) -> None:
        self.servers = self.enterContext(Servers())
        self.slave = eastron(12345678, 1234.5, 6.25)
        self.port = self.servers.tcp(self.slave)
        self.agent = self.enterContext(LoneAgent())
        self.agent.configure([f"{{tcp: '127.0.0.1:{self.port}', meters: [{{id: meter-east, profile: eastron/sdm630}}]}}"])
        self.start()

    def start(self) -> None:
        self.agent.start()
        self.agent.until("readings", lambda: self.agent.status()["buses"][0]["good"] > 3)

    def run_tool(self, *given: str) -> tuple[int, str]:
        done = self.agent.tool(*given, "--config", self.agent.config, check=False)
        return done.returncode, done.stdout + done.stderr

    def commission(self, *given: str, serial: str = "12345678") -> tuple[int, str]:
        return self.run_tool("commission", "--meter", "meter-east", "--serial", serial, "--name", "Ann Example", *given)

    def notes(self, code: int) -> list[dict]:
        self.agent.end()
        return [record[9][2] for record in self.agent.records() if record[8] == NOTE and record[9][1] == code]

    def test_display_and_register(self) -> None:
        self.assertEqual(self.agent.status()["not_commissioned"], ["meter-east"])
        for given, serial, words in (
            (["--export", "6.25"], "12345679", "12345679, the meter answers 12345678"),
            (["--export", "6.25", "--accept-difference", "I say so"], "1", "never accepted"),
            (["--export", "62.5"], "12345678", "factor of about 10"),
            (["--export", "6.25", "--import", "1235.5"], "12345678", "1-0:1.8.0: the display says 1235.500 kWh"),
            (["--export", "six"], "12345678", "kWh as displayed"),
            ([], "12345678", "import or export is missing"),
        ):
            status, said = self.commission(*given, serial=serial)
            self.assertEqual(status, 1, said)
            self.assertIn(words, said)
        self.assertEqual(self.agent.status()["not_commissioned"], ["meter-east"])
        status, said = self.commission("--export", "6.25", "--import", "1 234,5", serial="0012345678")
        self.assertEqual(status, 0, said)
        self.assertIn("commissioned meter-east: signed as record", said)
        self.assertEqual(self.agent.status()["not_commissioned"], [])
        # It survives a restart, and a kill right after it.
        self.agent.end(9)
        self.start()
        self.assertEqual(self.agent.status()["not_commissioned"], [])
        (note,) = self.notes(5)
        self.assertEqual((note[1], note[2], note[6]), (0, "0012345678", "12345678"))
        self.assertRegex(note[4][0], r"\(uid \d+\)|^uid \d+")
        self.assertEqual(note[4][1], "Ann Example")
        self.assertNotIn(7, note)
        seen = {register[0]: register for register in note[3]}
        self.assertEqual(seen[EXPORT][1], 6_250)
        self.assertEqual(seen[IMPORT][1], 1_234_500)
        energy, _, function, address, data = seen[IMPORT][2]
        self.assertEqual((energy, function), (1_234_500, 4))
        place = 2 * (0x48 - address)
        self.assertEqual(struct.unpack(">f", data[place:place + 4])[0], 1234.5)
        birth = next(record for record in self.agent.records() if record[8] == 1)
        self.assertEqual(note[5], birth[9][3][0][4], "the profile it was read with")

    def test_a_difference_with_its_reason(self) -> None:
        status, said = self.commission("--export", "7", "--accept-difference", "display cuts")
        self.assertEqual(status, 0, said)
        status, said = self.commission("--export", "20", "--accept-difference", "the display is broken")
        self.assertEqual(status, 0, said)
        first, second = self.notes(5)
        # The first did not differ by more than its steps: then there is no reason to keep.
        self.assertNotIn(7, first)
        self.assertEqual(second[7], "the display is broken")

    def test_exchange_of_a_meter(self) -> None:
        self.assertEqual(self.commission("--export", "6.25")[0], 0)
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--new", "--serial", "777", "--name", "Ann")
        self.assertIn("last values of the old meter are missing", said)
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--old")
        self.assertEqual(status, 0, said)
        self.agent.end()
        self.slave.put(0xFC00, words(777, "I"), 3)
        self.slave.put(0x4A, words(0.5, "f"), 4)
        self.slave.put(0x48, words(0.0, "f"), 4)
        self.start()
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--new", "--serial", "778", "--name", "Ann")
        self.assertEqual(status, 1)
        self.assertIn("the label says serial 778", said)
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--new", "--serial", "777", "--name", "Ann")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.agent.status()["not_commissioned"], ["meter-east"])
        self.assertEqual(self.commission("--export", "0.5", serial="777")[0], 0)
        (note,) = self.notes(4)
        self.assertEqual((note[2], note[3]), ("12345678", "777"))
        self.assertEqual({register[0]: register[2][0] for register in note[4]}, {IMPORT: 1_234_500, EXPORT: 6_250})
        self.assertEqual({register[0]: register[2][0] for register in note[5]}, {IMPORT: 0, EXPORT: 500})

    def test_exchange_beside_the_running_agent(self) -> None:
        """The identity is read each hour: what is signed in between must not contradict the records around it."""
        self.assertEqual(self.run_tool("meter", "replace", "--meter", "meter-east", "--old")[0], 0)
        self.slave.put(0xFC00, words(777, "I"), 3)
        self.slave.put(0x4A, words(0.5, "f"), 4)
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--new", "--serial", "777", "--name", "Ann")
        self.assertEqual(status, 0, said)
        status, said = self.commission("--export", "0.5", serial="777")
        self.assertEqual(status, 0, said)
        good = self.agent.status()["buses"][0]["good"]
        self.agent.until("it goes on", lambda: self.agent.status()["buses"][0]["good"] > good + 3)
        self.agent.end()
        serial, commissioned, after = "", False, 0
        for record in self.agent.records():
            if record[8] == BIRTH:
                serial = record[9][3][0][5][1]
            if record[8] == NOTE and record[9][1] == 5:
                commissioned = True
                self.assertEqual(record[9][2][6], "777")
            if commissioned:
                after += record[8] == READINGS
                self.assertEqual(serial, "777", "readings after the commissioning stand under another serial")
        self.assertGreater(after, 0)

    def test_a_meter_that_comes_back_says_who_it_is(self) -> None:
        self.slave.act = deaf
        self.agent.until("it falls silent", lambda: self.agent.status()["buses"][0]["timeouts"] >= 3)
        # It has its power back: what it says of itself at first is nothing to go by.
        self.slave.put(0xFC00, words(0, "I"), 3)
        self.slave.act = None
        self.agent.until("it answers", lambda: "meter answers again" in self.agent.log())
        time.sleep(2)
        self.slave.put(0xFC00, words(777, "I"), 3)
        self.agent.until("it is asked soon", lambda: any(
            "its serial was 12345678 and is 777" in each["what"] for each in self.agent.status()["no_billing_grade"]), 150)

    def test_exchange_of_a_dead_meter(self) -> None:
        self.slave.act = deaf
        self.agent.until("it falls silent", lambda: self.agent.status()["buses"][0]["timeouts"] > 0)
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--old")
        self.assertEqual(status, 1)
        self.assertIn("read its display", said)
        status, said = self.run_tool(
            "meter", "replace", "--meter", "meter-east", "--old", "--serial", "12345678", "--export", "6.3")
        self.assertEqual(status, 0, said)
        self.slave.act = None
        self.slave.put(0xFC00, words(777, "I"), 3)
        status, said = self.run_tool("meter", "replace", "--meter", "meter-east", "--new", "--serial", "777", "--name", "Ann")
        self.assertEqual(status, 0, said)
        (note,) = self.notes(4)
        self.assertEqual(note[4], [[EXPORT, 6_300, None]])

    def test_doctor_through_the_running_agent(self) -> None:
        def found() -> dict[str, dict]:
            done = self.agent.tool("doctor", "--json", "--config", self.agent.config, check=False)
            report = json.loads(done.stdout)
            self.assertTrue(report["agent_running"])
            self.assertEqual(done.returncode, 1 if report["faults"] else 0)
            return {finding["id"]: finding for finding in report["findings"]}

        self.assertIn("not-commissioned", found())
        self.assertEqual(self.commission("--export", "6.25")[0], 0)
        self.assertFalse(set(found()) - {"clock-unsynchronised", "spool-volatile", "disk-full", "disk-slow", "ports"})
        self.slave.act = deaf
        self.agent.until("it falls silent", lambda: "meter-silent" in found())
        text = self.agent.tool("doctor", "--config", self.agent.config, check=False).stdout
        self.assertLessEqual(max(map(len, text.splitlines())), 80, text)
        # Silence never means health: what was not looked at is said, with the reason, after what was.
        for words in ("the way to the broker — because the gateway is not enrolled", "serial lines — because no bus is one",
                      "the SIM's volume — because `sim_quota` is not set", "the frequency of meter-east — because what it needs is not read"):
            self.assertIn("not looked at: " + words, " ".join(text.split()))
        self.assertLess(text.index("Looked at: "), text.index("not looked at: "))
        self.agent.end()
        done = self.agent.tool("doctor", "--json", "--config", self.agent.config, check=False)
        self.assertIn("agent-not-running", done.stdout)
        self.assertEqual(done.returncode, 1)
        rest = {each["what"]: each["because"] for each in json.loads(done.stdout)["not_looked_at"]}
        self.assertEqual(rest["how lines and meters answer"], "the agent does not run")
        self.assertNotIn("the frequency of meter-east", rest)


class ForSomeFirmwareOnly(unittest.TestCase):
    """One profile with a range and no version beside it: another firmware, or none that can be read, is not commissioned."""

    def test_firmware_that_no_range_names(self) -> None:
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "eastron").mkdir()
        text = (ROOT / "firmware-profiles/eastron/sdm630.yaml").read_text()
        (folder / "eastron/sdm630.yaml").write_text(text + '\nfirmware: [{from: "300"}]\n')
        slave = eastron(12345678, 1234.5, 6.25)

        async def without(_: Slave, __: int, address: int, ___: int) -> ExcCodes | None:
            return ExcCodes.ILLEGAL_ADDRESS if address == 0xFC03 else None

        slave.act = without
        port = self.enterContext(Servers()).tcp(slave)
        agent = self.enterContext(LoneAgent(folder))
        agent.configure([f"{{tcp: '127.0.0.1:{port}', meters: [{{id: meter-east, profile: eastron/sdm630}}]}}"])
        agent.start()
        agent.until("readings", lambda: agent.status()["buses"][0]["good"] > 3)

        def commission() -> tuple[int, str]:
            done = agent.tool("commission", "--meter", "meter-east", "--serial", "12345678", "--export", "6.25", "--name", "Ann",
                              "--config", agent.config, check=False)
            return done.returncode, " ".join((done.stdout + done.stderr).split())

        status, said = commission()
        self.assertEqual(status, 1, said)
        self.assertIn("meter-east did not tell its firmware", said)
        # Now it does: the records hear of it at once.
        slave.act = None
        status, said = commission()
        self.assertEqual(status, 1, said)
        self.assertIn("firmware 258 of meter-east is in no range of its profile eastron/sdm630", said)
        slave.put(0xFC03, [301], 3)
        status, said = commission()
        self.assertEqual(status, 0, said)
        agent.end()
        births = [record for record in agent.records() if record[8] == BIRTH]
        self.assertEqual(births[-1][9][3][0][5][2], "301")
        self.assertEqual([record[9][1] for record in agent.records() if record[8] == NOTE][-1], 5)


if __name__ == "__main__":
    unittest.main()
