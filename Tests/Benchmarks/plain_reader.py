"""What many people write first: reads each meter's block once a second and publishes it as JSON. No store, no signature.

Arguments: broker's port, units of an endpoint, endpoints' ports.
"""

import json
import socket
import struct
import sys
import time

import paho.mqtt.client as mqtt

VALUES = 20
broker, units, ports = int(sys.argv[1]), int(sys.argv[2]), [int(word) for word in sys.argv[3:]]
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", broker)
client.loop_start()
lines = [socket.create_connection(("127.0.0.1", port)) for port in ports]
names = [f"v{number}" for number in range(VALUES)]
due = time.monotonic()
while True:
    for endpoint, line in enumerate(lines):
        for unit in range(1, units + 1):
            line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit, 3, 0, 2 * VALUES))
            answer = line.recv(260)
            values = struct.unpack(f">{VALUES}f", answer[9:])
            text = json.dumps({"time": time.time(), **{n: round(v, 3) for n, v in zip(names, values)}})
            client.publish(f"plant/{endpoint}/{unit}", text)
    due += 1
    time.sleep(max(0, due - time.monotonic()))
