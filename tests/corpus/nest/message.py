"""Sends one message in Nest's TCP form: python3 message.py PATTERN JSON."""
import os
import socket
import sys

body = '{"pattern": "%s", "data": %s, "id": "1"}' % tuple(sys.argv[1:])
s = socket.create_connection((os.environ["HOST"], 3001), 10)
s.sendall(f"{len(body)}#{body}".encode())
print(s.recv(4096).decode())
