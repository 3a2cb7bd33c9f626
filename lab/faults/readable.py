"""What can be read from a raw frame: layers and fields by the names that conditions have for them.

Runs in the host: standard library only, Python 3.9 syntax. A property test holds every one of them to what checks say
of the same frame. Layers that only scapy can tell (DNS, DHCP) are none of these: a host has no scapy.
Sources: RFC 791, 8200, 826, 9293, 768, 792, 4443, 4861.
"""

from __future__ import annotations

import socket

from lab.faults.headers import ICMP, ICMPV6, TCP, UDP, Headers, checksum, mac_text, pseudo_header
from lab.faults.options import options_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

    Test = Callable[[Headers], bool]
    Reader = Callable[[Headers], Any]

_FLAGS = "FSRPAUECN"
_ECHOES = (0, 8, 13, 14, 15, 16, 17, 18)
"""ICMP types that have an identifier and a sequence number (RFC 792, RFC 950)."""
_ICMPV6: dict[str, tuple[int, int]] = {
    "ICMPv6DestUnreach": (1, 8), "ICMPv6PacketTooBig": (2, 8), "ICMPv6TimeExceeded": (3, 8),
    "ICMPv6ParamProblem": (4, 8), "ICMPv6EchoRequest": (128, 8), "ICMPv6EchoReply": (129, 8),
    "ICMPv6ND_RS": (133, 8), "ICMPv6ND_RA": (134, 16), "ICMPv6ND_NS": (135, 24), "ICMPv6ND_NA": (136, 24),
    "ICMPv6MLReport2": (143, 8),
}  # fmt: skip
"""Messages of ICMPv6 by scapy's names: type, and bytes that there must be."""


def _carries(protocol: int) -> Test:
    return lambda found: found.protocol == protocol and found.transport >= 0


def _message(kind: int, least: int) -> Test:
    def has(found: Headers) -> bool:
        at = found.transport
        return found.protocol == ICMPV6 and at >= 0 and at + least <= found.end and found.data[at] == kind

    return has


LAYERS: dict[str, Test] = {
    "Ether": lambda found: found.ether_type >= 0,
    "IP": lambda found: found.version == 4,
    "IPv6": lambda found: found.version == 6,
    "ARP": lambda found: found.is_arp,
    "TCP": _carries(TCP),
    "UDP": _carries(UDP),
    "ICMP": _carries(ICMP),
    **{name: _message(*one) for name, one in _ICMPV6.items()},
}
PROTOCOLS = {"TCP": TCP, "UDP": UDP, "ICMP": ICMP, "seq": TCP, "ack": TCP, **dict.fromkeys(_ICMPV6, ICMPV6)}
"""The IP protocol of the layers that are behind IP, and of the fields that belong to one."""


def _network(offset: int, size: int = 1, shift: int = 0, mask: int = -1) -> Reader:
    return lambda found: found.number(found.network + offset, size) >> shift & mask


def _transport(offset: int, size: int = 1, shift: int = 0, mask: int = -1) -> Reader:
    return lambda found: found.number(found.transport + offset, size) >> shift & mask


def _flag_letters(found: Headers) -> frozenset[str]:
    bits = found.number(found.transport + 12, 2) & 0x1FF
    return frozenset(letter for place, letter in enumerate(_FLAGS) if bits >> place & 1)


def _ip_flags(found: Headers) -> str:
    bits = found.data[found.network + 6] >> 5
    return "+".join(name for place, name in enumerate(("MF", "DF", "evil")) if bits >> place & 1)


def _options(found: Headers) -> str:
    begin = found.transport
    return options_text(found.data[begin + 20 : min(found.end, begin + (found.data[begin + 12] >> 4) * 4)])


def _of_echoes(reader: Reader) -> Reader:
    """A field that only some ICMP messages have."""
    return lambda found: reader(found) if found.data[found.transport] in _ECHOES else None


def _mac(offset: int, below: str = "network") -> Callable[[Headers], str]:
    def read(found: Headers) -> str:
        begin = offset + (found.network if below == "network" else 0)
        return mac_text(found.data[begin : begin + 6])

    return read


def _target(found: Headers) -> str:
    begin = found.transport + 8
    return socket.inet_ntop(socket.AF_INET6, found.data[begin : begin + 16])


def _length(found: Headers) -> Optional[int]:
    return found.payload if found.payload >= 0 else None


FIELDS: dict[str, Reader] = {
    "len": _length,
    "Ether.src": _mac(6, ""), "Ether.dst": _mac(0, ""), "Ether.type": lambda found: found.number(12, 2),
    "IP.src": lambda found: found.address(False), "IP.dst": lambda found: found.address(True),
    "IP.version": lambda found: 4, "IP.tos": _network(1), "IP.len": _network(2, 2), "IP.id": _network(4, 2),
    "IP.flags": _ip_flags, "IP.frag": _network(6, 2, mask=0x1FFF), "IP.ttl": _network(8), "IP.proto": _network(9),
    "IP.chksum": _network(10, 2), "IP.ihl": _network(0, mask=15),
    "IPv6.src": lambda found: found.address(False), "IPv6.dst": lambda found: found.address(True),
    "IPv6.version": lambda found: 6, "IPv6.tc": _network(0, 2, shift=4, mask=255),
    "IPv6.fl": _network(0, 4, mask=0xFFFFF), "IPv6.plen": _network(4, 2), "IPv6.nh": _network(6),
    "IPv6.hlim": _network(7),
    "ARP.hwtype": _network(0, 2), "ARP.ptype": _network(2, 2), "ARP.hwlen": _network(4), "ARP.plen": _network(5),
    "ARP.op": _network(6, 2), "ARP.psrc": lambda found: found.address(False),
    "ARP.pdst": lambda found: found.address(True), "ARP.hwsrc": _mac(8), "ARP.hwdst": _mac(18),
    "TCP.sport": _transport(0, 2), "TCP.dport": _transport(2, 2), "TCP.seq": _transport(4, 4),
    "TCP.ack": _transport(8, 4), "TCP.dataofs": _transport(12, shift=4),
    "TCP.reserved": _transport(12, shift=1, mask=7), "TCP.flags": _flag_letters, "TCP.window": _transport(14, 2),
    "TCP.chksum": _transport(16, 2), "TCP.urgptr": _transport(18, 2), "TCP.options": _options,
    "UDP.sport": _transport(0, 2), "UDP.dport": _transport(2, 2), "UDP.len": _transport(4, 2),
    "UDP.chksum": _transport(6, 2),
    "ICMP.type": _transport(0), "ICMP.code": _transport(1), "ICMP.chksum": _transport(2, 2),
    "ICMP.id": _of_echoes(_transport(4, 2)), "ICMP.seq": _of_echoes(_transport(6, 2)),
    **{f"{name}.{field}": reader for name in _ICMPV6 for field, reader in (
        ("type", _transport(0)), ("code", _transport(1)), ("cksum", _transport(2, 2)))
        if (name, field) != ("ICMPv6MLReport2", "code")},
    **{f"ICMPv6Echo{kind}.{field}": _transport(at, 2) for kind in ("Request", "Reply")
        for field, at in (("id", 4), ("seq", 6))},
    "ICMPv6PacketTooBig.mtu": _transport(4, 4),
    "ICMPv6ND_NS.tgt": _target, "ICMPv6ND_NA.tgt": _target,
}  # fmt: skip
"""Every field that a frame alone tells, and how it is read where its layer is there; None where it is not after all."""
RELATIVE = ("seq", "ack")
"""Fields that need the connection's beginning, which `lab.faults.numbers` remembers."""
TEXTS = ("IP.flags", "TCP.options", "ICMPv6ND_NS.tgt", "ICMPv6ND_NA.tgt")
"""Fields that are compared as text, beside addresses."""


def layer_of(field: str) -> str:
    """The layer that a frame must have for a field; empty for one that several layers have."""
    return "TCP" if field in RELATIVE else "" if field == "len" else field.partition(".")[0]


_PLACES = {"TCP": (TCP, 16), "UDP": (UDP, 6), "ICMP": (ICMP, 2)}
CHECKED = ("IP", *_PLACES)
"""Layers whose checksum can be told to be wrong."""


def checksum_is_bad(found: Headers, layer: str) -> bool:
    """Whether the checksum of a layer that is there is wrong; False for fragments, whose datagram is not whole."""
    at = found.network
    if layer == "IP":
        size = (found.data[at] & 15) * 4
        header = found.data[at : at + size]
        return size < 20 or len(header) < size or bool(checksum(header))
    protocol, place = _PLACES[layer]
    if not found.first or found.more:
        return False
    segment = found.data[found.transport : found.covered]
    if protocol == UDP and not any(segment[place : place + 2]):
        return found.version == 6  # RFC 8200 section 8.1: never without one; RFC 768: over IPv4 it may be
    return bool(checksum(pseudo_header(found, len(segment)) + segment))
