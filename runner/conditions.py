"""Conditions: `LAYER`, or `FIELD OP VALUE`, joined by `and`; nothing else. Reading them, and whether a packet
meets them.

Used by `where:`, by `sniff_packet` and by the fields of a ladder line. Knows no flow and no file; what fields
there are is `runner.fields`' affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from runner import fields
from runner.errors import Blind, Misplaced
from runner.headers import ACK
from runner.operands import ORDERS, Operand, Operator, is_address, looks_like_address, read_operand, whole
from runner.packets import Transmission
from runner.quoting import QUOTED, quoted, unquoted
from runner.wire import canonical

Owner = Callable[[str], str]
"""Who owns an address: a host's name, or the address itself (`Evidence.owner`)."""

DERIVED: Mapping[str, str] = {
    "len": "bytes that the transport carries",
    "seq": "sequence number relative to the connection's first",
    "ack": "acknowledgement number relative to the connection's first",
    "after": "time since the packet of the line before (in ladders)",
}
"""Fields that no header has, with what they mean."""

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?"
_FIELD = re.compile(_NAME)
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|=|<|>|has(?=\s|$))\s*")
_VALUE = re.compile(QUOTED + r'|[^\s"?]+')
_AND = re.compile(r"\s+and(?=\s|$)")
_LAYER_OF = {
    "ttl": "IP", "tos": "IP", "id": "IP", "frag": "IP", "src": "IP", "dst": "IP", "proto": "IP",
    "flags": "TCP", "sport": "TCP", "dport": "TCP", "window": "TCP", "type": "ICMP", "code": "ICMP",
}  # fmt: skip
"""What is probably meant by a field without its layer."""


@dataclass(frozen=True)
class Condition:
    """One condition. `operator` is empty for a bare layer. `operand` is as the field wants it, `text` as it
    was written.

    A field that scapy alone knows has its operand as text or bytes (`DNSQR.qname`), to be fitted to what the
    packet has.
    """

    field: str
    operator: Operator
    operand: Operand
    text: str
    column: int = 0
    value_column: int = 0

    def __str__(self) -> str:
        if not self.operator:
            return self.field
        sign = " has " if self.operator == "has" else self.operator
        return f"{self.field}{sign}{self.text}"

    @property
    def host(self) -> str | None:
        """The operand where it must be the name of a host: in a field of addresses, and no address itself."""
        operand = self.operand
        if not isinstance(operand, str) or looks_like_address(operand) or not is_address(self.field):
            return None
        return operand


# --- reading --------------------------------------------------------------------------------------


def parse(text: str) -> tuple[Condition, ...]:
    """Conditions joined by `and`; raises Misplaced with the place, the length and what was probably meant.

    `after` is refused: only a ladder has a line before.
    """
    found: list[Condition] = []
    position = _skip(text, 0)
    while True:
        condition, end = read(text, position)
        if condition.field == "after":
            raise _misplaced(text, position, len("after"), "`after` is for ladders: here is no line before")
        found.append(condition)
        position = _skip(text, end)
        if position == len(text):
            return tuple(found)
        joined = _AND.match(text, end)
        if joined is None:
            length = len(text[position:].split()[0])
            raise _misplaced(text, position, length, "conditions are joined by `and`; there is no other way")
        position = _skip(text, joined.end())


def begins(text: str, position: int) -> bool:
    """Whether `FIELD OP` stands at that place of a text: what distinguishes a condition from a word."""
    name = _FIELD.match(text, position)
    return name is not None and _OPERATOR.match(text, name.end()) is not None


def read(text: str, position: int) -> tuple[Condition, int]:
    """The condition at that place of a text, and where it ends; raises Misplaced."""
    name = _FIELD.match(text, position)
    if name is None:
        rest = text[position:].split()
        message = "here must be a layer or a field, as in TCP.flags = SA"
        raise _misplaced(text, position, len(rest[0]) if rest else 1, message)
    field = name.group()
    operator = _OPERATOR.match(text, name.end())
    if operator is None:
        _check_layer(text, position, field)
        return Condition(field, "", None, "", position), name.end()
    if operator[1] == "==":
        raise _misplaced(text, operator.start(1), 2, "equal is written with one sign", "=")
    _check_field(text, position, field)
    value = _VALUE.match(text, operator.end())
    if value is None:
        raise _misplaced(text, operator.end(), 1, f"here must be the value that {field} is compared with")
    sign: Operator = operator[1]  # type: ignore[assignment]
    operand = _operand(text, value, field, sign)
    found = Condition(field, sign, operand, value.group(), position, value.start())
    return found, value.end()


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _misplaced(text: str, position: int, length: int, message: str, suggestion: str = "") -> Misplaced:
    """The mistake, with its line and column inside the text."""
    line = text.count("\n", 0, position)
    column = position - (text.rfind("\n", 0, position) + 1)
    return Misplaced(message, line=line, column=column, length=max(1, length), suggestion=suggestion)


def _check_layer(text: str, position: int, name: str) -> None:
    if name in DERIVED or "." in name:
        message = f"{name} must be compared with something, as in {name} = 1"
        raise _misplaced(text, position, len(name), message)
    problem = fields.known(name)
    if problem is not None:
        raise _misplaced(text, position, len(name), problem, _with_layer(name))


def _check_field(text: str, position: int, name: str) -> None:
    if name in DERIVED:
        return
    if "." not in name:
        message = f"there is no field {name!r}; fields are LAYER.FIELD, or one of {', '.join(DERIVED)}"
        raise _misplaced(text, position, len(name), message, _with_layer(name))
    problem = fields.known(name)
    if problem is not None:
        raise _misplaced(text, position, len(name), problem)


def _with_layer(name: str) -> str:
    """`IP.ttl` for `ttl`; empty for names that no common layer has."""
    return next((f"{layer}.{field}" for field, layer in _LAYER_OF.items() if field == name.lower()), "")


def _operand(text: str, value: re.Match[str], field: str, operator: Operator) -> Operand:
    """What a value means for that field, with the place of what is wrong about it."""
    written, position = value.group(), value.start()
    try:
        plain: str | bytes = unquoted(written) if written.startswith('"') else written
    except Misplaced as error:
        raise _misplaced(text, position + error.column, error.length, error.message) from None
    try:
        return read_operand(field, operator, plain)
    except Misplaced as error:
        raise _misplaced(text, position, len(written), error.message, error.suggestion) from None


# --- holding --------------------------------------------------------------------------------------


def holds(condition: Condition, seen: Transmission, owner: Owner, since_ns: int | None = None) -> bool:
    """Whether a packet meets a condition. A field that the packet does not have meets none, not even `!=`.

    `since_ns` is when the packet of the line before was sent (for `after`). Raises Blind where the value that
    was written cannot be compared with what the field holds: nothing would be known then.
    """
    if not condition.operator:
        return fields.has_layer(seen.sent, condition.field)
    if condition.operand is None:
        layer = fields.checked_layer(condition.field)
        if not fields.has_layer(seen.sent, layer):
            return False
        return fields.checksum_is_bad(seen.sent, layer) == (condition.operator == "=")
    value = _value(condition, seen, since_ns)
    if value is None:
        return False
    if isinstance(condition.operand, frozenset):
        return _compare_flags(condition.operator, frozenset(str(value)), condition.operand)
    return _compare(condition, value, owner)


def shown(condition: Condition, seen: Transmission, owner: Owner, since_ns: int | None = None) -> str:
    """What a packet has in the place of a condition, as an author would write it: `IP.ttl=64`."""
    field = condition.field
    if not condition.operator:
        return f"no {field}"
    if condition.operand is None:
        if not fields.has_layer(seen.sent, fields.checked_layer(field)):
            return f"no {field}"
        return "a right checksum" if condition.operator == "=" else "a bad checksum"
    value = _value(condition, seen, since_ns)
    if value is None:
        return "no line before it" if field == "after" else f"no {field}"
    if field == "after":
        return f"after={_elapsed(int(value))}"
    if isinstance(value, str) and is_address(field) and owner(value) != value:
        return f"{field}={owner(value)} ({value})"
    text = quoted(value) if isinstance(value, bytes) else str(value)
    return f"{field}={text}"


def _elapsed(ns: int) -> str:
    """A measured time to the microsecond; rounding further could hide why a condition does not hold."""
    us = round(ns / 1000)
    if abs(us) >= 1_000_000:
        return f"{us / 1_000_000:.9g}s"
    return f"{us / 1000:.6g}ms" if abs(us) >= 1000 else f"{us}us"


def _value(condition: Condition, seen: Transmission, since_ns: int | None) -> int | str | bytes | None:
    match condition.field:
        case "len":
            return seen.sent.header.length if seen.sent.header.payload >= 0 else None
        case "seq":
            return seen.seq if seen.seq >= 0 else None
        case "ack":
            return seen.ack if seen.ack >= 0 and seen.sent.header.flags & ACK else None
        case "after":
            return None if since_ns is None else seen.sent.time_ns - since_ns
        case field:
            return fields.value(seen.sent, field)


def _compare_flags(operator: Operator, value: frozenset[str], wanted: frozenset[str]) -> bool:
    if operator == "has":
        return wanted <= value
    return (value == wanted) == (operator == "=")


def _compare(condition: Condition, value: int | str | bytes, owner: Owner) -> bool:
    operator, wanted = condition.operator, condition.operand
    if isinstance(value, int):
        return _compare_numbers(operator, value, _as_number(condition))
    if isinstance(value, str) and isinstance(wanted, str):
        return _compare_texts(condition, value, wanted, owner)
    found = value.encode() if isinstance(value, str) else value
    expected = wanted if isinstance(wanted, bytes) else str(wanted).encode()
    if operator == "has":
        return expected in found
    _refuse_order(condition)
    return (found == expected) == (operator == "=")


def _compare_numbers(operator: Operator, value: int, wanted: int) -> bool:
    match operator:
        case "=":
            return value == wanted
        case "!=":
            return value != wanted
        case "<":
            return value < wanted
        case "<=":
            return value <= wanted
        case ">":
            return value > wanted
        case ">=":
            return value >= wanted
    return value & wanted == wanted  # has: all of these bits


def _compare_texts(condition: Condition, value: str, wanted: str, owner: Owner) -> bool:
    if fields.flag_names(condition.field):
        found, flags = (frozenset(fields.flags_in(condition.field, text)) for text in (value, wanted))
        return _compare_flags(condition.operator, found, flags)
    if fields.lists_addresses(condition.field):
        return _compare_lists(condition.operator, re.findall(r"'([^']+)'", value), wanted, owner)
    if condition.operator == "has":
        return wanted in value
    _refuse_order(condition)
    same = value == wanted
    if not same and is_address(condition.field):
        same = canonical(value) == wanted or owner(value) == wanted
    return same == (condition.operator == "=")


def _compare_lists(operator: Operator, value: list[str], wanted: str, owner: Owner) -> bool:
    """Addresses: `has` is one of them, `=` the only one."""
    same = [canonical(one) == wanted or owner(one) == wanted for one in value]
    return any(same) if operator == "has" else (same == [True]) == (operator == "=")


def _as_number(condition: Condition) -> int:
    wanted = condition.operand
    number = wanted if isinstance(wanted, int) else whole(wanted) if isinstance(wanted, str) else None
    if number is None:
        raise Blind(f"{condition.field} holds a number: it cannot be compared with {condition.text}")
    return number


def _refuse_order(condition: Condition) -> None:
    if condition.operator in ORDERS:
        raise Blind(f"{condition.field} holds no number: it cannot be compared with {condition.operator}")


class Named(NamedTuple):
    """A word that must be the name of a host, with its place in the text."""

    name: str
    column: int


def hosts_in(conditions: tuple[Condition, ...]) -> Iterator[Named]:
    """The names that must be hosts."""
    for condition in conditions:
        if condition.host is not None:
            yield Named(condition.host, condition.value_column)
