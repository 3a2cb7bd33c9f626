"""The detours of faults, in a network namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.needing import ROOT

LAID = """
import socket
from lab import netlink
from lab.faults import wires

control = netlink.Netlink()
control.do([netlink.new_veth("eth0", 10, "02:00:00:00:00:01", 1500, peer_name="peer", peer_index=11)])
control.do([netlink.set_link(10, up=True), netlink.set_link(11, up=True)])
for number in range(40):
    sending = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wires.lay("eth0", number)
    sending.sendto(bytes(60), (wires.wire_name(number), 0))
    print(*wires.passed(number))
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network namespace of its own")
def test_a_detour_takes_frames_as_soon_as_it_is_laid() -> None:
    argv = ["unshare", "--net", sys.executable, "-c", LAID]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {"1 0"}
