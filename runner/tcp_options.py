"""TCP's options as a scenario writes them: `[MSS, 1460]`, `[NOP]`, `[253, {hex: aa}]` (RFC 9293 section 3.1).

scapy leaves out what it does not know and cuts what is too long; here both are refused. Nothing here does I/O.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from typing import Any

from runner import dissect
from runner.errors import Misplaced
from runner.field_kinds import FieldKind
from runner.field_values import read_number
from runner.model import MisplacedAt, Surroundings
from runner.names import Unfilled, holds_unfilled
from runner.reading import suggestion
from runner.values import below, is_whole, read_bytes, read_text, refuse

_EMPTY: dict[str, Any] = {"NOP": None, "EOL": None, "SAckOK": b""}
"""Options that hold nothing, and what scapy has in the place of it."""
_BITS = {"B": 8, "H": 16, "I": 32}
_BY_HAND = "{hex: ..} for one that is wrong on purpose"


def read_option(value: Any, around: Surroundings) -> Any:
    """An option as scapy has it: its name or number and what it holds.

    Raises Misplaced for a name that there is not, and for more, less or other than the option holds. Bytes may stand in
    the place of all that a named one holds.
    """
    if not isinstance(value, list) or not value:
        refuse(value, "an option such as [MSS, 1460] or [NOP]")
    name, *held = value
    if isinstance(name, Unfilled):
        return name
    text = read_text(name, around)
    if is_whole(text):
        return _numbered(below(0, _kind, name, around), held, around)
    known = dissect.tcp_options()
    if text not in known:
        message = f"TCP has no option {text!r}"
        raise MisplacedAt((0,), message, length=max(1, len(text)), suggestion=suggestion(text, known))
    if text in _EMPTY and held in ([], [""]):
        return (text, _EMPTY[text])
    if holds_unfilled(held):
        return Unfilled(str(value))  # read again when the step is settled
    return (text, _held(text, known[text][1], held, around))


def _kind(value: Any, around: Surroundings) -> int:
    return int(read_number("an option", FieldKind("number", bits=8), value, around))


def _numbered(kind: int, held: Sequence[Any], around: Surroundings) -> Any:
    """An option by its number: it holds bytes, and the two without a length (NOP, EOL) nothing."""
    if kind < 2 and not held:
        return (kind, b"")
    if len(held) > 1 or (held and isinstance(held[0], str) and is_whole(held[0])):
        raise MisplacedAt((1,), f"option {kind} holds bytes, such as {{hex: 05b4}}")
    if any(map(holds_unfilled, held)):
        return Unfilled(str(held))
    return (kind, below(1, read_bytes, held[0], around) if held else b"")


def _held(name: str, form: str | None, held: Sequence[Any], around: Surroundings) -> Any:
    """What a named option holds: numbers where scapy has a form for them, else bytes."""
    sizes = [_BITS[one] for one in form or "" if one in _BITS]
    if name != "SAck" and not sizes:
        return _only_bytes(name, form or "", held, around)
    if len(held) == 1 and isinstance(held[0], dict | bytes):
        return below(1, read_bytes, held[0], around)
    if name == "SAck":
        return _edges(held, around)
    if len(held) != len(sizes):
        raise Misplaced(f"{name} holds {_numbers(len(sizes))}, and here are {len(held)}; {_BY_HAND}")
    found = tuple(_number(place, name, bits, held, around) for place, bits in enumerate(sizes, 1))
    return found[0] if len(found) == 1 else found


def _numbers(count: int) -> str:
    return "a number" if count == 1 else f"{count} numbers"


def _edges(held: Sequence[Any], around: Surroundings) -> tuple[int, ...]:
    """Blocks of SACK: two sequence numbers each (RFC 2018 section 3)."""
    if not held or len(held) % 2:
        raise Misplaced(f"SAck holds the two edges of each block, and here are {len(held)}; {_BY_HAND}")
    return tuple(_number(place, "SAck", 32, held, around) for place in range(1, len(held) + 1))


def _number(place: int, name: str, bits: int, held: Sequence[Any], around: Surroundings) -> int:
    return int(
        below(place, partial(read_number, name, FieldKind("number", bits=bits)), held[place - 1], around)
    )


def _only_bytes(name: str, form: str, held: Sequence[Any], around: Surroundings) -> Any:
    if len(held) != 1 or name in _EMPTY:
        wanted = "nothing" if name in _EMPTY else "bytes"
        raise Misplaced(f"{name} holds {wanted}; its number and {_BY_HAND}")
    found = below(1, read_bytes, held[0], around)
    exactly = struct.calcsize(form) if "s" in form else len(found)
    if len(found) != exactly:
        raise MisplacedAt((1,), f"{name} holds {exactly} bytes, and these are {len(found)}")
    return found
