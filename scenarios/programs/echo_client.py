"""Sends "hello", prints what comes back: echo_client.py tcp|udp HOST PORT. As echo_client.c, call by call."""

import socket
import sys

kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
said, got = b"hello", b""

c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
c.connect((host, port))
c.sendall(said)
while len(got) < len(said):  # TCP may give it in pieces
    data = c.recv(1024)
    if not data:
        sys.exit("the server hung up")
    got += data
print(got.decode())
c.close()
