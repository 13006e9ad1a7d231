# Writes a series by the protocol for remote writers (protocol buffers in Snappy without compression), and asks for it.
import json
import os
import time
import urllib.request

BASE = f"http://{os.environ['HOST']}:{os.environ['PORT']}"


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def label(name, value):
    return field(1, field(1, name) + field(2, value))


now = int(time.time() * 1000)
sample = b"\x09" + __import__("struct").pack("<d", 42.5) + b"\x10" + varint(now)
message = field(1, label(b"__name__", b"written") + label(b"by", b"hand") + field(2, sample))
snappy = varint(len(message)) + bytes([60 << 2, len(message) - 1]) + message
request = urllib.request.Request(BASE + "/api/v1/write", snappy, {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"})
print(urllib.request.urlopen(request).status)
answer = json.load(urllib.request.urlopen(f"{BASE}/api/v1/query?query=written&time={now / 1000}"))
print([(r["metric"], r["value"][1]) for r in answer["data"]["result"]])
try:
    urllib.request.urlopen(urllib.request.Request(BASE + "/api/v1/write", b"nonsense"))
except urllib.error.HTTPError as error:
    print(error.code)
