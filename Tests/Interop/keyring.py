"""Which key may sign what, and when: genesis, registrations (docs/formats/documents.md) and a gateway's key records."""

from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from exports import JournalEvent
from formats import Envelope, Wrong, decode, envelopes, keys, require, sha256

ROLES = {
    6: "gateway",
    7: "owner",
    8: "finance verifier",
    9: "compliance verifier",
    10: "auditor",
    11: "grid operator",
    12: "satellite",
    13: "person",
}
SUBJECT_KEYS = {1: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}
GATEWAY, CLAIM, REVOCATION, GATEWAY_ROLE = 6, 7, 8, 6
INSTANT_MAX = 253_402_300_799_999


@dataclass(frozen=True)
class Registration:
    """One accepted registration."""

    kind: int
    subject: tuple[Any, ...]
    number: int
    said: int
    effective: int
    body: dict[int, Any]
    document: bytes = b""


class Keyring:
    """Grows with the Journal; answers for an instant."""

    def __init__(self, genesis: dict[int, Any]) -> None:
        self.genesis = genesis
        self.registrations: list[Registration] = []
        # Gateway → instants from which keys end that were registered until then (how many registrations that were),
        # and whether its claims end too.
        self.cuts: dict[str, list[tuple[int, int, bool]]] = {}
        self.used: set[bytes] = set()

    def in_force(self, kind: int, at: int) -> dict[tuple[Any, ...], Registration]:
        """By subject, the registrations in force at an instant: later numbers replace earlier ones."""
        found: dict[tuple[Any, ...], Registration] = {}
        for each in self.registrations:
            if each.kind == kind and each.effective <= at:
                found[each.subject] = each
        return found

    def signers(self, role: int, at: int) -> dict[str, bytes]:
        """Subject → SPKI of the keys of a role at an instant."""
        return {
            subject[1]: each.body[1]
            for subject, each in self.in_force(2, at).items()
            if subject[0] == role and at < each.body[6] and not (role == GATEWAY_ROLE and self._is_cut(each, at))
        }

    def _is_cut(self, each: Registration, at: int) -> bool:
        gateway = each.subject[-1]
        return any(
            instant <= at and self.registrations.index(each) < count
            for instant, count, _ in self.cuts.get(gateway, [])
        )

    def signer(self, signed: Envelope, roles: tuple[int, ...], at: int, place: str) -> tuple[int, str]:
        """The (role, subject) that signed, among the registered keys of these roles."""
        for role in roles:
            for subject, spki in self.signers(role, at).items():
                if signed.signed_by(spki):
                    return role, subject
        raise Wrong(f"{place}: no key of role {' or '.join(ROLES[role] for role in roles)} in force signed this")

    def house_signed(self, signed: Envelope, key: int, place: str) -> None:
        """Genesis key 12 signs receipts, 13 seals."""
        require(signed.signed_by(self.genesis[key]), f"{place}: the signature is not that of genesis key {key}")

    def root_signed(self, signed: Envelope) -> bool:
        return any(signed.signed_by(spki) for spki in self.genesis[6])

    def take(self, event: JournalEvent) -> None:
        """A Registered event: who signed it must suffice for what it registers."""
        document = event.body[1]
        signed = envelopes(document, ("registration", "manifest"), event.place)
        require(event.command == sha256(signed[0].payload), f"{event.place}: the command id is not the document id")
        value = decode(signed[0].payload, event.place)
        if signed[0].content == "manifest":
            require(any(self.root_signed(one) for one in signed), f"{event.place}: no root key signed the manifest")
            return
        self._check_signatures(signed, keys(value, "1-5", "", event.place), event)
        kind, body = value[2], value[5]
        subject = (body[2], body[3]) if kind == 2 else (body[SUBJECT_KEYS[kind]],)
        before = [each for each in self.registrations if (each.kind, each.subject) == (kind, subject)]
        require(all(each.number < value[3] for each in before), f"{event.place}: its number does not rise")
        require(
            all(each.said <= value[4] for each in before), f"{event.place}: takes effect before an earlier one"
        )
        # Records that were taken are not judged again by what replaces a gateway or its key.
        judges_records = kind == GATEWAY or kind == 2 and body[2] == GATEWAY_ROLE
        effective = max(value[4], event.time + 1) if before and judges_records else value[4]
        if kind == REVOCATION:
            require(value[3] == max((each.number for each in before), default=0) + 1, f"{event.place}: skips a number")
            require(value[4] <= event.time, f"{event.place}: a revocation takes effect at once")
            effective = event.time + 1
            self.cuts.setdefault(body[1], []).append((effective, len(self.registrations), True))
        if kind == CLAIM:
            keys(body, "1-4", "", event.place)
            require(len(body[3]) == 32, f"{event.place}: a claim has the digest of a secret")
        self.registrations.append(
            Registration(kind, subject, value[3], value[4], effective, body, sha256(signed[0].payload))
        )

    def bind(self, event: JournalEvent) -> None:
        """A KeyBound event: the claim's secret, in time, once; the request's own key signed it for this gateway."""
        gateway, spki, secret, request = (event.body[key] for key in (1, 2, 3, 4))
        claim = self.in_force(CLAIM, event.time).get((gateway,))
        require(claim is not None, f"{event.place}: {gateway} has no claim")
        assert claim is not None
        place = self.registrations.index(claim)
        ended = [count for _, count, is_all in self.cuts.get(gateway, []) if is_all]
        require(all(place >= count for count in ended), f"{event.place}: the claim was revoked")
        require(sha256(secret.encode()) == claim.body[3], f"{event.place}: the secret is not the claim's")
        require(event.time < claim.body[4], f"{event.place}: the claim had expired")
        require(claim.document not in self.used, f"{event.place}: the claim is used twice")
        registered = sha256(claim.document, bytes(8))
        require(event.command == sha256(registered, b"bind"), f"{event.place}: the command id is not the claim's")
        csr = x509.load_der_x509_csr(request)
        names = [str(each.value) for each in csr.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        require(names == [gateway], f"{event.place}: the request names {names}")
        require(csr.is_signature_valid, f"{event.place}: the request is not signed by its key")
        key = csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        require(key == spki, f"{event.place}: the request has another key")
        for each in self.registrations:
            is_own = each.kind != 2 or each.body[1] != spki or each.subject == (GATEWAY_ROLE, gateway)
            require(is_own, f"{event.place}: the key belongs to {each.subject}")
        subject = (GATEWAY_ROLE, gateway)
        before = [each for each in self.registrations if each.kind == 2 and each.subject == subject]
        effective = event.time + 1 if before else event.time
        if before:
            self.cuts.setdefault(gateway, []).append((effective, len(self.registrations), False))
        number = before[-1].number if before else 0
        body = {1: spki, 2: GATEWAY_ROLE, 3: gateway, 4: claim.body[2], 5: [], 6: INSTANT_MAX}
        self.used.add(claim.document)
        self.registrations.append(Registration(2, subject, number, event.time, effective, body, claim.document))

    def _check_signatures(self, signed: list[Envelope], value: dict[int, Any], event: JournalEvent) -> None:
        persons = self.signers(13, event.time)
        roots = [one for one in signed if self.root_signed(one)]
        people = {name for one in signed for name, spki in persons.items() if one.signed_by(spki)}
        require(
            len(roots) + len(people) == len(signed),
            f"{event.place}: a signature is of neither root nor person, or wrong",
        )
        require(roots or value[2] == REVOCATION, f"{event.place}: no root key signed")
        is_dual = value[2] in (4, 5, CLAIM) or value[2] == 2 and value[5][2] != 13
        require(
            not is_dual or len(people) >= 2, f"{event.place}: dual control asks for two persons, {len(people)} signed"
        )
