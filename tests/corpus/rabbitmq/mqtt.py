"""Publishes one message over MQTT."""
import os
import socket
import struct

s = socket.create_connection((os.environ["HOST"], 1883), 10)
s.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc")
print(s.recv(4))
topic, payload = b"mail/a", b"over mqtt"
s.sendall(bytes([0x32, 2 + len(topic) + 2 + len(payload)]) + struct.pack(">H", len(topic)) + topic + b"\0\1" + payload)
print(s.recv(4))
