"""Asks memcached in its text protocol, in its binary one, or by datagrams."""
import os
import re
import socket
import struct
import sys
import time

HOST, PORT = os.environ["HOST"], int(os.environ["PORT"])


def text(*lines, pause=0.0):
    """Sends lines, each with its own read until the server says no more."""
    with socket.create_connection((HOST, PORT), 60) as s:
        for line in lines:
            s.sendall(line.encode() + b"\r\n")
            time.sleep(pause)
        s.sendall(b"mn\r\n")
        answer = b""
        while not answer.endswith(b"MN\r\n"):
            part = s.recv(65536)
            if not part:
                break
            answer += part
    return answer.decode().replace("\r\n", "\n")


def packet(op, key=b"", value=b"", extras=b"", cas=0, opaque=7):
    total = len(extras) + len(key) + len(value)
    return struct.pack(">BBHBBHIIQ", 0x80, op, len(key), len(extras), 0, 0, total, opaque, cas) + extras + key + value


def binary(*packets):
    def exactly(s, count):
        data = b""
        while len(data) < count:
            part = s.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    with socket.create_connection((HOST, PORT), 60) as s:
        for sent in packets:
            s.sendall(sent)
            head = struct.unpack(">BBHBBHIIQ", exactly(s, 24))
            body = exactly(s, head[6])
            print(hex(head[1]), "status", head[5], "opaque", head[7], "cas", bool(head[8]), body)


def datagram(line):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(struct.pack(">HHHH", 5, 0, 1, 0) + line.encode() + b"\r\n", (HOST, PORT))
        answer, _ = s.recvfrom(65536)
        print(struct.unpack(">HHHH", answer[:8]), answer[8:])


def stats(kind, *names):
    for line in text(f"stats {kind}".strip()).splitlines():
        if any(re.search(f" (?:.*:)?{name} ", line) for name in names):
            print(line)


match sys.argv[1]:
    case "version":
        print(text("version"))
    case "store":
        print(text("set tea 5 0 6", "oolong", "get tea", "gets tea", "add tea 0 0 1", "x", "replace pot 0 0 1", "x", "append tea 0 0 1", "!", "prepend tea 0 0 1", "<", "get tea"))
    case "numbers":
        print(text("set n 0 0 2", "99", "incr n 1", "decr n 200", "incr tea 1", "incr none 1", "set n 0 0 20", "18446744073709551615", "incr n 2"))
    case "cas":
        unique = re.search(r"VALUE tea \d+ \d+ (\d+)", text("gets tea"))[1]
        print(text(f"cas tea 0 0 3 {unique}", "new", f"cas tea 0 0 3 {unique}", "old", "get tea"))
    case "expiry":
        print(text("set brief 0 1 1", "x", "touch brief 100", "gat 200 brief", "touch none 1", "set gone 0 -1 1", "x", "get gone"))
        print(text("set brief 0 1 1", "x", "get brief", pause=2.5).count("VALUE"))
    case "meta":
        print(re.sub(r"la=\d+", "la=", text("ms green 4 T90 F3", "leaf", "mg green v f s k", "ma count N0 J5 v", "ma count v D3", "md green q", "mg green v", "me count", "mg none N30 v", "ms Z3JlZW4= S2 b", "hi", "mg Z3JlZW4= b k v")))
    case "errors":
        # Of what arrives with a refused line, the server drops as much as one read gave it.
        for line in ("nonsense", "get", "set a 0 0 -1", "get " + "k" * 251, "set a b c d", "verbosity", "cache_memlimit x"):
            print(text(line))
    case "large":
        print(text("set large 0 0 600000", "y" * 600000, "get large").count("y"), text("set huge 0 0 2000000", "y" * 2000000)[:60])
    case "many":
        print(text(*(line for i in range(3000) for line in (f"set k{i} 0 0 {4 + len(str(i))}", f"item{i}"))).count("STORED"))
        print(text("get " + " ".join(f"k{i}" for i in range(0, 3000, 100))))
    case "crawl":
        print(text("lru_crawler crawl all", "lru mode flat", "lru mode segmented", "lru tune 10 25 0.1 2.0", "slabs automove 1", "slabs reassign 1 2", pause=0.2))
    case "dump":
        with socket.create_connection((HOST, PORT), 60) as s:
            s.sendall(b"lru_crawler metadump all\r\n")
            got = b""
            while not got.endswith(b"END\r\n"):
                got += s.recv(65536)
        print(sorted(re.findall(rb"key=([tu]\w*) ", got)))
    case "stats":
        stats("", "version", "pointer_size", "max_connections", "threads", "cmd_flush", "bytes_none", "limit_maxbytes")
    case "settings":
        stats("settings", "maxbytes", "udpport", "verbosity", "evictions", "growth_factor", "binding_protocol", "item_size_max", "hash_algorithm", "lru_segmented")
    case "kinds":
        print(len(text("stats slabs")) > 500, len(text("stats items")) > 200, text("stats sizes"), text("stats conns").count("addr") > 0, text("stats reset"), text("stats nothing"))
    case "binary":
        flags = struct.pack(">II", 3, 0)
        binary(
            packet(0x0B), packet(1, b"bin", b"value", flags), packet(0, b"bin"), packet(0x0C, b"bin"), packet(2, b"bin", b"x", flags),
            packet(3, b"none", b"x", flags), packet(0x0E, b"bin", b"!"), packet(0x0F, b"bin", b"<"), packet(0, b"bin"),
            packet(5, b"num", b"", struct.pack(">QQI", 5, 10, 0)), packet(5, b"num", b"", struct.pack(">QQI", 5, 10, 0)),
            packet(6, b"num", b"", struct.pack(">QQI", 50, 10, 0)), packet(1, b"bin", b"z", flags, cas=1), packet(0x1C, b"bin", b"", struct.pack(">I", 60)),
            packet(0x1D, b"bin", b"", struct.pack(">I", 60)), packet(4, b"bin"), packet(0, b"bin"), packet(0x0A), packet(0x20), packet(0x99), packet(7),
        )
    case "udp":
        text("set udp 0 0 3", "dgm")
        datagram("get udp")
        datagram("version")
    case "flush":
        print(text("set a 0 0 1", "x", "flush_all", "get a", "flush_all 0 noreply", "verbosity 2", "verbosity 0 noreply", "shutdown"))
    case "watch":
        with socket.create_connection((HOST, PORT), 60) as s:
            s.sendall(b"watch mutations fetchers\r\n")
            print(s.recv(100))
            text("set seen 0 0 1", "x", "get seen")
            s.settimeout(30)
            got = b""
            while got.count(b"\n") < 3:
                got += s.recv(4096)
            print(re.sub(rb"ts=\S+ gid=\d+|cfd=\d+", b"-", got).decode())
