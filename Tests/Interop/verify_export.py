#!/usr/bin/env python3
"""Verifies what a house publishes, from docs/formats alone: both logs, every record and receipt, the whole Journal.

    verify_export.py DIRECTORY [--vkey VKEY] [--receipts FILE] [--replay]
    verify_export.py URL --token-file FILE …

VKEY is the verifier key of the Journal's first epoch, had from elsewhere; without it the house vouches for its own key.
FILE of receipts: what `mosquitto_sub -t 'km/1/+/+/receipt' -F '%t %x'` wrote, or a CBOR sequence of envelopes.
Exit 1 names the first thing that does not hold, and where it stands.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator

import replay_window
from check_evidence import check_evidence, check_readings, check_receipts
from check_journal import ACCOUNT, check_entries, check_events
from exports import Export
from formats import Wrong, require, sha256
from trees import Tree, consistent, root_of
from verify_log import Wrong as LogWrong
from verify_log import included


def check_tree(tree: Tree, vkey: str) -> str:
    """Checkpoint, tiles of all levels, entries, and proofs made of tiles only."""
    tree.check(vkey)
    require(tree.range_root(0, tree.size) == tree.root, f"{tree.name}: the tiles do not give the checkpoint's root")
    leaves = [sha256(b"\x00", entry) for entry in tree.entries]
    for index, leaf in enumerate(leaves):
        require(tree.node(0, index) == leaf, f"{tree.name} entry {index}: is not the leaf that the tile has")
    require(root_of(leaves) == tree.root, f"{tree.name}: the entries do not give the checkpoint's root")
    check_levels(tree)
    inclusions, consistencies = check_proofs(tree, leaves)
    return f"{tree.origin}: {tree.size} entries, checkpoint, tiles, {inclusions} inclusion and {consistencies} consistency proofs hold"


def check_levels(tree: Tree) -> None:
    """Every hash of an upper tile is the root of the 256 below it."""
    level = 8
    while tree.size >> level:
        for index in range(tree.size >> level):
            parts = (tree.node(level - 1, 2 * index), tree.node(level - 1, 2 * index + 1))
            require(
                tree.node(level, index) == sha256(b"\x01", *parts),
                f"{tree.name}: level {level // 8}, hash {index} of the tiles is wrong",
            )
        level += 8


def check_proofs(tree: Tree, leaves: list[bytes]) -> tuple[int, int]:
    """Proofs at the edges of the tree's shape, from tiles alone; how many of each."""
    size = tree.size
    if size == 0:
        return 0, 0
    edges = {1 << level for level in range(size.bit_length())} | {size // 3, size // 2, size - 1, size}
    sizes = sorted(edge + more for edge in edges for more in (-1, 0, 1) if 0 < edge + more <= size)
    for old in sizes:
        index = old - 1
        try:
            holds = included(leaves[index], index, size, tree.inclusion(index)) == tree.root
        except LogWrong as error:
            raise Wrong(f"{tree.name} entry {index}: {error}") from None
        require(holds, f"{tree.name} entry {index}: its inclusion proof does not lead to the root")
        grew = consistent(old, root_of(leaves[:old]), size, tree.root, tree.consistency(old))
        require(grew, f"{tree.name}: {old} entries are not proven to be a beginning of {size}")
    return len(sizes), len(sizes)


def check_house(export: Export, vkey: str | None) -> None:
    keys = [export.vkey(log, epoch) for log in ("journal", "evidence") for epoch in range(1, export.epochs(log) + 1)]
    require(vkey in (None, keys[0]), f"genesis' log key gives {keys[0]}, expected {vkey}")
    require(export.house[3] == keys, "house: its verifier keys are not genesis' log key under the logs' origins")


def check_segments(export: Export) -> None:
    """Files that bear a digest as their name; over HTTP they are checked where they are named."""
    for folder in ("segments", "sources"):
        if isinstance(export.place, pathlib.Path):
            for file in sorted((export.place / folder).glob("*")):
                require(sha256(file.read_bytes()).hex() == file.name, f"{folder}/{file.name}: not what its name says")


def verify(export: Export, vkey: str | None, receipts: pathlib.Path | None, replays: bool) -> Iterator[str]:
    """Line by line what holds; raises Wrong at the first thing that does not."""
    check_house(export, vkey)
    for log in ("journal", "evidence"):
        for tree in export.trees(log):
            yield check_tree(tree, export.vkey(log, tree.epoch))
    check_segments(export)
    check_entries(export)
    state = check_events(export)
    yield f"journal: {len(export.journal)} events, their ids, causes and signatures hold"
    held = check_evidence(export, state.keyring)
    read = sum(check_readings(export, held, window) for window in replay_window.seals(export))
    streams = {(one.gateway, one.stream) for one in held}
    yield f"evidence: {len(held)} records in {len(streams)} streams, their signatures and chains hold"
    yield f"windows: {read} readings stand in the records that they name"
    if receipts:
        true, later = check_receipts(export, state.keyring, held, receipts.read_bytes(), receipts.name)
        yield f"receipts: {true} are signed and true of the log, {later} are signed and beyond it"
    for window in sorted(replay_window.seals(export)) if replays else []:
        yield replay_window.describe(window, replay_window.replay_export(export, window))
    yield f"ledger: {len(state.accounts) - 1} accounts, supply {-state.accounts[ACCOUNT][0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place")
    parser.add_argument("--vkey")
    parser.add_argument("--token-file", type=pathlib.Path)
    parser.add_argument("--receipts", type=pathlib.Path)
    parser.add_argument("--replay", action="store_true", help="replay every sealed window too")
    options = parser.parse_args()
    token = options.token_file.read_text().strip() if options.token_file else None
    place = options.place if "://" in options.place else pathlib.Path(options.place)
    try:
        for line in verify(Export(place, token), options.vkey, options.receipts, options.replay):
            print(line, flush=True)
    except Wrong as wrong:
        print(f"refused: {wrong}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
