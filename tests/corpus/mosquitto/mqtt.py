"""A little MQTT 3.1.1 client: python3 mqtt.py STEP."""
import base64
import hashlib
import os
import socket
import struct
import sys
import time


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(value)) + value


def packet(kind, body):
    length, size = b"", len(body)
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


class Client:
    def __init__(self, user=None, password=None, name="check", clean=True, will=None, version=4, port=None):
        self.socket = socket.create_connection((os.environ["HOST"], int(port or os.environ["PORT"])), 10)
        flags = (2 if clean else 0) | (0xC0 if user else 0) | (4 if will else 0)
        body = text("MQTT") + bytes([version, flags]) + struct.pack(">H", 60) + (b"\0" if version == 5 else b"") + text(name)
        if will:
            body += (b"\0" if version == 5 else b"") + text(will[0]) + text(will[1])
        if user:
            body += text(user) + text(password)
        self.socket.sendall(packet(0x10, body))
        self.greeting = self.read()

    def read(self):
        try:
            head = self.socket.recv(1)
            if not head:
                return "closed"
            size = shift = 0
            while True:
                byte = self.socket.recv(1)[0]
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            body = b""
            while len(body) < size:
                body += self.socket.recv(size - len(body))
            return head[0], body
        except TimeoutError:
            return "nothing"
        except ConnectionError:
            return "closed"

    def ask(self, kind, body):
        self.socket.sendall(packet(kind, body))
        return self.read()

    def subscribe(self, topic, qos=0):
        return self.ask(0x82, b"\0\1" + text(topic) + bytes([qos]))

    def publish(self, topic, value, qos=1, retain=False):
        kind = 0x30 | qos << 1 | retain
        return self.ask(kind, text(topic) + (b"\0\2" if qos else b"") + value.encode())


step = sys.argv[1]
if step == "anonymous":
    print(Client().greeting)
elif step == "wrong":
    print(Client("alice", "nope").greeting)
elif step == "publish":
    a, b = Client("alice", "wonder", "a"), Client("bob", "builder", "b")
    print(a.greeting, b.subscribe("home/public/+"), a.publish("home/public/door", "open"), b.read())
elif step == "denied":
    a, b = Client("alice", "wonder", "a"), Client("bob", "builder", "b")
    b.socket.settimeout(1)
    print(b.subscribe("home/private/#"), a.publish("home/private/safe", "1234"), b.read())
elif step == "retained":
    a = Client("alice", "wonder", "a")
    print(a.publish("home/lamp", "on", retain=True))
    c = Client("alice", "wonder", "c")
    print(c.subscribe("home/lamp"), c.read())
elif step == "exactly-once":
    a = Client("alice", "wonder", "a")
    print(a.publish("home/once", "x", qos=2), a.ask(0x62, b"\0\2"))
elif step == "session":
    b = Client("alice", "wonder", "keeper", clean=False)
    b.subscribe("home/mail", 1)
    b.socket.sendall(packet(0xE0, b""))
    b.socket.close()
    print(Client("alice", "wonder", "a").publish("home/mail", "while away"))
    b = Client("alice", "wonder", "keeper", clean=False)
    print(b.greeting, b.read())
elif step == "will":
    watch = Client("alice", "wonder", "watch")
    watch.subscribe("home/gone")
    dying = Client("alice", "wonder", "dying", will=("home/gone", "it died"))
    dying.socket.close()
    print(watch.read())
elif step == "version5":
    print(Client("alice", "wonder", "five", version=5).greeting)
elif step == "system":
    a = Client("alice", "wonder", "a")
    print(a.subscribe("$SYS/broker/version"), a.read())
elif step == "ping":
    print(Client("alice", "wonder", "a").ask(0xC0, b""))
elif step == "websocket":
    s = socket.create_connection((os.environ["HOST"], 9001), 10)
    key = base64.b64encode(b"0123456789abcdef").decode()
    s.sendall(f"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n".encode())
    print(s.recv(4096).split(b"\r\n")[0])
    body = packet(0x10, text("MQTT") + bytes([4, 0xC2, 0, 60]) + text("ws") + text("alice") + text("wonder"))
    s.sendall(bytes([0x82, 0x80 | len(body)]) + b"\0\0\0\0" + body)
    time.sleep(0.5)
    print(s.recv(100))
