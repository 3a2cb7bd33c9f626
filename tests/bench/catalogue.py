"""How long the scenarios take that the teaching texts are made of: one after the other, and two side by side.

Run by `python -m tests.bench.catalogue [ROUNDS]`. Both are measured in turn in the same run, so that their ratio says
something on a busy machine too. The scenarios mostly wait (for timers of the kernel's), so two at a time save much.
Prints and judges nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.measures import RUNNER

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
TEXTS = (
    "tcp_echo", "tcp_errors", "phone_call", "phone_chat", "handshake_states", "close_states", "accept_makes_a_socket",
    "listen_backlog", "recv_boundaries", "send_or_sendall", "udp_echo", "udp_no_promises", "udp_limits", "udp_refused",
    "udp_broadcast", "udp_multicast", "udp_tftp", "udp_dns", "udp_snmp", "udp_rip", "raw_icmp", "raw_igmp",
    "raw_hdrincl", "raw_new_protocol", "raw_privilege", "raw_sees_copies", "unix_sockets", "ipv6_echo",
    "other_families", "addresses", "ports", "options", "timeouts", "makefile", "names", "objects", "socketserver",
    "c_and_python", "nonblocking_server",
)  # fmt: skip
"""The scenarios of what the texts show, without those that go beyond them."""


def seconds(*options: str) -> tuple[float, str]:
    """How long all of them take, which failed, and the runner's last line."""
    with tempfile.TemporaryDirectory() as runs:
        paths = [str(SCENARIOS / f"{name}.yaml") for name in TEXTS]
        words = [*RUNNER, "run", *paths, "--engine", "netns", "--runs", runs, *options]
        begun = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        took_s = time.perf_counter() - begun
        failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        return took_s, "; ".join([*failed, (done.stdout.splitlines() or [done.stderr])[-1]])


def main() -> int:
    """Print each round, and the medians with their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    ratios = []
    print(f"{len(TEXTS)} scenarios on netns; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for _ in range(rounds):
        (single, told_single), (double, told_double) = seconds(), seconds("-j", "2")
        ratios.append(double / single)
        print(f"one after the other {single:.1f} s ({told_single})", flush=True)
        print(
            f"-j 2                {double:.1f} s ({told_double}), {double / single:.2f} of that", flush=True
        )
    print(f"-j 2 takes {statistics.median(ratios):.2f} of the time (median of {rounds})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
