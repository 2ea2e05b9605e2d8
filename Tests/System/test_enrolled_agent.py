"""From nothing to the first receipt and to the revocation, with the programs people start: agent, collector, Mosquitto, audit."""

import unittest

from enrol_house import GATEWAY, run
from test_revocation import MutualHouse


class EnrolledHouse(MutualHouse):
    """Gateways are told this house's broker."""

    def brokers(self):
        return f"{{host: 127.0.0.1, port: {self.ports['broker']}}}"

    def agent_file(self):
        path = self.dir / "enrolled-agent.yaml"
        path.write_text((self.dir / "agent.yaml").read_text())
        return path

    def agent(self, *arguments):
        return run(self.bin / "kilomint-agent", *arguments)

    def listed(self):
        return self.tool("kilomint-collector", "device", "list", *self.base()).stdout


class EnrolledAgent(unittest.TestCase):
    def test_from_nothing_to_readings_and_out_again(self):
        with EnrolledHouse() as one:
            one.serve()
            file = one.agent_file()
            one.agent("init", "--config", file)
            _, code = one.claim()
            self.assertIn("claim open", one.listed())
            one.agent("enroll", "--config", file, "--url", f"https://127.0.0.1:{one.ports['enrolment']}", "--code", code)
            self.assertIn("enrolled", one.listed())
            one.run_one("plant")
            one.start("agent", one.bin / "kilomint-agent", "run", "--config", file)
            one.until("the gateway is alive", lambda: "alive" in one.listed(), 60)
            one.until("its record stands in the log", one.evidence)
            one.revoke()
            one.until("its session was ended", lambda: "administrator ended the connection" in (one.dir / "log/agent.log").read_text())
            self.assertIn("revoked", one.listed())
            held = one.evidence()
            one.until("the broker refuses it", lambda: "does not authorise" in (one.dir / "log/agent.log").read_text())
            self.assertEqual(one.evidence(), held)
            verdict = one.verify()
            self.assertEqual(verdict.returncode, 0, verdict.stdout + verdict.stderr)
            self.assertEqual({gateway for gateway, _ in held}, {GATEWAY})


if __name__ == "__main__":
    unittest.main()
