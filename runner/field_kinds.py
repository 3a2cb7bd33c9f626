"""What each field of scapy's layers takes: a number of so many bits, bytes, an address, words, layers.

Looks at scapy's own descriptions (through `runner.dissect`), by the names of their classes. Reads no value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from runner import dissect

Sort = Literal[
    "number",
    "bytes",
    "ip4",
    "ip6",
    "mac",
    "flags",
    "layers",
    "options",
    "dhcp",
    "list",
    "text",
    "texts",
    "name",
    "other",
]
LITERALS = {
    "ip4": re.compile(r"[0-9]+(\.[0-9]+){3}"),
    "ip6": re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"),
    "mac": re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}"),
}
"""What an address of each sort looks like; other words are names of hosts."""


@dataclass(frozen=True)
class FieldKind:
    """What a field holds: `names` are the words for its numbers, `bits` is its size where that is fixed, `size` how
    many bytes it has where that is, and `entry` what each is of where it is a list. `own_words`: scapy reads words
    there that nobody else knows (times, services).
    """

    sort: Sort
    names: Mapping[str, int] = field(default_factory=dict)
    bits: int = 0
    size: int = 0
    entry: FieldKind | None = None
    own_words: bool = False


_SORTS: tuple[tuple[str, Sort], ...] = (
    ("IPField", "ip4"),
    ("IP6Field", "ip6"),
    ("MACField", "mac"),
    ("FlagsField", "flags"),
    ("PacketListField", "layers"),
    ("PacketField", "layers"),
    ("_PacketField", "layers"),
    ("ASN1F_CHOICE", "layers"),
    ("ASN1F_SEQUENCE_OF", "layers"),
    ("TCPOptionsField", "options"),
    ("DHCPOptionsField", "dhcp"),
    ("FieldListField", "list"),
    ("IP6ListField", "list"),
    ("DomainNameListField", "list"),
    ("_OptReqListField", "list"),
    ("RRlistField", "list"),
    ("DNSTextField", "texts"),
    ("DNSStrField", "name"),
    ("StrField", "bytes"),
    ("BitField", "number"),
)
"""scapy's base classes of fields, the first that fits decides."""
_ENTRIES = {"IP6ListField": FieldKind("ip6"), "DomainNameListField": FieldKind("text")}
"""What is in lists that scapy describes by one class."""
_BITS = {"B": 8, "H": 16, "I": 32, "Q": 64}
_THREE_BYTES = frozenset({"ThreeBytesField", "LEThreeBytesField"})
_SIZED_OTHERWISE = frozenset({"NetBIOSNameField", "StrFieldUtf16", "StrFixedLenEnumField"})
"""Fields of a fixed size whose values are written in another form than they are sent."""


@cache
def dhcp_options() -> Mapping[str, FieldKind]:
    """DHCP's options by scapy's names, and what each holds."""
    described = dissect.dhcp_options()
    return {name: FieldKind("bytes") if one is None else _kind(one) for name, one in described.items()}


def has_forms(layer: str, name: str) -> bool:
    """Whether what a field holds depends on other fields of its layer, as in a resource record of the DNS."""
    return hasattr(_described(layer, name), "flds")


def field_kind(layer: str, name: str, beside: Mapping[str, Any] | None = None) -> FieldKind:
    """What a field of a layer holds; raises KeyError for one that there is not.

    `beside` are the fields that are said: where there are several forms they decide which it is.
    """
    if not has_forms(layer, name):
        return _kind_of(layer, name)
    said = {key: one for key, one in (beside or {}).items() if key != name and isinstance(one, int | str)}
    return _kind(_form(_described(layer, name), dissect.made(layer, said)))


@cache
def holds_addresses(layer: str, name: str) -> bool:
    """Whether a field holds an address, whatever form it has in a packet; False for fields that there are not."""
    found = _kinds(layer, name)
    return bool(found) and all(one.sort in LITERALS for one in found)


@cache
def lists_addresses(layer: str, name: str) -> bool:
    """Whether a field holds a list of addresses: those of a route, of name servers."""
    found = _kinds(layer, name)
    return bool(found) and all(one.entry is not None and one.entry.sort in LITERALS for one in found)


@cache
def flag_names(layer: str, name: str) -> tuple[str, ...]:
    """The flags of a field, from the lowest bit, as scapy writes them; none where the field has none."""
    found = _kinds(layer, name)
    return tuple(found[0].names) if found and found[0].sort == "flags" else ()


def _kinds(layer: str, name: str) -> list[FieldKind]:
    """What a field may hold: several where it has several forms, nothing where there is no such field."""
    known = dissect.layers().get(layer)
    described = [one for one in known.fields_desc if one.name == name] if known is not None else []
    return [_kind(form) for one in described for form in dissect.forms(one)]


@cache
def _kind_of(layer: str, name: str) -> FieldKind:
    return _kind(_described(layer, name))


@cache
def _described(layer: str, name: str) -> Any:
    """scapy's description of a field, without the condition under which it is there."""
    described = {one.name: one for one in dissect.layers()[layer].fields_desc}[name]
    while not hasattr(described, "flds") and hasattr(described, "fld"):
        described = described.fld
    return described


def _form(described: Any, packet: Any) -> Any:
    """The first form whose condition holds in that packet, else the one that scapy takes for all others."""
    for one, condition in described.flds:
        if _holds(condition, packet):
            return _bare(one)
    return _bare(described.dflt)


def _holds(condition: Any, packet: Any) -> bool:
    try:
        return bool(condition[1](packet, None) if isinstance(condition, tuple) else condition(packet))
    except Exception:  # it asks fields that are not said
        return False


def _bare(described: Any) -> Any:
    while hasattr(described, "fld"):
        described = described.fld
    return described


def _bases_of(described: Any) -> frozenset[str]:
    """The names of the classes that one of scapy's objects is of."""
    return frozenset(base.__name__ for base in type(described).__mro__)


def _kind(described: Any) -> FieldKind:
    bases = _bases_of(described)
    names = getattr(described, "s2i_all", None) or getattr(described, "s2i", None) or {}
    if "FlagsField" in bases:
        names = {name: place for place, name in enumerate(described.names)}
    names = {name: number for name, number in names.items() if isinstance(name, str)}
    sort, decided = next(((sort, base) for base, sort in _SORTS if base in bases), ("other", ""))
    form = str(getattr(described, "fmt", "") or "").lstrip("!<>@=")
    if sort == "other" and form in _BITS:
        sort = "number"
    entry = _ENTRIES.get(decided, FieldKind("other")) if sort == "list" else None
    if decided == "FieldListField":
        entry = _kind(_bare(described.field))
    bits = _bits(described, bases, form) if sort in ("number", "flags") else 0
    size = _size(described, bases) if sort == "bytes" else 0
    return FieldKind(sort, names, bits, size, entry, _reads_words(described))


def _bits(described: Any, bases: frozenset[str], form: str) -> int:
    if bases & _THREE_BYTES:
        return 24
    if "_BitField" in bases or "BitField" in bases:
        return abs(int(getattr(described, "size", 0) or 0))
    return _BITS.get(form, 0)


def _size(described: Any, bases: frozenset[str]) -> int:
    """How many bytes a field has that is padded and cut to them; 0 where that depends on other fields."""
    if "StrFixedLenField" not in bases or bases & _SIZED_OTHERWISE:
        return 0
    try:
        return int(described.length_from(None))
    except Exception:  # it asks the packet, and there is none
        return 0


def _reads_words(described: Any) -> bool:
    """Whether the class has its own way to read what is written, and not scapy's general one."""
    plain = next((base for base in type(described).__mro__ if base.__name__ == "Field"), None)
    return plain is None or any(
        getattr(type(described), name) is not getattr(plain, name) for name in ("any2i", "h2i", "i2m")
    )
