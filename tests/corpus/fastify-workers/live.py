"""Says something over a websocket and prints the answer."""
import os
import socket

s = socket.create_connection((os.environ["HOST"], int(os.environ["PORT"])), 10)
s.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n")
file = s.makefile("rb")
print(file.readline())
while file.readline().strip():
    pass
s.sendall(b"\x81\x83\0\0\0\0tea")
head = file.read(2)
print(head, file.read(head[1]))
