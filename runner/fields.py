"""What a condition may name: layers and fields by scapy's names, their values as numbers, texts or bytes.

The common ones are read here, from header columns and from the bytes at their places, so that most scenarios
never load scapy; all others are `runner.dissect`'s. A property test holds the two to the same answers.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from runner import checksums, dissect, field_kinds
from runner.headers import ARP, ICMP, ICMPV6, TCP, UDP, mac_text, network_of
from runner.packets import Packet

Value = int | str | bytes | None
_Reader = Callable[[Packet], Value]

FLAG_LETTERS = "FSRPAUECN"
"""The letter of each TCP flag bit, from the lowest, as scapy writes them."""


def flag_letters(bits: int) -> str:
    """TCP flag bits as letters: 18 is `SA`."""
    return "".join(letter for place, letter in enumerate(FLAG_LETTERS) if bits >> place & 1)


_IP_FLAGS = ("MF", "DF", "evil")
"""The names of the flag bits of IPv4, from the lowest, as scapy writes them."""


def _network(packet: Packet) -> int:
    return network_of(packet.data, packet.link)[1]


def _at_network(offset: int, size: int = 1, shift: int = 0, mask: int = -1) -> _Reader:
    """A number in the IP or ARP header, `offset` bytes from its beginning."""

    def read(packet: Packet) -> Value:
        begin = _network(packet) + offset
        return int.from_bytes(packet.data[begin : begin + size], "big") >> shift & mask

    return read


def _at_transport(offset: int, size: int = 1, shift: int = 0, mask: int = -1) -> _Reader:
    """A number in the transport header, `offset` bytes from its beginning."""

    def read(packet: Packet) -> Value:
        begin = packet.header.transport + offset
        return int.from_bytes(packet.data[begin : begin + size], "big") >> shift & mask

    return read


def _ip_flags(packet: Packet) -> Value:
    """The three bits as scapy names them, joined with a plus sign."""
    bits = packet.data[_network(packet) + 6] >> 5
    return "+".join(name for place, name in enumerate(_IP_FLAGS) if bits >> place & 1)


def _arp_mac(offset: int) -> _Reader:
    def read(packet: Packet) -> Value:
        begin = _network(packet) + offset
        return mac_text(packet.data[begin : begin + 6])

    return read


_COMMON: Mapping[str, Mapping[str, _Reader]] = {
    "Ether": {
        "src": lambda packet: packet.header.source_mac,
        "dst": lambda packet: packet.header.target_mac,
        "type": lambda packet: int.from_bytes(packet.data[12:14], "big"),
    },
    "IP": {
        "src": lambda packet: packet.header.src,
        "dst": lambda packet: packet.header.dst,
        "version": lambda packet: 4,
        "ihl": _at_network(0, mask=15),
        "tos": lambda packet: packet.header.tos,
        "len": _at_network(2, 2),
        "id": lambda packet: packet.header.ident,
        "flags": _ip_flags,
        "frag": lambda packet: packet.header.fragment >> 3,
        "ttl": lambda packet: packet.header.ttl,
        "proto": lambda packet: packet.header.protocol,
        "chksum": _at_network(10, 2),
    },
    "IPv6": {
        "src": lambda packet: packet.header.src,
        "dst": lambda packet: packet.header.dst,
        "version": lambda packet: 6,
        "tc": lambda packet: packet.header.tos,
        "fl": _at_network(0, 4, mask=0xFFFFF),
        "plen": _at_network(4, 2),
        "nh": _at_network(6),
        "hlim": lambda packet: packet.header.ttl,
    },
    "ARP": {
        "hwtype": _at_network(0, 2),
        "ptype": _at_network(2, 2),
        "hwlen": _at_network(4),
        "plen": _at_network(5),
        "op": lambda packet: packet.header.operation,
        "psrc": lambda packet: packet.header.src,
        "pdst": lambda packet: packet.header.dst,
        "hwsrc": _arp_mac(8),
        "hwdst": _arp_mac(18),
    },
    "TCP": {
        "sport": lambda packet: packet.header.sport,
        "dport": lambda packet: packet.header.dport,
        "seq": lambda packet: packet.header.seq,
        "ack": lambda packet: packet.header.ack,
        "dataofs": _at_transport(12, shift=4),
        "reserved": _at_transport(12, shift=1, mask=7),
        "flags": lambda packet: flag_letters(packet.header.flags),
        "window": lambda packet: packet.header.window,
        "chksum": _at_transport(16, 2),
        "urgptr": _at_transport(18, 2),
    },
    "UDP": {
        "sport": lambda packet: packet.header.sport,
        "dport": lambda packet: packet.header.dport,
        "len": _at_transport(4, 2),
        "chksum": _at_transport(6, 2),
    },
    "ICMP": {
        "type": lambda packet: packet.header.type,
        "code": lambda packet: packet.header.code,
        "chksum": _at_transport(2, 2),
    },
}
"""Layer -> field -> how to read it from a packet that has the layer."""

_ECHOES = frozenset({0, 8, 13, 14, 15, 16, 17, 18})
"""ICMP types that have an identifier and a sequence number (RFC 792, RFC 950)."""
_NUMBERED: Mapping[str, _Reader] = {"id": _at_transport(4, 2), "seq": _at_transport(6, 2)}

_HAS: Mapping[str, Callable[[Packet], bool]] = {
    "Ether": lambda packet: bool(packet.header.source_mac) and len(packet.data) >= 14,
    "IP": lambda packet: packet.header.version == 4,
    "IPv6": lambda packet: packet.header.version == 6,
    "ARP": lambda packet: packet.header.ether_type == ARP and packet.header.operation >= 0,
    "TCP": lambda packet: packet.header.protocol == TCP and packet.header.transport >= 0,
    "UDP": lambda packet: packet.header.protocol == UDP and packet.header.transport >= 0,
    "ICMP": lambda packet: packet.header.protocol == ICMP and packet.header.transport >= 0,
}
_TUNNELS = frozenset({4, 41, 47})
"""IP protocols that carry whole packets (IPv4, IPv6, GRE): the layer that was asked for may be the inner
one.
"""
_CHECKED = {"TCP": TCP, "UDP": UDP, "ICMP": ICMP}


def has_layer(packet: Packet, layer: str) -> bool:
    """Whether a packet has a layer, by scapy's name of it; what an ICMP error quotes is not a layer of the
    packet.
    """
    has = _HAS.get(layer)
    if has is not None and (has(packet) or packet.header.protocol not in _TUNNELS):
        return has(packet)
    return dissect.has_layer(packet.data, packet.link, layer, packet.carries)


def value(packet: Packet, field: str) -> Value:
    """The value of `LAYER.FIELD`; None where the packet has no such layer, or its layer no such field.

    Numbers are as on the wire, `IP.frag` in units of 8 bytes; addresses are text; `TCP.flags` letters (`SA`)
    and other flags names joined with `+` (`DF`). What scapy makes an object of is its text.
    """
    layer, _, name = field.partition(".")
    common = _COMMON.get(layer)
    if common is None or (packet.header.protocol in _TUNNELS and not _HAS[layer](packet)):
        return dissect.value(packet.data, packet.link, layer, name, packet.carries)
    if not _HAS[layer](packet):
        return None
    if layer == "ICMP" and name in _NUMBERED:
        return _NUMBERED[name](packet) if packet.header.type in _ECHOES else None
    reader = common.get(name)
    if reader is None or _is_unusual(packet, layer):
        return dissect.value(packet.data, packet.link, layer, name, packet.carries)
    return reader(packet)


def _is_unusual(packet: Packet, layer: str) -> bool:
    """ARP for other links than Ethernet and other protocols than IPv4 has its fields elsewhere: scapy knows
    where.
    """
    if layer != "ARP":
        return False
    begin = _network(packet)
    return packet.data[begin : begin + 6] != b"\x00\x01\x08\x00\x06\x04"


def known(field: str) -> str | None:
    """None if conditions may name that layer (`DNS`) or field (`TCP.flags`), else what is wrong with it."""
    layer, dot, name = field.partition(".")
    if layer in _COMMON and (not dot or _is_common(layer, name)):
        return None
    near = difflib.get_close_matches(layer.casefold(), [one.casefold() for one in _COMMON], 1, 0.75)
    for common in _COMMON:
        if layer not in _COMMON and near and near[0] == common.casefold() and dissect.layer_problem(layer):
            return f"there is no layer {layer!r}; did you mean {common!r}?"
    return dissect.field_problem(layer, name) if dot else dissect.layer_problem(layer)


def holds_addresses(field: str) -> bool:
    """Whether `LAYER.FIELD` is one of the fields that are not read here and hold an IP address or a MAC."""
    layer, _, name = field.partition(".")
    return bool(name) and not _is_common(layer, name) and field_kinds.holds_addresses(layer, name)


def lists_addresses(field: str) -> bool:
    """Whether `LAYER.FIELD` holds a list of addresses; its value is the text of a list of texts."""
    layer, _, name = field.partition(".")
    return bool(name) and not _is_common(layer, name) and field_kinds.lists_addresses(layer, name)


def flag_names(field: str) -> tuple[str, ...]:
    """The flags of `LAYER.FIELD`, from the lowest bit; none where it is no field of flags, and for TCP's."""
    layer, _, name = field.partition(".")
    if field == "IP.flags":
        return _IP_FLAGS
    return () if not name or _is_common(layer, name) else field_kinds.flag_names(layer, name)


def flags_in(field: str, text: str) -> list[str]:
    """The flags that a text names: letters where every flag of the field is one, else words joined with `+`."""
    if all(len(one) == 1 for one in flag_names(field)):
        return list(text.replace("+", ""))
    return [one for one in text.split("+") if one]


def _is_common(layer: str, name: str) -> bool:
    return name in _COMMON.get(layer, ()) or (layer == "ICMP" and name in _NUMBERED)


def checksum_is_bad(packet: Packet, layer: str) -> bool:
    """Whether the checksum of IP, TCP, UDP, ICMP or a message of ICMPv6 is wrong, computed over the packet's bytes.

    False where the packet has no such layer, and for fragments, whose datagram is not whole. Raises KeyError
    for other layers.
    """
    if layer == "IP":
        return checksums.ip_is_bad(packet)
    return checksums.transport_is_bad(packet, ICMPV6 if layer.startswith("ICMPv6") else _CHECKED[layer])


def layers_with_checksums() -> tuple[str, ...]:
    """The layers that `checksum_is_bad` knows, beside the messages of ICMPv6."""
    return ("IP", *_CHECKED)


def checked_layer(field: str) -> str:
    """The layer whose checksum a field is, if `checksum_is_bad` knows it: `UDP.chksum`, `ICMPv6ND_NS.cksum`; else
    nothing.
    """
    layer, _, name = field.partition(".")
    if name == "chksum" and layer in layers_with_checksums():
        return layer
    return layer if name == "cksum" and layer.startswith("ICMPv6") else ""
