"""Speaks the scanners' protocol: prints the answers to the lines given."""
import os
import socket
import sys

with socket.create_connection((os.environ["HOST"], int(os.environ["PORT_9100"])), 20) as desk:
    desk.sendall("".join(line + "\n" for line in [*sys.argv[1:], "QUIT"]).encode())
    with desk.makefile(encoding="utf-8") as answers:
        print(answers.read(), end="")
