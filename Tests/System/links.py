"""The two lines of an agent, for tests: a TCP link that can be cut, stalled or left half open, and a Modbus slave that knows
every answer it ever gave."""

import os
import random
import socket
import struct
import threading
import time

PASS, STALL, SWALLOW, REFUSE = "pass", "stall", "swallow", "refuse"
CHUNK = 1_400


class Link:
    """Carries bytes between whoever connects to `port` and `target`."""

    def __init__(self, target):
        self.target = target
        self.mode, self.cuts = PASS, [None, None]
        self.pairs = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while self.is_open:
            try:
                near, _ = self.listener.accept()
                if self.mode == REFUSE:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                continue
            far.settimeout(None)
            with self.lock:
                self.pairs.add((near, far))
            for way, (source, sink) in enumerate(((near, far), (far, near))):
                threading.Thread(target=self._carry, args=(way, source, sink, (near, far)), daemon=True).start()

    def _carry(self, way, source, sink, pair):
        try:
            while data := source.recv(CHUNK):
                while self.mode == STALL:
                    time.sleep(0.02)
                if self.mode == SWALLOW:
                    continue
                if (left := self.cuts[way]) is not None:
                    if len(data) >= left:
                        # In the middle of a message, as it happens.
                        sink.sendall(data[:left])
                        self.cuts[way] = None
                        break
                    self.cuts[way] = left - len(data)
                sink.sendall(data)
        except OSError:
            pass
        self._drop(pair)

    def _drop(self, pair):
        if self.mode == SWALLOW:
            # Half open: nobody is told.
            return
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
                end.close()
            except OSError:
                pass

    def cut(self, way, after):
        """Cuts after so many bytes in one direction: 0 towards the target, 1 back."""
        self.cuts[way] = after

    def heal(self):
        """Passes again. What was swallowed is gone with its connection."""
        was, self.mode, self.cuts = self.mode, PASS, [None, None]
        if was == SWALLOW:
            for pair in list(self.pairs):
                self._drop(pair)

    def close(self):
        self.is_open = False
        closed(self.listener)
        self.heal()
        for pair in list(self.pairs):
            self._drop(pair)


class TruthSlave:
    """A Modbus TCP slave whose every answer is another: who asked through which port, which unit, and a number that rises.

    Four registers from 0: instance, unit, and 32 bits of the number. `answers[unit]` is how many it gave."""

    def __init__(self, instance):
        self.instance = instance
        self.answers = {}
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller):
        with caller:
            file = caller.makefile("rb")
            try:
                while head := file.read(8):
                    transaction, _, length, unit, function = struct.unpack(">HHHBB", head)
                    body = file.read(length - 2)
                    self._remember(unit, function)
                    if function != 3 or body != b"\0\0\0\4":
                        caller.sendall(struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, 2))
                        continue
                    with self.lock:
                        number = self.answers[unit] = self.answers.get(unit, 0) + 1
                    caller.sendall(struct.pack(">HHHBBBHHI", transaction, 0, 11, unit, 3, 8, self.instance, unit, number))
            except (OSError, struct.error):
                pass

    def _remember(self, unit, function):
        if path := os.environ.get("KILOMINT_WIRE"):
            with open(path, "a") as record:
                record.write(f"{unit},{function},0\n")

    def close(self):
        closed(self.listener)


def closed(listener):
    """Wakes who waits in accept(), too: otherwise its port goes on being served."""
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def some(chance: random.Random, low, high):
    """A number of that range, small ones more often."""
    return low + int((high - low) * chance.random() ** 2)
