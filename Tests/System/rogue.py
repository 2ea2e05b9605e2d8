"""Messages as docs/formats/evidence.md has them, right or wrong at will, and a client that holds a gateway's certificate and key."""

import hashlib
import os
import threading

import cbor2
import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

RECORD = "application/vnd.kilomint.record+cbor"
ZERO = bytes(32)


def encoded(value):
    """Deterministic for what stands here: all map keys are one byte long."""
    return cbor2.dumps(value, canonical=True)


def key(path):
    return load_pem_private_key(path.read_bytes(), None)


def kid(private):
    return hashlib.sha256(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()[:8]


def envelope(private, payload, *, content=RECORD, unprotected=None, signature=None, named=None):
    """An ES256 COSE_Sign1; each part can be made wrong."""
    protected = encoded({1: -7, 3: content, 4: named or kid(private)})
    if signature is None:
        r, s = decode_dss_signature(private.sign(encoded(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return encoded(cbor2.CBORTag(18, [protected, unprotected or {}, payload, signature]))


def identity(data):
    protected, _, payload, _ = cbor2.loads(data).value
    return hashlib.sha256(encoded(["Signature1", protected, b"", payload])).digest()


def record(gateway, stream, number, previous, *, kind=3, body=None, utc=1467871200000):
    clock = [2, 10, bytes(16), 1000, utc]
    return encoded({1: 1, 2: gateway, 3: stream, 4: number, 5: previous, 6: clock, 7: 1000, 8: kind, 9: body if body is not None else [1000, 99, {}]})


def topic(gateway, leaf):
    return f"km/1/{hashlib.sha256(gateway.encode()).digest()[0]:02x}/{gateway}/{leaf}"


class Client:
    """An MQTT 5 client under a gateway's name, beside the gateway; what it receives stands in `messages`."""

    def __init__(self, house):
        self.messages, self._lock = [], threading.Lock()
        self._ready = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"rogue-{os.getpid()}-{id(self)}", protocol=mqtt.MQTTv5)
        self._client.tls_set(house.ca / "ca.pem", house.dir / "agent/enrolled/gateway.crt", house.dir / "keys/gateway.pem")
        self._client.on_connect = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self.ended = None
        self._client.on_disconnect = lambda _client, _data, _flags, reason, _properties: setattr(self, "ended", reason)
        self._client.connect("127.0.0.1", house.ports["inside"])
        self._client.loop_start()
        if not self._ready.wait(10):
            raise TimeoutError("the broker does not answer")

    def _take(self, _client, _data, message):
        with self._lock:
            self.messages.append((message.topic, bytes(message.payload)))

    def subscribe(self, name):
        self._client.subscribe(name, qos=1)

    def publish(self, name, payload):
        """The broker's reason code."""
        done = threading.Event()
        answer = {}

        def published(_client, _data, mid, reason, _properties):
            if mid == answer.get("mid"):
                answer["reason"] = reason
                done.set()

        self._client.on_publish = published
        info = self._client.publish(name, payload, qos=1)
        answer["mid"] = info.mid
        try:
            info.wait_for_publish(10)
        except RuntimeError as problem:
            raise ConnectionError(f"{problem}: {self.ended}") from None
        done.wait(0.5)
        return answer.get("reason")

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def receipt(data):
    """The payload of a receipt's envelope."""
    return cbor2.loads(cbor2.loads(data).value[2])
