"""Verifies one envelope with pycose, knowing docs/formats/evidence.md only.

    verify_envelope.py ENVELOPE_HEX SPKI_HEX

Prints the message's identity. Exit 1 if the signature does not hold, with an error for anything that is no envelope.
"""

import hashlib
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pycose.headers import KID, Algorithm
from pycose.keys import CoseKey
from pycose.messages import CoseMessage, Sign1Message


def cose_key(spki):
    key = load_der_public_key(spki)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return CoseKey.from_dict({"KTY": "OKP", "CURVE": "ED25519", "X": key.public_bytes_raw()})
    numbers = key.public_numbers()
    point = {"X": numbers.x.to_bytes(32, "big"), "Y": numbers.y.to_bytes(32, "big")}
    return CoseKey.from_dict({"KTY": "EC2", "CURVE": "P_256"} | point)


def verify(envelope, spki):
    """The message's identity, or None if the signature does not hold."""
    message = CoseMessage.decode(envelope)
    assert isinstance(message, Sign1Message), "tag 18 expected"
    assert message.uhdr == {}, "the unprotected header must be empty"
    assert Algorithm in message.phdr and KID in message.phdr, "algorithm and kid must be protected"
    message.key = cose_key(spki)
    if message.phdr[KID] != hashlib.sha256(spki).digest()[:8] or not message.verify_signature():
        return None
    protected = cbor2.loads(envelope).value[0]
    return hashlib.sha256(cbor2.dumps(["Signature1", protected, b"", message.payload])).hexdigest()


if __name__ == "__main__":
    identity = verify(bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2]))
    print(identity or "the signature does not hold")
    sys.exit(0 if identity else 1)
