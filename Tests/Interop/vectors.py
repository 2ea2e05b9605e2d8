"""Writes Tests/Vectors/*.json: what other people's libraries say our formats are.

Everything here is built from docs/formats with cbor2, cryptography and hashlib; no line of it knows the Swift sources.
The output is the same in every run, so `test_vectors.py` can refuse a file that was edited by hand.

    .venv/bin/python3 Tests/Interop/vectors.py
"""

import hashlib
import json
import pathlib
import random
from datetime import datetime, timedelta, timezone

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Vectors"


def deterministic(value):
    """RFC 8949 section 4.2.1. cbor2's own canonical=True sorts keys by length first (RFC 7049), which is another order."""
    if isinstance(value, dict):
        pairs = sorted(((cbor2.dumps(key), item) for key, item in value.items()), key=lambda pair: pair[0])
        head = cbor2.dumps(len(pairs))
        return bytes([head[0] | 0xA0]) + head[1:] + b"".join(key + deterministic(item) for key, item in pairs)
    if isinstance(value, (list, tuple)):
        head = cbor2.dumps(len(value))
        return bytes([head[0] | 0x80]) + head[1:] + b"".join(deterministic(item) for item in value)
    if isinstance(value, cbor2.CBORTag):
        head = cbor2.dumps(value.tag)
        return bytes([head[0] | 0xC0]) + head[1:] + deterministic(value.value)
    return cbor2.dumps(value)


def spelled(value):
    """A value as JSON that keeps apart what CBOR keeps apart."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"u": str(value)} if value >= 0 else {"n": str(-1 - value)}
    if isinstance(value, bytes):
        return {"b": value.hex()}
    if isinstance(value, str):
        return {"t": value}
    if isinstance(value, (list, tuple)):
        return {"a": [spelled(item) for item in value]}
    if isinstance(value, cbor2.CBORTag):
        return {"g": str(value.tag), "v": spelled(value.value)}
    return {"m": [[spelled(key), spelled(item)] for key, item in value.items()]}


def random_value(rng, depth):
    kind = rng.randrange(6 if depth == 0 else 9)
    if kind in (0, 1):
        number = rng.getrandbits(rng.choice([3, 5, 8, 9, 16, 17, 32, 33, 63, 64]))
        return number if kind == 0 else -1 - number
    if kind == 2:
        return rng.randbytes(rng.choice([0, 1, 8, 23, 24, 32, 255, 256]))
    if kind == 3:
        return "".join(rng.choice("az09- äß€水𐅑\n\"\u0301") for _ in range(rng.choice([0, 1, 7, 23, 24, 70])))
    if kind in (4, 5):
        return rng.choice([True, False, None])
    if kind == 6:
        return [random_value(rng, depth - 1) for _ in range(rng.choice([0, 1, 3, 23, 24]))]
    if kind == 7:
        keys = [rng.randrange(-300, 70_000) for _ in range(rng.choice([0, 1, 5, 25]))]
        keys += [rng.choice(["", "a", "aa", "b", "é"]), rng.randbytes(2)] if rng.random() < 0.5 else []
        return {key: random_value(rng, depth - 1) for key in dict.fromkeys(keys)}
    return cbor2.CBORTag(rng.choice([0, 18, 23, 24, 255, 256, 55_799, 2**40]), random_value(rng, depth - 1))


def cbor_vectors():
    rng = random.Random(20_160_707)
    values = [random_value(rng, 2) for _ in range(300)]
    return [{"value": spelled(value), "hex": deterministic(value).hex()} for value in values]


def instant_vectors():
    """Milliseconds and their RFC 3339 text by Python's datetime: ends of months, leap years, centuries, random ones."""
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    moments = [datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=timezone.utc), epoch]
    for year in [1, 4, 100, 400, 1600, 1700, 1900, 1969, 1970, 1972, 1999, 2000, 2016, 2023, 2024, 2038, 2100, 2400, 9999]:
        for month in range(1, 13):
            first = datetime(year, month, 1, tzinfo=timezone.utc)
            moments.append(first)
            if first.year * 12 + first.month > 13:
                moments.append(first - timedelta(milliseconds=1))
    rng = random.Random(1)
    low, high = -62_135_596_800_000, 253_402_300_799_999
    moments += [epoch + timedelta(milliseconds=rng.randint(low, high)) for _ in range(300)]
    rows = []
    for moment in moments:
        milliseconds = (moment - epoch) // timedelta(milliseconds=1)
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
        rows.append([milliseconds, text])
    return rows


def merkle_root(leaves):
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:k]) + merkle_root(leaves[k:])).digest()


def inclusion(m, leaves):
    """PATH(m, D[n]), section 2.1.1."""
    if len(leaves) <= 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return inclusion(m, leaves[:k]) + [merkle_root(leaves[k:])]
    return inclusion(m - k, leaves[k:]) + [merkle_root(leaves[:k])]


def consistency(m, leaves, whole=True):
    """SUBPROOF(m, D[n], b), section 2.1.2."""
    n = len(leaves)
    if m == n:
        return [] if whole else [merkle_root(leaves)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return consistency(m, leaves[:k], whole) + [merkle_root(leaves[k:])]
    return consistency(m - k, leaves[k:], False) + [merkle_root(leaves[:k])]


def merkle_vectors():
    """Entries are the ASCII texts L0, L1, …"""
    sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100, 127, 128, 129, 130]
    leaves = [f"L{index}".encode() for index in range(max(sizes))]
    return [
        {
            "size": size,
            "root": merkle_root(leaves[:size]).hex(),
            "inclusion": [[h.hex() for h in inclusion(m, leaves[:size])] for m in {0, size // 3, size - 1} if 0 <= m < size],
            "indexes": [m for m in {0, size // 3, size - 1} if 0 <= m < size],
            "consistency": {str(m): [h.hex() for h in consistency(m, leaves[:size])] for m in {1, size // 2, size - 1} if 0 < m < size},
        }
        for size in sizes
    ]


# --- Evidence: docs/formats/evidence.md -----------------------------------------------------------------------------

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
P256 = ec.derive_private_key(0x4B694C6F4D696E74, ec.SECP256R1())


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def envelope(payload, kind, key):
    """COSE_Sign1 by hand. ES256 with the nonce of RFC 6979, so that the vector is the same in every run."""
    is_edwards = key is ED25519
    protected = deterministic(
        {1: -8 if is_edwards else -7, 3: f"application/vnd.kilomint.{kind}+cbor", 4: hashlib.sha256(spki(key)).digest()[:8]}
    )
    signed = deterministic(["Signature1", protected, b"", payload])
    if is_edwards:
        signature = key.sign(signed)
    else:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    message = deterministic(cbor2.CBORTag(18, [protected, {}, payload, signature]))
    return {"hex": message.hex(), "identity": hashlib.sha256(signed).hexdigest(), "spki": spki(key).hex()}


def clock(uptime, utc):
    return [2, 5, bytes(range(16)), uptime, utc]


def records():
    stream = bytes.fromhex("0102030405060708")
    digest = hashlib.sha256(b"profile").digest()
    meter = {
        1: 0, 2: "meter-1", 3: "abb/b23", 4: digest, 5: ["B23 112-100", "12345678", "1.2"], 6: [1, "tcp://127.0.0.1:1502"],
        7: [[1, 40_002, 66], [103, 40_070, 50]], 8: [1],
    }
    plain = {1: 1, 2: "meter-2", 3: "sunspec/inverter", 4: digest, 5: ["", "", ""], 6: [247, "/dev/ttyUSB0"]}
    reads = [[0, 0, 3, 20_480, 4, 60_000], [1, 0, 4, 35_072, 2, 86_400_000], [2, 1, 43, 0, 0, 86_400_000]]
    bodies = {
        "birth": (1, {1: "0.1.0", 2: None, 3: [meter, plain], 4: reads}),
        "birth-after": (1, {1: "0.1.0", 2: [bytes(8), 41, "damaged"], 3: [plain], 4: reads[2:], 5: [1_467_871_200_000, 3600]}),
        "readings": (2, [60_000, [[0, 12, 12, 0, bytes.fromhex("00000000000f4240")], [1, 12, 9, 2, b""], [0, 60_012, 400, 32, b""]]]),
        "readings-none": (2, [0, []]),
        "note": (3, [61_000, 1, {1: 0, 2: ["a", "b", "c"], 3: ["a", "d", "c"]}]),
        "skip": (4, {1: 90, 2: digest, 3: "spool full", 4: [clock(1, 2), clock(3, -4)], 5: [[0, 1440], [1, 1]]}),
        "key": (5, {1: spki(P256)}),
        "note-command": (3, [61_000, 6, {1: digest, 2: "rolled back", 3: 7, 4: "no longer answering: meter-1"}]),
    }
    made = {}
    for index, (name, (kind, body)) in enumerate(bodies.items()):
        first = name == "birth"
        record = {
            1: 1, 2: "gw-1", 3: stream, 4: 1 if first else 70 + index, 5: bytes(32) if first else digest,
            6: clock(60_500, 1_467_871_260_500), 7: 60_400, 8: kind, 9: body,
        }
        made[name] = deterministic(record)
    return made


def evidence_vectors():
    stream, digest = bytes.fromhex("0102030405060708"), hashlib.sha256(b"record").digest()
    receipt = {
        1: 1, 2: "gw-1", 3: stream, 4: 76, 5: digest, 6: 1_467_871_300_000, 7: "kilomint.example/demo/evidence/1", 8: 75,
        9: 1, 10: [1],
    }
    full = receipt | {11: 12, 12: [[77, 2], [78, 9]], 13: [b"note\n", [digest, bytes(32)]], 14: [76, "a newer stream was born"]}
    payloads = {
        "receipt": ("receipt", deterministic(receipt)),
        "receipt-full": ("receipt", deterministic(full)),
        "key-list": ("key-list", deterministic({
            1: 1, 2: 3, 3: 1_467_871_000_000,
            4: [[spki(ED25519), 4, 0, 253_402_300_799_999], [spki(P256), 2, -1, 1_467_871_000_000]],
        })),
        "status": (None, deterministic({1: 1, 2: "gw-1", 3: True, 4: 9, 5: b"receipt", 6: b"note"})),
        "status-new": (None, deterministic({1: 1, 2: "gw-1", 3: False, 4: 0})),
    }
    said = {1: 1, 2: "gw-1", 3: 7, 4: 1_467_871_300_000, 5: 1_467_957_700_000, 6: 1, 7: {1: "interval: 10s\nmeters:\n  - {id: meter-1, unit: 3}\n"}}
    payloads["command"] = ("command", deterministic(said))
    payloads["command-none"] = ("command", deterministic(said | {3: 2**63 - 1, 4: -2, 5: -1, 7: {1: ""}}))
    payloads |= {name: ("record", payload) for name, payload in records().items()}
    made = {}
    for name, (kind, payload) in payloads.items():
        made[name] = {"payload": payload.hex()}
        if kind:
            made[name] |= {"type": kind, "eddsa": envelope(payload, kind, ED25519), "es256": envelope(payload, kind, P256)}
    return made


FILES = {
    "cbor.json": cbor_vectors, "instants.json": instant_vectors, "merkle.json": merkle_vectors, "evidence.json": evidence_vectors,
}


def text(name):
    """The contents of one vector file."""
    return json.dumps(FILES[name](), ensure_ascii=True, indent=None, separators=(",", ":")).replace("},{", "},\n{") + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        (FOLDER / name).write_text(text(name))
        print(f"{FOLDER.name}/{name}")
