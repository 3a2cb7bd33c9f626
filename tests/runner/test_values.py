"""The types of values: the place decides the type, never the look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Misplaced
from runner.model import MisplacedAt, Surroundings
from runner.values import (
    UNITS,
    duration_text,
    read_bytes,
    read_duration,
    read_name,
    read_text,
    read_truth,
    read_whole,
)

HERE = Surroundings()


@pytest.mark.parametrize(
    ("reader", "written", "value"),
    [
        (read_whole, "10", 10),
        (read_whole, "-1", -1),
        (read_whole, "0x0a", 10),
        (read_whole, "-0x10", -16),
        (read_whole, "0b101", 5),
        (read_whole, "010", 10),
        (read_whole, 7, 7),
        (read_truth, "true", True),
        (read_truth, "false", False),
        (read_duration, "250ms", 250_000_000),
        (read_duration, "1.5s", 1_500_000_000),
        (read_duration, "10us", 10_000),
        (read_duration, "1min", 60_000_000_000),
        (read_duration, "0s", 0),
        (read_text, 5, "5"),
        (read_text, b"x", "x"),
        (read_bytes, "no", b"no"),
        (read_bytes, "für", "für".encode()),
        (read_bytes, {"hex": "01 02:0a"}, b"\x01\x02\x0a"),
        (read_bytes, {"repeat": "ab", "times": "3"}, b"ababab"),
        (read_bytes, {"join": ["a", {"hex": "00"}, {"repeat": {"hex": "01"}, "times": "2"}]}, b"a\0\1\1"),
        (read_name, "a_1", "a_1"),
    ],
)
def test_read(reader: Callable[[Any, Surroundings], Any], written: Any, value: Any) -> None:
    assert reader(written, HERE) == value


@pytest.mark.parametrize(
    ("reader", "written", "message"),
    [
        (read_whole, "1e10", "a whole number is wanted here, not '1e10'"),
        (read_whole, "1.0", "a whole number"),
        (read_whole, "", "a whole number"),
        (read_whole, True, "a whole number"),
        (read_whole, {}, "not a map"),
        (read_truth, "yes", "true or false"),
        (read_truth, "True", "true or false"),
        (read_duration, "5", "a duration needs a unit"),
        (read_duration, "5sec", "'sec' is no unit of time"),
        (read_duration, "-1s", "cannot be negative"),
        (read_duration, "soon", "a duration such as 250ms"),
        (read_text, ["a"], "a text is wanted here, not a list"),
        (read_bytes, ["a"], "not a list"),
        (read_bytes, {"hex": "0g"}, "'g' is no hexadecimal digit"),
        (read_bytes, {"hex": "012"}, "their number is odd"),
        (read_bytes, {"repeat": "a"}, "needs a key 'times'"),
        (read_bytes, {"repeat": "a", "times": "99999999999"}, "from 0 to 64 MiB"),
        (read_bytes, {"repeat": "a", "times": "-1"}, "from 0 to 64 MiB"),
        (read_bytes, {"random": "99999999999"}, "from 0 to 64 MiB"),
        (read_bytes, {"hexx": "00"}, "no key 'hexx'"),
        (read_bytes, {"hex": "00", "times": "1"}, "no key 'times'"),
        (read_name, "1a", "no name"),
        (read_name, "a-b", "no name"),
    ],
)
def test_refused(reader: Callable[[Any, Surroundings], Any], written: Any, message: str) -> None:
    with pytest.raises(Misplaced, match=message):
        reader(written, HERE)


def test_a_mistake_inside_has_its_path_and_its_place() -> None:
    with pytest.raises(MisplacedAt) as caught:
        read_bytes({"join": ["a", {"hex": "00zz"}]}, HERE)
    assert caught.value.path == ("join", 1, "hex")
    assert caught.value.column == 2


def test_random_bytes_are_the_same_for_the_same_seed() -> None:
    one = read_bytes({"random": "1000", "seed": "1"}, HERE)
    assert len(one) == 1000
    assert one == read_bytes({"random": "1000", "seed": "1"}, HERE)
    assert one != read_bytes({"random": "1000", "seed": "2"}, HERE)
    assert read_bytes({"random": "4", "seed": "0"}, HERE).hex() == "cd072cd8"


def test_files_come_from_inside_of_the_folder_only(tmp_path: Path) -> None:
    inside = tmp_path / "scenarios"
    inside.mkdir()
    (inside / "data.bin").write_bytes(b"\x00\xff")
    (tmp_path / "secret").write_bytes(b"secret")
    (inside / "link").symlink_to(tmp_path / "secret")
    around = Surroundings(inside)
    assert read_bytes({"file": "data.bin"}, around) == b"\x00\xff"
    for path in ("../secret", "link", str(tmp_path / "secret")):
        with pytest.raises(Misplaced, match="outside of the scenario's folder"):
            read_bytes({"file": path}, around)
    with pytest.raises(Misplaced, match="cannot be read"):
        read_bytes({"file": "nothing"}, around)
    elsewhere = Surroundings(None, given=dict(around.included))
    assert read_bytes({"file": "data.bin"}, elsewhere) == b"\x00\xff"
    with pytest.raises(Misplaced, match="the run has no copy of other"):
        read_bytes({"file": "other"}, elsewhere)


@given(st.integers(0, 10**15))
def test_durations_are_written_as_they_are_read(ns: int) -> None:
    assert read_duration(duration_text(ns), HERE) == ns


@given(st.sampled_from(sorted(UNITS)), st.integers(0, 10**6))
def test_every_unit(unit: str, number: int) -> None:
    assert read_duration(f"{number}{unit}", HERE) == number * UNITS[unit]


@given(st.integers(-(2**63), 2**63))
def test_whole_numbers(number: int) -> None:
    assert read_whole(str(number), HERE) == number
    assert read_whole(hex(number), HERE) == number
