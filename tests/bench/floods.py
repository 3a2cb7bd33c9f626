"""A fast transfer captured on both hosts: how fast, and how many packets the capture lost.

Run by `python -m tests.bench.floods`. The reference is the same transfer without captures, offloads off
as well, in the same run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from lab.engine import Lab
from runner.recorder import Recorder
from tests.bench.measures import lab_of

MEBIBYTES = 256
SERVER = """
import socket
listener = socket.create_server(("", 9000))
print("ready", flush=True)
connection, _ = listener.accept()
while connection.recv(1 << 20):
    pass
"""
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 9000)) as connection:
    for _ in range(int(sys.argv[2])):
        connection.sendall(bytes(1 << 20))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
"""


def transfer(lab: Lab) -> float:
    """Send MEBIBYTES by TCP from client to server, programs of their own; returns Mbit/s."""
    server, client = lab.agent("server"), lab.agent("client")
    python = ["python3", "-I", "-S", "-c"]
    server.ask(do="run", argv=[*python, SERVER], makes="server")
    server.ask(do="call", on="server", method="read_until", arguments=[{"bytes": "ready"}])
    address = lab.interfaces("server")[0].ip4[0]
    began = time.perf_counter()
    client.ask(do="run", argv=[*python, CLIENT, address, str(MEBIBYTES)], makes="client")
    client.ask(60.0, do="call", on="client", method="wait", arguments=[])
    return MEBIBYTES * 8 * 1.048576 / (time.perf_counter() - began)


def main() -> int:
    """Print what the transfers came to."""
    with tempfile.TemporaryDirectory() as scratch:
        with lab_of("netns", Path(scratch)) as lab:
            for host in ("server", "client"):
                lab.agent(host).ask(do="offload")
            plain = transfer(lab)
        with lab_of("netns", Path(scratch)) as lab:
            recorder = Recorder(lab, ["server", "client"])
            recorder.begin()
            captured = transfer(lab)
            recorder.drain()
            print(
                f"  transfer of {MEBIBYTES} MiB: {captured:.0f} Mbit/s captured on both hosts, "
                f"{plain:.0f} Mbit/s without (ratio {captured / plain:.2f})"
            )
            for host, seen in recorder.captures.items():
                print(f"    {host}: {len(seen.frames)} packets, {seen.drops} lost {seen.missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
