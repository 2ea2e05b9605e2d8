"""A broker that wishes no good, for tests: speaks enough of MQTT 5 to be connected to, and then sends what it likes.

Keeps what the gateway publishes, so that a test can make genuine receipts too.
"""

import hashlib
import socket
import struct
import threading
from typing import Any

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0


def number(value: int) -> bytes:
    """A variable byte integer (MQTT 5, 1.5.5)."""
    data = b""
    while True:
        value, rest = value >> 7, value & 0x7F
        data += bytes([rest | (0x80 if value else 0)])
        if not value:
            return data


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + number(len(body)) + body


def publish(topic: str | bytes, payload: bytes, *, retain: bool = True) -> bytes:
    return packet(PUBLISH | int(retain), text(topic) + b"\0" + payload)


def topic_of(gateway: str, leaf: str) -> str:
    return f"km/1/{hashlib.sha256(gateway.encode()).digest()[0]:02x}/{gateway}/{leaf}"


class HostileBroker:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.published: list[tuple[str, bytes]] = []
        self.caller: socket.socket | None = None
        self.connections = 0
        self.subscribed = threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        stream = caller.makefile("rb")
        try:
            while head := stream.read(1):
                length, shift = 0, 0
                while True:
                    byte = stream.read(1)[0]
                    length |= (byte & 0x7F) << shift
                    shift += 7
                    if not byte & 0x80:
                        break
                self._packet(caller, head[0], stream.read(length))
        except (OSError, IndexError):
            pass

    def _packet(self, caller: socket.socket, head: int, body: bytes) -> None:
        kind = head & 0xF0
        if kind == 0x10:
            self.connections += 1
            if self.caller:
                self.caller.close()
            self.caller = caller
            # Receive maximum 65535 and no other property.
            caller.sendall(packet(CONNACK, b"\0\0\0"))
        elif kind == 0x80:
            filters = body.count(b"km/1/")
            caller.sendall(packet(SUBACK, body[:2] + b"\0" + b"\1" * max(1, filters)))
            self.subscribed.set()
        elif kind == 0xC0:
            caller.sendall(packet(PINGRESP, b""))
        elif kind == PUBLISH:
            size = int.from_bytes(body[:2], "big")
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            if head & 0x06:
                caller.sendall(packet(PUBACK, rest[:2]))
                rest = rest[2:]
            skip = 1 + rest[0]
            with self.lock:
                self.published.append((topic, rest[skip:]))

    def messages(self, leaf: str) -> list[bytes]:
        with self.lock:
            return [payload for topic, payload in self.published if topic.endswith("/" + leaf)]

    def send(self, *packets: bytes) -> bool:
        """False when the gateway closed the connection."""
        caller: Any = self.caller
        try:
            for each in packets:
                caller.sendall(each)
        except (OSError, AttributeError):
            return False
        return True

    def close(self) -> None:
        self.listener.close()
        if self.caller:
            self.caller.close()
