"""Text that came from outside, made fit for a terminal: escaped, measured and shortened.

Payloads, names in captures and what programs say are hostile: no control character, no escape sequence and no
character that turns the direction of writing gets through `printable`. Colours are `runner.report.paper`'s.
"""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"
STACKED = 2
"""How many combining marks may stand on a character; more are escaped: they would run over other lines."""


def printable(text: str) -> str:
    """One line of text that a terminal shows as it is: everything else is written as an escape of Python.

    What is printable says Unicode's general category: Other (controls, format characters such as those for
    the direction of writing, surrogates, unassigned) and Separator (all but the space) are not
    (`str.isprintable`).
    """
    if text.isascii() and text.isprintable():
        return text
    found: list[str] = []
    stacked = 0
    for character in text:
        stacked = stacked + 1 if unicodedata.combining(character) else 0
        plain = character.isprintable() and stacked <= STACKED
        found.append(character if plain else _escaped(character))
    return "".join(found)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def lines(text: str) -> list[str]:
    """The lines of a longer text, each printable."""
    return [printable(line) for line in text.expandtabs().split("\n")]


def cells(character: str) -> int:
    """How many cells of a terminal a character takes: 2, 1 or 0 (Unicode Standard Annex 11)."""
    if character.isascii():
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width(text: str) -> int:
    """How many cells a printable text takes."""
    return len(text) if text.isascii() else sum(map(cells, text))


def shortened(text: str, limit: int) -> str:
    """The text cut to at most `limit` cells, with an ellipsis where something was cut."""
    if width(text) <= limit:
        return text
    if limit <= 0:
        return ""
    kept, used = [], 0
    for character in text:
        used += cells(character)
        if used > limit - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ELLIPSIS


def padded(text: str, limit: int) -> str:
    """The text cut or filled with blanks to exactly `limit` cells."""
    cut = shortened(text, limit)
    return cut + " " * (limit - width(cut))


def wrapped(text: str, limit: int) -> list[str]:
    """A text for people as printable lines of at most `limit` characters, at least one."""
    import textwrap

    return [part for line in lines(text) for part in textwrap.wrap(line, max(20, limit)) or [""]]


def duration(ns: int) -> str:
    """A duration for people: `85 us`, `3.2 ms`, `1.50 s`."""
    if ns < 1_000_000:
        return f"{ns / 1e3:.0f} us"
    if ns < 1_000_000_000:
        return f"{ns / 1e6:.3g} ms"
    return f"{ns / 1e9:.2f} s"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 packet`, `2 packets`, `1,000 packets`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
