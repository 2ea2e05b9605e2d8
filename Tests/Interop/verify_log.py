"""Checks a log from its served or exported files, knowing docs/formats/logs.md and the C2SP specifications only.

    verify_log.py PLACE VKEY [INDEX]

PLACE is a directory or a URL that has `checkpoint` and `tile/` below it, VKEY the log's verifier key. Checks the checkpoint's
signature, that the tiles give its root, that the entries are the leaves, and an inclusion proof computed from tiles for INDEX
(default: the last entry). Exit 0 only if all of it holds; the first failure is named.
"""

import base64
import hashlib
import pathlib
import sys
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """Something in the log is not what it should be."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Log:
    """Reads files below a directory or a URL."""

    def __init__(self, place, token=None):
        self.place, self.token = place.rstrip("/"), token

    def read(self, path):
        if "://" not in self.place:
            file = pathlib.Path(self.place) / path
            if not file.is_file():
                raise Wrong(f"{path} is missing")
            return file.read_bytes()
        request = urllib.request.Request(f"{self.place}/{path}")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()


def index_path(index):
    """1234067 is x001/x234/067."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups)


def tile_path(level, index, size):
    """The path of a tile in a log of `size` entries, and how many hashes are in it."""
    hashes = size if level == "entries" else size // 256 ** int(level)
    width = min(256, hashes - index * 256)
    return f"tile/{level}/{index_path(index)}" + ("" if width == 256 else f".p/{width}"), width


def checkpoint(log, vkey):
    """(origin, size, root) of the log's checkpoint once its signature holds."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[0] != 1 or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
        raise Wrong("the verifier key is not an Ed25519 key, or its id is not its own")
    text, _, signatures = log.read("checkpoint").decode().rpartition("\n\n")
    text += "\n"
    mine = []
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if dash == "—" and signer == name and blob[:4].hex() == key_id:
            mine.append(blob[4:])
    if not mine:
        raise Wrong("the checkpoint has no signature of this key")
    for signature in mine:
        try:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, text.encode())
        except InvalidSignature:
            raise Wrong("the checkpoint's signature does not hold") from None
    origin, size, root = text.splitlines()
    if origin != name:
        raise Wrong(f"the checkpoint is of {origin}, the key is {name}'s")
    return origin, int(size), base64.b64decode(root, validate=True)


def hashes(log, level, size):
    """All hashes of one level: level 0 are the leaves, level l the roots of 256^l leaves."""
    count, found = size // 256**level, []
    for index in range((count + 255) // 256):
        path, width = tile_path(level, index, size)
        tile = log.read(path)
        if len(tile) != 32 * width:
            raise Wrong(f"{path} has {len(tile)} bytes instead of {32 * width}")
        found += [tile[place : place + 32] for place in range(0, len(tile), 32)]
    return found


def root(leaves):
    """RFC 6962 section 2.1 over leaf hashes."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", root(leaves[:split]), root(leaves[split:]))


def inclusion(index, leaves):
    """PATH(m, D[n]) of RFC 6962 section 2.1.1, from the leaf up."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return inclusion(index, leaves[:split]) + [root(leaves[split:])]
    return inclusion(index - split, leaves[split:]) + [root(leaves[:split])]


def included(leaf, index, size, proof):
    """The root that a proof leads to: RFC 9162 section 2.1.3.2."""
    fn, sn, value = index, size - 1, leaf
    for step in proof:
        if sn == 0:
            raise Wrong("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            value = sha256(b"\x01", step, value)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = sha256(b"\x01", value, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Wrong("the inclusion proof is too short")
    return value


def entries(log, size):
    """All entries, in order, from their bundles: big-endian 16-bit length, then the entry."""
    found = []
    for index in range((size + 255) // 256):
        path, width = tile_path("entries", index, size)
        bundle, place = log.read(path), 0
        for _ in range(width):
            length = int.from_bytes(bundle[place : place + 2], "big")
            entry = bundle[place + 2 : place + 2 + length]
            if len(entry) != length:
                raise Wrong(f"{path} ends inside an entry")
            found.append(entry)
            place += 2 + length
        if place != len(bundle):
            raise Wrong(f"{path} has more than its {width} entries")
    return found


def verify(log, vkey, index=None):
    """(origin, size, entries) of a log in which everything holds."""
    origin, size, head = checkpoint(log, vkey)
    leaves = hashes(log, 0, size)
    if root(leaves) != head:
        raise Wrong("the leaves of the tiles do not give the checkpoint's root")
    level = 1
    while size >= 256**level:
        below = [leaves[place : place + 256**level] for place in range(0, size // 256**level * 256**level, 256**level)]
        if hashes(log, level, size) != [root(part) for part in below]:
            raise Wrong(f"the tiles of level {level} are not the roots of the leaves below them")
        level += 1
    content = entries(log, size)
    for place, entry in enumerate(content):
        if sha256(b"\x00", entry) != leaves[place]:
            raise Wrong(f"entry {place} is not the leaf of the tree")
    if size:
        index = size - 1 if index is None else index
        if included(leaves[index], index, size, inclusion(index, leaves)) != head:
            raise Wrong(f"entry {index} cannot be proven to be in the tree")
    return origin, size, content


if __name__ == "__main__":
    try:
        origin, size, _ = verify(Log(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:4]))
    except Wrong as wrong:
        print(f"refused: {wrong}")
        sys.exit(1)
    print(f"{origin}: {size} entries, root and signature hold")
