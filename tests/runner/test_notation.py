"""What is written as a ladder reads back, and explains the very packets it was written from."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import flows, ladder, notation
from runner.evidence import Evidence
from runner.matching import Matcher
from runner.packets import Transmission
from tests import frames
from tests.recorded import Recorded
from tests.runner.plays import HOSTS, perform, plays


def evidence_of(played: list[tuple[Any, ...]]) -> Evidence:
    with TemporaryDirectory() as folder:
        return perform(Recorded(HOSTS), played).evidence(Path(folder) / "run")


def explained(evidence: Evidence, text: str, packets: list[Transmission], strict: bool) -> bool:
    return Matcher(ladder.parse(text), evidence.owner, strict).match(packets).holds


@given(plays, st.sampled_from(["ip", "tcp", "udp", "icmp", "arp", "any"]), st.sampled_from([None, *HOSTS]))
def test_a_recorded_ladder_passes(played: list[tuple[Any, ...]], protocol: str, at: str | None) -> None:
    evidence = evidence_of(played)
    flow = flows.parse(protocol)
    packets = flows.select(evidence, flow, at=at)
    lines = notation.lines(evidence, flow, at=at)
    assert len(lines) == len(packets)
    for strict in (True, False):
        assert explained(evidence, "\n".join(lines), packets, strict)


@given(plays.filter(bool), st.data())
def test_every_frame_has_its_line_and_needs_it(played: list[tuple[Any, ...]], data: st.DataObject) -> None:
    evidence = evidence_of(played)
    packets = list(evidence.transmissions)
    lines = notation.written(packets)
    assert explained(evidence, "\n".join(lines), packets, True)
    place = data.draw(st.integers(0, len(lines) - 1))
    without = lines[:place] + lines[place + 1 :]
    assert not explained(evidence, "\n".join(without), packets, True), "one packet is too many"
    assert not explained(evidence, "\n".join([*lines, lines[place]]), packets, True), "one line is too many"


@pytest.mark.parametrize(
    ("flags", "payload", "words"),
    [
        ("S", b"", "SYN"),
        ("SA", b"", "SYN,ACK"),
        ("PA", b"hello lab", 'PSH,ACK  "hello lab"'),
        ("A", b"more", 'ACK  "more"'),
        ("PA", b"", 'PSH,ACK  ""'),
        ("FA", b"", "FIN,ACK"),
        ("RA", b"", "RST,ACK"),
        ("A", b"x" * 100, f'ACK  "{"x" * 40}"...  len=100'),
    ],
)
def test_words_of_segments(tmp_path: Path, flags: str, payload: bytes, words: str) -> None:
    run = Recorded(HOSTS)
    run.connection("client", "server", 40000, 80).segment("client", flags, payload)
    (one,) = run.evidence(tmp_path / "run").transmissions
    assert notation.words(one) == words


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (8, 0, 'echo-request  "ping"'),
        (0, 0, 'echo-reply  "ping"'),
        (3, 3, "port-unreachable"),
        (3, 2, "protocol-unreachable"),
        (3, 99, "dest-unreach"),
        (11, 0, "ttl-exceeded"),
        (42, 0, "ICMP"),
    ],
)
def test_words_of_icmp(tmp_path: Path, number: int, code: int, words: str) -> None:
    run = Recorded(HOSTS)
    run.packet("client", "server", 1, frames.icmp(number, code, carried=b"ping"))
    (one,) = run.evidence(tmp_path / "run").transmissions
    assert notation.words(one) == words


def test_words_of_icmpv6(tmp_path: Path) -> None:
    run = Recorded(HOSTS)
    for number, code in ((128, 0), (1, 4), (135, 0)):
        message = frames.icmpv6("fd00::1", "fd00::2", number, code, b"\0\0\0\0ping")
        packet = frames.ipv6("fd00::1", "fd00::2", 58, message)
        run.frame(
            "client",
            frames.ethernet(run.end("client").mac, run.end("server").mac, 0x86DD, packet),
            ["server"],
        )
    evidence = run.evidence(tmp_path / "run")
    assert [notation.line(one) for one in evidence.transmissions] == [
        'client -> server  echo-request  "ping"',
        "client -> server  port-unreachable",
        "client -> server  neighbor-solicitation",
    ]


def test_pieces_of_datagrams(tmp_path: Path) -> None:
    run = perform(
        Recorded(HOSTS), [("piece", HOSTS, b"one", True, True), ("piece", HOSTS, b"two", False, False)]
    )
    first, last = run.evidence(tmp_path / "run").transmissions
    assert notation.words(first).startswith('UDP fragment  "one"')
    assert notation.words(last).startswith("UDP fragment")


def test_the_first_sender_of_two_stands_left(tmp_path: Path) -> None:
    run = Recorded(HOSTS)
    run.udp("server", "client", 1, 2, b"a")
    run.udp("client", "server", 2, 1, b"b", lost=True)
    run.udp("server", "client", 1, 2, b"c", lost=True)
    evidence = run.evidence(tmp_path / "run")
    assert notation.written(evidence.transmissions) == [
        'server -> client  UDP  "a"',
        'server x- client  UDP  "b"',
        'server -x client  UDP  "c"',
    ]
    assert notation.line(evidence.transmissions[1]) == 'client -x server  UDP  "b"'


def test_others_than_ip(tmp_path: Path) -> None:
    run = perform(
        Recorded(HOSTS), [("arp", HOSTS, 1), ("frame", HOSTS, 0x88CC, b"x"), ("other", HOSTS, 253, b"new")]
    )
    assert notation.written(run.evidence(tmp_path / "run").transmissions) == [
        "client -> ff:ff:ff:ff:ff:ff  ARP who-has",
        "client -> server  frame",
        'client -> server  IP IP.proto=253  "new"',
    ]
