"""Sends its standard input to the line protocol and prints what comes until the end."""
import socket, sys

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])), 15)
conn.sendall(sys.stdin.buffer.read())
while data := conn.recv(4096):
    sys.stdout.buffer.write(data)
