"""A WebSocket client that sends messages and prints as many answers as it is told."""
import base64, os, socket, struct, sys

host, port, count, *messages = sys.argv[1:]
conn = socket.create_connection((host, int(port)), 20)
key = base64.b64encode(os.urandom(16)).decode()
conn.sendall(f"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
stream = conn.makefile("rb")
print(stream.readline().decode().strip())
while stream.readline().strip():
    pass


def answer():
    stream.read(1)
    size = stream.read(1)[0] & 127
    if size == 126:
        size, = struct.unpack(">H", stream.read(2))
    print(stream.read(size).decode())


answer()
for message in messages:
    data = message.encode()
    mask = os.urandom(4)
    head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else bytes([0x81, 0xFE]) + struct.pack(">H", len(data))
    conn.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))
for _ in range(int(count)):
    answer()
