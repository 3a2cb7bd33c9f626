"""DHCP's options as a scenario writes them: `[[message-type, discover], [router, gate], end]` (RFC 2132).

Names are scapy's; what an option holds is read for what it takes. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from runner import field_kinds
from runner.errors import Misplaced
from runner.field_kinds import FieldKind
from runner.field_values import read_number
from runner.model import MisplacedAt, Surroundings
from runner.names import Unfilled
from runner.reading import suggestion
from runner.values import below, is_whole, read_bytes, read_text, refuse

ReadValue = Callable[[str, FieldKind, Any, Surroundings], Any]
"""Reads a value for a field of that name and kind."""
_BYTE = FieldKind("number", bits=8)


def read_options(value: Any, around: Surroundings, read: ReadValue) -> list[Any]:
    """Options as scapy has them, or bytes in the place of all; raises MisplacedAt at the one that is wrong."""
    if not isinstance(value, list):
        return [read_bytes(value, around)]
    return [below(place, partial(_read_option, read=read), one, around) for place, one in enumerate(value)]


def _read_option(value: Any, around: Surroundings, read: ReadValue) -> Any:
    """A word without values (`pad`, `end`), or a name or number and its values."""
    if isinstance(value, dict | bytes):
        return read_bytes(value, around)
    if value == [] or not isinstance(value, list | str):
        refuse(value, "an option such as [message-type, discover] or end")
    name, *held = value if isinstance(value, list) else [value]
    if isinstance(name, Unfilled):
        return name
    text, place = read_text(name, around), (0,) if isinstance(value, list) else ()
    if is_whole(text):
        number = int(read_number("an option", _BYTE, text, around))
        return (number, *(below(at, read_bytes, one, around) for at, one in enumerate(held, 1)))
    known = field_kinds.dhcp_options()
    if text not in known:
        message = f"DHCP has no option {text!r}"
        raise MisplacedAt(place, message, length=max(1, len(text)), suggestion=suggestion(text, known))
    if text in ("pad", "end") and not held:
        return text
    if not held:
        raise Misplaced(f"{text} holds something: [{text}, ..]")
    reader = partial(_read_held, text, known[text], read)
    return (text, *(below(at, reader, one, around) for at, one in enumerate(held, 1)))


def _read_held(name: str, kind: FieldKind, read: ReadValue, value: Any, around: Surroundings) -> Any:
    if isinstance(value, dict) and kind.sort != "bytes":
        raise Misplaced(
            f"bytes stand for the whole option: its number and {{hex: ..}}, in the place of {name}"
        )
    return read(name, kind, [value] if kind.sort == "list" and not isinstance(value, list) else value, around)
