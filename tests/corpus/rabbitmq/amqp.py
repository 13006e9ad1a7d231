"""Opens an AMQP 0-9-1 connection and a channel: python3 amqp.py USER PASSWORD."""
import os
import socket
import struct
import sys

s = socket.create_connection((os.environ["HOST"], 5672), 10)
s.settimeout(20)
file = s.makefile("rb")


def frame():
    try:
        head = file.read(7)
    except ConnectionError:
        return None
    if len(head) < 7:
        return None
    kind, channel, size = struct.unpack(">BHI", head)
    return file.read(size + 1)[:4]


def send(channel, payload):
    s.sendall(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")


s.sendall(b"AMQP\0\0\x09\1")
print(frame())
response = b"\0%s\0%s" % (sys.argv[1].encode(), sys.argv[2].encode())
send(0, struct.pack(">HHI", 10, 11, 0) + b"\x05PLAIN" + struct.pack(">I", len(response)) + response + b"\x05en_US")
answer = frame()
print(answer)
if answer == struct.pack(">HH", 10, 30):
    send(0, struct.pack(">HHHIH", 10, 31, 2047, 131072, 60))
    send(0, struct.pack(">HH", 10, 40) + b"\x01/\0\0")
    print(frame())
    send(1, struct.pack(">HH", 20, 10) + b"\0")
    print(frame())
