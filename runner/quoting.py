"""Bytes as the notation writes them: in double quotes, everything that is not plain ASCII as an escape.

The one definition for reading and writing. Payloads are hostile text: what comes out of here is printable
ASCII only.
"""

from __future__ import annotations

import re

from runner.errors import Misplaced

QUOTED = r'"(?:[^"\\\n]|\\.)*"'
"""A pattern of a quoted text, escapes included."""

_ESCAPES = {"n": 10, "r": 13, "t": 9, "\\": 92, '"': 34, "0": 0}
_NAMES = {10: "\\n", 13: "\\r", 9: "\\t", 92: "\\\\", 34: '\\"'}
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\$')
"""What stands for itself. A dollar does not: scenarios fill in names after it."""


def quoted(data: bytes, limit: int | None = None) -> str:
    """The bytes in double quotes; those beyond `limit` are left out and `...` follows, as for a prefix."""
    shown = data if limit is None else data[:limit]
    text = "".join(chr(byte) if byte in _PLAIN else _NAMES.get(byte, f"\\x{byte:02x}") for byte in shown)
    return f'"{text}"' + ("..." if len(shown) < len(data) else "")


def unquoted(text: str) -> bytes:
    r"""The bytes of a text between double quotes (given with them): UTF-8, with \n \r \t \0 \\ \" and \xNN.

    Raises Misplaced with the column inside `text` of an escape that is none.
    """
    found = bytearray()
    position = 1
    while position < len(text) - 1:
        letter = text[position]
        if letter != "\\":
            found += letter.encode("utf-8", "surrogateescape")
            position += 1
            continue
        number = re.compile(r"x([0-9A-Fa-f]{2})").match(text, position + 1)
        if number:
            found.append(int(number[1], 16))
            position += 4
        elif text[position + 1] in _ESCAPES:
            found.append(_ESCAPES[text[position + 1]])
            position += 2
        else:
            message = r"the escapes are \n \r \t \0 \\ " + r"\" and \xNN with two hexadecimal digits"
            raise Misplaced(message, column=position, length=2)
    return bytes(found)


def first_difference(one: bytes, other: bytes) -> int | None:
    """The offset of the first byte in which they differ, or at which the shorter one ends; None if they are
    equal.
    """
    if one == other:
        return None
    end = min(len(one), len(other))
    low, high = 0, end
    while low < high:  # the first difference by halves: long streams are compared by memcmp
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def around(data: bytes, offset: int, before: int = 12, after: int = 20) -> str:
    """The bytes about an offset, quoted, with `...` where more stands before or behind."""
    begin, end = max(0, offset - before), offset + after
    text = quoted(data[begin:end])
    return ("..." if begin else "") + text + ("..." if end < len(data) else "")
