"""Runs the statements on standard input, one a line, as root (or USER:PASSWORD of the arguments), and prints the rows."""
import hashlib
import os
import socket
import struct
import sys

user, password = (sys.argv[1:] or ["root:s3cret"])[0].split(":")
file = socket.create_connection((os.environ["HOST"], int(os.environ["PORT"])), 10).makefile("rwb")


def read():
    head = file.read(4)
    return file.read(int.from_bytes(head[:3], "little"))


def send(body, sequence=0):
    file.write(len(body).to_bytes(3, "little") + bytes([sequence]) + body)
    file.flush()


def sized(data, at):
    first = data[at]
    if first < 251:
        return first, at + 1
    if first == 251:
        return None, at + 1
    width = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def error(data):
    return f"error {int.from_bytes(data[1:3], 'little')}: {data[9:].decode(errors='replace')}"


def ask(statement):
    send(b"\x03" + statement.encode())
    first = read()
    if first[0] == 0xFF:
        return [error(first)]
    if first[0] == 0:
        return [f"ok, {sized(first, 1)[0]} rows"]
    for _ in range(sized(first, 0)[0]):
        read()
    read()
    rows = []
    while (data := read())[0] != 0xFE or len(data) > 8:
        if data[0] == 0xFF:
            return [error(data)]
        row, at = [], 0
        while at < len(data):
            size, at = sized(data, at)
            row.append(None if size is None else data[at : at + size].decode(errors="backslashreplace"))
            at += size or 0
        rows.append(row)
    return rows


greeting = read()
at = greeting.index(b"\0", 1) + 5
salt = greeting[at : at + 8] + greeting[at + 27 : at + 39]
one = hashlib.sha1(password.encode()).digest()
mixed = hashlib.sha1(salt + hashlib.sha1(one).digest()).digest()
scramble = bytes(a ^ b for a, b in zip(one, mixed))
send(struct.pack("<IIB23x", 0x000FA20D & ~0x800, 1 << 24, 45) + user.encode() + b"\0" + bytes([20]) + scramble + b"shop\0mysql_native_password\0", 1)
answer = read()
if answer[0] == 0xFF:
    sys.exit(print(error(answer)))
for line in sys.stdin:
    if line.strip():
        for row in ask(line.strip()):
            print(row)
