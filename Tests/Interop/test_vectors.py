"""The committed vectors are what vectors.py writes, and pycose agrees with its envelopes."""

import unittest

import vectors
from pycose.keys import CoseKey
from pycose.messages import CoseMessage


class Vectors(unittest.TestCase):
    def test_files_are_generated(self):
        for name in vectors.FILES:
            with self.subTest(name):
                committed = (vectors.FOLDER / name).read_text()
                self.assertEqual(committed, vectors.text(name), "run Tests/Interop/vectors.py, look at what changed")

    def test_pycose_verifies_the_envelopes(self):
        keys = {
            "eddsa": CoseKey.from_dict({"KTY": "OKP", "CURVE": "ED25519", "X": vectors.spki(vectors.ED25519)[-32:]}),
            "es256": CoseKey.from_dict(
                {"KTY": "EC2", "CURVE": "P_256", "X": vectors.spki(vectors.P256)[-64:-32], "Y": vectors.spki(vectors.P256)[-32:]}
            ),
        }
        count = 0
        for name, vector in vectors.evidence_vectors().items():
            for algorithm, key in keys.items():
                if algorithm not in vector:
                    continue
                message = CoseMessage.decode(bytes.fromhex(vector[algorithm]["hex"]))
                message.key = key
                self.assertTrue(message.verify_signature(), name)
                self.assertEqual(message.payload.hex(), vector["payload"])
                message.payload = message.payload[:-1] + bytes([message.payload[-1] ^ 1])
                self.assertFalse(message.verify_signature(), name)
                count += 1
        self.assertEqual(count, 26)


if __name__ == "__main__":
    unittest.main()
