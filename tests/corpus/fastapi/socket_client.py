"""Says something over a websocket and prints the answer."""
import base64
import os
import socket

s = socket.create_connection((os.environ["HOST"], int(os.environ["PORT"])), 10)
key = base64.b64encode(b"0123456789abcdef").decode()
s.sendall(f"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
file = s.makefile("rb")
print(file.readline())
while file.readline().strip():
    pass
for text in (b"hello", b"end"):
    s.sendall(bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text)
    head = file.read(2)
    print(head, file.read(head[1]))
