"""A fast transfer captured on both hosts: how fast, and how many packets the capture lost (the reference is tcpdump).

Run by `python -m tests.bench.floods`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from lab.channel import Channel
from runner.recorder import Recorder
from tests.bench.measures import lab_of

MEBIBYTES = 192


def transfer(server: Channel, client: Channel, address: str) -> float:
    """Send MEBIBYTES by TCP from client to server; returns the seconds it took."""
    server.ask(do="call", function="socket", arguments=[], makes="l")
    server.ask(do="call", on="l", method="bind", arguments=[["0.0.0.0", 9000]])
    server.ask(do="call", on="l", method="listen", arguments=[1])
    client.ask(do="call", function="socket", arguments=[], makes="c")
    client.ask(do="call", on="c", method="connect", arguments=[[address, 9000]])
    server.ask(do="call", on="l", method="accept", arguments=[], makes="conn")
    began = time.perf_counter()
    for _ in range(MEBIBYTES // 16):
        reading = server.post(
            {
                "do": "call",
                "on": "conn",
                "method": "recv",
                "arguments": [16 << 20, {"constant": "MSG_WAITALL"}],
            }
        )
        client.ask(60.0, do="call", on="c", method="sendall", arguments=[{"bytes": "x" * (16 << 20)}])
        server.wait(reading, 60.0)
    return time.perf_counter() - began


def main() -> int:
    """Print what the transfer came to."""
    with tempfile.TemporaryDirectory() as scratch, lab_of("netns", Path(scratch)) as lab:
        recorder = Recorder(lab, ["server", "client"])
        recorder.begin()
        address = lab.interfaces("server")[0].ip4[0]
        took = transfer(lab.agent("server"), lab.agent("client"), address)
        recorder.drain()
        rate = MEBIBYTES * 8 * 1.048576 / took
        for host, seen in recorder.captures.items():
            print(
                f"  transfer at {rate:.0f} Mbit/s, {host}: {len(seen.frames)} packets, {seen.drops} lost {seen.missing}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
