"""Deterministic CBOR and signed envelopes, from docs/formats/README.md and evidence.md alone. Knows no document's content.

cbor2 decodes, pycose checks signatures. What is not deterministic, or holds anything the formats do not use, is refused.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pycose.headers import KID, Algorithm
from pycose.messages import CoseMessage, Sign1Message
from vectors import deterministic
from verify_envelope import cose_key

CONTENT_TYPE = "application/vnd.kilomint.{}+cbor"
RECORD_BYTES_MAX, DOCUMENT_BYTES_MAX = 131_072, 1_048_576
ZERO = bytes(32)


class Wrong(Exception):
    """Something is not what the formats say; the text names the place."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def require(condition: object, text: str) -> None:
    if not condition:
        raise Wrong(text)


def _check_value(value: Any, place: str) -> None:
    if value is None or isinstance(value, (bool, bytes, str)):
        return
    if isinstance(value, int):
        require(-(2**64) <= value < 2**64, f"{place}: an integer of more than 64 bits")
    elif isinstance(value, list):
        for item in value:
            _check_value(item, place)
    elif isinstance(value, dict):
        for key, item in value.items():
            require(type(key) is int, f"{place}: a map key that is no integer")
            _check_value(item, place)
    elif isinstance(value, cbor2.CBORTag):
        require(value.tag == 18, f"{place}: tag {value.tag}")
        _check_value(value.value, place)
    else:
        raise Wrong(f"{place}: a {type(value).__name__}, which the formats do not use")


def decode(data: bytes, place: str) -> Any:
    """The value of exactly these bytes, which must be its deterministic encoding."""
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, EOFError, ValueError, TypeError, RecursionError) as error:
        raise Wrong(f"{place}: no CBOR: {error}") from None
    _check_value(value, place)
    require(deterministic(value) == data, f"{place}: not deterministic CBOR")
    return value


def sequence(data: bytes, place: str) -> Iterator[tuple[Any, bytes]]:
    """The items of a CBOR sequence (RFC 8742) with their bytes, each deterministic."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(stream)
    number = 0
    while stream.tell() < len(data):
        begin = stream.tell()
        try:
            value = decoder.decode()
        except (cbor2.CBORDecodeError, EOFError, ValueError, TypeError, RecursionError) as error:
            raise Wrong(f"{place}, item {number}: no CBOR: {error}") from None
        piece = data[begin : stream.tell()]
        _check_value(value, f"{place}, item {number}")
        require(deterministic(value) == piece, f"{place}, item {number}: not deterministic CBOR")
        yield value, piece
        number += 1


def keys(value: Any, needed: str, optional: str, place: str) -> dict[int, Any]:
    """The map, if it has exactly the keys: `needed` and perhaps `optional`, written "1-5 7"."""
    require(isinstance(value, dict), f"{place}: no map")
    must, may = _numbers(needed), _numbers(optional)
    missing, unknown = sorted(must - set(value)), sorted(set(value) - must - may)
    require(not missing, f"{place}: lacks keys {missing}")
    require(not unknown, f"{place}: unknown keys {unknown}")
    return dict(value)


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@dataclass(frozen=True)
class Envelope:
    """A COSE_Sign1 message whose form is right. Its signature is not checked yet."""

    data: bytes
    content: str
    kid: bytes
    payload: bytes
    identity: bytes

    def signed_by(self, spki: bytes) -> bool:
        """Whether this key signed it: pycose verifies."""
        if self.kid != sha256(spki)[:8]:
            return False
        message = CoseMessage.decode(self.data)
        assert isinstance(message, Sign1Message) and KID in message.phdr
        is_edwards = isinstance(load_der_public_key(spki), ed25519.Ed25519PublicKey)
        if message.phdr[Algorithm].identifier != (-8 if is_edwards else -7):
            return False
        message.key = cose_key(spki)
        return bool(message.verify_signature())

    def map(self, place: str) -> dict[int, Any]:
        value = decode(self.payload, place)
        require(isinstance(value, dict), f"{place}: no map")
        return dict(value)


def envelope(data: bytes, content: str | tuple[str, ...], place: str) -> Envelope:
    """Takes an envelope apart as evidence.md, "Envelope", says; `content` is what is expected, e.g. "record"."""
    contents = (content,) if isinstance(content, str) else content
    require(len(data) <= (RECORD_BYTES_MAX if contents == ("record",) else DOCUMENT_BYTES_MAX), f"{place}: oversized")
    tag = decode(data, place)
    parts = tag.value if isinstance(tag, cbor2.CBORTag) else None
    require(isinstance(parts, list) and len(parts) == 4, f"{place}: no COSE_Sign1")
    protected, unprotected, payload, signature = parts
    require(unprotected == {}, f"{place}: something stands in the unprotected header")
    require(isinstance(payload, bytes) and isinstance(protected, bytes), f"{place}: no COSE_Sign1")
    require(isinstance(signature, bytes) and len(signature) == 64, f"{place}: a signature has 64 bytes")
    header = keys(decode(protected, f"{place}, header"), "1 3 4", "", f"{place}, header")
    require(header[1] in (-7, -8), f"{place}: algorithm {header[1]}")
    found = next((each for each in contents if header[3] == CONTENT_TYPE.format(each)), None)
    require(found, f"{place}: content type {header[3]}, expected {' or '.join(contents)}")
    require(isinstance(header[4], bytes) and len(header[4]) == 8, f"{place}: a kid has 8 bytes")
    identity = sha256(deterministic(["Signature1", protected, b"", payload]))
    return Envelope(data, str(found), header[4], payload, identity)


def envelopes(document: Any, content: str | tuple[str, ...], place: str) -> list[Envelope]:
    """A document: envelopes over one payload, sorted by kid, none twice."""
    require(isinstance(document, list) and 1 <= len(document) <= 16, f"{place}: no document")
    found = [envelope(data, content, place) for data in document]
    require(len({one.payload for one in found}) == 1, f"{place}: signatures over different payloads")
    kids = [one.kid for one in found]
    require(kids == sorted(set(kids)), f"{place}: the signatures are not sorted by kid")
    return found
