"""When there are colours, how wide the paper is, and which characters it takes."""

from __future__ import annotations

import io

import pytest

from runner.report import paper


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_colours() -> None:
    assert paper.terminal(Terminal()).styled("x", "good") == "\x1b[32mx\x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert paper.terminal(Terminal()).styled("x", "good") == "x"


def test_no_colours_and_80_columns_in_a_pipe() -> None:
    made = paper.terminal(io.StringIO())
    assert (made.colour, made.width) == (False, 80)


def test_columns_say_how_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "132")
    assert paper.terminal(io.StringIO()).width == 132


def test_ascii_where_the_stream_can_write_no_more() -> None:
    assert paper.terminal(io.TextIOWrapper(io.BytesIO(), encoding="ascii")).marks is paper.ASCII
    assert paper.terminal(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")).marks is paper.UNICODE


def test_lines_have_no_blanks_at_their_ends() -> None:
    stream = io.StringIO()
    paper.Paper(stream).lines(["a  ", ""])
    assert stream.getvalue() == "a\n\n"
