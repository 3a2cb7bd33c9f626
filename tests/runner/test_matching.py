"""Whether a ladder explains packets: held to a naive matcher and to cases written out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import flows, ladder
from runner.evidence import Evidence
from runner.headers import Header
from runner.ladder import Gap, Ladder
from runner.matching import FREE, Match, Matcher
from runner.packets import Packet, Transmission
from runner.patterns import is_acknowledgement
from tests.recorded import Recorded

ECHO = """
client -> server  SYN
client <- server  SYN,ACK
client -> server  ACK
client -> server  PSH,ACK  "hello"
client -> server  FIN,ACK
client <- server  FIN,ACK
client -> server  ACK
"""
FOUR = ECHO.replace("client <- server  FIN,ACK", "client <- server  ACK\nclient <- server  FIN,ACK")


def same(name: str) -> str:
    return name


def match(text: str, packets: Sequence[Transmission], *, strict: bool = False) -> Match:
    return Matcher(ladder.parse(text), same, strict).match(packets)


def datagrams(text: str, gap_ns: int = 1_000_000) -> list[Transmission]:
    """A datagram from a to b for each letter, with that payload; `.` is a pure ACK; `_` is silence."""
    found, now_ns = [], 0
    for number, letter in enumerate(text, 1):
        now_ns += gap_ns
        if letter == "_":
            continue
        header = (
            Header(version=4, protocol=6, flags=16, seq=number)
            if letter == "."
            else Header(version=4, protocol=17, payload=0, length=1)
        )
        sent = Packet(number, now_ns, "a", "eth0", "lab", "out", letter.encode(), header)
        found.append(Transmission(sent, (), "a", "b", False))
    return found


def wanting(text: str) -> str:
    """A ladder from letters: `a` a datagram, `a?` an optional one, `*` any packets, `,` a pure ACK."""
    lines = []
    for letter in text:
        if letter == "?":
            lines[-1] += " ?"
        elif letter == "*":
            lines.append("...")
        else:
            lines.append("a -> b ACK" if letter == "," else f'a -> b "{letter}"')
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("wanted", "seen", "holds"),
    [
        ("", "", True),
        ("", "a", False),
        ("a", "", False),
        ("ab", "ab", True),
        ("ab", "ba", False),
        ("ab", "a", False),
        ("a", "ab", False),
        ("aa", "a", False),
        ("a?b", "b", True),
        ("a?b", "ab", True),
        ("a?b", "aab", False),
        ("a?a", "a", True),
        ("*", "", True),
        ("*", "abc", True),
        ("a*b", "ab", True),
        ("a*b", "axxb", True),
        ("a*b", "axbx", False),
        ("a*b*b", "abxb", True),
        ("*b*b", "ab", False),
        ("ab", "a.b.", True),
        ("", "..", True),
        ("a,b", "a.b", True),
        ("a,b", "a..b", True),
        ("a,b", "ab", False),
    ],
)
def test_what_explains_what(wanted: str, seen: str, holds: bool) -> None:
    assert match(wanting(wanted), datagrams(seen)).holds is holds


def test_strict_wants_a_line_for_every_acknowledgement() -> None:
    assert match(wanting("ab"), datagrams("a.b")).holds
    assert not match(wanting("ab"), datagrams("a.b"), strict=True).holds
    assert match(wanting("a,b"), datagrams("a.b"), strict=True).holds


def naive(found: Ladder, packets: Sequence[Transmission], strict: bool) -> bool:
    """Every way to match, tried one after the other."""
    entries = found.entries
    patterns = Matcher(found, same, strict).patterns

    @cache
    def explains(entry: int, packet: int, last: int) -> bool:
        if entry == len(entries) and packet == len(packets):
            return True
        pattern = patterns[entry] if entry < len(entries) else None
        gap = entry < len(entries) and isinstance(entries[entry], Gap)
        if entry < len(entries) and (gap or entries[entry].optional) and explains(entry + 1, packet, last):
            return True
        if packet == len(packets):
            return False
        if (gap or (not strict and is_acknowledgement(packets[packet]))) and explains(
            entry, packet + 1, last
        ):
            return True
        since_ns = packets[last].sent.time_ns if last >= 0 else None
        fits = pattern is not None and pattern.fits(packets[packet], since_ns)
        return fits and explains(entry + 1, packet + 1, packet)

    return explains(0, 0, -1)


LINE = st.sampled_from(
    [
        'a -> b "x"', 'a -> b "x" ?', 'a -> b "y"', 'a -> b "y" ?', "a -> b UDP ?", "...", "a -> b ACK",
        'a -> b "x" after>=2ms', 'a -> b "y" after<=1ms', 'a -> b UDP after>=2ms ?', 'a -> b "y" after=3ms',
        'a -> b "x" after>=2ms after<=3ms', "a -> b ACK ?", 'a -> b "y" after<4ms ?',
    ]
)  # fmt: skip


@given(st.lists(LINE, max_size=6), st.text("xy._", max_size=10), st.booleans())
def test_it_finds_a_match_exactly_where_there_is_one(lines: list[str], seen: str, strict: bool) -> None:
    packets = datagrams(seen)
    found = ladder.parse("\n".join(['a -> b "x" ?', *lines]))
    result = Matcher(found, same, strict).match(packets)
    assert result.holds == naive(found, packets, strict)
    if result.holds:
        assert [one.packet for one in result.explained] == list(range(len(packets)))
        used = [one.entry for one in result.explained if one.entry != FREE]
        assert used == sorted(used)


@pytest.mark.parametrize(
    ("condition", "seen", "holds"),
    [
        ("after>=3ms", "x__y", True),
        ("after>=4ms", "x__y", False),
        ("after<=3ms", "x__y", True),
        ("after<3ms", "x__y", False),
    ],
)
def test_after_counts_from_the_line_before(condition: str, seen: str, holds: bool) -> None:
    assert match(f'a -> b "x"\na -> b "y" {condition}', datagrams(seen)).holds is holds


def test_after_behind_a_gap_finds_the_right_packet() -> None:
    late, early = 'a -> b "x"\n...\na -> b "y" after<=1ms', 'a -> b "x"\n...\na -> b "y" after>=4ms'
    packets = datagrams("x_x_xy")
    for text in (late, early):
        assert match("...\n" + text, packets).holds
    assert not match(late, packets).holds, "the first x must be the first packet there"


def test_an_exact_time_may_count_from_any_packet_that_fits() -> None:
    text = '...\na -> b "x"\n...\na -> b "y" after=4ms'
    assert match(text, datagrams("xx__xy")).holds
    assert not match(text, datagrams("x_x_xy")).holds


# --- speed ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_many_optional_lines_and_gaps_are_no_exponential_case() -> None:
    def took(pairs: int) -> float:
        lines = "\n".join(['a -> b "x" ?', "..."] * pairs + ['a -> b "z"'])
        return processor_time(lambda: match(lines, datagrams("x" * 200)).holds, False)

    assert took(24) < 64 * took(12)  # 4096 times as long if each pair doubled it


@pytest.mark.slow
def test_the_time_for_many_packets_grows_with_them() -> None:
    def took(packets: int) -> float:
        some = datagrams("xy." * packets)
        few = "...\n" + wanting("x") + "\n...\n" + 'a -> b "y" after<=2ms\n...'
        many = "\n".join(f'a -> b "{one.sent.data.decode()}"' for one in some if one.sent.data != b".")
        return processor_time(lambda: match(few, some).holds and match(many, some).holds, True)

    assert took(3200) < 8 * 5 * took(400)  # 8 times as long, and not 64 times


def processor_time(matching: Callable[[], bool], expected: bool) -> float:
    """Seconds of processor time that it took, best of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        assert matching() is expected
        times.append(time.process_time() - began)
    return min(times)


# --- TCP ------------------------------------------------------------------------------------------


def recorded(folder: Path, *, packets: int = 3, wrong_ack: bool = False) -> Evidence:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80).open().send("client", b"hello")
    if wrong_ack:
        run.tick()
        connection.segment("client", "FA")
        connection.next["client"] -= 1
        connection.segment("server", "FA")
        connection.next["client"] += 1
        connection.segment("server", "A").segment("client", "A")
    else:
        connection.close("client", packets)
    return run.evidence(folder / f"run{packets}{wrong_ack}")


def holds(evidence: Evidence, text: str, *, strict: bool = False) -> bool:
    packets = flows.select(evidence, flows.parse("tcp"))
    return Matcher(ladder.parse(text), evidence.owner, strict).match(packets).holds


def test_a_close_in_three_packets_is_one_in_four(tmp_path: Path) -> None:
    for packets in (3, 4):
        seen = recorded(tmp_path, packets=packets)
        assert holds(seen, ECHO)
        assert holds(seen, FOUR)


def test_strict_tells_a_close_in_three_from_one_in_four(tmp_path: Path) -> None:
    acked = ECHO.replace('"hello"', '"hello"\nclient <- server ACK')
    acked_four = FOUR.replace('"hello"', '"hello"\nclient <- server ACK')
    three, four = recorded(tmp_path, packets=3), recorded(tmp_path, packets=4)
    assert holds(three, acked, strict=True)
    assert not holds(three, acked_four, strict=True)
    assert holds(four, acked_four, strict=True)
    assert not holds(four, acked, strict=True)
    assert not holds(three, ECHO, strict=True), "the data was acknowledged"


def test_crossing_fins_are_no_close_in_three_packets(tmp_path: Path) -> None:
    seen = recorded(tmp_path, wrong_ack=True)
    until_fin = FOUR.rsplit("\n", 2)[0]
    assert holds(recorded(tmp_path), until_fin)
    assert not holds(seen, until_fin), "the second FIN does not acknowledge the first"


@pytest.mark.parametrize(
    "change",
    [
        ("SYN,ACK", "SYN"),
        ("FIN,ACK", "FIN"),
        ("FIN,ACK", "RST,ACK"),
        ('"hello"', '"hellp"'),
        ('"hello"', '"hell"'),
        ('PSH,ACK  "hello"', "ACK"),
        ("client -> server  SYN\n", ""),
        ("client <- server  SYN,ACK\n", ""),
        ('client -> server  PSH,ACK  "hello"\n', ""),
        ("client <- server  FIN,ACK\n", ""),
        ("client -> server  SYN\n", "client -> server  SYN\nclient -> server  SYN\n"),
        ("client -> server  SYN\n", "client <- server  SYN\n"),
        ("client -> server  SYN\n", "client -x server  SYN\n"),
    ],
)
def test_one_thing_changed_fails(tmp_path: Path, change: tuple[str, str]) -> None:
    seen = recorded(tmp_path)
    assert holds(seen, ECHO)
    assert not holds(seen, ECHO.replace(*change))


def test_push_without_a_payload_is_any_data_and_others_are_none(tmp_path: Path) -> None:
    seen = recorded(tmp_path)
    assert holds(seen, ECHO.replace('"hello"', ""))
    assert holds(seen, ECHO.replace('PSH,ACK  "hello"', "ACK len=5"))
    assert not holds(seen, ECHO.replace('PSH,ACK  "hello"', "ACK"))
    assert not holds(seen, ECHO.replace("SYN,ACK", "SYN,PSH,ACK"))


def test_push_counts_only_as_a_condition(tmp_path: Path) -> None:
    seen = recorded(tmp_path)
    assert holds(seen, ECHO.replace("PSH,ACK", "ACK"))
    assert holds(seen, ECHO.replace("PSH,ACK", "PSH,ACK TCP.flags=PA"))
    assert not holds(seen, ECHO.replace("PSH,ACK", "ACK TCP.flags=A"))


def test_lost_packets_need_an_arrow_with_a_cross(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 1000, 2000, b"one", lost=True)
    run.udp("client", "server", 1000, 2000, b"one")
    evidence = run.evidence(tmp_path / "run")
    packets = flows.select(evidence, flows.parse("udp"))

    def fits(text: str) -> bool:
        return Matcher(ladder.parse(text), evidence.owner).match(packets).holds

    assert fits('client -x server UDP "one"\nclient -> server UDP "one"')
    assert fits('server x- client UDP "one"\nserver <- client UDP "one"')
    assert not fits('client -> server UDP "one"\nclient -> server UDP "one"')
    assert not fits('client -> server UDP "one"\nclient -x server UDP "one"')
