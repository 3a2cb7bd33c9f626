"""The options of a TCP header as text, the same text that checks compare `TCP.options` with.

Runs in the host: standard library only, Python 3.9 syntax. Names and forms are scapy's, which a property test holds
this to; kinds and lengths: RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413, RFC 5482, RFC 2385.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

_END, _NO_OPERATION, _SACK = 0, 1, 5
_FORMS: dict[int, tuple[str, Optional[str]]] = {
    2: ("MSS", "!H"), 3: ("WScale", "!B"), 4: ("SAckOK", None), 8: ("Timestamp", "!II"), 14: ("AltChkSum", "!BH"),
    15: ("AltChkSumOpt", None), 19: ("MD5", "16s"), 28: ("UTO", "!H"), 34: ("TFO", "!II"),
}  # fmt: skip
"""Kind -> name and the form of its value, None where that is bytes."""


def options_text(data: bytes) -> str:
    """`[('MSS', 1460), ('NOP', None)]` for the bytes between the fixed TCP header and the data."""
    found: list[tuple[Any, Any]] = []
    while data:
        kind = data[0]
        if kind == _END:
            found.append(("EOL", None))
            break
        if kind == _NO_OPERATION:
            found.append(("NOP", None))
            data = data[1:]
            continue
        length = max(2, data[1] if len(data) > 1 else 0)
        found.append(_named(kind, data[2:length]))
        data = data[length:]
    return str(found)


def _named(kind: int, value: bytes) -> tuple[Any, Any]:
    """One option: its name, or its number where it has none, and its value."""
    if kind == _SACK:
        name, form = "SAck", "!%dI" % (len(value) // 4)
    elif kind in _FORMS:
        name, form = _FORMS[kind][0], _FORMS[kind][1] or ""
    else:
        return kind, value
    if not form or struct.calcsize(form) != len(value):
        return name, value
    numbers = struct.unpack(form, value)
    return name, numbers[0] if len(numbers) == 1 else numbers
