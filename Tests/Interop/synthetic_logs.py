"""Writes both logs of a house as docs/formats/logs.md lays them out: a second implementation of the writer, for tests only."""

import base64
import pathlib
import random
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from formats import CONTENT_TYPE, sha256
from vectors import deterministic, spki

Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def sign(payload: bytes, content: str, key: Private) -> tuple[bytes, bytes]:
    """(envelope, identity) of a payload."""
    is_edwards = isinstance(key, ed25519.Ed25519PrivateKey)
    header = {1: -8 if is_edwards else -7, 3: CONTENT_TYPE.format(content), 4: sha256(spki(key))[:8]}
    protected = deterministic(header)
    signed = deterministic(["Signature1", protected, b"", payload])
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(signed)
    else:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    parts = b"".join(deterministic(part) for part in (protected, {}, payload, signature))
    return b"\xd2\x84" + parts, sha256(signed)


def document(value: Any, content: str, *signers: Private) -> tuple[list[bytes], bytes]:
    """(envelopes sorted by kid, document id) of a payload that several keys sign."""
    payload = deterministic(value)
    ordered = sorted(signers, key=lambda key: sha256(spki(key))[:8])
    return [sign(payload, content, key)[0] for key in ordered], sha256(payload)


def write(path: pathlib.Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def name_of(index: int) -> str:
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def root_of(level: list[bytes]) -> bytes:
    """RFC 6962 over leaf hashes, pair by pair: an odd last one moves up as it is."""
    if not level:
        return sha256()
    while len(level) > 1:
        paired = [sha256(b"\x01", level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


@dataclass
class LogWriter:
    """One epoch of one log."""

    name: str
    origin: str
    entries: list[bytes] = field(default_factory=list)
    matter: list[Any] = field(default_factory=list)

    def checkpoint(self) -> list[Any]:
        """[origin, size, root] of now."""
        return [self.origin, len(self.entries), root_of([sha256(b"\x00", entry) for entry in self.entries])]

    def note(self, key: ed25519.Ed25519PrivateKey) -> bytes:
        origin, size, root = self.checkpoint()
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        typed = b"\x01" + spki(key)[-32:]
        number = sha256(origin.encode(), b"\n", typed)[:4]
        blob = base64.b64encode(number + key.sign(text.encode())).decode()
        return f"{text}\n— {origin} {blob}\n".encode()

    def write(self, folder: pathlib.Path, key: ed25519.Ed25519PrivateKey) -> None:
        base = folder / "log" / self.name
        write(base / "checkpoint", self.note(key))
        level = [sha256(b"\x00", entry) for entry in self.entries]
        number = 0
        while level:
            self._tiles(
                base / "tile" / str(number),
                [b"".join(level[at : at + 256]) for at in range(0, len(level), 256)],
                len(level),
            )
            level = [root_of(level[at : at + 256]) for at in range(0, len(level) // 256 * 256, 256)]
            number += 1
        parts = [self.entries[at : at + 256] for at in range(0, len(self.entries), 256)]
        bundles = [b"".join(len(entry).to_bytes(2, "big") + entry for entry in part) for part in parts]
        self._tiles(base / "tile/entries", bundles, len(self.entries))
        for at in range(0, len(self.matter), 256):
            write(folder / "records" / self.name / str(at // 256), deterministic(self.matter[at : at + 256]))

    def _tiles(self, base: pathlib.Path, tiles: list[bytes], count: int) -> None:
        for index, tile in enumerate(tiles):
            width = min(256, count - 256 * index)
            write(base / (name_of(index) + ("" if width == 256 else f".p/{width}")), tile)


@dataclass
class JournalWriter(LogWriter):
    """The Journal: numbers events by stage stream, salts payloads."""

    numbers: dict[str, int] = field(default_factory=dict)
    salts: random.Random = field(default_factory=lambda: random.Random(1))

    def append(self, kind: str, stage: str, time: int, command: bytes, body: Any, ordinal: int = 0) -> bytes:
        """The event's id."""
        self.numbers[stage] = self.numbers.get(stage, 0) + 1
        payload, salt = deterministic({1: command, 2: ordinal, 3: body}), self.salts.randbytes(16)
        self.entries.append(
            deterministic({1: kind, 2: stage, 3: self.numbers[stage], 4: time, 5: sha256(salt, payload)})
        )
        self.matter.append([salt, payload])
        return sha256(command, ordinal.to_bytes(8, "big"))
