"""From a house without any device to the first receipt: a site registered from a file, signed by three, enrolled, commissioned."""

import json
import re
import unittest

import house
from enrol_house import EnrolHouse

SITE = """gateways:
  - {id: GATEWAY, entity: ENTITY}
meters:
  - {id: b23-east, vendor: ABB, model: B23, serial: "20160701", gateway: GATEWAY, profile: abb/b23, class: mid}
  - {id: inverter-east, vendor: Kilomint, model: Virtual Inverter, serial: SERF-EAST-1, gateway: GATEWAY, profile: sunspec/inverter-103, class: inverter}
metering_points:
  - {id: POINT, entity: ENTITY, nameplate: 6000, direction: export, revenue_meter: b23-east, check_meters: [inverter-east], latitude: 39.742, longitude: -105.1727}
""".replace("GATEWAY", house.GATEWAY).replace("ENTITY", house.ENTITY).replace("POINT", house.POINT)


class BareHouse(EnrolHouse):
    """Genesis registers an entity and keys, no device. The clock goes slowly through a night: no register moves."""

    def __init__(self):
        super().__init__(speed=60)

    def write_configurations(self):
        super().write_configurations()
        path = self.dir / "house.yaml"
        kept, skips = [], False
        for line in path.read_text().split("\n"):
            if not line.startswith(" "):
                skips = re.match("(gateways|meters|metering_points):", line) is not None
            if not skips and f"subject: {house.GATEWAY}," not in line:
                kept.append(line)
        path.write_text("\n".join(kept))

    def brokers(self):
        return f"{{host: 127.0.0.1, port: {self.ports['broker']}}}"

    def enrolled_with(self, code):
        """What the installer does at the gateway."""
        self.tool("kilomint-agent", "init", "--config", self.dir / "agent.yaml")
        self.enrol_with(code)

    def commissioned(self):
        """Somebody stands before the meter: what its display shows does not change by night."""
        energy = self.energy(house.demo.FIRST_ROW, self.start_at)
        self.tool("kilomint-agent", "commission", "--config", self.dir / "agent.yaml", "--meter", "b23-east", "--serial", "20160701",
                  "--export", f"{energy / 1000:.2f}", "--name", "the installer")

    def device(self, *arguments, check=True):
        return self.tool("kilomint-collector", "device", *arguments, check=check)

    def shown(self, name):
        return self.device("show", name, *self.base()).stdout


class Sites(unittest.TestCase):
    def test_from_a_file_to_the_first_receipt(self):
        with BareHouse() as one:
            one.serve()
            site, draft = one.dir / "site.yaml", one.dir / "site.draft"
            self.mistakes_are_named(one, site)
            site.write_text(SITE)
            said = one.device("add", site, *one.base(), "--claim", "--draft", draft).stdout
            code = re.search("KM1-[0-9A-Z]{20}-[0-9A-Z]{26}", said).group()
            self.assertIn("device sign", said)
            self.assertNotIn(code.split("-")[1].encode(), draft.read_bytes())
            self.signing(one, draft)
            self.assertIn("claim open", one.device("list", *one.base()).stdout)
            self.becomes_alive(one, code)
            self.assertEqual(one.verify().returncode, 0)

    def test_what_stands_is_changed(self):
        """A meter behind another gateway with another ratio, by three; an organisation's name, by the root key alone."""
        with BareHouse() as one:
            one.serve()
            site, draft, change = one.dir / "site.yaml", one.dir / "change.draft", one.dir / "change.yaml"
            site.write_text(SITE.replace("meters:", f"  - {{id: gw-new, entity: {house.ENTITY}}}\nmeters:", 1))
            one.device("add", site, *one.base(), *one.keys("root", "person-a", "person-b"))
            meter = next(line for line in SITE.split("\n") if "id: b23-east" in line)
            moved = meter.replace(f"gateway: {house.GATEWAY}", "gateway: gw-new").replace("class: mid", "class: mid, ratio_numerator: 200, ratio_denominator: 5")
            self.changes_that_are_none(one, change, meter, moved)

            change.write_text(f"meters:\n{moved}\n")
            said = one.device("change", change, *one.base(), "--draft", draft).stdout
            for words in ("- A METER: b23-east behind gateway " + house.GATEWAY, "+ A METER: b23-east behind gateway gw-new", "- its counts times 1/1",
                          "+ its counts times 200/5", "number 2, in place of what stands", "device sign"):
                self.assertIn(words, said)
            self.assertNotIn("serial", said)
            self.assertIn("b23-east", one.shown(house.GATEWAY).split("metering points")[0])
            done = one.device("submit", draft, *one.base(), check=False)
            self.assertIn("nobody has signed it", done.stderr)
            for name in ("root", "person-a"):
                one.device("sign", draft, *one.keys(name))
            self.assertIn("dual control", one.device("submit", draft, *one.base(), check=False).stderr)
            one.device("sign", draft, *one.keys("person-b"))
            for _ in range(2):
                one.device("submit", draft, *one.base())
            self.assertRegex(one.shown("gw-new"), r"b23-east +ABB B23 20160701 +abb/b23 × 200/5")
            self.assertNotIn("b23-east", one.shown(house.GATEWAY).split("metering points")[0])

            change.write_text("organisations:\n  - {id: serf-east-owners, name: \"SERF, under another name\"}\n")
            self.assertIn("Registered: it counts from", one.device("change", change, *one.base(), *one.keys("root")).stdout)
            self.assertIn("stands like this already", one.device("change", change, *one.base(), *one.keys("root"), check=False).stderr)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)

    def changes_that_are_none(self, one, change, meter, moved):
        for text, more, words in (
            (f"meters:\n{meter}\n", (), "meter b23-east: it stands like this already"),
            (f"meters:\n{moved.replace('id: b23-east', 'id: b23-west')}\n", (), "meter b23-west: it is not registered"),
            (f"meters:\n{moved.replace('gw-new', 'gw-none')}\n", (), "meter b23-east: its gateway is not registered"),
            (f"meters:\n{moved.replace('b23-east', 'inverter-east', 1)}\n", (), "METER_CLAIMED_TWICE"),
            (f"meters:\n{moved}\n", ("--from", "2016-07-01T00:00:00Z"), "what was settled stays"),
            (f"meters:\n{moved}\n", ("--from", "tomorrow"), "an instant such as"),
        ):
            change.write_text(text)
            done = one.device("change", change, *one.base(), "--draft", one.dir / "never.draft", *more, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
            self.assertFalse((one.dir / "never.draft").exists())

    def mistakes_are_named(self, one, site):
        site.write_text(SITE.replace(f"gateway: {house.GATEWAY}", "gateway: gw-none").replace("abb/b23", "abb/none"))
        done = one.device("add", site, *one.base(), "--draft", one.dir / "never.draft", check=False)
        self.assertEqual(done.returncode, 70, done.stderr)
        for words in ("nothing was registered", "meter b23-east: its gateway is not registered", f"metering point {house.POINT}: a meter it names"):
            self.assertIn(words, done.stderr)
        self.assertFalse((one.dir / "never.draft").exists())
        for old, new, words in (("export", "import", "direction"), ("6000", "0", "nameplate"), ("class: mid", "class: mid, ratio_numerator: 0", "ratio_numerator")):
            site.write_text(SITE.replace(old, new))
            done = one.device("add", site, *one.base(), *one.keys("root"), check=False)
            self.assertEqual((done.returncode, words in done.stderr), (78, True), done.stderr)

    def signing(self, one, draft):
        """Three sign copies on machines of their own; two are not enough, and what is taken twice stands once."""
        copies = []
        for name in ("root", "person-a", "person-b"):
            copies.append(one.dir / f"{name}.draft")
            copies[-1].write_bytes(draft.read_bytes())
            said = one.device("sign", copies[-1], *one.keys(name)).stdout
            for words in ("export of meter b23-east", "serial 20160701", "its counts times 1/1", "A CLAIM"):
                self.assertIn(words, said)
        done = one.device("submit", *copies[:2], *one.base(), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("meter b23-east is not taken", done.stderr)
        self.assertIn("1 of 5 stand", done.stderr)
        for _ in range(2):
            self.assertIn("taken, with 3 signature(s)", one.device("submit", *copies, *one.base()).stdout)
        other = one.dir / "other.draft"
        one.device("revoke", house.GATEWAY, *one.base(), "--draft", other, "--reason", "never")
        done = one.device("submit", copies[0], other, *one.base(), check=False)
        self.assertIn("different registrations", done.stderr)

    def becomes_alive(self, one, code):
        self.assertIn("not commissioned", one.shown(house.GATEWAY))
        one.enrolled_with(code)
        self.assertIn("enrolled", one.shown(house.GATEWAY))
        one.run_one("plant")
        one.run_one("agent")
        one.until("its first receipt", lambda: "receipts     through record" in one.shown(house.GATEWAY), 60)
        one.until("it is alive", lambda: "alive" in one.shown(house.GATEWAY))
        one.until("its meters are read", lambda: "not read yet" not in one.shown(house.GATEWAY).split("metering points")[0], 60)
        one.commissioned()
        one.until("it is commissioned", lambda: "commissioned 2" in one.shown(house.GATEWAY), 60)
        one.until("the gateway says that it holds a receipt", lambda: "the gateway holds one through" in one.shown(house.GATEWAY), 60)
        facility = one.shown(house.ENTITY)
        for words in (house.GATEWAY, "1/2 meters commissioned", "export of b23-east, checked by inverter-east", "no day verified yet"):
            self.assertIn(words, facility)
        listed = json.loads(one.request("/v1/devices")[1])["items"]
        self.assertEqual([(each["gateway"], each["state"]) for each in listed], [(house.GATEWAY, "alive")])


if __name__ == "__main__":
    unittest.main()
