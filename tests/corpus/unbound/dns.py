"""Asks a name server: python3 dns.py TRANSPORT NAME TYPE [edns]; prints flags and the sorted records."""
import os
import socket
import struct
import sys

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "RRSIG": 46, "DNSKEY": 48, "AXFR": 252, "ANY": 255, "CHAOS": 16}
NAMES = {number: name for name, number in TYPES.items() if name != "CHAOS"}
transport, name, kind = sys.argv[1:4]


def pack(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


edns = "edns" in sys.argv
message = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, int(edns)) + pack(name) + struct.pack(">HH", TYPES[kind], 3 if kind == "CHAOS" else 1)
if edns:
    message += b"\0" + struct.pack(">HHIH", 41, 4096, 0x8000, 0)
address = os.environ["HOST"], 53
replies = []
if transport == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(3)
    for _ in range(5):
        s.sendto(message, address)
        try:
            replies = [s.recv(65535)]
            break
        except (TimeoutError, ConnectionError):
            pass
else:
    s = socket.create_connection(address, 5)
    s.sendall(struct.pack(">H", len(message)) + message)
    file = s.makefile("rb")
    replies = [file.read(struct.unpack(">H", file.read(2))[0])]


def unpack(reply, at):
    labels, end = [], None
    while reply[at]:
        if reply[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack(">H", reply[at : at + 2])[0] & 0x3FFF
        else:
            labels.append(reply[at + 1 : at + 1 + reply[at]].decode())
            at += 1 + reply[at]
    return ".".join(labels), end or at + 1


for reply in replies:
    _, flags, questions, *counts = struct.unpack(">HHHHHH", reply[:12])
    at, out = 12, []
    for _ in range(questions):
        at = unpack(reply, at)[1] + 4
    for _ in range(sum(counts)):
        owner, at = unpack(reply, at)
        number, _, ttl, size = struct.unpack(">HHIH", reply[at : at + 10])
        data = reply[at + 10 : at + 10 + size]
        at += 10 + size
        if number == 46:
            out.append(f"{owner} RRSIG of {NAMES.get(struct.unpack('>H', data[:2])[0])}")
        elif number in (48, 47, 6, 59, 60, 65534):
            out.append(f"{owner} type {number}")
        else:
            value = unpack(reply, at - size)[0] if number in (2, 5, 12) else data.hex()
            out.append(f"{owner} {NAMES.get(number, number)} {value}")
    print(hex(flags), sorted(set(out)))
if not replies:
    print("no answer")
