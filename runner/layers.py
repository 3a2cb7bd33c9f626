"""Layers of a packet as they are written: what each holds, and what of it the lab has to fill in.

Frozen data and questions about it. Reading is `runner.crafting`'s affair, addresses are `runner.filling`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner import dissect, field_kinds
from runner.dissect import BuiltLayer
from runner.field_kinds import LITERALS, FieldKind
from runner.names import Unfilled
from runner.quoting import quoted

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
_PLACEHOLDERS: Mapping[str, Any] = {"ip4": "0.0.0.0", "ip6": "::", "mac": "00:00:00:00:00:00"}
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


def is_open(value: Any) -> bool:
    """Whether a value, a layer or a part of them has names that are not known yet."""
    match value:
        case Unfilled():
            return True
        case Layer():
            return any(map(is_open, value.fields.values()))
        case list() | tuple():
            return any(map(is_open, value))
        case _:
            return False


def inner_layers(layer: Layer) -> Iterator[Layer]:
    """The layers that stand in its fields, not those in theirs."""
    for value in layer.fields.values():
        yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Layer))


def left_out(layer: Layer) -> Mapping[str, str]:
    """Fields, and the kinds of their addresses, that scapy would fill from the machine and that are not said."""
    return {
        name: sort for name, sort in dissect.machine_fields(layer.name).items() if name not in layer.fields
    }


def resolved(layer: Layer, address_of: Callable[[str, str], str]) -> Layer:
    """The layer with every host's name replaced: `address_of` gets `ip4`, `ip6` or `mac`, and the name."""
    fields = {}
    for name, value in layer.fields.items():
        kind = _BYTES if layer.name == DATA else field_kinds.field_kind(layer.name, name, layer.fields)
        fields[name] = _resolved(value, (kind.entry or kind).sort, address_of)
    return Layer(layer.name, fields)


def _resolved(value: Any, sort: str, address_of: Callable[[str, str], str]) -> Any:
    match value:
        case Layer():
            return resolved(value, address_of)
        case list():
            return [_resolved(one, sort, address_of) for one in value]
        case (str() as name, *held) if isinstance(value, tuple) and sort == "dhcp":
            kind = field_kinds.dhcp_options()[name]
            return (name, *(_resolved(one, (kind.entry or kind).sort, address_of) for one in held))
        case str() if sort in LITERALS and not LITERALS[sort].fullmatch(value):
            return address_of(sort, value)
        case _:
            return value


def buildable(layer: Layer) -> BuiltLayer:
    """The layer as scapy is to build it."""
    name = "Raw" if layer.name == DATA else layer.name
    return BuiltLayer(name, {key: _inner(value, buildable) for key, value in layer.fields.items()})


def with_placeholders(layer: Layer) -> BuiltLayer:
    """The same with something in the place of hosts, and of addresses that are not said."""
    said = resolved(layer, lambda sort, _: _PLACEHOLDERS[sort])
    kinds = {name: field_kinds.field_kind(layer.name, name, layer.fields) for name in left_out(layer)}
    missing = {name: _PLACEHOLDERS.get(kind.sort, b"") for name, kind in kinds.items()}
    inner = {key: _inner(value, with_placeholders) for key, value in said.fields.items()}
    return BuiltLayer(buildable(Layer(layer.name, {})).name, {**missing, **inner})


def _inner(value: Any, built: Callable[[Layer], BuiltLayer]) -> Any:
    match value:
        case Layer():
            return built(value)
        case list():
            return [_inner(one, built) for one in value]
        case _:
            return value


def are_complete(layers: Sequence[Layer]) -> bool:
    """Whether every address is said as such, so that the layers can be built without a lab."""
    return all(
        resolved(layer, lambda sort, name: "") == layer
        and not left_out(layer)
        and are_complete(tuple(inner_layers(layer)))
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
