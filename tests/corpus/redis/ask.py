"""Sends the commands on standard input, one a line, and prints the answers."""
import os
import shlex
import socket
import sys
import time

file = socket.create_connection((os.environ["HOST"], int(os.environ["PORT"]))).makefile("rwb")


def answer():
    line = file.readline()
    kind, rest = line[:1], line[1:].strip().decode()
    if kind in (b"+", b"-", b":"):
        return line.strip().decode()
    if rest == "-1":
        return None
    if kind == b"$":
        return file.read(int(rest) + 2)[:-2].decode(errors="backslashreplace")
    return [answer() for _ in range(int(rest))]


def ask(*words):
    file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words))
    file.flush()
    return answer()


def info(field):
    return dict(line.split(":", 1) for line in ask("INFO", "persistence").splitlines() if ":" in line)[field]


for line in sys.stdin:
    words = [word.replace("\\n", "\n") for word in shlex.split(line)]
    if words[0] == "WAITSAVE":
        while info("rdb_bgsave_in_progress") == "1":
            time.sleep(0.05)
        print(info("rdb_last_bgsave_status"))
    elif words[0] == "WAITAOF":
        while info("aof_rewrite_in_progress") == "1" or info("aof_rewrite_scheduled") == "1":
            time.sleep(0.05)
        print(info("aof_last_bgrewrite_status"))
    elif words[0] == "LASTSAVE>0":
        print(int(ask("LASTSAVE")[1:]) > 0)
    elif words[0] == "INFO-AOF":
        print(info("aof_enabled"), info("aof_last_write_status"))
    else:
        print(words[0], ask(*words))
