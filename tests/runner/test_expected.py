"""Values that are expected, and when they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import expected
from runner.errors import Misplaced
from runner.expected import Expected, same_bytes, shown
from runner.model import MisplacedAt, Surroundings

HERE = Surroundings()
READERS = {
    "whole": expected.read_expected_whole,
    "duration": expected.read_expected_duration,
    "bytes": expected.read_expected_bytes,
    "text": expected.read_expected_text,
    "truth": expected.read_expected_truth,
}


def read(kind: str, written: Any) -> Expected:
    return READERS[kind](written, HERE)


@pytest.mark.parametrize(
    ("kind", "written", "yes", "no", "told"),
    [
        ("whole", "3", 3, 4, "3"),
        ("whole", "1..5", 5, 6, "1..5"),
        ("whole", "1..", 10**9, 0, "1.."),
        ("whole", "..5", -1, 6, "..5"),
        ("whole", "-5..-1", -3, 0, "-5..-1"),
        ("whole", "1..5", 1, True, "1..5"),
        ("whole", "ECONNREFUSED", 111, 0, "111"),
        ("whole", {"any": ["1", "5..6"]}, 6, 2, "any of 1, 5..6"),
        ("duration", "2s..10s", 3 * 10**9, 10**9, "2s..10s"),
        ("duration", "..250ms", 0, 10**9, "..250ms"),
        ("bytes", "ab", b"ab", b"abc", '"ab"'),
        ("bytes", "a..b", b"a..b", b"ab", '"a..b"'),
        ("bytes", {"hex": "00ff"}, b"\x00\xff", b"", "0x00ff"),
        ("bytes", {"has": {"hex": "00"}}, b"a\x00", b"a", 'something that has "\\x00"'),
        ("bytes", {"length": "2"}, b"ab", b"abc", "length 2"),
        ("bytes", {"length": "2..3"}, b"abc", b"a", "length 2..3"),
        ("bytes", {"any": ["a", {"has": "b"}]}, b"xbx", b"x", 'any of "a", something that has "b"'),
        ("text", {"has": "b"}, "abc", "ac", 'something that has "b"'),
        ("truth", "true", True, False, "true"),
    ],
)
def test_holds(kind: str, written: Any, yes: Any, no: Any, told: str) -> None:
    one = read(kind, written)
    assert one.holds(yes)
    assert not one.holds(no)
    assert str(one) == told


@pytest.mark.parametrize(
    ("kind", "written", "message"),
    [
        ("whole", "5..1", "the range is empty"),
        ("whole", "..", "needs one end"),
        ("whole", "a..b", "a whole number is wanted"),
        ("whole", "EFOO", "there is no errno EFOO"),
        ("duration", "1..2", "needs a unit"),
        ("bytes", {"any": "a"}, "a list of values"),
        ("bytes", {"any": []}, "a list of values"),
        ("bytes", {"has": "a", "length": "1"}, "no key 'length'"),
        ("bytes", {"length": "x"}, "a whole number"),
    ],
)
def test_refused(kind: str, written: Any, message: str) -> None:
    with pytest.raises(Misplaced, match=message):
        read(kind, written)


def test_a_mistake_in_an_option_has_its_path() -> None:
    with pytest.raises(MisplacedAt) as caught:
        read("bytes", {"any": ["a", {"hex": "0"}]})
    assert caught.value.path == ("any", 1, "hex")


def test_parts_or_a_bare_value() -> None:
    reader = expected.parts_or(expected.read_expected_bytes, {"data": expected.read_expected_bytes}, "data")
    assert reader("x", HERE) == reader({"data": "x"}, HERE)
    assert reader({"hex": "00"}, HERE) == {"data": expected.Exactly(b"\0")}
    with pytest.raises(Misplaced, match="no key 'dat'"):
        reader({"data": "x", "dat": "y"}, HERE)
    with pytest.raises(Misplaced, match="a map of the parts data"):
        expected.parts_or(expected.read_expected_bytes, {"data": expected.read_expected_bytes}, None)(
            "x", HERE
        )


def test_text_and_bytes_are_the_same_by_their_content() -> None:
    assert same_bytes(b"a", "a") and same_bytes("für", "für".encode())
    assert not same_bytes(b"a", "b") and not same_bytes(b"a", None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"hello lab", '"hello lab"'),
        (b"a\nb", '"a\\nb"'),
        (b"\xff\x00", "0xff00"),
        (b"x" * 100, '"' + "x" * 64 + '"... (100 bytes)'),
        (["192.0.2.1", 80], "192.0.2.1:80"),
        (["::1", 80, 0, 0], "[::1]:80"),
        ({"data": b"x", "from": None}, 'data: "x", from: nothing'),
        (True, "true"),
    ],
)
def test_shown(value: Any, text: str) -> None:
    assert shown(value) == text


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_ranges_have_both_ends_in_them(low: int, high: int, seen: int) -> None:
    if low > high:
        return
    assert read("whole", f"{low}..{high}").holds(seen) == (low <= seen <= high)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_bytes_are_expected_exactly(one: bytes, other: bytes) -> None:
    assert read("bytes", {"hex": one.hex()}).holds(other) == (one == other)
