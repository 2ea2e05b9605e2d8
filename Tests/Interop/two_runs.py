#!/usr/bin/env python3
"""Compares the windows of two or more exports: the same evidence must give the same digests, however it arrived.

    two_runs.py DIRECTORY DIRECTORY …          exports (docs/formats/logs.md) of runs over the same evidence
    two_runs.py --figures DIRECTORY …          of runs that signed their own evidence: compares what was computed, not digests

Arrival order, restarts, partitions, salts, receive times and leaf indexes may differ; records, inputs and outputs may not.
Exit 1 names the first difference.
"""

import argparse
import pathlib
import sys
from typing import Any

import replay_window
from exports import Export
from formats import Wrong, decode, require

Facts = dict[str, dict[str, Any]]


def records(export: Export) -> set[bytes]:
    """Identities of all records held, in any epoch."""
    return {
        entry[4]
        for epoch in range(1, export.epochs("evidence") + 1)
        for entry in export.values("evidence", epoch)
        if 4 in entry
    }


def facts(export: Export, are_figures: bool) -> Facts:
    """Window id → what must not depend on how evidence arrived."""
    found: Facts = {}
    for window, (event, signed) in sorted(replay_window.seals(export).items()):
        seal = signed.map(event.place)
        output = decode(export.read(f"segments/{seal[3].hex()}"), f"output of {window}")
        # A window's inputs name records: figures are what is left without them.
        trailer = {1: output[3][1], 6: output[3][6]}
        counts = [[*row[:6]] for row in output[3][5]]
        found[window] = {
            "header": output[1],
            "allocations": output[2],
            "settled through and carry": trailer,
            "counters": counts,
        }
        if not are_figures:
            found[window] |= {
                "input digest": output[3][4].hex(),
                "output digest": seal[3].hex(),
                "transcript root": seal[4].hex(),
            }
    return found


def compare(names: list[str], exports: list[Export], are_figures: bool) -> list[str]:
    """A line for each window that is equal in all; raises Wrong at the first difference."""
    first = facts(exports[0], are_figures)
    require(first, f"{names[0]} has no sealed window")
    for name, export in zip(names[1:], exports[1:]):
        if not are_figures:
            mine, theirs = records(exports[0]), records(export)
            require(
                mine == theirs,
                f"{name} has other records than {names[0]}: {len(mine - theirs)} missing, {len(theirs - mine)} more",
            )
        other = facts(export, are_figures)
        require(
            sorted(first) == sorted(other), f"{name} has the windows {sorted(other)}, {names[0]} has {sorted(first)}"
        )
        for window, known in first.items():
            for what, value in known.items():
                require(
                    value == other[window][what],
                    f"{window}: the {what} of {name} is {other[window][what]}, of {names[0]} {value}",
                )
    shown = "counters" if are_figures else "output digest"
    return [f"{window}: {shown} {known[shown]}" for window, known in first.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+")
    parser.add_argument("--figures", action="store_true")
    options = parser.parse_args()
    if len(options.directories) < 2:
        parser.error("name at least two directories")
    try:
        lines = compare(
            options.directories, [Export(pathlib.Path(name)) for name in options.directories], options.figures
        )
    except Wrong as wrong:
        print(f"different: {wrong}")
        return 1
    print("\n".join(lines))
    print(f"{len(lines)} windows are equal in {len(options.directories)} exports")
    return 0


if __name__ == "__main__":
    sys.exit(main())
