"""A row of cells: overwriting, wide characters, colours."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from runner.report.canvas import Row
from runner.report.paper import Paper
from runner.report.text import printable, width

PLAIN = Paper(io.StringIO())
COLOURED = Paper(io.StringIO(), colour=True)


def test_text_stands_where_it_is_put() -> None:
    row = Row(12)
    row.put(2, "abc")
    row.put_before(10, "xy")
    assert row.render(PLAIN) == "  abc   xy"


def test_half_of_a_wide_character_never_stays() -> None:
    row = Row(8)
    row.put(0, "你好")
    row.put(1, "|")
    assert row.render(PLAIN) == " |好"


def test_what_does_not_fit_is_left_out() -> None:
    row = Row(3)
    row.put(-1, "abc")
    row.put(2, "你")
    assert row.render(PLAIN) == "bc"


def test_colours_are_put_around_runs() -> None:
    row = Row(6)
    row.put(0, "ab", "bad")
    row.put(2, "cd")
    assert row.render(COLOURED) == "\x1b[1;31mab\x1b[0mcd"


@given(st.lists(st.tuples(st.integers(-3, 20), st.text(max_size=9))))
def test_a_row_is_never_wider_than_it_is(puts: list[tuple[int, str]]) -> None:
    row = Row(16)
    for column, written in puts:
        row.put(column, printable(written))
    assert width(row.render(PLAIN)) <= 16
