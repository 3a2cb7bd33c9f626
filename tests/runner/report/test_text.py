"""Hostile text never reaches a terminal raw, and widths are a terminal's."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report import text


@given(st.text(alphabet=st.characters()))
def test_nothing_that_steers_a_terminal_gets_through(written: str) -> None:
    shown = text.printable(written)
    assert all(unicodedata.category(one)[0] not in "C" for one in shown)
    assert all(one == " " or unicodedata.category(one)[0] != "Z" for one in shown)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("\u2066x\u2069\u200f", "\\u2066x\\u2069\\u200f"),
        ("\ud800", "\\ud800"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("a\u0301\u0302\u0303\u0304", "a\u0301\u0302\\u0303\\u0304"),
        ("你好, plain", "你好, plain"),
    ],
)
def test_escapes(hostile: str, shown: str) -> None:
    assert text.printable(hostile) == shown


def test_lines_keep_newlines_and_nothing_else() -> None:
    assert text.lines("one\ttwo\n\x1b[2Jthree") == ["one     two", "\\x1b[2Jthree"]


def test_width_counts_cells() -> None:
    assert text.width("abc") == 3
    assert text.width("你好") == 4
    assert text.width("a\u0301") == 1


@given(st.text(), st.integers(1, 40))
def test_shortened_and_padded_keep_to_their_cells(written: str, limit: int) -> None:
    shown = text.printable(written)
    assert text.width(text.shortened(shown, limit)) <= limit
    assert text.width(text.padded(shown, limit)) == limit


def test_shortened_says_that_something_is_missing() -> None:
    assert text.shortened("hello lab", 6) == "hello…"
    assert text.shortened("hello", 5) == "hello"
    assert text.shortened("你好你好", 4) == "你…"


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0 us"),
        (85_400, "85 us"),
        (3_210_000, "3.21 ms"),
        (999_000_000, "999 ms"),
        (1_500_000_000, "1.50 s"),
    ],
)
def test_durations(ns: int, said: str) -> None:
    assert text.duration(ns) == said


def test_counted() -> None:
    assert (text.counted(1, "packet"), text.counted(1000, "packet")) == ("1 packet", "1,000 packets")
    assert text.counted(2, "entry", "entries") == "2 entries"
