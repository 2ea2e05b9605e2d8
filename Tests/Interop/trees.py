"""A served log by docs/formats/logs.md and the C2SP tiles: entries, roots and proofs from tiles. Knows no entry's content.

Every hash comes out of a tile (or is hashed from two of them); nothing here sees all leaves at once.
"""

import base64
from collections.abc import Callable
from functools import cached_property

import verify_log
from formats import Wrong, require, sha256

HEIGHT = 8


def root_of(leaves: list[bytes]) -> bytes:
    return bytes(verify_log.root(leaves))


class Tree:
    """One epoch of one log. `vkey` is checked only by `check`."""

    def __init__(self, fetch: Callable[[str], bytes], log: str, epoch: int) -> None:
        self.fetch, self.log, self.epoch = fetch, log, epoch
        self.path = f"log/{log}/{epoch}"
        self.name = f"{log}/{epoch}"
        self._tiles: dict[str, bytes] = {}
        lines = self.read("checkpoint").decode("utf-8", "replace").splitlines()
        try:
            self.origin, self.size, self.root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
        except (IndexError, ValueError):
            raise Wrong(f"{self.path}/checkpoint: no checkpoint") from None

    def read(self, path: str) -> bytes:
        """Called `read` as verify_log.Log's, so that its functions take a tree."""
        if path not in self._tiles:
            self._tiles[path] = self.fetch(f"{self.path}/{path}")
        return self._tiles[path]

    def check(self, vkey: str) -> None:
        """The checkpoint's signature, and that its origin is the key's name."""
        try:
            origin, size, root = verify_log.checkpoint(self, vkey)
        except (verify_log.Wrong, ValueError, UnicodeDecodeError) as error:
            raise Wrong(f"{self.path}/checkpoint: {error}") from None
        require(
            (origin, size, root) == (self.origin, self.size, self.root), f"{self.path}/checkpoint: read differently"
        )

    @cached_property
    def entries(self) -> list[bytes]:
        try:
            return list(verify_log.entries(self, self.size))
        except verify_log.Wrong as error:
            raise Wrong(f"{self.path}: {error}") from None

    def node(self, level: int, index: int) -> bytes:
        """The root of the complete subtree of 2^level leaves that begins at leaf index·2^level."""
        if level % HEIGHT == 0:
            path, width = verify_log.tile_path(level // HEIGHT, index >> HEIGHT, self.size)
            tile = self.read(path)
            require(len(tile) == 32 * width, f"{self.path}/{path} has {len(tile)} bytes instead of {32 * width}")
            place = index & (1 << HEIGHT) - 1
            return tile[32 * place : 32 * place + 32]
        return sha256(b"\x01", self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))

    def range_root(self, begin: int, end: int) -> bytes:
        """MTH(D[begin:end]) of RFC 6962 for the ranges its recursion meets, out of tiles."""
        count = end - begin
        if count == 0:
            return sha256()
        level = count.bit_length() - 1
        if count == 1 << level:
            return self.node(level, begin >> level)
        split = begin + (1 << level)
        return sha256(b"\x01", self.range_root(begin, split), self.range_root(split, end))

    def inclusion(self, index: int, begin: int = 0, end: int | None = None) -> list[bytes]:
        """PATH(m, D[n]) of RFC 6962 section 2.1.1."""
        end = self.size if end is None else end
        if end - begin == 1:
            return []
        split = begin + (1 << (end - begin - 1).bit_length() - 1)
        if index < split:
            return [*self.inclusion(index, begin, split), self.range_root(split, end)]
        return [*self.inclusion(index, split, end), self.range_root(begin, split)]

    def consistency(self, old: int, begin: int = 0, end: int | None = None, whole: bool = True) -> list[bytes]:
        """PROOF(m, D[n]) of RFC 6962 section 2.1.2, for 0 < old ≤ size."""
        end = self.size if end is None else end
        if begin + old == end:
            return [] if whole else [self.range_root(begin, end)]
        split = begin + (1 << (end - begin - 1).bit_length() - 1)
        if begin + old <= split:
            return [*self.consistency(old, begin, split, whole), self.range_root(split, end)]
        return [*self.consistency(old - (split - begin), split, end, False), self.range_root(begin, split)]


def consistent(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2, for 0 < old ≤ size."""
    if old == size:
        return not proof and old_root == root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = sha256(b"\x01", step, first), sha256(b"\x01", step, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = sha256(b"\x01", second, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == root
