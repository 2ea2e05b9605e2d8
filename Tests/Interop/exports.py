"""Reads an exported directory or a house's URL as docs/formats/logs.md lays it out. Hands out bytes; judges only their form."""

import base64
import pathlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from formats import Wrong, decode, keys, require, sha256
from trees import Tree

BUNDLE = 256


@dataclass(frozen=True)
class JournalEvent:
    """One entry of the Journal with its matter."""

    epoch: int
    index: int
    kind: str
    stage: str
    seq: int
    time: int
    command: bytes
    ordinal: int
    body: dict[int, Any]

    @property
    def place(self) -> str:
        return f"journal/{self.epoch} entry {self.index} {self.kind}"

    @property
    def id(self) -> bytes:
        return sha256(self.command, self.ordinal.to_bytes(8, "big"))


def vkey(name: str, key: bytes) -> str:
    """The verifier key of a signed note: C2SP signed-note, type 1 (Ed25519)."""
    typed = b"\x01" + key
    number = sha256(name.encode(), b"\n", typed)[:4].hex()
    return f"{name}+{number}+{base64.b64encode(typed).decode()}"


class Export:
    """The files of one house: a directory, or a URL with a token."""

    def __init__(self, place: pathlib.Path | str, token: str | None = None) -> None:
        self.place, self.token = place, token
        self._trees: dict[tuple[str, int], Tree] = {}

    def read(self, path: str) -> bytes:
        if isinstance(self.place, pathlib.Path):
            file = self.place / path
            require(file.is_file(), f"{path} is missing")
            return file.read_bytes()
        request = urllib.request.Request(f"{self.place.rstrip('/')}/{path}")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise Wrong(f"{path}: the house answers {error.code}") from None

    def has(self, path: str) -> bool:
        """Whether a directory has this file; over HTTP everything is asked for."""
        return not isinstance(self.place, pathlib.Path) or (self.place / path).is_file()

    @cached_property
    def house(self) -> dict[int, Any]:
        return keys(decode(self.read("house"), "house"), "1-3", "", "house")

    def epochs(self, log: str) -> int:
        return int(self.house[1 if log == "journal" else 2])

    def matter(self, log: str, epoch: int, size: int) -> list[Any]:
        """records/{log}/{epoch}/…: one value an entry; null where it was erased, and for an epoch entry."""
        found: list[Any] = []
        for number in range((size + BUNDLE - 1) // BUNDLE):
            path = f"records/{log}/{epoch}/{number}"
            part = decode(self.read(path), path)
            require(isinstance(part, list), f"{path}: no array")
            require(len(part) == min(BUNDLE, size - len(found)), f"{path} has {len(part)} elements")
            found += part
        return found

    def tree(self, log: str, epoch: int) -> Tree:
        key = log, epoch
        if key not in self._trees:
            self._trees[key] = Tree(self.read, log, epoch)
        return self._trees[key]

    def trees(self, log: str) -> list[Tree]:
        return [self.tree(log, epoch) for epoch in range(1, self.epochs(log) + 1)]

    def values(self, log: str, epoch: int) -> list[dict[int, Any]]:
        """The decoded entries of one epoch."""
        found = []
        for index, entry in enumerate(self.tree(log, epoch).entries):
            value = decode(entry, f"{log}/{epoch} entry {index}")
            require(isinstance(value, dict), f"{log}/{epoch} entry {index}: no map")
            found.append(value)
        return found

    @cached_property
    def journal(self) -> list[JournalEvent]:
        """All events of all epochs that are not erased, in order. The trees are not looked at: verify_export.py does."""
        return [event for epoch in range(1, self.epochs("journal") + 1) for event in self._epoch(epoch)]

    def _epoch(self, epoch: int) -> Iterator[JournalEvent]:
        values = self.values("journal", epoch)
        for index, (value, pair) in enumerate(zip(values, self.matter("journal", epoch, len(values)))):
            place = f"journal/{epoch} entry {index}"
            if pair is None or -1 in value:
                continue
            require(isinstance(pair, list) and len(pair) == 2 and len(pair[0]) == 16, f"{place}: no salt and payload")
            require(value.get(5) == sha256(*pair), f"{place}: salt and payload are not what the entry says")
            payload = keys(decode(pair[1], f"{place}, payload"), "1-3", "", f"{place}, payload")
            yield JournalEvent(epoch, index, value[1], value[2], value[3], value[4], payload[1], payload[2], payload[3])

    def events(self, *kinds: str) -> list[JournalEvent]:
        return [event for event in self.journal if event.kind in kinds]

    @cached_property
    def genesis(self) -> dict[int, Any]:
        require(self.journal and self.journal[0].kind == "Genesis", "the Journal does not begin with Genesis")
        return self.journal[0].body

    def vkey(self, log: str, epoch: int) -> str:
        """The verifier key that genesis gives a log's epoch: its origin's name, genesis key 11."""
        return vkey(f"{self.genesis[9]}/{log}/{epoch}", self.genesis[11][-32:])
