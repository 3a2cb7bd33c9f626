"""What a report is written on: a stream, its width, and whether it takes colours and more than ASCII.

Plain lines only, no cursor movement. Meanings have colours here and nowhere else.
Not `rich`: importing it takes longer than a whole lab (50 ms against 10).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TextIO

from runner.report.text import ELLIPSIS

Style = Literal["plain", "title", "good", "bad", "waits", "quiet", "host", "data", "state"]

_CODES: dict[Style, str] = {
    "plain": "",
    "title": "1",
    "good": "32",
    "bad": "1;31",
    "waits": "33",
    "quiet": "2",
    "host": "36",
    "data": "1",
    "state": "35",
}
"""SGR parameters (ECMA-48 section 8.3.117). No meaning rests on colour alone: each has a mark too."""

NARROWEST, WIDEST = 60, 200
"""The widths in columns that reports are made for."""


@dataclass(frozen=True)
class Marks:
    """The characters of pictures and lists, in Unicode or in ASCII."""

    passed: str
    failed: str
    waits: str
    unknown: str
    line: str
    waiting: str
    wire: str
    right: str
    left: str
    cross: str
    lost: str
    end: str
    state: str


UNICODE = Marks("✓", "✗", "…", "?", "│", "┊", "─", "▶", "◀", "┼", "x", "└", "●")
ASCII = Marks("ok", "FAILED", "...", "?", "|", ":", "-", ">", "<", "+", "x", "`", "*")


@dataclass(frozen=True)
class Paper:
    """A place to write lines to. `width` is in cells."""

    stream: TextIO
    width: int = 80
    colour: bool = False
    marks: Marks = UNICODE

    def styled(self, text: str, style: Style) -> str:
        """The text in the colour of a meaning, or as it is where there are no colours."""
        code = _CODES[style]
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def line(self, text: str = "") -> None:
        """Write one line, at once: somebody is watching."""
        if self.marks is ASCII:
            text = text.replace(ELLIPSIS, "~")
        self.stream.write(text.rstrip() + "\n")
        self.stream.flush()

    def lines(self, texts: Iterable[str]) -> None:
        """Write several lines."""
        for text in texts:
            self.line(text)


def terminal(stream: TextIO | None = None) -> Paper:
    """The paper that standard output is.

    Colour only on a terminal that is not `dumb` and where NO_COLOR is unset or empty (no-color.org); the
    width of the terminal or of COLUMNS, else 80. Unicode where the stream's encoding can write it.
    """
    stream = stream or sys.stdout
    is_terminal = stream.isatty()
    colour = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    columns = shutil.get_terminal_size((80, 24)).columns if is_terminal or "COLUMNS" in os.environ else 80
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    marks = UNICODE if encoding.startswith("utf") else ASCII
    return Paper(stream, max(NARROWEST, min(columns, WIDEST)), colour, marks)
