"""Values of a layer's fields as a scenario writes them: numbers, flags, addresses, bytes, TCP's options.

Each is read for what its field takes (`runner.field_kinds`), and what would not fit into it is refused: scapy cuts
it without a word. Layers are `runner.crafting`'s affair; nothing here does I/O.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from runner.addresses import check_host
from runner.errors import Misplaced
from runner.field_kinds import LITERALS, FieldKind
from runner.model import Surroundings
from runner.names import Reference, Unfilled, pieces
from runner.reading import suggestion
from runner.values import is_whole, read_bytes, read_text, read_whole, refuse

_WRAPPING = frozenset({"seq", "ack"})
"""Sequence numbers go round at 2**32 (RFC 9293 section 3.4): `$synack.TCP.seq+1` does too."""
MOST_OF_LABEL = 63
_RECKONED = re.compile(r"\s*[-+*/]\s*([0-9]|$)")


def check_reference(value: Unfilled) -> None:
    """Raise Misplaced where something is reckoned with a reference to a number that cannot be."""
    end = -1
    for piece in pieces(value.text):
        if isinstance(piece, Reference):
            end = piece.end
        elif end >= 0 and _RECKONED.match(piece):
            message = "a number can be added to a name, without a space, and nothing else: $x.TCP.seq+1"
            raise Misplaced(message, column=end, length=len(piece))


def read_number(name: str, kind: FieldKind, value: Any, around: Surroundings) -> int | str:
    """A number of the field's bits, or a word that stands for one; raises Misplaced."""
    if isinstance(value, str) and not is_whole(value):
        if value in kind.names or (kind.own_words and not kind.names):
            return value  # scapy says what it thinks of words that it alone knows
        if not kind.names:
            refuse(value, f"a whole number for {name}")
        raise Misplaced(
            f"{value!r} is no value of {name}", length=len(value), suggestion=suggestion(value, kind.names)
        )
    number = read_whole(value, around)
    if isinstance(value, int) and name in _WRAPPING and kind.bits == 32:
        number %= 1 << 32
    return _fitting(name, kind, number, value)


def _fitting(name: str, kind: FieldKind, number: int, written: Any) -> int:
    if kind.bits and not 0 <= number < 1 << kind.bits:
        wrong = f"{name} has {kind.bits} bits: a number from 0 to {(1 << kind.bits) - 1}"
        raise Misplaced(wrong, length=len(str(written)))
    return number


def read_flags(name: str, kind: FieldKind, value: Any, around: Surroundings) -> int | str:
    """Flags as scapy writes them: letters (`SA`), or names joined with a plus sign (`MF+DF`); or their number.

    Raises Misplaced for a flag that there is not, and a number with more bits.
    """
    if is_whole(str(value)):
        return _fitting(name, kind, read_whole(value, around), value)
    text = read_text(value, around)
    letters = all(len(one) == 1 for one in kind.names)
    for one in filter(None, text if letters else text.split("+")):
        if one not in kind.names:
            raise Misplaced(f"{name} are of {' '.join(kind.names)}, not {one!r}", length=max(1, len(text)))
    return text


def read_sized(name: str, kind: FieldKind, value: Any, around: Surroundings) -> bytes:
    """Bytes that fit into the field; raises Misplaced for more than it has. Fewer are padded with zeros."""
    found = read_bytes(value, around)
    if kind.size and len(found) > kind.size and not LITERALS["mac"].fullmatch(found.decode("latin-1")):
        wrong = f"{name} has {kind.size} bytes, and these are {len(found)}"
        raise Misplaced(wrong, length=len(value) if isinstance(value, str) else 1)
    return found


def read_domain(name: str, value: Any, around: Surroundings) -> bytes:
    """A name of the DNS, bytes as they are; raises Misplaced for a label that is too long (RFC 1035 section 2.3.4)."""
    found = read_bytes(value, around)
    long = max(found.split(b"."), key=len)
    if isinstance(value, str) and len(long) > MOST_OF_LABEL:
        wrong = f"a label of {name} has at most {MOST_OF_LABEL} bytes, and one here has {len(long)}"
        raise Misplaced(wrong, length=len(value))
    return found


def read_address(sort: str, value: Any, around: Surroundings) -> str:
    """An address of that kind, or the name of a host. No other name: nothing is asked for it."""
    text = read_text(value, around)
    if LITERALS[sort].fullmatch(text):
        if sort != "mac":
            try:
                return str(ipaddress.ip_address(text))
            except ValueError:
                raise Misplaced(f"{text!r} is no IP address", length=len(text)) from None
        return text.lower()
    check_host(text, around)
    if around.hosts and text not in around.hosts:
        what = {"ip4": "an IPv4 address", "ip6": "an IPv6 address", "mac": "a MAC"}[sort]
        raise Misplaced(f"{what} or the name of a host is wanted here", length=max(1, len(text)))
    return text


def read_plain(value: Any, around: Surroundings) -> Any:
    """What only scapy knows the meaning of: a number where it looks like one, bytes, or a text."""
    match value:
        case str():
            return read_whole(value, around) if is_whole(value) else value
        case dict():
            return read_bytes(value, around)
        case list():
            return [read_plain(one, around) for one in value]
        case _:
            return value
