"""Other people's devices: the agent reads pymodbus and pysunspec2 and signs; each number is the one that was put in, to the
last digit. What it signed is decoded by Python, and compared with fractions that no decoder made."""

import pathlib
import re
import signal
import struct
import subprocess
import tempfile
import unittest
from fractions import Fraction

import profile_yaml
from devices import Servers
from lone_agent import BIN, LoneAgent, Sample, printed, shipped
from profiles import Count, NotAvailable
from wild_devices import (
    NUMBERS,
    Wild,
    acting,
    busy,
    decimal,
    holes,
    moving,
    no_path,
    no_response,
    nothing,
    orders,
    slow,
    sunspec,
)

GOOD, EXCEPTION_2, BUSY, NO_PATH, NO_RESPONSE = 0, 2, 6, 10, 11
# Good samples of each quantity that a run must have.
ENOUGH = 4


def worth(found: Count | NotAvailable) -> Fraction | str:
    return str(found) if isinstance(found, NotAvailable) else found.value * found.unit


class Devices(unittest.TestCase):
    """One agent reads all of them at once; each test looks at its own."""

    maxDiff = 4_000

    @classmethod
    def setUpClass(cls) -> None:
        cls.servers = Servers().__enter__()
        cls.addClassCleanup(cls.servers.__exit__)
        cls.moving, cls.numbers = moving()
        cls.wilds = [orders(), nothing(), decimal(), holes(True), holes(False), acting("slow", slow), acting("busy", busy), cls.moving]
        cls.wilds += [*sunspec(), acting("over-tcp", quiet, 5), acting("on-a-line", quiet, 6)]
        # Three units behind one gateway: the dead ones do not slow the living.
        cls.behind = [acting("dead-10", no_path, 11), acting("dead-11", no_response, 12), acting("alive", quiet, 13)]
        cls.profiles = cls.write_profiles()
        cls.agent = LoneAgent(pathlib.Path(cls.folder.name))
        cls.addClassCleanup(cls.leave)
        cls.agent.configure(cls.buses())
        cls.read = cls.agent.tool("read", "--config", cls.agent.config, check=False)
        cls.agent.start()
        cls.agent.until("the readings", lambda: cls.agent.status()["head"] >= 8 * ENOUGH, 90)
        cls.agent.end()
        cls.samples = cls.agent.samples(cls.profiles)

    @classmethod
    def leave(cls) -> None:
        cls.agent.__exit__(None)
        cls.folder.cleanup()

    @classmethod
    def write_profiles(cls) -> dict[str, bytes]:
        cls.folder = tempfile.TemporaryDirectory()
        for wild in cls.wilds + cls.behind:
            text = wild.profile or (profile_yaml.FOLDER / f"{wild.shipped}.yaml").read_text()
            path = pathlib.Path(cls.folder.name) / f"{wild.profile_name}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        own = {wild.profile_name: profile_yaml.encode(pathlib.Path(cls.folder.name) / f"{wild.profile_name}.yaml") for wild in cls.wilds + cls.behind}
        return own | shipped(*{wild.shipped for wild in cls.wilds if wild.shipped})

    @classmethod
    def buses(cls) -> list[str]:
        found = []
        for wild in cls.wilds:
            if wild.name == "over-tcp":
                place = f"rtu_tcp: 127.0.0.1:{cls.servers.rtu_tcp(wild.slave)}"
            elif wild.name == "on-a-line":
                place = f"rtu: {{device: {cls.servers.serial(wild.slave)}, parity: none}}"
            else:
                place = f"tcp: 127.0.0.1:{cls.servers.tcp(wild.slave)}"
            found.append(f"{{{place}, meters: [{wild.meter()}]}}")
        port = cls.servers.tcp(*(wild.slave for wild in cls.behind))
        return [*found, f"{{tcp: 127.0.0.1:{port}, meters: [{', '.join(wild.meter() for wild in cls.behind)}]}}"]

    def values(self, wild: Wild) -> dict[str, set[Fraction | str]]:
        """What was signed of each quantity, all samples; each of them is good."""
        found: dict[str, set[Fraction | str]] = {}
        for sample in self.samples[wild.name]:
            self.assertEqual(sample.status, GOOD, f"{wild.name} {sample.request}")
            for obis, value in sample.values.items():
                found.setdefault(obis, set()).add(worth(value))
        return {obis: values for obis, values in found.items() if obis in wild.expected}

    def statuses(self, name: str) -> list[int]:
        return [sample.status for sample in self.samples[name]]

    def right(self, wild: Wild) -> None:
        self.assertEqual(self.values(wild), {obis: {value} for obis, value in wild.expected.items()}, wild.name)

    def wild(self, name: str) -> Wild:
        return next(wild for wild in self.wilds + self.behind if wild.name == name)

    def test_every_type_in_every_order(self) -> None:
        self.assertEqual(len(self.wild("orders").expected), 32)
        self.right(self.wild("orders"))

    def test_no_value_in_every_type(self) -> None:
        self.right(self.wild("nothing"))

    def test_decimal_counter_in_input_registers(self) -> None:
        self.right(self.wild("decimal"))
        ends = {value.modulus for sample in self.samples["decimal"] for value in sample.values.values()}
        self.assertEqual(ends, {100_000_000})

    def test_sunspec(self) -> None:
        """All models on all bases, with and without an end model, common blocks of 65 and 66 registers, odd lengths."""
        found = [wild for wild in self.wilds if wild.name.startswith("sunspec-")]
        self.assertEqual(len(found), 16)
        for wild in found:
            with self.subTest(wild.name):
                self.right(wild)
                known = profile_yaml.yaml.safe_load((profile_yaml.FOLDER / f"{wild.shipped}.yaml").read_text())
                self.assertEqual({each["obis"] for each in known["quantities"]} - set(wild.expected), set(), "put in no number for")

    def test_value_and_scale_factor_come_from_one_request(self) -> None:
        """The n-th request made the n-th number; `read` and retries took some of them."""
        signed = [worth(sample.values["1-0:1.8.0"]) for sample in self.samples["moving"] if sample.status == GOOD]
        self.assertGreaterEqual(len(signed), ENOUGH)
        rest = iter(self.numbers)
        for value in signed:
            self.assertIn(value, rest, "never was, or not in this order")
        self.assertEqual({(address, count) for _, address, count in self.moving.slave.asked}, {(0, 10)})

    def test_a_declared_hole_is_never_touched(self) -> None:
        self.right(self.wild("hole"))
        asked = self.wild("hole").slave.asked
        self.assertFalse([each for each in asked if each[1] < 12 and each[1] + each[2] > 2], asked)

    def test_an_unknown_hole_costs_one_read_alone(self) -> None:
        samples = self.samples["abyss"]
        self.assertEqual({sample.status for sample in samples if sample.request[1] < 500}, {EXCEPTION_2})
        self.assertEqual({sample.status for sample in samples if sample.request[1] == 500}, {GOOD})
        self.assertTrue(all(not sample.words for sample in samples if sample.status))

    def test_busy_is_asked_again(self) -> None:
        self.right(self.wild("busy"))
        self.assertGreaterEqual(len(self.wild("busy").slave.asked), 3 * ENOUGH)

    def test_slow_answers_count(self) -> None:
        self.right(self.wild("slow"))
        self.assertGreaterEqual(min(sample.took for sample in self.samples["slow"]), 390)

    def test_gateway_exceptions_are_of_one_unit(self) -> None:
        self.right(self.wild("alive"))
        for name, status in (("dead-10", NO_PATH), ("dead-11", NO_RESPONSE)):
            # 38: left alone for a while.
            self.assertEqual(set(self.statuses(name)) - {38}, {status})
        self.assertGreaterEqual(len(self.samples["alive"]), ENOUGH)

    def test_rtu_over_tcp_and_on_a_line(self) -> None:
        for name in ("over-tcp", "on-a-line"):
            self.right(self.wild(name))
            self.assertGreaterEqual(len(self.samples[name]), ENOUGH)

    def test_read_prints_what_was_put_in(self) -> None:
        """Up to three decimals, cut: as many as it shows. It asks once: a busy device and an undeclared hole give nothing."""
        shown = {(meter, obis): text for meter, obis, text in printed(self.read.stdout)}
        for wild in self.wilds:
            for obis, value in wild.expected.items():
                text = shown.get((wild.name, obis), "")
                if isinstance(value, str) or wild.name in ("abyss", "busy"):
                    continue
                with self.subTest(meter=wild.name, obis=obis, shown=text):
                    number = re.match(r"-?\d+(\.\d+)?", text)
                    self.assertTrue(number)
                    cut = abs(value.numerator) * 1_000 // value.denominator
                    self.assertEqual(abs(Fraction(number[0])), Fraction(cut, 1_000))
                    self.assertEqual(number[0].startswith("-"), value < 0)


async def quiet(*_: object) -> None:
    return None


class Asked(unittest.TestCase):
    """Any registers of any device, and what it says of itself, without a configuration."""

    SAID = {"VendorName": "Nobody & Sons", "ProductCode": "WM-1", "MajorMinorRevision": "V2.3"}

    def setUp(self) -> None:
        servers = Servers().__enter__()
        self.addCleanup(servers.__exit__)
        slave = orders().slave
        self.endpoints = [f"tcp:127.0.0.1:{servers.tcp(slave, said=self.SAID)}", f"rtu_tcp:127.0.0.1:{servers.rtu_tcp(slave)}", f"rtu:{servers.serial(slave)}"]

    def ask(self, endpoint: str, *words: object) -> str:
        line = ["--parity", "none"] if endpoint.startswith("rtu:") else []
        command = [str(BIN / "kilomint-agent"), "read", "--endpoint", endpoint, "--unit", "1", *map(str, words), *line]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def test_functions_43_and_17(self) -> None:
        for endpoint in self.endpoints:
            with self.subTest(endpoint):
                said = self.ask(endpoint, "--function", 43)
                for text in self.SAID.values():
                    self.assertIn(text, said)
                self.assertIn("-".join(self.SAID.values()), self.ask(endpoint, "--function", 17))

    def test_any_registers_in_any_order(self) -> None:
        address = 100
        for order in range(4):
            for kind, _, value, _, _, _ in NUMBERS:
                count = {"16": 1, "32": 2, "64": 4}[kind[1:]]
                endpoint = self.endpoints[address % 3]
                said = self.ask(endpoint, "--function", 3, "--address", address, "--count", count, "--as", kind, "--order", ("abcd", "cdab", "badc", "dcba")[order])
                with self.subTest(kind=kind, order=order, said=said):
                    shown = re.findall(rf"^ +{address}  (-?[0-9.e+]+)$", said, re.MULTILINE)
                    if kind == "f32":
                        # The shortest text that is this number and no other.
                        shown = [struct.unpack(">f", struct.pack(">f", float(number)))[0] for number in shown]
                    self.assertEqual([Fraction(number) for number in shown], [Fraction(value)])
                address += count


class Restarted(unittest.TestCase):
    """A kill in between changes no number."""

    def test_kill_between_reads(self) -> None:
        wild = decimal()
        with Servers() as servers, tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "wild/decimal.yaml"
            path.parent.mkdir()
            path.write_text(wild.profile)
            with LoneAgent(pathlib.Path(folder)) as agent:
                agent.configure([f"{{tcp: 127.0.0.1:{servers.tcp(wild.slave)}, meters: [{wild.meter()}]}}"])
                for how in (signal.SIGKILL, signal.SIGTERM):
                    agent.start()
                    before = len(wild.slave.asked)
                    agent.until("readings", lambda known=before: len(wild.slave.asked) > known + 3)
                    agent.until("a commit", lambda: agent.status()["head"] >= 3)
                    agent.end(how)
                samples: list[Sample] = agent.samples({"wild/decimal": profile_yaml.encode(path)})["decimal"]
                self.assertGreaterEqual(len(samples), 3)
                self.assertEqual({worth(sample.values["1-0:1.8.0"]) for sample in samples}, set(wild.expected.values()))


if __name__ == "__main__":
    unittest.main()
