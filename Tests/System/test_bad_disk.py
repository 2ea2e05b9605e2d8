"""Each file of the spool folder, unreadable from its first byte to its last over a start: the agent reads and commits within
seconds, and what it had stored is at the collector, or owned up to. The torture's judges look on; it draws its sectors, here all are bad."""

import unittest

import torture
from reckoning import Reckoning

FILES = ("spool.db", "spool.db-wal", "marks", "keys", "floor", "key-list")


def unreadable(name):
    def whole_file(house, _):
        torture.sectors_cannot_be_read(house, name, 0, 1 << 40)
        return name

    return whole_file


class BadDisk(unittest.TestCase):
    def test_each_file_of_the_spool_folder(self):
        judge = torture.Torture(len(FILES), seed=0)
        with torture.StormHouse() as house:
            house.launch()
            house.until("the first receipts", house.drained, 60)
            reckoning = Reckoning(house.dir / "collector/evidence.sqlite", torture.public(house.dir / "keys/gateway.pem"))
            for number, name in enumerate(FILES, 1):
                with self.subTest(name):
                    judge.round(house, reckoning, number, unreadable(name))
        self.assertGreater(judge.held, 100)


if __name__ == "__main__":
    unittest.main()
