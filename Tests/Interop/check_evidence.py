"""The evidence of an export: docs/formats/evidence.md. Envelopes, signatures, chains with skips and key records; receipts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cbor2
from exports import Export
from formats import ZERO, Envelope, Wrong, decode, envelope, keys, require, sequence, sha256
from keyring import Keyring
from replay_window import seals
from trees import Tree

BIRTH, READINGS, NOTE, SKIP, KEY = 1, 2, 3, 4, 5
COMMISSIONED = 5
UPTIME_MAX = 2**53
DEVICE_TEXT_MAX, CHAIN_MAX, WORDS_MAX = 1024, 4096, 65_536
STATUSES = {*range(12), *range(32, 39)}


@dataclass
class Stream:
    """How far one stream of a gateway is held."""

    head: int = 0
    link: bytes = ZERO
    key: bytes | None = None
    identities: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """One record of the log."""

    origin: str
    index: int
    gateway: str
    stream: bytes
    through: int
    identity: bytes
    received: int
    record: dict[int, Any]
    place: str


def held_entries(export: Export) -> Iterator[tuple[str, int, dict[int, Any], bytes | None, str]]:
    """(origin, index, entry, envelope, place) of every entry but epoch entries."""
    for tree in export.trees("evidence"):
        values = export.values("evidence", tree.epoch)
        matter = export.matter("evidence", tree.epoch, tree.size)
        for index, (entry, data) in enumerate(zip(values, matter)):
            place = f"{tree.name} entry {index}"
            if -1 in entry:
                require(tree.epoch > 1 and index == 0, f"{place}: an epoch entry stands first only")
                continue
            require(data is None or isinstance(data, bytes), f"{place}: the record is no bstr")
            yield tree.origin, index, keys(entry, "1-6", "", place), data, place


def check_evidence(export: Export, keyring: Keyring) -> list[Held]:
    """Every record against its entry, its signature and its chain; all that is held."""
    excused = {(event.body[4], event.body[5]) for event in export.events("FindingMade")}
    streams: dict[tuple[str, bytes], Stream] = {}
    held = []
    for origin, index, entry, data, place in held_entries(export):
        place = f"{place} ({entry[1]}, record {entry[3]})"
        stream = streams.setdefault((entry[1], entry[2]), Stream())
        if data is None:
            require(False, f"{place}: the envelope was erased, the chain cannot be followed")
        through, identity, record = check_record(entry, data, stream, keyring, excused, place)
        held.append(Held(origin, index, entry[1], entry[2], through, identity, entry[6], record, place))
    return held


def check_record(
    entry: dict[int, Any], data: bytes, stream: Stream, keyring: Keyring, excused: set[tuple[bytes, int]], place: str
) -> tuple[int, bytes, dict[int, Any]]:
    """One record; moves the stream on. Returns what a receipt for it says, number and identity, and the record."""
    gateway, stream_id, number, identity, size, received = (entry[key] for key in range(1, 7))
    signed = envelope(data, "record", place)
    require(size == len(data), f"{place}: the entry says {size} bytes, the envelope has {len(data)}")
    require(signed.identity == identity, f"{place}: the envelope is not the one that the entry names")
    record = read_record(signed, excused, place)
    require([record[2], record[3]] == [gateway, stream_id], f"{place}: the record is of another gateway or stream")
    check_signature(signed, record, stream, keyring, gateway, received, place)
    through, link = check_chain(record, signed.identity, stream, place)
    require(number == stream.head + 1, f"{place}: the stream goes on at {stream.head + 1}")
    if record[8] == KEY:
        stream.key = record[9][1]
    stream.head, stream.link = through, link
    stream.identities[through] = link
    stream.identities[record[4]] = signed.identity if record[8] != SKIP else stream.identities.get(record[4], b"")
    return through, link, record


def read_record(signed: Envelope, excused: set[tuple[bytes, int]], place: str) -> dict[int, Any]:
    """The record's map. One with a finding of intake (not deterministic, version, not understood) need only be readable."""
    if any((signed.identity, finding) in excused for finding in (1, 2, 3)):
        loose = cbor2.loads(signed.payload)
        require(isinstance(loose, dict), f"{place}: no map")
        return dict(loose)
    value = signed.map(place)
    record = keys({key: item for key, item in value.items() if key >= 0}, "1-9", "", place)
    require(record[1] == 1, f"{place}: record version {record[1]}")
    clock = record[6]
    require(isinstance(clock, list) and len(clock) == 5 and clock[0] in (0, 1, 2), f"{place}: no clock")
    require(len(clock[2]) == 16 and 0 <= clock[3] < UPTIME_MAX and 0 <= record[7] < UPTIME_MAX, f"{place}: no clock")
    try:
        _BODIES[record[8]](record, place)
    except (LookupError, TypeError, ValueError) as error:
        raise Wrong(f"{place}: body of kind {record[8]}: {error}") from None
    return record


def _birth(record: dict[int, Any], place: str) -> None:
    body = keys(record[9], "1-4", "5", place)
    meters = [keys(meter, "1-6", "7 8", place) for meter in body[3]]
    indexes = [meter[1] for meter in meters]
    require(len(indexes) == len(set(indexes)), f"{place}: a meter index stands twice")
    require(all(len(meter[4]) == 32 for meter in meters), f"{place}: a profile digest has 32 bytes")
    texts = [text for meter in meters for text in meter[5]]
    require(all(len(text.encode()) <= DEVICE_TEXT_MAX for text in texts), f"{place}: a device's text is too long")
    require(all(len(meter.get(7, [])) <= CHAIN_MAX for meter in meters), f"{place}: a chain is too long")
    reads = [read[0] for read in body[4]]
    require(len(reads) == len(set(reads)), f"{place}: a read index stands twice")
    require(all(len(read) == 6 and read[1] in indexes for read in body[4]), f"{place}: a read of no meter")


def _readings(record: dict[int, Any], place: str) -> None:
    base, samples = record[9]
    require(0 <= base < UPTIME_MAX, f"{place}: base {base}")
    order = [(sample[1], sample[0]) for sample in samples]
    require(order == sorted(set(order)), f"{place}: samples are not sorted, or twice")
    for _, _, took, status, words in samples:
        require(status in STATUSES and took >= 0, f"{place}: status {status}")
        require(isinstance(words, bytes) and (status == 0 or words == b""), f"{place}: words beside status {status}")
        require(len(words) <= WORDS_MAX, f"{place}: {len(words)} bytes of words")


def _note(record: dict[int, Any], place: str) -> None:
    uptime, code, details = record[9]
    require(0 <= uptime < UPTIME_MAX and code > 0 and isinstance(details, dict), f"{place}: no note")


def _skip(record: dict[int, Any], place: str) -> None:
    body = keys(record[9], "1-5", "", place)
    require(body[1] >= record[4] and len(body[2]) == 32, f"{place}: a skip to {body[1]}")


def _key(record: dict[int, Any], place: str) -> None:
    keys(record[9], "1", "", place)


_BODIES = {BIRTH: _birth, READINGS: _readings, NOTE: _note, SKIP: _skip, KEY: _key}


def check_signature(
    signed: Envelope, record: dict[int, Any], stream: Stream, keyring: Keyring, gateway: str, received: int, place: str
) -> None:
    """By the key in force at its number: the stream's last key record's, else the one registered for the gateway."""
    key = stream.key or keyring.signers(6, received).get(gateway)
    require(key is not None, f"{place}: no key is registered for {gateway}")
    assert key is not None
    require(signed.signed_by(key), f"{place}: the signature is not that of {gateway}'s key in force")


def check_chain(record: dict[int, Any], identity: bytes, stream: Stream, place: str) -> tuple[int, bytes]:
    """Field 5 against what is held before it; where the stream stands afterwards."""
    number, previous = record[4], record[5]
    if record[8] != SKIP:
        require(number == stream.head + 1, f"{place}: number {number} after {stream.head}")
        require(number > 1 or record[8] == BIRTH and previous == ZERO, f"{place}: a stream begins with a birth")
        require(previous == stream.link, f"{place}: does not name the identity of record {number - 1}")
        return number, identity
    to, link = record[9][1], record[9][2]
    require(number <= stream.head + 1 <= to, f"{place}: a skip from {number} to {to} after {stream.head}")
    known = stream.link if number == stream.head + 1 else stream.identities.get(number - 1)
    require(known in (None, b"", previous), f"{place}: the skip does not name the identity of record {number - 1}")
    return to, link


def check_readings(export: Export, held: list[Held], window: str) -> int:
    """Every reading of a sealed window stands in the record that it names: same words, same time; how many there are."""
    by_identity = {one.identity: one for one in held}
    event, signed = seals(export)[window]
    count = 0
    for kind, _, digest in signed.map(event.place)[6]:
        name = f"segments/{digest.hex()}"
        for item, _ in sequence(export.read(name), name) if kind == 1 else ():
            if item[0] == 8:
                _check_reading(by_identity, item, f"{window}, reading {count}")
                count += 1
            elif item[0] == 13:
                _check_commissioning(by_identity, item, f"{window}, commissioning of {item[1]}")
    return count


def _check_reading(held: dict[bytes, Held], item: list[Any], place: str) -> None:
    _, _, _, time, identity, sample, _, status, words = item
    require(identity in held, f"{place}: record {identity.hex()} is not in the log")
    record = held[identity].record
    require(
        record[8] == READINGS and sample < len(record[9][1]), f"{place}: {held[identity].place} has no sample {sample}"
    )
    _, dt, _, said, read = record[9][1][sample]
    require((status, words) == (said, read), f"{place}: other words than {held[identity].place} has in sample {sample}")
    if record[6][0] == 2:
        derived = record[6][4] - record[6][3] + record[9][0] + dt
        require(time == derived, f"{place}: time {time}, {held[identity].place} gives {derived}")


def _check_commissioning(held: dict[bytes, Held], item: list[Any], place: str) -> None:
    _, _, time, identity, serial, profile = item
    require(identity in held, f"{place}: record {identity.hex()} is not in the log")
    record = held[identity].record
    require(record[8] == NOTE and record[9][1] == COMMISSIONED, f"{place}: {held[identity].place} commissions nothing")
    uptime, _, note = record[9]
    require((serial, profile) == (note[6] or note[2], note[5]), f"{place}: the note has another serial or profile")
    typed, read = (re.sub("[ .-]", "", text).lower().lstrip("0") for text in (note[2], note[6]))
    require((typed == read or not note[6]) and 7 not in note, f"{place}: what was typed is not what was read")
    if record[6][0] == 2:
        derived = record[6][4] - record[6][3] + uptime
        require(time == derived, f"{place}: time {time}, {held[identity].place} gives {derived}")


def capture(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Receipts out of a file: lines `topic hex` (mosquitto_sub -F '%t %x'), or a CBOR sequence of envelopes (bstr)."""
    if data[:3] == b"km/":
        for line in data.decode().splitlines():
            topic, _, text = line.partition(" ")
            if topic.endswith("/receipt") and text:
                yield topic, bytes.fromhex(text)
        return
    for item, _ in sequence(data, "receipts"):
        require(isinstance(item, bytes), "receipts: an item that is no bstr")
        yield "", item


def check_receipts(export: Export, keyring: Keyring, held: list[Held], data: bytes, name: str) -> tuple[int, int]:
    """Every receipt: signed, and true of the log. How many are about this log, and about what came after it was exported."""
    by_number = {(one.gateway, one.stream, one.through): one for one in held}
    sizes = {tree.origin: tree.size for tree in export.trees("evidence")}
    counts = [0, 0]
    for number, (topic, message) in enumerate(capture(data)):
        place = f"{name}, receipt {number}"
        signed = envelope(message, "receipt", place)
        keyring.house_signed(signed, 12, place)
        receipt = keys(signed.map(place), "1-10", "11-14", place)
        require(topic in ("", topic_of(receipt[2])), f"{place}: topic {topic} is not {receipt[2]}'s")
        require(receipt[7] in sizes, f"{place}: a log of origin {receipt[7]} is not here")
        is_later = receipt[4] > 0 and receipt[8] >= sizes[receipt[7]]
        counts[is_later] += 1
        if not is_later:
            check_receipt(export, by_number, receipt, place)
    return counts[0], counts[1]


def check_receipt(
    export: Export, held: dict[tuple[str, bytes, int], Held], receipt: dict[int, Any], place: str
) -> None:
    if receipt[4] == 0:
        require(receipt[5] == ZERO, f"{place}: holds nothing, but names an identity")
        return
    one = held.get((receipt[2], receipt[3], receipt[4]))
    if one is None:
        raise Wrong(f"{place}: record {receipt[4]} of {receipt[2]} is not in the log")
    require(receipt[5] == one.identity, f"{place}: names another identity than {one.place}")
    leaf = f"leaf {receipt[8]} of {receipt[7]}"
    require((receipt[7], receipt[8]) == (one.origin, one.index), f"{place}: names {leaf}, the log has {one.place}")
    if 13 in receipt:
        check_note(export, receipt[13][0], place)


def topic_of(gateway: str) -> str:
    return f"km/1/{sha256(gateway.encode())[:1].hex()}/{gateway}/receipt"


def check_note(export: Export, note: bytes, place: str) -> None:
    """A checkpoint handed out: signed, and a state the log of today grew out of."""
    handed = Tree(lambda path: note, "evidence", 1)
    for tree in export.trees("evidence"):
        if tree.origin == handed.origin:
            handed.check(export.vkey("evidence", tree.epoch))
            require(handed.size <= tree.size, f"{place}: the checkpoint is beyond the log")
            require(tree.range_root(0, handed.size) == handed.root, f"{place}: the checkpoint has another root")
            return
    raise Wrong(f"{place}: a checkpoint of {handed.origin}, which is not here")
