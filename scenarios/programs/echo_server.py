"""Sends back what it receives: echo_server.py tcp|udp PORT. As echo_server.c, call by call."""

import socket
import sys

kind, port = sys.argv[1], int(sys.argv[2])

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", port))
if kind != "udp":
    s.listen(5)
print("ready", flush=True)

if kind == "udp":
    data, peer = s.recvfrom(1024)
    s.sendto(data, peer)
    sys.exit()
c, address = s.accept()
while data := c.recv(1024):
    c.sendall(data)
c.close()
s.close()
