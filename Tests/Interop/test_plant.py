"""kilomint-plant read by pymodbus, a Modbus implementation that shares nothing with libmodbus.

Expected energy is computed here from the CSV alone, with fractions.
"""
import csv, datetime, fractions, os, pathlib, subprocess, time, unittest

from pymodbus.client import ModbusTcpClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")) / "kilomint-plant"
CSV = ROOT / "Tests/Plant/Data/serf-east-2016.csv"
ROW_MS = 900_000
WATT_HOUR = fractions.Fraction(3_600_000)  # W·ms


def milliseconds(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 1000


def energy(at, sign):
    """Energy from the file's first row to `at`, of positive (1) or negative (-1) power, in Wh, exactly."""
    total = fractions.Fraction(0)
    with open(CSV) as file:
        for row in csv.DictReader(file):
            power = sign * fractions.Fraction(row["ac_power_w"])
            total += max(0, power) * min(max(at - milliseconds(row["time_utc"]), 0), ROW_MS)
    return total / WATT_HOUR


class Plant:
    """The process, on ports the system chose."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, "run", "--csv", CSV, "--port", "0", "--inverter-port", "0", *arguments], stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        assert words[0] == "listening", words
        self.ports = [int(port.split(":")[1]) for port in words[1].removeprefix("meters=").split(",")]
        self.inverter_port = int(words[2].split(":")[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.status = self.process.wait(5)
        self.process.stdout.close()


def number(client, address, count, function="read_holding_registers", unit=1):
    answer = getattr(client, function)(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return int.from_bytes(b"".join(word.to_bytes(2, "big") for word in answer.registers), "big")


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


class PlantTest(unittest.TestCase):
    def test_registers_at_instants(self):
        for instant in ("2016-07-01T07:00:00Z", "2016-07-07T06:00:00Z", "2016-07-07T18:07:30Z", "2016-08-20T00:00:00Z"):
            at = milliseconds(instant)
            delivered, drawn = energy(at, 1), energy(at, -1)
            standing = ["--start", instant, "--speed", "3600", "--zero", "3000-01-01T00:00:00Z"]
            with self.subTest(instant), Plant(*standing) as plant:
                meter = ModbusTcpClient("127.0.0.1", port=plant.ports[0])
                inverter = ModbusTcpClient("127.0.0.1", port=plant.inverter_port)
                for function in ("read_holding_registers", "read_input_registers"):
                    self.assertEqual(number(meter, 0x5000, 4, function), drawn // 10)
                    self.assertEqual(number(meter, 0x5004, 4, function), delivered // 10)
                    self.assertEqual(number(inverter, 40094, 2, function), delivered // 1)
                self.assertEqual(number(meter, 0x8900, 2), 20160701)
                self.assertEqual(number(meter, 0x8960, 2), int.from_bytes(b"B23 ", "big"))
                meter.close(), inverter.close()
            self.assertEqual(plant.status, 0)

    def test_direction(self):
        """Export counts what the plant delivers, so the meter's power is negative and the inverter's positive."""
        standing = ["--start", "2016-07-07T18:00:00Z", "--speed", "3600", "--zero", "3000-01-01T00:00:00Z"]
        with Plant(*standing) as plant:
            with ModbusTcpClient("127.0.0.1", port=plant.ports[0]) as meter:
                self.assertEqual(signed(number(meter, 0x5B14, 2), 32), -421650)
            with ModbusTcpClient("127.0.0.1", port=plant.inverter_port) as inverter:
                self.assertEqual(signed(number(inverter, 40084, 1), 16), 4216)

    def test_sunspec_chain(self):
        for length in (66, 65):
            with Plant("--real", "--common-length", str(length)) as plant:
                with ModbusTcpClient("127.0.0.1", port=plant.inverter_port) as client:
                    self.assertEqual(number(client, 40000, 2), int.from_bytes(b"SunS", "big"))
                    address, models = 40002, []
                    while not models or models[-1] != 0xFFFF:
                        models.append(number(client, address, 1))
                        address += 2 + number(client, address + 1, 1)
                    self.assertEqual(models, [1, 103, 0xFFFF])

    def test_only_reading(self):
        with Plant("--real") as plant, ModbusTcpClient("127.0.0.1", port=plant.ports[0]) as client:
            for answer in (client.write_register(0x5004, 1, device_id=1), client.write_registers(0x5004, [1], device_id=1),
                           client.write_coil(1, True, device_id=1), client.read_coils(1, count=1, device_id=1)):
                self.assertTrue(answer.isError())
                self.assertEqual(answer.exception_code, 1)
            self.assertEqual(client.read_holding_registers(0x4000, count=1, device_id=1).exception_code, 2)
            self.assertEqual(client.read_holding_registers(0x5000, count=1, device_id=9).exception_code, 11)

    def test_identification(self):
        with Plant("--real") as plant, ModbusTcpClient("127.0.0.1", port=plant.ports[0]) as client:
            answer = client.read_device_information(read_code=1, object_id=0, device_id=1)
            self.assertEqual(answer.information, {0: b"ABB", 1: b"B23 112-100", 2: b"B2.3.0"})

    def test_thousand_meters(self):
        with Plant("--real", "--meters", "1000", "--serial", "1") as plant:
            self.assertEqual(len(plant.ports), 5)
            serials = []
            for port in plant.ports:
                with ModbusTcpClient("127.0.0.1", port=port) as client:
                    serials += [number(client, 0x8900, 2, unit=unit) for unit in range(1, 201)]
            self.assertEqual(serials, list(range(1, 1001)))

    def test_little_processor_time(self):
        """Two meters polled every 17 ms, as the demonstration does."""
        start = ["--start", "2016-07-07T06:00:00Z", "--speed", "3600", "--zero", str(int(time.time() * 1000))]
        with Plant(*start) as plant:
            with ModbusTcpClient("127.0.0.1", port=plant.ports[0]) as meter, \
                    ModbusTcpClient("127.0.0.1", port=plant.inverter_port) as inverter:
                before = self.processor_seconds(plant)
                for _ in range(180):
                    number(meter, 0x5000, 8)
                    number(inverter, 40070, 52)
                    time.sleep(0.014)
                used = self.processor_seconds(plant) - before
        self.assertLess(used, 0.3, "seconds of processor in three seconds of polling")

    @staticmethod
    def processor_seconds(plant):
        fields = pathlib.Path(f"/proc/{plant.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
