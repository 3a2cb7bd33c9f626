"""Scapy's answer: the only module that imports it, and only when it is asked something.

It takes about half a second to load, so common fields never come here (`runner.fields`). All layers are
loaded at once, because what scapy makes of a payload depends on which are.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Literal

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

Sort = Literal["number", "bytes", "ip4", "ip6", "mac", "flags", "layers", "options", "list", "other"]


@dataclass(frozen=True)
class FieldKind:
    """What a field holds: `names` are the words for its numbers, `bits` is its size where that is fixed, and
    `entries` what is in it where it is a list.
    """

    sort: Sort
    names: Mapping[str, int] = field(default_factory=dict)
    bits: int = 0
    entries: Sort = "other"


@dataclass(frozen=True)
class BuiltLayer:
    """A layer to be built: its name and fields, values as scapy takes them (or BuiltLayers, or lists of them)."""

    name: str
    fields: Mapping[str, Any]


_SORTS: tuple[tuple[str, Sort], ...] = (
    ("IPField", "ip4"),
    ("IP6Field", "ip6"),
    ("MACField", "mac"),
    ("FlagsField", "flags"),
    ("PacketListField", "layers"),
    ("PacketField", "layers"),
    ("ASN1F_CHOICE", "layers"),
    ("ASN1F_SEQUENCE_OF", "layers"),
    ("TCPOptionsField", "options"),
    ("FieldListField", "list"),
    ("StrField", "bytes"),
    ("BitField", "number"),
)
"""scapy's base classes of fields, the first that fits decides."""
_ADDRESSES: tuple[Sort, ...] = ("ip4", "ip6", "mac")


@cache
def field_kind(layer: str, name: str) -> FieldKind:
    """What a field of a layer holds; raises KeyError for one that there is not."""
    described = {one.name: one for one in layers()[layer].fields_desc}[name]
    while hasattr(described, "fld"):  # of several forms the first: what it is on Ethernet
        several = getattr(described, "flds", None)
        described = several[0][0] if several else described.fld
    return _kind_of(described)


@cache
def holds_addresses(layer: str, name: str) -> bool:
    """Whether a field holds an address, whatever form it has in a packet; False for fields that there are not."""
    described = _described(layer, name)
    return bool(described) and all(_kind_of(one).sort in _ADDRESSES for one in described)


@cache
def lists_addresses(layer: str, name: str) -> bool:
    """Whether a field holds a list of addresses: those of a route, of name servers."""
    described = _described(layer, name)
    return bool(described) and all(
        _kind_of(one).entries in _ADDRESSES or isinstance(one, _scapy().IP6ListField) for one in described
    )


@cache
def flag_names(layer: str, name: str) -> tuple[str, ...]:
    """The flags of a field, from the lowest bit, as scapy writes them; none where the field has none."""
    described = _described(layer, name)
    return tuple(described[0].names) if described and _kind_of(described[0]).sort == "flags" else ()


def _described(layer: str, name: str) -> list[Any]:
    """scapy's descriptions of a field: several where it has several forms, none where there is no such field."""
    found = layers().get(layer)
    waiting = [one for one in found.fields_desc if one.name == name] if found is not None else []
    described = []
    while waiting:
        one = waiting.pop()
        several = getattr(one, "flds", None)
        if several:
            waiting += [form[0] for form in several] + [one.dflt]
        elif hasattr(one, "fld"):
            waiting.append(one.fld)
        else:
            described.append(one)
    return described


def _kind_of(described: Any) -> FieldKind:
    """The same for one of scapy's objects that describe a field."""
    bases = {base.__name__ for base in type(described).__mro__}
    names = getattr(described, "s2i", None) or {}
    if "FlagsField" in bases:
        names = {name: place for place, name in enumerate(described.names)}
    for base, sort in _SORTS:
        if base in bases:
            bits = int(getattr(described, "size", 0) or 0) if sort == "number" else 0
            entries = _kind_of(described.field).sort if sort == "list" else "other"
            return FieldKind(sort, names, abs(bits), entries)
    form = str(getattr(described, "fmt", "") or "").lstrip("!<>@=")
    sizes = {"B": 8, "H": 16, "I": 32, "Q": 64}
    return FieldKind("number" if form in sizes else "other", names, sizes.get(form, 0))


def build_problem(layers_wanted: Sequence[BuiltLayer]) -> str | None:
    """None if scapy can build these layers, else what it says about them."""
    try:
        built(layers_wanted)
    except Exception as error:  # scapy raises whatever its fields raise
        return f"{type(error).__name__}: {error}"
    return None


def built(layers_wanted: Sequence[BuiltLayer]) -> bytes:
    """The bytes of a packet; lengths, checksums and types that no field says are filled in."""
    packet = None
    for one in layers_wanted:
        made = _made(one)
        packet = made if packet is None else packet / made
    return b"" if packet is None else bytes(packet)


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
