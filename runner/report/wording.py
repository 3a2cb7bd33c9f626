"""Calls and values in few words: `c.connect(server:8888)`, `= "hello"`, `ECONNREFUSED`.

Shorter than Python and made for pictures; records keep the whole call. All that comes out is printable.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from runner.history import CallRecord
from runner.report.text import counted, printable

Owner = Callable[[str], str]
"""An address -> the host that has it, or the address itself."""

SHOWN = 48
"""A longer payload is written as a beginning of so many characters, and its length."""

_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""What the error handler `surrogateescape` makes of such bytes."""
_ADDRESSED = {"connect", "connect_ex", "bind"}
"""Methods whose first argument is an address."""
_MAKERS = {"accept", "dup", "makefile"}


def call(record: CallRecord, owner: Owner) -> str:
    """A call without what it came to: `c.connect(server:8888)`, `conn.recv(1024)`."""
    given = list(enumerate(record.arguments or ()))
    if record.name in ("setsockopt", "getsockopt"):
        given = given[1:]  # the level follows from the option's name
    arguments = ", ".join(_argument(record, place, one, owner) for place, one in given)
    if record.name == "run":
        return printable(f"run {record.object}")
    if record.arguments is None:
        return printable(record.python)
    written = f"{record.name}({arguments})"
    if _is_function(record):
        return printable(f"{record.object} = {written}" if record.object else written)
    return printable(f"{record.object}.{written}")


def _is_function(record: CallRecord) -> bool:
    """Whether it was a function of the module and no method: the object it was `on` is what it made then."""
    makes = (record.object or "").replace(",", ", ")
    return record.object is None or record.python.startswith(f"{makes} = {record.name}(")


def _argument(record: CallRecord, place: int, one: Any, owner: Owner) -> str:
    addressed = record.name in _ADDRESSED or (record.name == "sendto" and place > 0)
    if addressed and isinstance(one, list | str):
        return address(one, owner)
    return value(one, owner)


def outcome(record: CallRecord, owner: Owner) -> str:
    """What a call came to: empty for nothing, an errno, a value, the name of what it made."""
    if record.failure is not None:
        return printable(str(record.failure.get("errno") or record.failure.get("type") or "failed"))
    if record.ended_ns is None:
        return "never returned"
    if record.made and record.name in _MAKERS:
        return printable(record.made)
    if record.value is None or (isinstance(record.value, dict) and "object" in record.value):
        return ""
    if record.name in ("recvfrom", "accept") and isinstance(record.value, list) and len(record.value) == 2:
        return f"{value(record.value[0], owner)} from {address(record.value[1], owner)}"
    if record.name in ("getsockname", "getpeername"):
        return address(record.value, owner)
    return value(record.value, owner)


def value(one: Any, owner: Owner = str) -> str:
    """A value of a record (JSON as the agent writes it), printable."""
    match one:
        case {"bytes": str() as text}:
            return _shown(text)
        case {"base64": str() as text}:
            return _shown(_decoded(text))
        case {"constant": str() as name} | {"object": str() as name} | {"interface": str() as name}:
            return printable(name)
        case {"pack": [_, *parts]}:
            return "{" + ", ".join(value(part, owner) for part in parts) + "}"
        case {"list": list() as parts}:
            return "[" + ", ".join(value(part, owner) for part in parts) + "]"
        case {"repr": str() as text}:
            return printable(text)
        case str():
            return _shown(one)
        case dict():
            named = (f"{name}: {value(part, owner)}" for name, part in one.items())
            return printable("{" + ", ".join(named) + "}")
        case list():
            return "(" + ", ".join(value(part, owner) for part in one) + ")"
        case _:
            return printable(str(one))


def address(one: Any, owner: Owner) -> str:
    """A socket's address as scenarios write it: `server:8888`, `:8888`, `@abstract`, a path."""
    match one:
        case [str() as host, int() as port, *_]:
            name = "" if host in ("", "0.0.0.0", "::") else owner(host)
            return printable(f"[{name}]:{port}" if ":" in name else f"{name}:{port}")
        case str():
            return printable("@" + one[1:] if one.startswith("\0") else one)
        case {"bytes": str()} | {"base64": str()}:
            return value(one)
        case None:
            return "nobody"
        case _:
            return value(one)


def _decoded(text: str) -> str:
    try:
        data = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text
    return data.decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    r"""Text in quotes, shortened; a byte that is not UTF-8 as \xNN."""
    escaped = text[:SHOWN].replace("\\", "\\\\").replace('"', '\\"')
    inner = printable(_NOT_UTF8.sub(lambda one: f"\\x{ord(one[0]) - 0xDC00:02x}", escaped))
    return f'"{inner}"' if len(text) <= SHOWN else f'"{inner}"... {counted(len(text), "character")}'
