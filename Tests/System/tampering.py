"""One bit flipped in a copy of an export, in places with a name. Judges nothing."""

import shutil

import cbor2

# Kinds of Journal events whose payload is hit, and what a person would call them.
EVENTS = {
    "Registered": "a registration", "StatementReceived": "an auditor's statement", "WindowCut": "a window's cut",
    "ReconciliationComplete": "a day verdict", "ProductionVerified": "an attestation", "AllocationCalculated": "an allocation",
    "TranscriptSealed": "a seal", "ReplayCompared": "a replay", "ProofReceived": "a proof", "AuthorizationDecided": "a decision",
    "IssuanceComplete": "an issuance", "AccountOpened": "an account", "AccountCredited": "a balance", "WeightCalculated": "a weight",
    "Genesis": "genesis",
}


def flip(path, offset, bit=0):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def entries(data):
    """The entries of an entries tile with their offsets."""
    offset = 0
    while offset < len(data):
        length = int.from_bytes(data[offset:offset + 2], "big")
        yield offset + 2, data[offset + 2:offset + 2 + length]
        offset += 2 + length


def largest(folder):
    """The file below a folder that has most bytes."""
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def bundle_place(export, log, index):
    """(file, offset in it, bytes) of what lies beside an entry."""
    path = export / f"records/{log}/1/{index // 256}"
    data = path.read_bytes()
    item = cbor2.loads(data)[index % 256]
    matter = item[1] if isinstance(item, list) else item
    return path, data.index(matter), matter


def places(export):
    """(name, file, offset, what the audit must name): where to flip a bit."""
    found = []
    kinds = {}
    journal = largest(export / "log/journal/1/tile/entries")
    for index, (_, entry) in enumerate(entries(journal.read_bytes())):
        kinds.setdefault(cbor2.loads(entry).get(1), index)
    for kind, name in EVENTS.items():
        if kind in kinds:
            path, offset, matter = bundle_place(export, "journal", kinds[kind])
            found.append((f"{name} ({kind})", path, offset + len(matter) * 2 // 3, kind))
    for log in ("journal", "evidence"):
        root = export / f"log/{log}/1"
        found.append((f"the {log}'s checkpoint", root / "checkpoint", len((root / "checkpoint").read_text().split("\n")[0]) + 1, f"log/{log}/1"))
        found.append((f"the signature of the {log}'s checkpoint", root / "checkpoint", (root / "checkpoint").stat().st_size - 12, f"log/{log}/1/checkpoint"))
        found.append((f"an entry of the {log}", largest(root / "tile/entries"), 40, f"log/{log}/1 entry 0"))
        found.append((f"a hash of the {log}'s tree", largest(root / "tile/0"), 70, f"log/{log}/1/tile/0/"))
    path, offset, matter = bundle_place(export, "evidence", 20)
    found.append(("a meter's registers in a record", path, offset + len(matter) // 2, "log/evidence/1 entry 20"))
    found.append(("the signature of a record", path, offset + len(matter) - 10, "log/evidence/1 entry 20"))
    segments = sorted((export / "segments").iterdir(), key=lambda path: path.stat().st_size)
    found.append(("a transcript's output", segments[1], segments[1].stat().st_size // 2, segments[1].name))
    found.append(("a transcript's inputs", segments[-1], segments[-1].stat().st_size // 2, segments[-1].name))
    found.append(("the house file", export / "house", (export / "house").stat().st_size - 20, "house"))
    return found


def tampered(export, copy, path, offset):
    """A copy of the export with one bit flipped."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(export, copy)
    flip(copy / path.relative_to(export), offset)
    return copy
