"""Scapy's answer: the only module that imports it, and only when it is asked something.

It takes about half a second to load, so common fields never come here (`runner.fields`). All layers are
loaded at once, because what scapy makes of a payload depends on which are.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

ETHERNET = 1
_CONTRIBUTED = {"IGMP": "scapy.contrib.igmp", "IGMPv3": "scapy.contrib.igmpv3"}
"""Layers that older versions of scapy do not load by themselves, and the modules they are in."""
_RAW_LINKS = frozenset({12, 14, 101, 228, 229})


@cache
def _scapy() -> Any:
    """scapy.all with the contributed layers that a lab needs."""
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # what it warns of, scenarios do on purpose
    scapy = import_module("scapy.all")
    scapy.conf.neighbor.resolvers.clear()  # else it asks the machine's own network for a MAC (ARP)
    loaded = {layer.__name__ for layer in scapy.conf.layers}
    for name, module in _CONTRIBUTED.items():
        if name not in loaded:
            import_module(module)
    return scapy


@cache
def layers() -> dict[str, Any]:
    """Layer name -> scapy's class, of all that are loaded."""
    return {layer.__name__: layer for layer in _scapy().conf.layers}


def layer_problem(name: str) -> str | None:
    """None if scapy has a layer of that name, else what is wrong and what was probably meant."""
    if name in layers():
        return None
    near = difflib.get_close_matches(name, layers(), 1)
    return f"there is no layer {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def field_problem(layer: str, field: str) -> str | None:
    """None if the layer has that field, else what is wrong and what was probably meant."""
    problem = layer_problem(layer)
    if problem is not None:
        return problem
    names = [one.name for one in layers()[layer].fields_desc]
    if field in names:
        return None
    near = difflib.get_close_matches(field, names, 1)
    meant = f"did you mean {layer}.{near[0]}?" if near else f"its fields are {', '.join(names)}"
    return f"{layer} has no field {field!r}; {meant}"


@lru_cache(2048)
def dissected(data: bytes, link: int = ETHERNET, carries: str = "") -> Any:
    """The frame as scapy's packet; nothing that scapy raises on hostile bytes gets out, they become Raw.

    `carries` is the layer that its payload is where no port says so.
    """
    scapy = _scapy()
    try:
        if link in _RAW_LINKS:
            packet = (scapy.IPv6 if data[:1] >= b"\x60" else scapy.IP)(data)
        else:
            packet = scapy.conf.l2types.num2layer.get(link, scapy.Raw)(data)
        last = packet.lastlayer()
        if carries and isinstance(last, scapy.Raw) and last.underlayer is not None:
            beneath = last.underlayer
            beneath.remove_payload()
            beneath.add_payload(layers()[carries](last.load))
        return packet
    except Exception:  # scapy promises nothing about malformed bytes
        return scapy.Raw(data)


def has_layer(data: bytes, link: int, layer: str, carries: str = "") -> bool:
    """Whether scapy finds that layer in the frame."""
    found = layers().get(layer)
    return found is not None and found in dissected(data, link, carries)


def value(data: bytes, link: int, layer: str, field: str, carries: str = "") -> int | str | bytes | None:
    """A field of the first such layer; None where the frame has none. Flags are letters, other objects their
    text.
    """
    found = layers().get(layer)
    packet = dissected(data, link, carries)
    if found is None or found not in packet:
        return None
    return plain(getattr(packet[found], field, None))


def plain(value: Any) -> int | str | bytes | None:
    """A value of scapy's as a number, text or bytes; of ASN.1's objects what they hold."""
    if value is None or type(value) in (int, str, bytes):
        return value  # type: ignore[no-any-return]
    if isinstance(value, _scapy().ASN1_Object):  # a value of ASN.1 (X.690) with its tag; NULL is none
        return None if isinstance(value, _scapy().ASN1_NULL) else plain(value.val)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, bytes):
        return bytes(value)
    return str(value)


@dataclass(frozen=True)
class Field:
    """A field of a layer as scapy shows it, and where its bytes are in the frame (no length: scapy does not tell)."""

    name: str
    value: str
    begin: int
    length: int


@dataclass(frozen=True)
class Layer:
    """A layer of a frame: where its header is in the bytes, and every field."""

    name: str
    begin: int
    length: int
    fields: tuple[Field, ...]


def anatomy(data: bytes, link: int = ETHERNET, carries: str = "") -> list[Layer]:
    """Every layer of a frame with every field: for reports."""
    found = []
    begin, packet = 0, dissected(data, link, carries)
    while packet.__class__.__name__ != "NoPayload":
        header = packet.raw_packet_cache or b""
        places = _places(packet, header)
        fields = tuple(
            Field(one.name, _shown(packet, one), begin + place[0], place[1])
            for one, place in zip(packet.fields_desc, places, strict=True)
        )
        found.append(Layer(packet.__class__.__name__, begin, len(header), fields))
        begin, packet = begin + len(header), packet.payload
    return found


def _places(packet: Any, header: bytes) -> list[tuple[int, int]]:
    """Where each field is in its layer's header: by building them anew, as long as that gives the same bytes."""
    places: list[tuple[int, int]] = []
    built: Any = b""
    try:
        for one in packet.fields_desc:
            before = built
            built = one.addfield(packet, built, packet.getfieldval(one.name))
            begin, end = len(_whole(before)), _end(built)
            same = header.startswith(_whole(built))
            places.append((begin, end - begin) if same else (0, 0))
    except Exception:  # scapy promises nothing about malformed bytes
        pass
    return places + [(0, 0)] * (len(packet.fields_desc) - len(places))


def _whole(built: Any) -> bytes:
    """The whole bytes of what scapy's fields are building: (bytes, bits, value) in the middle of a byte."""
    return bytes(built[0] if isinstance(built, tuple) else built)


def _end(built: Any) -> int:
    """The end of the last byte of which a bit is there."""
    return len(_whole(built)) + ((built[1] + 7) // 8 if isinstance(built, tuple) else 0)


def _shown(packet: Any, described: Any) -> str:
    """A field's value as scapy shows it; what it cannot show of hostile bytes, as Python does."""
    value = packet.getfieldval(described.name)
    try:
        return str(described.i2repr(packet, value))
    except Exception:  # scapy promises nothing about malformed bytes
        return repr(value)


# --- building -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BuiltLayer:
    """A layer to be built: its name and fields, values as scapy takes them (or BuiltLayers, or lists of them)."""

    name: str
    fields: Mapping[str, Any]


class LeftOutError(Exception):
    """A field is not said that scapy would fill from the machine that it runs on; the text says which."""


_ASKS_THE_MACHINE = {
    "SourceIPField": "ip4", "SourceIP6Field": "ip6", "SourceMACField": "mac", "DestMACField": "mac",
}  # fmt: skip
"""scapy's classes of fields whose default comes from the machine's routes and interfaces, and what it is."""


def machine_fields(layer: str) -> Mapping[str, str]:
    """Fields of a layer that scapy would fill from the machine: their names, and `ip4`, `ip6` or `mac`."""
    return _machine_fields(_scapy().Raw if layer == "data" else layers()[layer])


@cache
def _machine_fields(layer: Any) -> Mapping[str, str]:
    found = {}
    for one in layer.fields_desc:
        bases = [base.__name__ for form in forms(one) for base in type(form).__mro__]
        sort = next((_ASKS_THE_MACHINE[base] for base in bases if base in _ASKS_THE_MACHINE), "")
        if sort:
            found[one.name] = sort
    return found


def forms(described: Any) -> Iterator[Any]:
    """One of scapy's descriptions of a field, or those that it wraps and chooses from."""
    if hasattr(described, "flds"):
        for one in (*(form for form, _ in described.flds), described.dflt):
            yield from forms(one)
    elif hasattr(described, "fld"):
        yield from forms(described.fld)
    else:
        yield described


def tcp_options() -> dict[str, tuple[int, str | None]]:
    """TCP's options by scapy's names: their kinds, and their forms as `struct` writes them; None: none or bytes."""
    known = _scapy().TCPOptions[0]
    return {name: (kind, form) for kind, (name, form) in known.items()}


def dhcp_options() -> dict[str, Any]:
    """DHCP's options by scapy's names, and its descriptions of what they hold; None: bytes."""
    return {name: one for name, (_, one) in _scapy().DHCPRevOptions.items()}


def build_problem(layers_wanted: Sequence[BuiltLayer]) -> str | None:
    """None if scapy can build these layers, else what it says about them."""
    try:
        built(layers_wanted)
    except LeftOutError as error:
        return str(error)
    except Exception as error:  # scapy raises whatever its fields raise
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    """The first line of what scapy says, without the field that it was about."""
    lines = str(error).splitlines() or [type(error).__name__]
    return re.sub(r"^While (building|dissecting) field '\w+': ", "", lines[0]).rstrip(":")


def built(layers_wanted: Sequence[BuiltLayer]) -> bytes:
    """The bytes of a packet; lengths, checksums and types that no field says are filled in.

    Raises LeftOutError for what scapy would fill from the machine that it runs on, and whatever scapy raises.
    """
    packet = _stacked(layers_wanted)
    if packet is None:
        return b""
    for layer, name in _asking(packet):
        raise LeftOutError(f"{name} of {layer} must be said: the lab does not know it")
    return bytes(packet)


def _stacked(layers_wanted: Sequence[BuiltLayer]) -> Any:
    """The layers as one packet of scapy's; None where there are none."""
    packet = None
    for one in layers_wanted:
        made = _made(one)
        packet = made if packet is None else packet / made
    return packet


def absent_fields(layers_wanted: Sequence[BuiltLayer]) -> Iterator[tuple[int, str]]:
    """Places of layers, and fields that they say and that are not built: other fields say that they are not there."""
    packet = _stacked(layers_wanted)
    for place, one in enumerate(layers_wanted):
        for described in packet.fields_desc if type(packet).__name__ == one.name else ():
            condition = getattr(described, "cond", None)
            if condition is not None and described.name in one.fields and not _is_there(condition, packet):
                yield place, described.name
        packet = packet.payload


def _is_there(condition: Any, packet: Any) -> bool:
    try:
        return bool(condition(packet))
    except Exception:  # it asks what only a received packet has
        return True


def _asking(packet: Any) -> Iterator[tuple[str, str]]:
    """Layers and their fields that would be filled from the machine, also of layers inside of fields."""
    while packet.__class__.__name__ != "NoPayload":
        values = {**packet.default_fields, **packet.overloaded_fields, **packet.fields}
        for name in _machine_fields(packet.__class__):
            if values.get(name) is None:
                yield type(packet).__name__, name
        for value in values.values():
            for one in value if isinstance(value, list) else [value]:
                if hasattr(one, "fields_desc") and hasattr(one, "payload"):
                    yield from _asking(one)
        packet = packet.payload


def made(layer: str, fields: Mapping[str, Any]) -> Any:
    """scapy's packet of one layer, to be asked about it; fields that scapy does not take are left out."""
    packet = layers()[layer]()
    for name, one in fields.items():
        try:
            setattr(packet, name, one)
        except Exception:  # a value that is refused when it is built
            continue
    return packet


def _made(one: BuiltLayer) -> Any:
    return layers()[one.name](**{name: _inner(value) for name, value in one.fields.items()})


def _inner(value: Any) -> Any:
    match value:
        case BuiltLayer():
            return _made(value)
        case list():
            return [_inner(part) for part in value]
        case _:
            return value
