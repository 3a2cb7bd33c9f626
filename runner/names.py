"""`$name` in texts: finding, checking and filling in.

`$name.part` is a part of a value, `$x+1` adds a whole number (to a sequence number as TCP does), `$$` is a
dollar. Nothing is evaluated, and which names there are is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.engine import Interface
from runner.errors import Misplaced
from runner.packets import Packet
from runner.scope import Scope

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a name of a socket, file, program or value looks like."""

_REFERENCE = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+)*)(?:\+([0-9]{1,18}))?)?")


@dataclass(frozen=True)
class Reference:
    """One `$name.part+1` in a text; `start` and `end` are its place there, `plus` what is added."""

    root: str
    parts: tuple[str, ...]
    plus: int
    start: int
    end: int
    root_end: int

    def __str__(self) -> str:
        return "$" + ".".join((self.root, *self.parts)) + (f"+{self.plus}" if self.plus else "")


@dataclass(frozen=True)
class Unfilled:
    """A value whose names are not known yet: it stands in a model until the step is settled."""

    text: str

    def __str__(self) -> str:
        return self.text


def pieces(text: str) -> Iterator[str | Reference]:
    """The text cut at its references, `$$` already a dollar; raises Misplaced for a `$` that begins no
    name."""
    position = 0
    for found in _REFERENCE.finditer(text):
        if found.start() > position:
            yield text[position : found.start()]
        position = found.end()
        escaped, root, parts, plus = found.groups()
        if escaped:
            yield "$"
        elif root is None:
            line = text.count("\n", 0, found.start())
            column = found.start() - (text.rfind("\n", 0, found.start()) + 1)
            raise Misplaced("`$` begins a name; a dollar is written $$", line=line, column=column)
        else:
            names = tuple(parts.split(".")[1:])
            yield Reference(root, names, int(plus or 0), found.start(), found.end(), found.end(2))
    if position < len(text):
        yield text[position:]


def references(text: str) -> list[Reference]:
    """All references in a text; none where a `$` begins no name."""
    if "$" not in text:
        return []
    try:
        return [piece for piece in pieces(text) if isinstance(piece, Reference)]
    except Misplaced:
        return []


def unfilled(value: Any) -> Any:
    """A raw value (dicts, lists, texts) with every text that holds a reference marked as Unfilled."""
    match value:
        case str() if "$" in value:
            return Unfilled(value) if references(value) else value.replace("$$", "$")
        case list():
            return [unfilled(item) for item in value]
        case dict():
            return {key: unfilled(item) for key, item in value.items()}
        case _:
            return value


def holds_unfilled(value: Any) -> bool:
    """Whether a raw value has a part whose names are not known yet."""
    match value:
        case Unfilled():
            return True
        case dict():
            return any(map(holds_unfilled, value.values()))
        case list():
            return any(map(holds_unfilled, value))
        case _:
            return False


def filled(value: Any, look_up: Callable[[Reference], Any]) -> Any:
    """A raw value with every reference replaced; raises Misplaced where a value does not fit its place.

    A text that is one reference and nothing else becomes the value itself, otherwise its text is inserted.
    """
    match value:
        case str() if "$" in value:
            return _filled_text(value, look_up)
        case list():
            return [filled(item, look_up) for item in value]
        case dict():
            return {str(filled(key, look_up)): filled(item, look_up) for key, item in value.items()}
        case _:
            return value


def _filled_text(text: str, look_up: Callable[[Reference], Any]) -> Any:
    found = list(pieces(text))
    if len(found) == 1 and isinstance(found[0], Reference):
        value = look_up(found[0])
        return value_text(value) if is_address(value) else value
    return "".join(one if isinstance(one, str) else value_text(look_up(one)) for one in found)


def insert(text: str, known: Mapping[str, str]) -> str:
    """A text with the names of `known` replaced and everything else, also `$$`, left as it is.

    What such a name stands for has no parts, so `.` behind it is plain text: `$kind.yaml`. `$i+1` adds where
    the value is a whole number; raises Misplaced where it is not.
    """

    def replaced(found: re.Match[str]) -> str:
        root, parts, plus = found[2], found[3], found[4]
        if root not in known:
            return found[0]
        value = known[root]
        if plus is None:
            return value + (parts or "")
        if parts:
            return f"{value}{parts}+{plus}"
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise Misplaced(f"{root} is {value!r}, and only to a whole number something can be added")
        return str(int(value) + int(plus))

    return _REFERENCE.sub(replaced, text)


# -- values ----------------------------------------------------------------------------------------


def is_address(value: Any) -> bool:
    """Whether a value is a socket's address as Python gives it: a list of host, port and perhaps more."""
    return (
        isinstance(value, list | tuple)
        and len(value) in (2, 4)
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def value_text(value: Any) -> str:
    """A value as it stands inside a text; raises Misplaced where it has no text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                raise Misplaced("these bytes are not UTF-8: they cannot stand inside a text") from None
        case [str() as host, int() as port, *_] if is_address(value):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case dict():
            raise Misplaced(f"this value has parts, say which: {', '.join(map(str, value))}")
        case _:
            raise Misplaced("this has no value that could stand in a text")


def look_up(scope: Scope, reference: Reference) -> Any:
    """What a reference stands for now; raises Misplaced where nothing does."""
    root = reference.root
    if root in scope.values:
        value = _parts_of(root, scope.values[root], reference.parts)
    elif root in scope.interfaces:
        value = _host_part(scope, root, reference.parts)
    elif root in scope.things:
        raise Misplaced(f"{root} is a {scope.things[root].kind} and has no value")
    else:
        raise Misplaced(f"{root} has no value yet")
    if not reference.plus:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise Misplaced(f"only to a whole number something can be added, and {root} is none")
    total = value + reference.plus
    return total % (1 << 32) if reference.parts in _GOING_ROUND else total


_GOING_ROUND = {(layer, field) for layer in ("TCP", "TCPerror") for field in ("seq", "ack")}
"""Sequence numbers of a packet: behind the largest comes 0 (RFC 9293 section 3.4)."""


def _parts_of(name: str, value: Any, parts: tuple[str, ...]) -> Any:
    if isinstance(value, Packet) and parts:
        return _packet_part(name, value, parts)
    for part in parts:
        known = _known_parts(value)
        if part not in known:
            has = f"its parts: {', '.join(known)}" if known else "it has none"
            raise Misplaced(f"{name} has no part {part!r} ({has})")
        value = known[part]
        name = f"{name}.{part}"
    return value


def _packet_part(name: str, packet: Packet, parts: tuple[str, ...]) -> Any:
    """A field of a packet that was taken (`$synack.TCP.seq`, as on the wire), or its payload (`$synack.data`)."""
    from runner import fields

    if parts == ("data",):
        return packet.payload
    field = ".".join(parts)
    problem = packet_part_problem(parts)
    if problem is not None:
        raise Misplaced(f"{name} has no part {field!r}: {problem}")
    found = fields.value(packet, field)
    if found is None:
        raise Misplaced(f"the packet {name} has no {field}")
    return found


def packet_part_problem(parts: tuple[str, ...]) -> str | None:
    """None if a packet can have such a part, else what is wrong with it."""
    from runner import fields

    if parts == ("data",):
        return None
    return (
        fields.known(".".join(parts)) if len(parts) == 2 else "say its layer and its field (TCP.seq), or data"
    )


def _known_parts(value: Any) -> dict[str, Any]:
    match value:
        case dict():
            return {str(key): part for key, part in value.items()}
        case list() | tuple() if is_address(value):
            return {"host": value[0], "port": value[1]}
        case list() | tuple():
            return {str(number): part for number, part in enumerate(value)}
        case _:
            return {}


def _host_part(scope: Scope, host: str, parts: tuple[str, ...]) -> Any:
    """`$server.ip4`, or `$gate.inside.ip4` on one network."""
    if parts == ("name",) or not parts:
        return host
    ends = scope.interfaces[host]
    if len(parts) == 2:
        ends = tuple(end for end in ends if end.network == parts[0])
        if not ends:
            raise Misplaced(f"host {host} is on no network {parts[0]}")
    if len(parts) > 2 or parts[-1] not in _HOST_PARTS:
        known = ", ".join(("name", *_HOST_PARTS))
        raise Misplaced(f"host {host} has no part {'.'.join(parts)!r} (its parts: {known})")
    for end in ends:
        value = _HOST_PARTS[parts[-1]](end)
        if value:
            return value[0]
    raise Misplaced(f"host {host} has no {parts[-1]}")


def _broadcast(end: Interface) -> tuple[str, ...]:
    """The directed broadcast address of a network: its own bits, and ones behind them (RFC 922 section 7)."""
    import ipaddress

    return tuple(
        str(ipaddress.ip_interface(f"{one}/{end.prefix4}").network.broadcast_address) for one in end.ip4[:1]
    )


_HOST_PARTS: Mapping[str, Callable[[Interface], Sequence[str]]] = {
    "ip4": lambda end: end.ip4[:1],
    "ip6": lambda end: end.ip6[:1],
    "mac": lambda end: (end.mac,),
    "broadcast": _broadcast,
}
"""What a host has on a network: `$server.ip4`; the first of each is its own."""
