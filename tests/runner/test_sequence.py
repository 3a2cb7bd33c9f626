"""Relative sequence numbers are Wireshark's, whatever part of a connection was seen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runner.rundir import CAPTURE
from runner.sequence import RelativeNumbers
from tests.recorded import Recorded


def numbers_of_tshark(folder: Path) -> list[tuple[int, int]]:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("needs tshark")
    fields = ["-T", "fields", "-e", "tcp.seq", "-e", "tcp.ack"]
    command = [tshark, "-r", str(folder / CAPTURE), "-Y", "tcp && frame.packet_flags_direction == 2", *fields]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [(int(seq), int(ack)) for seq, ack in (line.split("\t") for line in done.stdout.splitlines())]


def check(run: Recorded, folder: Path) -> list[tuple[int, int]]:
    seen = run.evidence(folder)
    ours = [(one.seq, one.ack) for one in seen.transmissions]
    assert ours == numbers_of_tshark(folder)
    return ours


def test_a_whole_connection_that_wraps_around(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 7000).open().send("client", b"x" * 40).send(
        "server", b"y"
    ).close("server")
    assert check(run, tmp_path)[:5] == [(0, 0), (0, 1), (1, 1), (1, 1), (1, 41)]


def test_a_refused_connection(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 7000).segment("client", "S")
    connection.next["server"] = 0
    connection.segment("server", "RA")
    assert check(run, tmp_path) == [(0, 0), (1, 1)]


def test_a_connection_that_was_there_before(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 7000).send("client", b"abc").send("server", b"defg").close(
        "client", 4
    )
    assert check(run, tmp_path)[:2] == [(1, 1), (1, 4)]


def test_a_syn_sent_again_and_a_new_connection_on_the_same_ports(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    first = run.connection("client", "server", 40000, 7000)
    first.segment("client", "S", lost=True, seq=0xFFFFFFF0).open().send("client", b"abc").close("client")
    second = run.connection("client", "server", 40000, 7000)
    second.next = {"client": 77_000, "server": 99_000}
    second.open().send("server", b"again")
    ours = check(run, tmp_path)
    assert ours[0] == ours[1] == (0, 0)
    assert ours[-2:] == [(1, 1), (1, 6)]


def test_a_refused_connection_on_the_ports_of_an_earlier_one(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 7000).open().close("client")
    again = run.connection("client", "server", 40000, 7000)
    again.next = {"client": 77_000, "server": 0}
    again.segment("client", "S").segment("server", "RA")
    assert check(run, tmp_path)[-2:] == [(0, 0), (1, 1)]


def test_what_is_not_tcp_has_no_numbers(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 6000, b"x")
    [one] = run.evidence(tmp_path).transmissions
    assert (one.seq, one.ack) == (-1, -1)
    assert RelativeNumbers().of(one.sent) == (-1, -1)
