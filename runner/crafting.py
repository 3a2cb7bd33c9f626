"""Packets as a scenario writes them, layer by layer: read, their left-out addresses filled in, made into bytes.

Layers and fields have scapy's names (through `runner.dissect`), numbers are as on the wire, the name of a host
stands for its address. What the lab knows is `runner.steps.packets`' to say: nothing here does I/O.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from runner import dissect
from runner.addresses import check_host
from runner.dissect import BuiltLayer, FieldKind
from runner.errors import Misplaced
from runner.model import MisplacedAt, Surroundings
from runner.names import Unfilled, holds_unfilled
from runner.quoting import quoted
from runner.reading import suggestion
from runner.values import below, is_whole, list_of, read_bytes, read_text, read_whole, refuse

DATA = "data"
"""What stands in the place of a layer's name where bytes follow."""
IP_LAYERS = ("IP", "IPv6")
FRAME_LAYERS = ("Ether", "Dot3", "ARP")
SHOWN = 32
"""A longer payload is shown as a prefix of so many bytes."""
_TELLING = ("type", "flags", "op", "opcode", "qname")
"""Fields that say what kind of packet it is, for people."""
_TELLING_OF = frozenset({"ICMP", "TCP", "ARP", "DNSQR", "IGMP", "ICMPv6EchoRequest"})
_BYTES = FieldKind("bytes")
_WRAPPING = frozenset({"seq", "ack"})
"""Sequence numbers go round at 2**32 (RFC 9293 section 3.4): `$synack.TCP.seq+1` does too."""
_PLACEHOLDERS = {"ip4": "0.0.0.0", "ip6": "::", "mac": "00:00:00:00:00:00"}
"""What stands for a host until its addresses are known."""


@dataclass(frozen=True)
class Layer:
    """One layer as it is written. Values are numbers, texts, bytes, Layers, and lists of these; a host's name stands
    in a field of addresses until `resolve` was asked. Of `data` the one field is `load`.
    """

    name: str
    fields: Mapping[str, Any]

    def with_fields(self, **more: Any) -> Layer:
        """The same with some fields said."""
        return replace(self, fields={**self.fields, **more})


# --- reading --------------------------------------------------------------------------------------


def read_layers(value: Any, around: Surroundings) -> tuple[Layer, ...]:
    """Layers from the outermost on, each a map of its name and its fields; `data` has bytes.

    Raises MisplacedAt for an unknown layer or field, and a value that scapy does not take.
    """
    if not isinstance(value, list) or not value:
        refuse(value, "a list of layers such as [{IP: {dst: server}}, {data: hello}]")
    return list_of(_read_layer)(value, around)


def _read_layer(value: Any, around: Surroundings) -> Layer:
    if not isinstance(value, dict) or len(value) != 1:
        refuse(value, "a layer, a map of its name and its fields: {IP: {dst: server}};")
    ((name, inside),) = value.items()
    if name == DATA:
        return Layer(DATA, {"load": below(DATA, read_bytes, inside, around)})
    problem = dissect.layer_problem(name)
    if problem is not None:
        message, _, _ = problem.partition(";")
        near = DATA if name.lower() in ("raw", "payload") else suggestion(name, dissect.layers())
        raise MisplacedAt((), message, length=len(name), suggestion=near)
    if not isinstance(inside, dict):
        raise MisplacedAt((name,), f"the fields of {name} are a map: {{{name}: {{}}}} has none")
    fields = {}
    for key, one in inside.items():
        fields[key] = _read_field(name, key, one, around)
    if name in IP_LAYERS and "dst" not in fields:
        raise MisplacedAt((name,), f"{name} needs a dst: the name of a host, or an address")
    layer = Layer(name, fields)
    if not holds_unfilled(list(fields.values())):
        _check_built(layer)
    return layer


def _read_field(layer: str, name: str, value: Any, around: Surroundings) -> Any:
    problem = dissect.field_problem(layer, name)
    if problem is not None:
        known = [one.name for one in dissect.layers()[layer].fields_desc]
        message, _, _ = problem.partition(";")
        raise MisplacedAt(
            (layer, name), f"{message} (its fields: {', '.join(known)})", suggestion=suggestion(name, known)
        )
    try:
        return _read_value(layer, name, dissect.field_kind(layer, name), value, around)
    except Misplaced as wrong:
        raise MisplacedAt.below(layer, MisplacedAt.below(name, wrong)) from None


def _read_value(layer: str, name: str, kind: FieldKind, value: Any, around: Surroundings) -> Any:
    if isinstance(value, Unfilled):
        return value
    match kind.sort:
        case "number":
            return _read_number(name, kind, value, around)
        case "bytes":
            return read_bytes(value, around)
        case "ip4" | "ip6" | "mac":
            return _read_address(kind.sort, value, around)
        case "flags":
            return _read_flags(name, kind, value, around)
        case "layers":
            return _read_inner(value, around)
        case "options":
            return [below(number, _read_option, one, around) for number, one in enumerate(_listed(value))]
        case "list":
            inner = partial(_read_value, layer, name, FieldKind(kind.entries))
            return [below(number, inner, one, around) for number, one in enumerate(_listed(value))]
        case _:
            return _read_plain(value, around)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        refuse(value, "a list")
    return value


def _read_number(name: str, kind: FieldKind, value: Any, around: Surroundings) -> int | str:
    if isinstance(value, str) and not is_whole(value):
        if value in kind.names or not kind.names:  # scapy says what it thinks of words it alone knows
            return value
        raise Misplaced(
            f"{value!r} is no value of {name}", length=len(value), suggestion=suggestion(value, kind.names)
        )
    number = read_whole(value, around)
    if isinstance(value, int) and name in _WRAPPING and kind.bits == 32:
        number %= 1 << 32
    if kind.bits and not 0 <= number < 1 << kind.bits:
        wrong = f"{name} has {kind.bits} bits: a number from 0 to {(1 << kind.bits) - 1}"
        raise Misplaced(wrong, length=len(str(value)))
    return number


def _read_flags(name: str, kind: FieldKind, value: Any, around: Surroundings) -> int | str:
    """Flags as scapy writes them: letters (`SA`), or names joined with a plus sign (`MF+DF`); or their number."""
    if is_whole(str(value)):
        return read_whole(value, around)
    text = read_text(value, around)
    letters = all(len(one) == 1 for one in kind.names)
    for one in filter(None, text if letters else text.split("+")):
        if one not in kind.names:
            raise Misplaced(f"{name} are of {' '.join(kind.names)}, not {one!r}", length=max(1, len(text)))
    return text


_LITERALS = {
    "ip4": re.compile(r"[0-9]+(\.[0-9]+){3}"),
    "ip6": re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"),
    "mac": re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}"),
}


def _read_address(sort: str, value: Any, around: Surroundings) -> str:
    """An address of that kind, or the name of a host. No other name: nothing is asked for it."""
    text = read_text(value, around)
    if _LITERALS[sort].fullmatch(text):
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


def _read_plain(value: Any, around: Surroundings) -> Any:
    """What only scapy knows the meaning of: a number where it looks like one, bytes, or a text."""
    match value:
        case str():
            return read_whole(value, around) if is_whole(value) else value
        case dict():
            return read_bytes(value, around)
        case list():
            return [_read_plain(one, around) for one in value]
        case _:
            return value


def _read_inner(value: Any, around: Surroundings) -> Any:
    """A layer, or a list of them, inside a field."""
    if isinstance(value, list):
        return [below(number, _read_layer, one, around) for number, one in enumerate(value)]
    return _read_layer(value, around)


def _read_option(value: Any, around: Surroundings) -> tuple[Any, ...]:
    """A TCP option as scapy has it: a name or number and what it holds: [MSS, 1460], [NOP], [Timestamp, 1, 2]."""
    if not isinstance(value, list) or not value:
        refuse(value, "an option such as [MSS, 1460] or [NOP]")
    name, *held = [_read_plain(one, around) for one in value]
    if name in ("SAckOK", "NOP", "EOL") and not held:
        return (name, b"" if name == "SAckOK" else None)
    return (name, held[0] if len(held) == 1 else tuple(held))


def _check_built(layer: Layer) -> None:
    """Have scapy build the layer alone; raises MisplacedAt at the field that it does not take."""
    if dissect.build_problem([_plain(layer)]) is None:
        return
    for name, value in layer.fields.items():
        problem = dissect.build_problem([_plain(Layer(layer.name, {name: value}))])
        if problem is not None:
            raise MisplacedAt((layer.name, name), f"{layer.name} does not take this {name}: {problem}")
    problem = dissect.build_problem([_plain(layer)])
    raise MisplacedAt((layer.name,), f"these fields of {layer.name} do not fit together: {problem}")


def _plain(layer: Layer) -> BuiltLayer:
    """The layer with placeholders for hosts and for addresses that are not said."""
    said = resolved(layer, lambda sort, _: _PLACEHOLDERS[sort])
    left_out = {name: _PLACEHOLDERS[sort] for name, sort in ADDRESSED.get(layer.name, {}).items()}
    return _buildable(Layer(said.name, {**left_out, **said.fields}))


def resolved(layer: Layer, address_of: Callable[[str, str], str]) -> Layer:
    """The layer with every host's name replaced: `address_of` gets `ip4`, `ip6` or `mac`, and the name."""
    fields = {}
    for name, value in layer.fields.items():
        kind = _BYTES if layer.name == DATA else dissect.field_kind(layer.name, name)
        fields[name] = _resolved(value, kind.entries if kind.sort == "list" else kind.sort, address_of)
    return Layer(layer.name, fields)


def _resolved(value: Any, sort: str, address_of: Callable[[str, str], str]) -> Any:
    match value:
        case Layer():
            return resolved(value, address_of)
        case list():
            return [_resolved(one, sort, address_of) for one in value]
        case str() if sort in _LITERALS and not _LITERALS[sort].fullmatch(value):
            return address_of(sort, value)
        case _:
            return value


ADDRESSED: Mapping[str, Mapping[str, str]] = {
    "Ether": {"src": "mac", "dst": "mac"},
    "Dot3": {"src": "mac", "dst": "mac"},
    "ARP": {"hwsrc": "mac", "psrc": "ip4"},
    "IP": {"src": "ip4", "dst": "ip4"},
    "IPv6": {"src": "ip6", "dst": "ip6"},
}
"""Fields that scapy would fill from the machine that it runs on: they are always said."""

# --- making ---------------------------------------------------------------------------------------


def build(layers: Iterable[Layer]) -> bytes:
    """The bytes of layers whose addresses are all said; raises Misplaced with what scapy says about them."""
    wanted = [_buildable(one) for one in layers]
    try:
        return dissect.built(wanted)
    except Exception as error:  # scapy raises whatever its fields raise
        raise Misplaced(f"these layers do not fit together: {type(error).__name__}: {error}") from None


def _buildable(layer: Layer) -> BuiltLayer:
    name = "Raw" if layer.name == DATA else layer.name
    return BuiltLayer(name, {key: _inner(value) for key, value in layer.fields.items()})


def _inner(value: Any) -> Any:
    match value:
        case Layer():
            return _buildable(value)
        case list():
            return [_inner(one) for one in value]
        case _:
            return value


def are_complete(layers: Sequence[Layer]) -> bool:
    """Whether every address is said as such, so that the layers can be built without a lab."""
    return all(
        resolved(layer, lambda sort, name: "") == layer
        and set(ADDRESSED.get(layer.name, ())) <= set(layer.fields)
        for layer in layers
    )


def text_of(layers: Sequence[Layer]) -> str:
    """The packet for people, one line: `IP / ICMP echo-request / "hello"`."""
    return " / ".join(_layer_text(layer) for layer in layers)


def _layer_text(layer: Layer) -> str:
    if layer.name == DATA:
        load = layer.fields["load"]
        if isinstance(load, bytes):
            return quoted(load) if len(load) <= SHOWN else f"{quoted(load, SHOWN)} {len(load):,} bytes"
        return str(load)
    if layer.name not in _TELLING_OF:
        return layer.name
    said = [str(layer.fields[name]) for name in _TELLING if isinstance(layer.fields.get(name), str | int)]
    return " ".join([layer.name, *said])
