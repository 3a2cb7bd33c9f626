"""`runner inspect` of a million packets: time and memory, beside tshark's `-T fields` of the same columns.

Run by `python -m tests.bench.captures`. The capture is made here: many TCP connections of many clients, with losses.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lab import capture
from lab.capture import Frame
from tests import frames
from tests.bench.measures import RUNNER, environment

PACKETS = 1_000_000
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
SERVER = "10.9.9.9"
FIELDS = (
    "frame.number", "frame.time_epoch", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq",
    "tcp.ack", "tcp.len", "tcp.stream", "tcp.analysis.retransmission", "tcp.analysis.out_of_order",
    "tcp.analysis.ack_rtt",
)  # fmt: skip


class Connection:
    """A client that sends requests and gets answers, some of them twice."""

    def __init__(self, chance: random.Random) -> None:
        self.address = f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        self.port = chance.randrange(1024, 65535)
        self.seq, self.ack = chance.randrange(1 << 32), chance.randrange(1 << 32)
        self.opening = ["S", "SA", "A"]
        self.over = False

    def frame(self, time_ns: int, chance: random.Random) -> Frame:
        side, flags, size = self._next(chance)
        ends, ports = (self.address, SERVER), (self.port, 80)
        seq, ack = self.seq % (1 << 32), self.ack % (1 << 32)
        if not side:
            ends, ports, seq, ack = ends[::-1], ports[::-1], ack, seq
        segment = frames.tcp(*ends, *ports, flags, seq, ack if "A" in flags else 0, b"x" * size)
        data = frames.ethernet(*(MACS if side else MACS[::-1]), 0x0800, frames.ipv4(*ends, 6, segment))
        grown = size + ("S" in flags or "F" in flags)
        if "S" in flags or chance.random() > 0.01:
            self.seq, self.ack = self.seq + grown * side, self.ack + grown * (not side)
        return Frame(time_ns, "", "eth0", "in", data, len(data))

    def _next(self, chance: random.Random) -> tuple[bool, str, int]:
        """Whether the client sends, the flags, and how many bytes."""
        if self.opening:
            flags = self.opening.pop(0)
            return flags != "SA", flags, 0
        kind = chance.random()
        if kind < 0.45:
            return True, "PA", chance.choice((10, 100, 500, 1400))
        if kind < 0.55:
            return False, "PA", 200
        self.over = kind > 0.99
        return self.over, "FA" if self.over else "A", 0


def packets(count: int) -> Iterator[Frame]:
    """So many frames of two hundred connections at a time."""
    chance, time_ns = random.Random(1), 1_700_000_000_000_000_000
    going: list[Connection] = []
    for _ in range(count):
        if len(going) < 200:
            going.append(Connection(chance))
        one = chance.choice(going)
        time_ns += chance.randrange(1000, 200_000)
        yield one.frame(time_ns, chance)
        if one.over:
            going.remove(one)


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and mebibytes at most of a command as a whole process; raises CalledProcessError when it fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> int:
    """Print what both took."""
    tshark = shutil.which("tshark")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "million.pcapng"
        capture.write(path, packets(PACKETS), [("", "eth0")])
        size = path.stat().st_size / (1 << 20)
        rounds = [measured([*RUNNER, "inspect", str(path)]) for _ in range(3)]
        ours, memory = sorted(rounds)[1]
        print(
            f"  inspect {PACKETS:,} packets ({size:.0f} MiB): {ours:.2f} s, {memory:.0f} MiB of memory",
            end="",
        )
        if tshark is None:
            print("; tshark is not installed")
            return 0
        fields = [word for field in FIELDS for word in ("-e", field)]
        theirs, _ = measured([tshark, "-r", str(path), "-T", "fields", *fields])
        print(f"; tshark -T fields of the same columns: {theirs:.2f} s, ratio {theirs / ours:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
