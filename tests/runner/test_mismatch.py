"""What a reader is told about a ladder that does not hold: whole texts, seen when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import flows, ladder
from runner.matching import Matcher
from runner.mismatch import WIDTH, Mismatch
from tests.recorded import Recorded

ECHO = """\
client -> server  SYN
client <- server  SYN,ACK
client -> server  ACK
client -> server  PSH,ACK  "hello lab"
client -> server  FIN,ACK
client <- server  FIN,ACK
client -> server  ACK
"""


def run_of_an_echo() -> Recorded:
    run = Recorded(["client", "server"])
    run.connection("client", "server", 40000, 80).open().send("client", b"hello lab").close("client")
    return run


def mismatch(folder: Path, text: str, run: Recorded | None = None, *, strict: bool = False) -> Mismatch:
    evidence = (run or run_of_an_echo()).evidence(folder / "run")
    packets = flows.select(evidence, flows.parse("ip"))
    matcher = Matcher(ladder.parse(text), evidence.owner, strict)
    match = matcher.match(packets)
    assert not match.holds
    return Mismatch(matcher, match, packets)


def test_a_wrong_payload(tmp_path: Path) -> None:
    found = mismatch(tmp_path, ECHO.replace("hello", "hallo"))
    assert (
        found.summary() == 'packet 7 is not what line 4 expects: payload "hello lab" instead of "hallo lab"'
    )
    assert found.numbers() == (7,)
    assert (
        found.detail()
        == """\
    expected                                seen
  1 client -> server SYN                  1 client -> server SYN
  2 client <- server SYN,ACK              3 client <- server SYN,ACK
  3 client -> server ACK                  5 client -> server ACK
> 4 client -> server PSH,ACK "hallo lab"  7 client -> server PSH,ACK "hello lab"
  5 client -> server FIN,ACK              9 client <- server ACK
  6 client <- server FIN,ACK             11 client -> server FIN,ACK
  7 client -> server ACK                 13 client <- server FIN,ACK
                                         15 client -> server ACK

Near misses:
  packet 7 fits line 4 but for: payload "hello lab" instead of "hallo lab\""""
    )


def test_a_packet_that_is_not_there(tmp_path: Path) -> None:
    found = mismatch(tmp_path, ECHO + "client <- server  RST\n")
    assert found.summary() == "line 8 has no packet: client <- server RST"
    assert found.numbers() == ()
    assert (
        found.detail()
        == """\
    expected                                seen
  1 client -> server SYN                  1 client -> server SYN
  2 client <- server SYN,ACK              3 client <- server SYN,ACK
  3 client -> server ACK                  5 client -> server ACK
  4 client -> server PSH,ACK "hello lab"  7 client -> server PSH,ACK "hello lab"
    (pure ACKs need no line)              9 client <- server ACK
  5 client -> server FIN,ACK             11 client -> server FIN,ACK
  6 client <- server FIN,ACK             13 client <- server FIN,ACK
  7 client -> server ACK                 15 client -> server ACK
> 8 client <- server RST                    (nothing more)"""
    )


def test_a_packet_too_many(tmp_path: Path) -> None:
    found = mismatch(tmp_path, "".join(ECHO.splitlines(True)[:4]))
    assert found.summary() == "packet 11 is one too many: client -> server  FIN,ACK"
    assert ">   (nothing more)                       11 client -> server FIN,ACK" in found.detail()


def test_packets_in_another_order(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for letter in (b"b", b"a"):
        run.udp("client", "server", 1000, 2000, letter)
    found = mismatch(tmp_path, 'client -> server "a"\nclient -> server "b"', run)
    assert found.summary() == 'packet 1 is not what line 1 expects: payload "b" instead of "a"'
    assert found.detail().split("Near misses:\n")[1].splitlines() == [
        '  packet 1 fits line 1 but for: payload "b" instead of "a"',
        "  packet 1 fits line 2, but line 1 comes before that",
        "  packet 3 fits line 1, but other packets come before it",
    ]


def test_a_lost_packet_is_told_as_lost(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 1000, 2000, b"a", lost=True)
    found = mismatch(tmp_path, 'client -> server "a"', run)
    assert "packet 1 fits line 1 but for: it was lost on its way" in found.detail()
    assert 'client -x server UDP "a"' in found.detail()


def test_a_retransmission_is_told_as_one(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).open()
    begin = connection.next["client"]
    connection.segment("client", "PA", b"x", lost=True).segment("client", "PA", b"x", seq=begin)
    text = "\n".join([*ECHO.splitlines()[:3], 'client -x server "x"'])
    found = mismatch(tmp_path, text, run)
    assert "packet 8 is packet 7 sent again (a retransmission)" in found.detail()


def test_nothing_was_seen(tmp_path: Path) -> None:
    found = mismatch(tmp_path, "client -> server UDP", Recorded(["client", "server"]))
    assert "no such packet at all" in found.detail()


def test_what_is_optional_and_absent_is_said(tmp_path: Path) -> None:
    text = ECHO.replace('"hello lab"', '"hello lab"\nclient <- server  UDP ?').replace(
        "SYN,ACK", "SYN,ACK\n..."
    )
    found = mismatch(tmp_path, text.replace("client -> server  FIN,ACK", "client -> server  RST,ACK"))
    assert "  3 ...                                     (not there, which is allowed)" in found.detail()
    assert "  6 client <- server UDP ?                  (not there, which is allowed)" in found.detail()
    assert found.summary().endswith("expects: flags FIN,ACK instead of RST,ACK"), "not where the gap took all"


def test_long_lines_are_folded_and_nothing_is_cut_off(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 1000, 2000, b"abc " * 30)
    text = f'client -> server  UDP  "{"xyz " * 30}"  IP.ttl=64'
    found = mismatch(tmp_path, text, run)
    assert all(len(line) <= WIDTH for line in found.detail().splitlines())
    assert found.detail().count("xyz") >= 30


def test_many_rows_are_left_out(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for number in range(200):
        run.udp("client", "server", 1000, 2000, b"%d" % number)
    text = "\n".join(f'client -> server "{number if number != 100 else "x"}"' for number in range(200))
    lines = mismatch(tmp_path, text, run).detail().splitlines()
    assert len(lines) < 30
    assert "(92 rows that fit)" in lines[1]
    assert "(93 more lines)" in "\n".join(lines)


@pytest.mark.parametrize("text", ["client -> server after>=1s UDP", 'client -> server "b" after>=1s'])
def test_time_differences_are_told(tmp_path: Path, text: str) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 1000, 2000, b"a")
    run.udp("client", "server", 1000, 2000, b"b")
    found = mismatch(tmp_path, f'client -> server "a"\n{text}', run)
    assert found.summary() == "packet 3 is not what line 2 expects: after=100us instead of after>=1s"
