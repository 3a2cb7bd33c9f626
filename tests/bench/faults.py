"""What the detour of faults costs: frames a second through it, what it adds to a round trip, how exact a delay is.

Run by `python -m tests.bench.faults`. Prints and judges nothing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lab import engine as engines
from lab.channel import Channel
from lab.faults.striking import Striking
from runner.recorder import Recorder
from tests.bench.measures import lab_of

UDP, TCP = [[0x0800, 17]], [[0x0800, 6]]
ROUNDS = 2000
FLOOD = r"""
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9))
s.setsockopt(17, 103, 1472)  # UDP_SEGMENT: the kernel makes 40 datagrams of one call, so that Python is no limit
data, count, began = b"x" * 1472 * 40, 0, time.perf_counter()
while time.perf_counter() - began < 1.0:
    try:
        s.send(data)
    except OSError:
        continue
    count += 40
print(count, time.perf_counter() - began)
"""
PING = r"""
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9000))
times = []
for _ in range(%d):
    began = time.perf_counter_ns()
    s.send(b"x" * 100)
    s.recv(200)
    times.append(time.perf_counter_ns() - began)
times.sort()
print(times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000)
"""
ECHO = r"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 9000))
while True:
    data, address = s.recvfrom(200)
    s.sendto(data, address)
"""

CLOCK = r"""
import os, select, time
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
except OSError:
    pass
began, late = time.time_ns() + 10_000_000, []
for number in range(300):
    due = began + number * 200_000
    while (left := due - time.time_ns()) > 0:
        select.select([], [], [], max(0, left - 100_000) / 1e9)
    late.append((time.time_ns() - due) / 1e6)
late.sort()
print(10 + late[0], 10 + late[150], 10 + late[-1])
"""


def output(agent: Channel, name: str, program: str, *arguments: str) -> list[float]:
    """The numbers that a Python program prints in a host."""
    argv = ["python3", "-c", program, *arguments]
    agent.ask(do="run", argv=argv, makes=name)
    said: Any = agent.ask(30.0, do="call", on=name, method="read", arguments=[10_000])
    return [float(one) for one in said["bytes"].split()]


def measure(kinds: list[list[int]] | None, scratch: Path) -> list[str]:
    """What a lab with this detour on its client does: lines to print."""
    with lab_of("netns", scratch) as lab:
        striking = Striking(lab, {"client": kinds} if kinds else {})
        striking.begin()
        client, server = lab.agent("client"), lab.agent("server")
        client.ask(do="offload"), server.ask(do="offload")
        address = lab.interfaces("server")[0].ip4[0]
        server.ask(do="run", argv=["python3", "-c", ECHO], makes="echo")
        time.sleep(0.3)
        median, late = output(client, "ping", PING % ROUNDS, address)
        lines = [f"round trip {median:.0f} us (99 %: {late:.0f} us)"]
        sent, took = output(client, "flood", FLOOD, address)
        lines.append(f"{sent / took:,.0f} full-size frames/s sent")
        for counts in striking.end().values():
            lines.append(f"{counts['in']:,} frames in, {counts['out']:,} out, {counts['lost']:,} lost")
        return lines


def exactness(engine: str, scratch: Path) -> str:
    """How much later than sent frames arrive that a fault delays by 10 ms, by both captures.

    Beside it how late a bare program is that waits in the same way for as many moments and sends nothing.
    """
    with lab_of(engine, scratch) as lab:
        striking = Striking(lab, {"client": UDP})
        striking.begin()
        recorder = Recorder(lab, ["server", "client"], striking)
        recorder.begin()
        plain = {"where": [["UDP", "", None]], "to": None, "nth": None, "probability": None, "seed": 0}
        striking.tell("client", do="begin", name="d", kind="delay", parameters={"by": 10_000_000}, **plain)
        client = lab.agent("client")
        client.ask(do="call", function="socket", arguments=[2, 2], makes="s")
        address = lab.interfaces("server")[0].ip4[0]
        for number in range(300):
            client.ask(
                do="call", on="s", method="sendto", arguments=[{"bytes": f"{number:06d}"}, [address, 9]]
            )
        recorder.settle()
        sent = {one.data: one.time_ns for one in recorder.captures["client"].frames if one.direction == "out"}
        late = [
            (one.time_ns - sent[one.data]) / 1e6
            for one in recorder.captures["server"].frames
            if one.direction == "in" and one.data in sent and len(one.data) == 48
        ]
        striking.end()
        bare = " / ".join(f"{one:.3f}" for one in output(client, "clock", CLOCK))
        ours = f"{min(late):.3f} / {statistics.median(late):.3f} / {max(late):.3f}"
        return f"{len(late)} of 300: {ours} ms (a program that only waits: {bare} ms)"


def main() -> int:
    """Print all of it."""
    with tempfile.TemporaryDirectory() as scratch:
        for title, kinds in (
            ("no detour", None),
            ("detour, UDP not diverted", TCP),
            ("detour, UDP diverted", UDP),
        ):
            print(f"  {title}: {'; '.join(measure(kinds, Path(scratch)))}")
        for engine in ("netns", "docker"):
            problem = engines.find(engine).ready()
            told = f"not measured: {problem}" if problem else exactness(engine, Path(scratch))
            print(f"  a delay of 10 ms on {engine}, least / median / most: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
