"""Bytes for a reader: offset, hexadecimal numbers and characters, as wide as there is room.

0000  68 65 6c 6c 6f 20 6c 61  62  hello lab
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.report.text import counted

OFFSET = 6
"""The cells of a line's offset and the blanks behind it."""
WIDTHS = (32, 16, 8, 4)
"""How many bytes a line may have; the most that fit are taken."""
GROUP = 8
"""Bytes that stand close together."""


def lines(data: bytes, room: int, limit: int | None = None) -> Iterator[str]:
    """The lines of a dump in so many cells; of more than `limit` bytes the first, and how many are left out."""
    across = next((one for one in WIDTHS if OFFSET + _numbers(one) + 2 + one <= room), WIDTHS[-1])
    shown = data if limit is None else data[:limit]
    column = _numbers(min(across, len(shown)))
    for place in range(0, len(shown), across):
        part = shown[place : place + across]
        groups = (part[begin : begin + GROUP].hex(" ") for begin in range(0, len(part), GROUP))
        yield f"{place:04x}  {'  '.join(groups):<{column}}  {_characters(part)}"
    if len(shown) < len(data):
        yield f"... {counted(len(data) - len(shown), 'more byte')}"


def _numbers(across: int) -> int:
    """How many cells the numbers of so many bytes take."""
    return max(0, 3 * across - 1) + max(0, across - 1) // GROUP


def _characters(part: bytes) -> str:
    """Printable ASCII as it is, a dot for each other byte."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
