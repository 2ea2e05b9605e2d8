"""The Journal of an export: docs/formats/journal.md and documents.md. Shapes, event ids, causes, signatures, money."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exports import Export, JournalEvent
from formats import decode, envelope, keys, require, sha256
from keyring import Keyring
from replay_window import check_seal
from vectors import deterministic

HOUSE, INTAKE, WINDOW, VERIFICATION = "house", "intake", "window", "verification"
ISSUANCE, SETTLEMENT, GOVERNANCE = "issuance", "settlement", "governance"
# Kind → stage stream and the keys of its body.
KINDS = {
    "Genesis": (HOUSE, "1-13"),
    "Registered": (HOUSE, "1"),
    "EpochOpened": (HOUSE, "1"),
    "EpochReconciled": (HOUSE, "1-2"),
    "KeyBound": (HOUSE, "1-4"),
    "RecordRefused": (INTAKE, "1-4"),
    "FindingMade": (INTAKE, "1-6"),
    "StreamForked": (INTAKE, "1-5"),
    "StreamEnded": (INTAKE, "1-4"),
    "GatewayCloned": (INTAKE, "1-3"),
    "IdentityChanged": (INTAKE, "1-4"),
    "WindowCut": (WINDOW, "1-8"),
    "StatementReceived": (VERIFICATION, "1"),
    "ReviewReceived": (VERIFICATION, "1"),
    "ReconciliationComplete": (VERIFICATION, "1-3"),
    "AnomalyDetected": (VERIFICATION, "1-5"),
    "DisputeOpened": (VERIFICATION, "1-4"),
    "ProductionVerified": (VERIFICATION, "1-7"),
    "AllocationCalculated": (ISSUANCE, "1-4"),
    "TranscriptSealed": (ISSUANCE, "1"),
    "ReplayCompared": (ISSUANCE, "1-5"),
    "ProofReceived": (ISSUANCE, "1"),
    "AuthorizationDecided": (ISSUANCE, "1"),
    "IssuanceComplete": (ISSUANCE, "1-6"),
    "AccountOpened": (SETTLEMENT, "1-4"),
    "AccountCredited": (SETTLEMENT, "1"),
    "TransferPosted": (SETTLEMENT, "1-2"),
    "TransferRefused": (SETTLEMENT, "1-2"),
    "HoldPlaced": (SETTLEMENT, "1-2"),
    "HoldPosted": (SETTLEMENT, "1-3"),
    "HoldVoided": (SETTLEMENT, "1-3"),
    "WeightCalculated": (GOVERNANCE, "1-3"),
}
PROVERS = {"ACK": 8, "CT": 9, "SPV": 8}
STATERS = {"A": 10, "D": 11, "S": 12}
ACCOUNT = "issuance"


@dataclass
class State:
    """What earlier events said, as far as later ones are checked against it."""

    export: Export
    keyring: Keyring
    by_window: dict[tuple[str, ...], JournalEvent] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    allowed: dict[tuple[str, str], JournalEvent] = field(default_factory=dict)
    decisions: dict[str, int] = field(default_factory=dict)
    issued: dict[bytes, JournalEvent] = field(default_factory=dict)
    registered: dict[bytes, JournalEvent] = field(default_factory=dict)
    accounts: dict[str, list[int]] = field(default_factory=lambda: {ACCOUNT: [0, 0]})
    owners: dict[str, str] = field(default_factory=dict)
    holds: dict[bytes, list[Any]] = field(default_factory=dict)
    last_production: dict[str, JournalEvent] = field(default_factory=dict)


def caused(event: JournalEvent, purpose: str) -> bytes:
    return sha256(event.id, purpose.encode())


def is_caused(event: JournalEvent, cause: JournalEvent | None, purpose: str, ordinal: int | None = 0) -> None:
    require(cause is not None, f"{event.place}: the event that caused it is missing")
    assert cause is not None
    require(
        event.command == caused(cause, purpose),
        f"{event.place}: the command id is not that of {cause.place} for {purpose}",
    )
    require(ordinal is None or event.ordinal == ordinal, f"{event.place}: ordinal {event.ordinal} instead of {ordinal}")


def check_entries(export: Export) -> None:
    """Entries without their matter: kinds, streams, numbers, times."""
    numbers: dict[str, int] = {}
    last = 0
    for epoch in range(1, export.epochs("journal") + 1):
        for index, value in enumerate(export.values("journal", epoch)):
            place = f"journal/{epoch} entry {index}"
            if -1 in value:
                require(epoch > 1 and index == 0, f"{place}: an epoch entry stands first only")
                require(set(value) == {-1, -2, -3}, f"{place}: no epoch entry")
                continue
            entry = keys(value, "1-5", "", place)
            require(entry[1] in KINDS, f"{place}: unknown kind {entry[1]}")
            require(entry[2] == KINDS[entry[1]][0], f"{place}: {entry[1]} stands in stream {entry[2]}")
            numbers[entry[2]] = numbers.get(entry[2], 0) + 1
            require(
                entry[3] == numbers[entry[2]], f"{place}: number {entry[3]} of {entry[2]}, expected {numbers[entry[2]]}"
            )
            require(entry[4] >= last, f"{place}: its time goes back")
            require(isinstance(entry[5], bytes) and len(entry[5]) == 32, f"{place}: no payload digest")
            last = entry[4]


def check_events(export: Export) -> State:
    """Every event's body, id, cause and signatures, in order."""
    state = State(export, Keyring(export.genesis))
    ids: dict[bytes, str] = {}
    for event in export.journal:
        keys(event.body, KINDS[event.kind][1], "", event.place)
        require(event.id not in ids, f"{event.place}: its event id stands already at {ids.get(event.id)}")
        ids[event.id] = event.place
        check = _CHECKS.get(event.kind)
        if check:
            check(state, event)
    return state


def _genesis(state: State, event: JournalEvent) -> None:
    require(event.epoch == 1 and event.index == 0, f"{event.place}: genesis is entry 0")
    require(
        event.command == sha256(b"genesis", deterministic(event.body)), f"{event.place}: the command id is not genesis'"
    )
    is_replay = event.body[2] == 1
    require(
        is_replay == (event.body[8] is not None) == event.body[3].endswith("-TEST"),
        f"{event.place}: mode, clock and asset disagree",
    )
    signed = [envelope(data, "manifest", event.place) for data in event.body[7]]
    require(
        all(state.keyring.root_signed(one) for one in signed),
        f"{event.place}: the first manifest is not signed by a root key",
    )


def _registered(state: State, event: JournalEvent) -> None:
    state.keyring.take(event)
    state.registered[event.id] = event


def _bound(state: State, event: JournalEvent) -> None:
    state.keyring.bind(event)


def _epoch_opened(state: State, event: JournalEvent) -> None:
    signed = [envelope(data, "epoch", event.place) for data in event.body[1]]
    require(all(state.keyring.root_signed(one) for one in signed), f"{event.place}: not signed by a root key")
    require(event.command == sha256(signed[0].payload), f"{event.place}: the command id is not the document id")


def _statement(state: State, event: JournalEvent) -> None:
    signed = envelope(event.body[1], "statement", event.place)
    require(event.command == signed.identity, f"{event.place}: the command id is not the statement's identity")
    value = keys(signed.map(event.place), "1-10", "", event.place)
    require(value[2] in STATERS, f"{event.place}: source {value[2]}")
    state.keyring.signer(signed, (STATERS[value[2]],), event.time, event.place)
    for digest in value[8]:
        path = f"sources/{digest.hex()}"
        require(
            not state.export.has(path) or sha256(state.export.read(path)) == digest, f"{path}: not what its name says"
        )


def _review(state: State, event: JournalEvent) -> None:
    signed = envelope(event.body[1], "review", event.place)
    require(event.command == signed.identity, f"{event.place}: the command id is not the review's identity")
    state.keyring.signer(signed, (13,), event.time, event.place)


def _cut(state: State, event: JournalEvent) -> None:
    window = event.body[1]
    require(
        event.command == sha256(b"timecut", window.encode()),
        f"{event.place}: the command id is not that of the cut of {window}",
    )
    require(("cut", window) not in state.by_window, f"{event.place}: {window} is cut twice")
    state.by_window["cut", window] = event
    data = [
        state.export.read(f"segments/{digest.hex()}")
        for digest in event.body[7]
        if state.export.has(f"segments/{digest.hex()}")
    ]
    if len(data) == len(event.body[7]):
        require(
            [sha256(segment) for segment in data] == event.body[7],
            f"{event.place}: a segment is not what its name says",
        )
        require(sha256(*data) == event.body[8], f"{event.place}: the input digest is not that of the segments")
    check_checkpoint(state.export, "evidence", event.body[5], event.place)


def _verification(state: State, event: JournalEvent) -> None:
    """ReconciliationComplete, ProductionVerified, AnomalyDetected, DisputeOpened of one entity."""
    window = event.body[1]
    cut = state.by_window.get(("cut", window))
    if event.kind in ("ReconciliationComplete", "ProductionVerified"):
        entity, ordinal = event.body[2], 0 if event.kind == "ReconciliationComplete" else 1
        state.by_window[event.kind, window, entity] = event
        is_caused(event, cut, f"verify/{entity}", ordinal)
    else:
        entities = [key[2] for key in state.by_window if key[:2] == ("ReconciliationComplete", window)]
        require(
            cut is not None and any(event.command == caused(cut, f"verify/{entity}") for entity in entities),
            f"{event.place}: the command id is not that of the verification of an entity",
        )
    if event.kind == "ProductionVerified":
        _attestations(state, event)
        state.last_production[window] = event


def _attestations(state: State, event: JournalEvent) -> None:
    window, entity, begin, through = (event.body[key] for key in (1, 2, 3, 4))
    reconciled = state.by_window.get(("ReconciliationComplete", window, entity))
    require(reconciled is not None, f"{event.place}: nothing was reconciled before")
    assert reconciled is not None
    days = [deterministic(day) for day in reconciled.body[3] if begin <= day[4] and day[5] <= through]
    signed = [envelope(data, "attestation", event.place) for data in event.body[7]]
    require(
        [one.payload for one in signed] == days,
        f"{event.place}: the attestations are not the day verdicts that settled",
    )
    for one in signed:
        state.keyring.house_signed(one, 13, f"{event.place}, attestation")


def _allocated(state: State, event: JournalEvent) -> None:
    is_caused(event, state.by_window.get(("cut", event.body[1])), "allocate")
    state.by_window["allocated", event.body[1]] = event
    state.outputs[event.body[1]] = event.body[2]


def _sealed(state: State, event: JournalEvent) -> None:
    signed = envelope(event.body[1], "seal", event.place)
    state.keyring.house_signed(signed, 13, event.place)
    seal = keys(signed.map(event.place), "1-7", "", event.place)
    window = seal[2]
    is_caused(event, state.by_window.get(("allocated", window)), "seal")
    require(("sealed", window) not in state.by_window, f"{event.place}: {window} is sealed twice")
    require(seal[3] == state.outputs[window], f"{event.place}: the seal's output digest is not the allocation's")
    cut = state.by_window["cut", window]
    require(
        [digest for kind, _, digest in seal[6] if kind == 1] == cut.body[7],
        f"{event.place}: seals other inputs than were cut",
    )
    require(seal[5] == cut.body[5], f"{event.place}: names another evidence checkpoint than the cut")
    _output(state, window, seal, event)
    state.by_window["sealed", window] = event


def _output(state: State, window: str, seal: dict[int, Any], event: JournalEvent) -> None:
    """What the Journal says of a window stands in its output."""
    segments = [(kind, state.export.read(f"segments/{digest.hex()}")) for kind, _, digest in seal[6]]
    check_seal(seal, segments, event.place)
    output = decode(segments[-1][1], f"segments/{seal[3].hex()}")
    allocated, trailer = state.by_window["allocated", window], output[3]
    require(output[1][0] == window, f"{event.place}: the output is {output[1][0]}'s")
    require(allocated.body[3] == output[2], f"{allocated.place}: other allocations than the sealed output of {window}")
    require(allocated.body[4] == trailer[6], f"{allocated.place}: another carry than the sealed output of {window}")
    require(
        trailer[4] == state.by_window["cut", window].body[8],
        f"{event.place}: the output names another input digest than the cut",
    )
    reconciled = sorted(
        (key[2].encode(), known)
        for key, known in state.by_window.items()
        if key[:2] == ("ReconciliationComplete", window)
    )
    verdicts = [deterministic(verdict) for _, known in reconciled for verdict in known.body[3]]
    require(trailer[7] == sha256(*verdicts), f"{event.place}: the output names other day verdicts than were reconciled")


def _replayed(state: State, event: JournalEvent) -> None:
    is_caused(event, state.by_window.get(("sealed", event.body[1])), "replay")
    require(
        event.body[4] == (event.body[2] == event.body[3]), f"{event.place}: says equal {event.body[4]} of other digests"
    )


def _proof(state: State, event: JournalEvent) -> None:
    signed = envelope(event.body[1], "proof", event.place)
    require(event.command == signed.identity, f"{event.place}: the command id is not the proof's identity")
    proof = keys(signed.map(event.place), "1-10", "", event.place)
    require(proof[2] in PROVERS, f"{event.place}: a proof of kind {proof[2]}")
    _, subject = state.keyring.signer(signed, (PROVERS[proof[2]],), event.time, event.place)
    require(subject == proof[9], f"{event.place}: signed by {subject}, names {proof[9]}")
    require(proof[4] == state.outputs.get(proof[3]), f"{event.place}: proves another output digest")
    require(proof[6] != "VALID" or proof[10] == proof[4], f"{event.place}: VALID with another replay digest")


def _decided(state: State, event: JournalEvent) -> None:
    signed = envelope(event.body[1], "decision", event.place)
    state.keyring.house_signed(signed, 13, event.place)
    decision = keys(signed.map(event.place), "1-6", "", event.place)
    window = decision[2]
    require(
        event.command == sha256(b"timeauthorize", window.encode()),
        f"{event.place}: the command id is not that of a decision on {window}",
    )
    require(
        event.ordinal == state.decisions.get(window, 0), f"{event.place}: is not decision {event.ordinal} on {window}"
    )
    state.decisions[window] = event.ordinal + 1
    for principal, answer, _, _ in decision[5]:
        if answer == "ALLOW":
            require(decision[3] == state.outputs.get(window), f"{event.place}: allows another output digest")
            state.allowed.setdefault((window, principal), event)


def _issued(state: State, event: JournalEvent) -> None:
    window, entity, principal, account, amount, output = (event.body[key] for key in range(1, 7))
    is_caused(event, state.allowed.get((window, principal)), "issue", None)
    rows = state.by_window["allocated", window].body[3]
    require(event.ordinal < len(rows), f"{event.place}: ordinal {event.ordinal} is no allocation")
    require(
        rows[event.ordinal][:3] == [entity, principal, account], f"{event.place}: is not allocation {event.ordinal}"
    )
    require(
        rows[event.ordinal][4] == amount > 0, f"{event.place}: issues {amount}, allocated are {rows[event.ordinal][4]}"
    )
    require(output == state.outputs[window], f"{event.place}: another output digest")
    state.issued[event.id] = event


def _account(state: State, event: JournalEvent) -> None:
    account, _, entity, _ = (event.body[key] for key in range(1, 5))
    require(
        any(event.command == sha256(cause, b"account") for cause in state.registered),
        f"{event.place}: no registration caused it",
    )
    require(account not in state.accounts, f"{event.place}: opened twice")
    state.accounts[account] = [0, 0]
    state.owners[account] = entity


def _move(state: State, transfer: list[Any], amount: int, place: str) -> None:
    _, debit, credit, _, _, _ = transfer
    require(debit in state.accounts and credit in state.accounts, f"{place}: an account that was never opened")
    state.accounts[debit][0] -= amount
    state.accounts[credit][0] += amount
    balance, held = state.accounts[debit]
    require(debit == ACCOUNT or balance >= held, f"{place}: {debit} has less than it owes")


def _credited(state: State, event: JournalEvent) -> None:
    transfer = event.body[1]
    cause = state.issued.pop(transfer[5], None)
    is_caused(event, cause, "credit")
    assert cause is not None
    expected = [bytes(4) + caused(cause, "credit")[:12], ACCOUNT, cause.body[4], cause.body[5], 1, cause.id]
    require(transfer == expected, f"{event.place}: the transfer is not that of {cause.place}")
    _move(state, transfer, transfer[3], event.place)


def _ordered(state: State, event: JournalEvent) -> None:
    """TransferPosted, HoldPlaced, HoldPosted, HoldVoided: signed by the debited account's owner."""
    transfer = event.body[1]
    signed = envelope(event.body[2], "order", event.place)
    require(event.command == signed.identity, f"{event.place}: the command id is not the order's identity")
    order = keys(signed.map(event.place), "1-7", "8 9", event.place)
    require(transfer[:3] == [order[2], order[3], order[4]], f"{event.place}: the transfer is not the order's")
    require(transfer[0][:4] != bytes(4), f"{event.place}: an order has the id of a credit")
    _, subject = state.keyring.signer(signed, (7,), event.time, event.place)
    require(subject == state.owners.get(transfer[1]), f"{event.place}: {subject} does not own {transfer[1]}")
    account = state.accounts[transfer[1]]
    if event.kind == "HoldPlaced":
        account[1] += transfer[3]
        require(account[0] >= account[1], f"{event.place}: {transfer[1]} holds more than it has")
        state.holds[transfer[0]] = transfer
        return
    if event.kind in ("HoldPosted", "HoldVoided"):
        hold = state.holds.pop(event.body[3], None)
        require(hold is not None, f"{event.place}: ends a hold that is not there")
        assert hold is not None
        account[1] -= hold[3]
        require(
            transfer[3] <= hold[3] and (event.kind == "HoldPosted" or transfer[3] == 0),
            f"{event.place}: posts more than is held",
        )
    _move(state, transfer, transfer[3], event.place)


def _weighed(state: State, event: JournalEvent) -> None:
    is_caused(event, state.last_production.get(event.body[1]), "weights")
    require(sum(row[3] for row in event.body[3]) == 1_000_000, f"{event.place}: the weights do not sum up")


def check_checkpoint(export: Export, log: str, checkpoint: list[Any], place: str) -> None:
    """A checkpoint [origin, size, root] named somewhere is a state that the log of today grew out of."""
    origin, size, root = checkpoint
    for tree in export.trees(log):
        if tree.origin == origin:
            require(size <= tree.size, f"{place}: names {size} entries of {origin}, here are {tree.size}")
            require(
                tree.range_root(0, size) == root,
                f"{place}: the checkpoint of {size} entries has another root than {origin}",
            )
            return
    require(False, f"{place}: names a checkpoint of {origin}, which is not here")


_CHECKS: dict[str, Callable[[State, JournalEvent], None]] = {
    "Genesis": _genesis,
    "Registered": _registered,
    "KeyBound": _bound,
    "EpochOpened": _epoch_opened,
    "StatementReceived": _statement,
    "ReviewReceived": _review,
    "WindowCut": _cut,
    "ReconciliationComplete": _verification,
    "ProductionVerified": _verification,
    "AnomalyDetected": _verification,
    "DisputeOpened": _verification,
    "AllocationCalculated": _allocated,
    "TranscriptSealed": _sealed,
    "ReplayCompared": _replayed,
    "ProofReceived": _proof,
    "AuthorizationDecided": _decided,
    "IssuanceComplete": _issued,
    "AccountOpened": _account,
    "AccountCredited": _credited,
    "TransferPosted": _ordered,
    "HoldPlaced": _ordered,
    "HoldPosted": _ordered,
    "HoldVoided": _ordered,
    "WeightCalculated": _weighed,
}
