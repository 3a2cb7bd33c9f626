"""Echo servers of Python's module socketserver: TCPServer, ThreadingTCPServer or UDPServer.

By hand: python3 /programs/echo_servers.py ThreadingTCPServer 9999
"""

import socketserver
import sys


class StreamEcho(socketserver.StreamRequestHandler):
    """Sends each line back in capitals until the client closes."""

    def handle(self):
        print("a client has come", flush=True)
        for line in self.rfile:
            self.wfile.write(line.upper())
        print("a client has gone", flush=True)


class DatagramEcho(socketserver.BaseRequestHandler):
    """Sends each datagram back in capitals."""

    def handle(self):
        data, sock = self.request
        sock.sendto(data.upper(), self.client_address)


def main():
    kind, port = getattr(socketserver, sys.argv[1]), int(sys.argv[2])
    kind.allow_reuse_address = True
    kind.daemon_threads = True
    handler = DatagramEcho if issubclass(kind, socketserver.UDPServer) else StreamEcho
    with kind(("", port), handler) as server:
        print(f"{kind.__name__} on port {port}", flush=True)
        server.serve_forever()


main()
