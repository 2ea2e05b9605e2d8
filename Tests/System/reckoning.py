"""After a storm: does the collector hold every committed sample exactly once, or does a signed record say what is missing?

Reads the collector's log with Python's libraries alone, and knows what the slave really answered. Every sample of the log must
be an answer, none twice, in order; where answers are missing between two samples, signed records between them must own up to
at least as many. Envelopes, chains and the records that were durable at the agent are compared too.
"""

import sqlite3
import sys
from collections import defaultdict

from house import ROOT, Failed

sys.path.insert(0, str(ROOT / "Tests/Interop"))
from formats import Wrong, decode, envelope  # noqa: E402, F401

BIRTH, READINGS, NOTE, SKIP = 1, 2, 3, 4
CRASHED, QUARANTINED, DROPPED = 3, 7, 11
WITHOUT_NUMBER = float("inf")


class Reckoning:
    """Keeps what it has verified, so that it can look after every round."""

    def __init__(self, database, spki):
        self.database, self.spki = database, spki
        self.known = {}

    def records(self):
        """[(stream, record, identity)] in the log's order; every envelope verified."""
        found = []
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as base:
            rows = base.execute("SELECT entry.position, entry.bytes, envelope.bytes FROM entry JOIN envelope USING (position) ORDER BY entry.position").fetchall()
        for position, entry, data in rows:
            if data is None or -1 in (fields := decode(entry, f"entry {position}")):
                continue
            if data not in self.known:
                signed = envelope(data, "record", f"record {position}")
                if not signed.signed_by(self.spki):
                    raise Failed(f"record {position} of the log is not signed by the gateway")
                self.known[data] = signed.map(f"record {position}"), signed.identity
            record, identity = self.known[data]
            # A skip that begins below what was accepted stands at the first number that it counts for.
            first = fields[3] if record[8] == SKIP and record[4] <= fields[3] <= record[9][1] else record[4]
            if (fields[2], fields[3], fields[4]) != (record[3], first, identity):
                raise Failed(f"entry {position} names another record than lies beside it")
            found.append((record[3].hex(), record, identity))
        return found

    def unsent(self, folder, records):
        """What a spool holds of its last stream beyond the log."""
        with sqlite3.connect(folder / "spool.db") as base:
            ordinal, stream = base.execute("SELECT ordinal, id FROM stream ORDER BY ordinal DESC LIMIT 1").fetchone()
            rows = base.execute("SELECT envelope FROM record WHERE position >> 40 = ? AND envelope IS NOT NULL ORDER BY position", (ordinal,)).fetchall()
        through = max((each[4] if each[8] != SKIP else each[9][1] for name, each, _ in records if name == stream.hex()), default=0)
        found = []
        for (data,) in rows:
            signed = envelope(data, "record", "spool")
            record = signed.map("spool")
            if record[4] > through:
                found.append((stream.hex(), record, signed.identity))
        return found

    def chains(self, records):
        """{stream: {number: identity}}: each number once, each record what follows the one before."""
        streams = defaultdict(dict)
        last = {}
        for stream, record, identity in records:
            number, link = last.get(stream, (0, bytes(32)))
            through, own = (record[9][1], record[9][2]) if record[8] == SKIP else (record[4], identity)
            # A skip may begin below what was accepted: it counts for the rest.
            follows = record[4] <= number + 1 <= through if record[8] == SKIP else record[4] == number + 1 and record[5] == link
            if not follows:
                raise Failed(f"{stream}/{record[4]} (kind {record[8]}) does not follow {number}")
            last[stream] = (through, own)
            if record[8] == SKIP:
                # What was accepted below its beginning stays what it was.
                streams[stream] |= {between: None for between in range(max(record[4], number + 1), through + 1)}
            else:
                streams[stream][record[4]] = identity
        return dict(streams)

    def durable_is_held(self, streams, durable):
        """`durable`: {(stream, number): identity} of records that were safe on the agent's disk when something struck."""
        for (stream, number), identity in durable.items():
            held = streams.get(stream, {}).get(number, b"missing")
            if held == b"missing" and stream not in self.abandoned:
                raise Failed(f"{stream}/{number} was durable at the agent, and the collector has it not")
            if held not in (None, identity, b"missing") and stream not in self.abandoned:
                raise Failed(f"{stream}/{number} is another record than was durable at the agent")

    def truth(self, records, instance, answers):
        """Compares an instance's samples with the answers that were given to it.

        Returns (samples held, answers that signed records own up to)."""
        last, owed, held, missing = defaultdict(int), defaultdict(float), 0, 0
        units = {}
        self.abandoned = set()
        # The notes of a commit stand behind its readings: they count for all of it.
        commits = defaultdict(list)
        for stream, record, _ in records:
            commits[commit_of(stream, record)].append(record)
        for stream, record, _ in records:
            kind, body = record[8], record[9]
            if kind == BIRTH:
                unit = {meter[1]: meter[6][0] for meter in body[3]}
                units |= {(stream, read[0]): unit[read[1]] for read in body[4]}
                if body[2]:
                    self.abandoned.add(body[2][0].hex())
            for each in commits.pop(commit_of(stream, record), []):
                for unit, count in losses(each, lambda read, known=stream: units.get((known, read))):
                    for one in [unit] if unit is not None else list(answers):
                        owed[one] += count
            if kind != READINGS:
                continue
            for read, _, _, status, words in body[1]:
                unit = units[stream, read]
                if status != 0:
                    owed[unit] += 1
                    continue
                whose, said, number = int.from_bytes(words[:2], "big"), int.from_bytes(words[2:4], "big"), int.from_bytes(words[4:], "big")
                if whose != instance:
                    continue
                held += 1
                place = f"unit {unit}, answer {number}, in {stream}/{record[4]}"
                if said != unit or number > answers.get(unit, 0):
                    raise Failed(f"{place}: nobody gave it")
                if number <= last[unit]:
                    raise Failed(f"{place}: stands twice, or after {last[unit]}")
                gap = number - last[unit] - 1
                if gap > owed[unit]:
                    raise Failed(f"{place}: {gap} answers before it are missing, and signed records say {owed[unit]}")
                missing += gap
                last[unit], owed[unit] = number, 0.0
        for unit, count in answers.items():
            if count - last[unit] > owed[unit]:
                raise Failed(f"unit {unit}: {count - last[unit]} answers after the last sample are missing, and signed records say {owed[unit]}")
            missing += count - last[unit]
        return held, missing


def commit_of(stream, record):
    """Records of one commit carry one clock; a skip's is that of what it stands for."""
    return (stream, record[4]) if record[8] == SKIP else (stream, tuple(record[6]))


def losses(record, unit):
    """(unit, at most so many samples) that a record owns up to; unit None: of any."""
    kind, body = record[8], record[9]
    if kind == SKIP:
        # Damaged pages do not tell how many samples they held.
        return [(unit(read), count) for read, count in body[5]] or [(None, WITHOUT_NUMBER)]
    if kind == BIRTH and body[2]:
        return [(None, WITHOUT_NUMBER)]
    if kind != NOTE:
        return []
    _, code, details = body
    if code == CRASHED:
        return [(unit(read), count) for read, count in details[2]]
    if code == DROPPED:
        return [(unit(read), count) for read, count in details[1]]
    return [(None, WITHOUT_NUMBER)] if code == QUARANTINED else []
