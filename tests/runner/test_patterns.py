"""Every difference between a line and a packet is told, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import ladder
from runner.evidence import Evidence
from runner.patterns import Pattern
from tests import frames
from tests.recorded import Recorded


@pytest.fixture
def seen(tmp_path: Path) -> Evidence:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 80).segment("client", "PA", b"hello")
    run.packet("server", "client", 1, frames.icmp(3, 3))
    run.udp("client", "server", 1000, 2000, b"z" * 50 + b"B" + b"z" * 50, lost=True)
    return run.evidence(tmp_path / "run")


@pytest.mark.parametrize(
    ("place", "line", "differences"),
    [
        (0, 'client -> server PSH,ACK "hello"', []),
        (0, 'client -> server ACK "hel"...', []),
        (0, 'client -> server PSH,ACK "hallo"', ['payload "hello" instead of "hallo"']),
        (0, 'client -> server PSH,ACK "hal"...', ['payload "hello" instead of "hal"...']),
        (0, "client -> server ACK", ['it carries 5 bytes of data, "hello"']),
        (0, "client -> server SYN len=5", ["flags PSH,ACK instead of SYN"]),
        (0, "client <- server TCP", ["sent by client, not by server"]),
        (0, "mallory -> server TCP", ["from client to server, not from mallory to server"]),
        (0, "client -x server TCP", ["it arrived, it was not lost"]),
        (0, "client -> server UDP", ["PSH,ACK instead of UDP"]),
        (
            0,
            "client -> server TCP IP.ttl=1 len>9",
            ["IP.ttl=64 instead of IP.ttl=1", "len=5 instead of len>9"],
        ),
        (1, "client <- server port-unreachable", []),
        (1, "client <- server dest-unreach ICMP", []),
        (1, "client <- server host-unreachable", ["port-unreachable instead of host-unreachable"]),
        (1, "client <- server RST", ["port-unreachable instead of RST"]),
        (2, "client -> server UDP", ["it was lost on its way"]),
        (2, "client -x server UDP", []),
    ],
)
def test_differences(seen: Evidence, place: int, line: str, differences: list[str]) -> None:
    pattern = Pattern(ladder.parse(line).lines[0], seen.owner)
    assert pattern.differences(seen.transmissions[place]) == differences
    assert pattern.fits(seen.transmissions[place]) is not bool(differences)


def test_long_payloads_are_shown_around_the_difference(seen: Evidence) -> None:
    line = ladder.parse(f'client -x server UDP "{"z" * 50}A{"z" * 50}"').lines[0]
    (told,) = Pattern(line, seen.owner).differences(seen.transmissions[2])
    assert told == (
        f'payload differs at byte 50: ..."{"z" * 12}B{"z" * 19}"... instead of ..."{"z" * 12}A{"z" * 19}"...'
    )


def test_an_address_may_stand_for_its_owner(seen: Evidence) -> None:
    pattern = Pattern(ladder.parse("10.0.0.1 -> server TCP").lines[0], seen.owner)
    assert pattern.fits(seen.transmissions[0])
