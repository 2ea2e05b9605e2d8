"""Slaves that lie, stutter and shout, for tests: each answers soundly one time in three what it is asked for, and wrongly in
its own way otherwise.

What a wrong answer carries is poison: it must never be taken for a value. Frames are made here, by the specification.
"""

import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from devices import remember

POISON = b"\xde\xad\xbe\xef"
# Answered to the registers asked for, when the slave is honest.
HONEST = b"\x00\x00\x12\x34"


def checksum(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class Framing:
    """How a PDU becomes bytes. `wrong_check`: the one field that guards the frame is wrong."""

    def __init__(self, is_tcp: bool) -> None:
        self.is_tcp = is_tcp
        self.least = 12 if is_tcp else 8

    def taken(self, data: bytes) -> tuple[int, int, bytes]:
        """(transaction, unit, PDU) of a request."""
        return (int.from_bytes(data[:2], "big"), data[6], data[7:12]) if self.is_tcp else (0, data[0], data[1:6])

    def frame(self, transaction: int, unit: int, pdu: bytes, wrong_check: bool = False, length: int | None = None) -> bytes:
        if self.is_tcp:
            number = transaction ^ 0x55 if wrong_check else transaction
            return struct.pack(">HHHB", number, 0, len(pdu) + 1 if length is None else length, unit) + pdu
        whole = bytes([unit]) + pdu
        crc = checksum(whole)
        return whole + (bytes([crc[0] ^ 1, crc[1]]) if wrong_check else crc)


Way = Callable[[Framing, random.Random, int, int, bytes], Iterator[bytes | float]]


def sound(framing: Framing, transaction: int, unit: int, pdu: bytes, words: bytes) -> bytes:
    return framing.frame(transaction, unit, bytes([pdu[0], len(words)]) + words)


def noise(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield chance.randbytes(chance.randint(1, 300))


def truncated(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    frame = sound(framing, transaction, unit, pdu, POISON)
    yield frame[: chance.randrange(1, len(frame))]


def wrong_unit(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield sound(framing, transaction, unit + 1, pdu, POISON)


def wrong_check(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, bytes([pdu[0], 4]) + POISON, wrong_check=True)


def wrong_function(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, bytes([chance.choice((1, 4, 16, 23, 43, 90)), 4]) + POISON)


def too_long(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield sound(framing, transaction, unit, pdu, POISON * chance.randint(2, 60))


def too_short(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield sound(framing, transaction, unit, pdu, POISON[:2])


def lying_count(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, bytes([pdu[0], chance.choice((0, 3, 5, 255))]) + POISON)


def odd_exception(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, bytes([pdu[0] | 0x80, chance.choice((0, 12, 77, 255))]))


def exception_with_more(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, bytes([pdu[0] | 0x80, 2]) + POISON)


def huge_header(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, bytes([pdu[0], 4]) + POISON, length=chance.choice((0, 1, 2, 255, 65_535)))


def endless(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    for _ in range(400):
        yield chance.randbytes(4_096)


def drip(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    """Byte after byte, until nobody waits any more."""
    for byte in sound(framing, transaction, unit, pdu, POISON):
        yield bytes([byte])
        yield 0.4


def echo(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield framing.frame(transaction, unit, pdu)


def twice(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    """Noise, and behind it what would be an answer: together they are none."""
    yield chance.randbytes(3) + sound(framing, transaction, unit, pdu, POISON)


def goodbye(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    yield sound(framing, transaction, unit, pdu, POISON)[:5]
    yield -1.0


def late(framing: Framing, chance: random.Random, transaction: int, unit: int, pdu: bytes) -> Iterator[bytes | float]:
    """After nobody waits any more (1 s at most) and before anybody asks again (2 s later): belongs to no request."""
    yield 1.6
    yield sound(framing, transaction, unit, pdu, POISON)


WAYS: list[Way] = [
    noise, truncated, wrong_unit, wrong_check, wrong_function, too_long, too_short, lying_count, odd_exception, exception_with_more,
    endless, drip, echo, twice, goodbye, late,
]  # fmt: skip
ONLY_TCP: list[Way] = [huge_header]


class HostileSlave:
    """One slave that misbehaves in one way. `asked`, `honest`: what it was asked, and how often it told the truth."""

    def __init__(self, way: Way, is_tcp: bool, seed: int) -> None:
        self.way, self.framing = way, Framing(is_tcp)
        self.chance = random.Random(f"{seed}/{way.__name__}/{is_tcp}")
        self.asked = self.honest = self.probed = 0

    @property
    def name(self) -> str:
        return f"{self.way.__name__.replace('_', '-')}-{'tcp' if self.framing.is_tcp else 'rtu'}"

    def answers(self, data: bytes) -> Iterator[bytes | float]:
        transaction, unit, pdu = self.framing.taken(data)
        remember(unit, pdu[0])
        count = int.from_bytes(pdu[3:5], "big")
        if count != len(HONEST) // 2:
            # On a line: asked by an agent that is owed an answer, to know that it is past. Every second time soundly.
            self.probed += 1
            if self.probed % 2:
                yield from self.way(self.framing, self.chance, transaction, unit, pdu)
            else:
                yield sound(self.framing, transaction, unit, pdu, POISON[:2] * count)
            return
        self.asked += 1
        if self.asked % 3 == 1:
            self.honest += 1
            yield sound(self.framing, transaction, unit, pdu, HONEST)
        else:
            yield from self.way(self.framing, self.chance, transaction, unit, pdu)

    def listen(self) -> int:
        """The port it serves on, one caller after another or many."""
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket) -> None:
        while True:
            caller, _ = listener.accept()
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller:
            try:
                while data := caller.recv(512):
                    for piece in self.answers(data):
                        if isinstance(piece, bytes):
                            caller.sendall(piece)
                        elif piece < 0:
                            return
                        else:
                            time.sleep(piece)
            except OSError:
                pass

    def serve_line(self, master: int) -> None:
        """The same on a pty's other side."""
        threading.Thread(target=self._line, args=(master,), daemon=True).start()

    def _line(self, master: int) -> None:
        os.set_blocking(master, False)
        try:
            while select.select([master], [], []) and (data := os.read(master, 512)):
                if len(data) < self.framing.least:
                    continue
                for piece in self.answers(data):
                    if isinstance(piece, bytes):
                        # A line that nobody reads any more takes only so much, and the rest is lost.
                        if not select.select([], [master], [], 0.2)[1]:
                            break
                        os.write(master, piece)
                    elif piece > 0:
                        time.sleep(piece)
        except OSError:
            pass
