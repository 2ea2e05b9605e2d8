#!/usr/bin/env python3
"""Replays a window from its transcript: docs/formats/transcript.md, rules 1 to 9, written a second time.

    replay_window.py DIRECTORY WINDOW          an exported directory (docs/formats/logs.md); WINDOW e.g. W-2016-07-07-1, or `all`
    replay_window.py --vector FILE             a golden vector (Tests/Vectors/window.json)

Reads only the segments that the window's seal names, recomputes the output's bytes and compares their digest with the seal's.
Exit 1 names the first thing that does not hold. It does not look at signatures but the seal's: verify_export.py does.
"""

import argparse
import json
import pathlib
import sys
from dataclasses import dataclass
from typing import Any

from exports import Export, JournalEvent
from formats import Envelope, Wrong, envelope, keys, require, sequence, sha256
from rules import FINDINGS, MILLION, PointDays, settled_days, verified_energy, verify_point
from transcripts import SEGMENT_ITEMS, Inputs, Span, read_inputs
from vectors import deterministic, merkle_root

INPUTS, CHECKPOINTS, OUTPUT = 1, 2, 3
FOLD_ORDER = "entity/metering-point/time/event"
INT64 = range(-(2**63), 2**63)


@dataclass
class EntityResult:
    """What an entity's window came to."""

    span: Span
    points: list[PointDays]
    days: int = 0
    wh: int = 0
    amount: int = 0
    carry: tuple[int, int] = (0, 1)
    through: int = 0


@dataclass(frozen=True)
class Outcome:
    """The output's bytes and what they stand for."""

    output: bytes
    verdicts: list[dict[int, Any]]
    entities: list[EntityResult]

    @property
    def digest(self) -> bytes:
        return sha256(self.output)


def split(amount: int, shares: list[list[Any]]) -> list[int]:
    """Rule 9: shares are [principal, account, ppm], by principal."""
    parts = [amount * ppm // MILLION for _, _, ppm in shares]
    by_remainder = sorted(
        range(len(shares)), key=lambda place: (-(amount * shares[place][2] % MILLION), shares[place][0].encode())
    )
    for place in by_remainder[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def settle(inputs: Inputs, span: Span) -> EntityResult:
    """Rules 8 and 9 for one entity."""
    manifest = inputs.manifest
    mine = sorted(
        (point for point in inputs.points.values() if point.entity == span.entity), key=lambda point: point.id.encode()
    )
    result = EntityResult(span, [verify_point(inputs, point, span) for point in mine], through=span.settled_from)
    _, _, numerator, denominator = inputs.carries[span.entity]
    result.carry = numerator, denominator
    days = settled_days(result.points)
    wh = verified_energy(result.points, days)
    if days == 0 or wh is None:
        return result
    rate, whole = manifest.rate
    raw = wh * rate + numerator * whole // denominator
    amount = max(raw, 0) // whole
    rest = raw - amount * whole
    if amount not in INT64 or rest not in INT64:
        return result
    result.days, result.wh, result.amount, result.carry = days, wh, amount, (rest, whole)
    result.through = span.settled_from + days * manifest.day
    return result


def allocations(inputs: Inputs, results: list[EntityResult]) -> list[list[Any]]:
    rows = []
    for result in results:
        shares = inputs.entities[result.span.entity]
        if result.days:
            for (principal, account, ppm), part in zip(shares, split(result.amount, shares)):
                rows.append([result.span.entity, principal, account, ppm, part, result.wh])
    return sorted(rows, key=lambda row: (row[0].encode(), row[1].encode()))


def counters(inputs: Inputs, results: list[EntityResult]) -> list[list[Any]]:
    """Trailer 5: where the next window's differences start."""
    passed = {opening.key: opening.item() for opening in inputs.openings}
    for result in results:
        for made in result.points if result.days else []:
            for (meter, quantity), walk in made.walks.items():
                key, good = (made.point.id, meter, quantity), walk.last(result.through)
                passed.pop(key, None)
                if good is not None:
                    epoch = walk.epoch(good)
                    unit = list(epoch.unit.as_integer_ratio())
                    passed[key] = [*key, epoch.number, good.count, unit, good.time, good.record, good.sample]
    return [item for _, item in sorted(passed.items(), key=lambda pair: tuple(part.encode() for part in pair[0]))]


def lifts(inputs: Inputs, results: list[EntityResult]) -> list[list[Any]]:
    """Trailer 8."""
    found = dict(inputs.lifts)
    for result in results:
        for made in result.points:
            for lift in made.lifts[: result.days]:
                if lift is not None:
                    found[made.point.id] = lift
    return [item for _, item in sorted(found.items(), key=lambda pair: pair[0].encode())]


def commissioned(inputs: Inputs, results: list[EntityResult]) -> list[list[Any]]:
    """Trailer 9."""
    found = {
        meter: [*told.item(), [[role, text] for role, text in texts.items()]]
        for meter, (told, texts) in inputs.commissioned.items()
    }
    for result in results:
        for made in result.points if result.days else []:
            item = made.standings[made.point.revenue].in_force(result.through)
            if item is not None:
                found[made.point.revenue] = item
    return [item for _, item in sorted(found.items(), key=lambda pair: pair[0].encode())]


def compute(inputs: Inputs, input_digest: bytes) -> Outcome:
    """Rules 1 to 9: what the window's output must be."""
    results = [settle(inputs, span) for span in sorted(inputs.spans, key=lambda span: span.entity.encode())]
    verdicts = [verdict for result in results for made in result.points for verdict in made.verdicts]
    window, start, end, tenant, asset, _ = inputs.header
    trailer = {
        1: [[result.span.entity, result.through] for result in results],
        2: FOLD_ORDER,
        3: inputs.manifest.document,
        4: input_digest,
        5: counters(inputs, results),
        6: [[result.span.entity, inputs.carries[result.span.entity][1], *result.carry] for result in results],
        7: sha256(*(deterministic(verdict) for verdict in verdicts)),
        8: lifts(inputs, results),
        9: commissioned(inputs, results),
    }
    output = deterministic({1: [window, start, end, tenant, asset], 2: allocations(inputs, results), 3: trailer})
    return Outcome(output, verdicts, results)


def checkpoint_segment(segments: list[bytes], counts: list[int]) -> bytes:
    """What must stand in the checkpoint segment of these input segments."""
    chain, total, made = bytes(32), 0, b""
    for segment, count in zip(segments[:-1], counts):
        chain, total = sha256(chain, sha256(segment)), total + count
        made += deterministic([total, chain])
    return made


def replay(segments: list[tuple[int, bytes]]) -> Outcome:
    """A transcript's segments (kind, bytes) in order: checks their form, computes the output from the inputs."""
    kinds = [kind for kind, _ in segments]
    data = [segment for kind, segment in segments if kind == INPUTS]
    require(kinds == [INPUTS] * len(data) + [CHECKPOINTS, OUTPUT] and data, f"segments of kinds {kinds}")
    items = [list(sequence(segment, f"input segment {number}")) for number, segment in enumerate(data)]
    for number, part in enumerate(items):
        whole = len(part) == SEGMENT_ITEMS
        require(
            whole or number + 1 == len(items) and 0 < len(part) < SEGMENT_ITEMS,
            f"input segment {number} has {len(part)} items",
        )
    checkpoints = checkpoint_segment(data, [len(part) for part in items])
    require(segments[-2][1] == checkpoints, "the checkpoint segment is not that of the input segments")
    inputs = read_inputs(item for part in items for item in part)
    return compute(inputs, sha256(*data))


def check_seal(seal: dict[int, Any], segments: list[tuple[int, bytes]], place: str) -> None:
    """Whether the seal names exactly these segments."""
    for (kind, size, digest), (_, data) in zip(seal[6], segments):
        require(
            len(data) == size and sha256(data) == digest,
            f"{place}: segment {digest.hex()} of kind {kind} is not what the seal names",
        )
    # RFC 6962 over the digests: each is an entry.
    require(
        seal[4] == merkle_root([digest for _, _, digest in seal[6]]),
        f"{place}: the transcript root is not that of the segments",
    )
    require(seal[6][-1][2] == seal[3], f"{place}: the seal's output digest is not its output segment's")


def first_difference(mine: bytes, theirs: bytes) -> str:
    place = next(
        (place for place, pair in enumerate(zip(mine, theirs)) if pair[0] != pair[1]), min(len(mine), len(theirs))
    )
    return f"byte {place}: {mine[place : place + 16].hex()} computed, {theirs[place : place + 16].hex()} sealed"


def seals(export: Export) -> dict[str, tuple[JournalEvent, Envelope]]:
    """Window id → the event and the seal's envelope."""
    found = {}
    for event in export.events("TranscriptSealed"):
        signed = envelope(event.body[1], "seal", event.place)
        found[signed.map(event.place)[2]] = event, signed
    return found


def replay_export(export: Export, window: str) -> Outcome:
    """Replays one sealed window of an export and compares all that the seal says."""
    sealed = seals(export)
    require(window in sealed, f"{window} is not sealed here; sealed are {sorted(sealed)}")
    event, signed = sealed[window]
    place = f"seal of {window} ({event.place})"
    require(signed.signed_by(export.genesis[13]), f"{place}: not signed by the seal key of genesis")
    seal = keys(signed.map(place), "1-7", "", place)
    segments = [(kind, export.read(f"segments/{digest.hex()}")) for kind, _, digest in seal[6]]
    check_seal(seal, segments, place)
    outcome = replay(segments)
    if outcome.digest != seal[3]:
        raise Wrong(f"{window}: the replay gives another output, {first_difference(outcome.output, segments[-1][1])}")
    return outcome


def replay_vector(path: pathlib.Path) -> Outcome:
    """A golden vector: input segments, and what must come of them."""
    vector = json.loads(path.read_text())
    data = [bytes.fromhex(text) for text in vector["inputs"]]
    counts = [len(list(sequence(segment, "vector"))) for segment in data]
    segments = [(INPUTS, segment) for segment in data] + [
        (CHECKPOINTS, checkpoint_segment(data, counts)),
        (OUTPUT, bytes.fromhex(vector["output"])),
    ]
    require(sha256(*data).hex() == vector["inputDigest"], "the input digest is not that of the inputs")
    outcome = replay(segments)
    if outcome.output.hex() != vector["output"]:
        raise Wrong(f"another output, {first_difference(outcome.output, bytes.fromhex(vector['output']))}")
    require(outcome.digest.hex() == vector["outputDigest"], "the output digest is not the output's")
    root = merkle_root([sha256(segment) for _, segment in segments])
    require(root.hex() == vector["transcriptRoot"], "the transcript root is not that of the segments")
    return outcome


def describe(name: str, outcome: Outcome) -> str:
    lines = [f"{name}: output digest {outcome.digest.hex()} is equal"]
    for result in outcome.entities:
        lines.append(
            f"  {result.span.entity}: {result.days} days, {result.wh} Wh, amount {result.amount}, carry {result.carry[0]}/{result.carry[1]}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?")
    parser.add_argument("window", nargs="?", default="all")
    parser.add_argument("--vector", type=pathlib.Path)
    options = parser.parse_args()
    if (options.directory is None) == (options.vector is None):
        parser.error("name either a directory or a vector")
    try:
        if options.vector:
            print(describe(options.vector.name, replay_vector(options.vector)))
            return 0
        export = Export(pathlib.Path(options.directory))
        names = sorted(seals(export)) if options.window == "all" else [options.window]
        require(names, "no window is sealed here")
        for name in names:
            print(describe(name, replay_export(export, name)), flush=True)
    except Wrong as wrong:
        print(f"refused: {wrong}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
