"""A spool of 256 MiB with 100 000 records: the agent starts without reading it, after a clean stop, after a kill, and with pages
that are damaged. The seconds are printed; what is judged is how much was read, which no busy machine changes."""

import contextlib
import os
import pathlib
import re
import signal
import sqlite3
import tempfile
import time
import unittest

from devices import Servers
from lone_agent import LoneAgent
from wild_devices import decimal

RECORDS, BYTES = 100_000, 1_900
# A start may read so much; after a kill it has begun to look at its rows beside the work by the time it is asked.
READ_MAX = 64 << 20


class BigSpool(unittest.TestCase):
    def test_starts_without_reading_it(self) -> None:
        wild = decimal()
        with Servers() as servers, tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "wild/decimal.yaml"
            path.parent.mkdir()
            path.write_text(wild.profile)
            with LoneAgent(pathlib.Path(folder)) as agent:
                agent.configure([f"{{tcp: 127.0.0.1:{servers.tcp(wild.slave)}, meters: [{wild.meter()}]}}"])
                self.started(agent, "empty")
                agent.until("records", lambda: agent.status()["head"] >= 3)
                agent.end()
                stream = self.grow(agent)
                for name, how in (("after a clean stop", signal.SIGKILL), ("after a kill", signal.SIGTERM), ("after a clean stop", signal.SIGTERM)):
                    self.started(agent, name)
                    self.assertEqual(agent.status()["stream"], stream)
                    agent.end(how)
                self.damage(agent)
                self.started(agent, "with damaged pages")
                self.assertNotEqual(agent.status()["stream"], stream)
                # Nobody signed these rows: none is taken over, and the agent says when it is done.
                agent.until("the end of the salvage", lambda: not agent.status()["salvaging"], 120)
                self.assertEqual(agent.end(), 0)

    def started(self, agent: LoneAgent, name: str) -> None:
        began = time.monotonic()
        agent.start()
        agent.until("a start", lambda: agent.status()["ready"])
        assert agent.process
        text = pathlib.Path(f"/proc/{agent.process.pid}/io").read_text()
        read = int(re.findall(r"rchar: (\d+)", text)[0])
        print(f"{name}: ready after {time.monotonic() - began:.2f} s, {read >> 10} KiB read")
        # With damaged pages it has begun to take over what can be read.
        self.assertLess(read, READ_MAX * (4 if "damaged" in name else 1))

    def grow(self, agent: LoneAgent) -> str:
        """100 000 rows as large as records are, and a stream that knows them."""
        with contextlib.closing(sqlite3.connect(agent.spool / "spool.db")) as closed, closed as base:
            ordinal, stream, head = base.execute("SELECT ordinal, id, head FROM stream ORDER BY ordinal DESC LIMIT 1").fetchone()
            first = ordinal << 40 | head
            base.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                "INSERT INTO record SELECT ? + i, ? + i, 2, randomblob(32), 1700000000000, randomblob(?), NULL FROM n",
                (RECORDS, first, head, BYTES))  # fmt: skip
            base.execute("UPDATE stream SET head = ? WHERE ordinal = ?", (head + RECORDS, ordinal))
        print(f"{RECORDS} records, {(agent.spool / 'spool.db').stat().st_size >> 20} MiB")
        return str(stream.hex())

    def damage(self, agent: LoneAgent) -> None:
        """Pages full of noise, and the mark that the run before found them."""
        with open(agent.spool / "spool.db", "r+b") as file:
            for page in range(1_000, 40_000, 2_000):
                file.seek(4_096 * page)
                file.write(os.urandom(4_096))
        (agent.spool / "damaged").touch()


if __name__ == "__main__":
    unittest.main()
