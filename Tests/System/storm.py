"""The disk and the clock under one agent (storm.c): what fails now, and what a power cut would have left of what was written.

A power cut keeps what was synced. Of every write after the last sync of its file each sector survives or not, as chance
has it; lengths too; and names follow the order in which they were changed, up to somewhere after the last sync.
"""

import functools
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).with_name("storm.c")
CONTROL = struct.Struct("=qqqqqqqqq")
HEAD = struct.Struct("=qqqq")
WRITE, SYNC, TRUNCATE, CREATE, RENAME, UNLINK = range(1, 7)
WHOLE, READ_ONLY, UNWRITABLE = range(3)
SECTOR = 512


@functools.cache
def library():
    """The shim, compiled once; by the compiler that comes with Swift, or the system's."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-storm-")) / "storm.so"
    swift = shutil.which("swift")
    beside = pathlib.Path(os.path.realpath(swift)).with_name("clang") if swift else None
    compiler = str(beside) if beside and beside.exists() else shutil.which("cc") or "clang"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl"], check=True)
    return made


class Control:
    """What goes wrong now, in memory that the agent shares."""

    NAMES = ("clock_ms", "room", "mode", "bad_file", "bad_from", "bad_to", "writes_left", "writes", "next_mode")

    def __init__(self, path):
        self.path = path
        path.write_bytes(CONTROL.pack(0, -1, WHOLE, 0, 0, 0, -1, 0, 0))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), CONTROL.size)

    def __getitem__(self, name):
        return CONTROL.unpack(self.memory[:])[self.NAMES.index(name)]

    def __setitem__(self, name, value):
        place = 8 * self.NAMES.index(name)
        self.memory[place : place + 8] = struct.pack("=q", value)

    def heal(self):
        for name, value in (("clock_ms", 0), ("room", -1), ("mode", WHOLE), ("bad_file", 0), ("writes_left", -1), ("next_mode", 0)):
            self[name] = value


class File:
    """Bytes that are durable, and what was asked for since."""

    def __init__(self, durable=b""):
        self.durable, self.pending = durable, []

    def sync(self):
        self.durable, self.pending = self.survivor(lambda: True), []

    def survivor(self, survives):
        data = bytearray(self.durable)
        for offset, piece in self.pending:
            if piece is None:
                if survives():
                    data = data[:offset] if offset <= len(data) else data + bytes(offset - len(data))
                continue
            # Sectors of the disk, wherever the write begins.
            at = 0
            while at < len(piece):
                end = min(len(piece), at + SECTOR - (offset + at) % SECTOR)
                if survives():
                    if len(data) < offset + at:
                        data += bytes(offset + at - len(data))
                    data[offset + at : offset + end] = piece[at:end]
                at = end
        return bytes(data)


class Disk:
    """What lies in a folder, followed through a trace from a moment when all of it was durable."""

    def __init__(self, folder, trace):
        self.folder = folder
        self.trace = trace
        self.files, self.names = {}, {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                number = path.stat().st_ino
                self.names[str(path)] = number
                self.files[number] = File(path.read_bytes())

    def follow(self):
        """Reads the trace to its end; call it once the process is dead."""
        data = self.trace.read_bytes() if self.trace.exists() else b""
        self.changes, self.sure = [], 0
        place = 0
        while place + HEAD.size <= len(data):
            kind, number, offset, length = HEAD.unpack_from(data, place)
            piece = data[place + HEAD.size : place + HEAD.size + length]
            place += HEAD.size + length
            self.step(kind, number, offset, piece)
        return self

    def step(self, kind, number, offset, piece):
        file = self.files.setdefault(number, File())
        if kind == WRITE:
            file.pending.append((offset, piece))
        elif kind == TRUNCATE:
            file.pending.append((offset, None))
        elif kind == SYNC:
            file.sync()
            self.sure = len(self.changes)
        elif kind == CREATE:
            self.files[number] = File()
            self.changes.append((CREATE, piece.decode(), number))
        else:
            self.changes.append((kind, *piece.decode().split("\n")))

    def named(self, count):
        """Names after so many changes."""
        names = dict(self.names)
        for kind, *words in self.changes[:count]:
            if kind == CREATE:
                names[words[0]] = words[1]
            elif kind == UNLINK:
                names.pop(words[0], None)
            elif words[0] in names:
                names[words[1]] = names.pop(words[0])
        return names

    def after_power_cut(self, chance):
        """{path: bytes} as a power cut may leave them, and how many sectors of how many were lost."""
        share = chance.choice((0.0, 0.3, 0.7, 1.0))
        tally = [0, 0]

        def survives():
            tally[1] += 1
            kept = chance.random() < share
            tally[0] += not kept
            return kept

        names = self.named(chance.randint(self.sure, len(self.changes)))
        return {path: self.files[number].survivor(survives) for path, number in names.items() if number in self.files}, tally

    def durable(self):
        """{path: bytes} of what was synced, and nothing else."""
        return {path: self.files[number].durable for path, number in self.named(self.sure).items() if number in self.files}

    def write(self, image, folder=None):
        """Puts an image in place of what is there; `folder`: elsewhere."""
        target = folder or self.folder
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700, parents=True)
        for path, data in image.items():
            place = target / pathlib.Path(path).relative_to(self.folder)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.write_bytes(data)
            place.chmod(0o600)
