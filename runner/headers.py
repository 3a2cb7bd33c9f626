"""Reads the common header fields of a frame: plain numbers and texts, any bytes, fast.

An index for flows, pairing and common fields; everything else about a frame is scapy's (`runner.dissect`).
Nothing here raises, allocates a field object or knows a host's name. Sources: IEEE 802.3 and 802.1Q; RFC 791,
8200, 826, 9293, 768, 792, 4443, 2236; https://www.tcpdump.org/linktypes.html for links other than Ethernet.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

from runner.packets import Header

ETHERNET = 1
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

TAGS = frozenset({0x8100, 0x88A8, 0x9100})
RAW_LINKS = frozenset({12, 14, 101, 228, 229})
NULL_LINKS = frozenset({0, 108})
COOKED, COOKED2 = 113, 276
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY = 0, 43, 44, 51, 60, 135
EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY})

_ipv4 = struct.Struct("!BBHHHBBH4s4s").unpack_from
_ipv6 = struct.Struct("!IHBB16s16s").unpack_from
_arp = struct.Struct("!HHBBH").unpack_from
_tcp = struct.Struct("!HHIIHH").unpack_from
_udp = struct.Struct("!HHH").unpack_from
_two = struct.Struct("!H").unpack_from
_fragment = struct.Struct("!HI").unpack_from

_LARGE_ICMP = {13: 20, 14: 20, 17: 12, 18: 12}
"""ICMP messages whose header is larger than 8 bytes: timestamps and address masks (RFC 792, RFC 950)."""
_ICMPV6_WITH_WORD = frozenset({1, 2, 3, 4, 128, 129})
"""ICMPv6 errors and echoes have four more bytes of header before what they carry (RFC 4443)."""


@lru_cache(4096)
def mac_text(data: bytes) -> str:
    """Six bytes as six pairs of hexadecimal digits."""
    return data.hex(":")


@lru_cache(4096)
def ip_text(data: bytes) -> str:
    """Four or sixteen bytes as an address is written (RFC 5952)."""
    return inet_ntop(AF_INET if len(data) == 4 else AF_INET6, data)


def network_of(data: bytes, link: int = ETHERNET) -> tuple[int, int]:
    """The EtherType of what a frame carries, behind all tags, and where that begins; (-1, ...) where it has
    none.
    """
    if link == ETHERNET:
        if len(data) < 14:
            return -1, len(data)
        kind, offset = _two(data, 12)[0], 14
        while kind in TAGS and offset + 4 <= len(data):
            kind, offset = _two(data, offset + 2)[0], offset + 4
        return (kind if kind >= 0x600 else -1), offset  # smaller ones are lengths (IEEE 802.3, 3.2.6)
    if link in RAW_LINKS:
        return _by_version(data, 0), 0
    if link in NULL_LINKS:
        return _by_version(data, 4), 4
    if link == COOKED and len(data) >= 16:
        return _two(data, 14)[0], 16
    if link == COOKED2 and len(data) >= 20:
        return _two(data, 0)[0], 20
    return -1, len(data)


def _by_version(data: bytes, offset: int) -> int:
    version = data[offset] >> 4 if len(data) > offset else 0
    return IPV4 if version == 4 else IPV6 if version == 6 else -1


def decode(data: bytes, link: int = ETHERNET) -> Header:
    """The header fields of a frame on that link; what is cut off or malformed is left at -1 and empty."""
    kind, offset = network_of(data, link)
    source = target = ""
    if link == ETHERNET and len(data) >= 12:
        target, source = mac_text(data[:6]), mac_text(data[6:12])
    if kind == IPV4:
        return _decode_ipv4(data, offset, source, target)
    if kind == IPV6:
        return _decode_ipv6(data, offset, source, target)
    if kind == ARP:
        return _decode_arp(data, offset, source, target)
    return Header(source, target, kind)


def decode_quoted(data: bytes) -> Header:
    """The headers of the packet that an ICMP error quotes, from its IP header on (RFC 792, RFC 4443 section
    2.4).
    """
    version = _by_version(data, 0)
    if version == IPV4:
        return _decode_ipv4(data, 0, "", "")
    return _decode_ipv6(data, 0, "", "") if version == IPV6 else Header()


def _decode_arp(data: bytes, offset: int, source: str, target: str) -> Header:
    if len(data) < offset + 8:
        return Header(source, target, ARP)
    _, protocol, hardware_length, length, operation = _arp(data, offset)
    sender = offset + 8 + hardware_length
    wanted = sender + length + hardware_length
    src = dst = ""
    if protocol == IPV4 and length == 4 and len(data) >= wanted + 4:
        src, dst = ip_text(data[sender : sender + 4]), ip_text(data[wanted : wanted + 4])
    return Header(source, target, ARP, 0, src, dst, operation=operation)


def _decode_ipv4(data: bytes, offset: int, source: str, target: str) -> Header:
    size = len(data)
    if size < offset + 20:
        return Header(source, target, IPV4)
    first, tos, total, ident, fragmented, ttl, protocol, _, src, dst = _ipv4(data, offset)
    if first >> 4 != 4:
        return Header(source, target, IPV4)
    fragment = (fragmented & 0x1FFF) << 3
    start, end = offset + ((first & 15) << 2), offset + total
    if total < start - offset or end > size:  # a total length of 0 is a segment that the card was to cut up
        end = size
    common = (
        source, target, IPV4, 4, ip_text(src), ip_text(dst), protocol, ttl, tos, ident,
        fragmented & 0x4000 != 0, fragmented & 0x2000 != 0, fragment,
    )  # fmt: skip
    if first & 15 < 5 or start > end:
        return Header(*common)
    return _decode_transport(data, start, end, common, protocol, fragment)


def _decode_ipv6(data: bytes, offset: int, source: str, target: str) -> Header:
    size = len(data)
    if size < offset + 40:
        return Header(source, target, IPV6)
    first, length, protocol, ttl, src, dst = _ipv6(data, offset)
    if first >> 28 != 6:
        return Header(source, target, IPV6)
    start, end = offset + 40, offset + 40 + length
    if length == 0 or end > size:
        end = size
    ident, more, fragment = -1, False, 0
    if protocol in EXTENSIONS:
        protocol, start, ident, more, fragment = _behind_extensions(data, start, end, protocol)
    common = (
        source, target, IPV6, 6, ip_text(src), ip_text(dst), protocol, ttl, first >> 20 & 255, ident,
        False, more, fragment,
    )  # fmt: skip
    if protocol < 0:
        return Header(*common)
    return _decode_transport(data, start, end, common, protocol, fragment)


def _behind_extensions(data: bytes, start: int, end: int, protocol: int) -> tuple[int, int, int, bool, int]:
    """The upper protocol (-1: cut off) and where it begins; identification, more-fragments flag and
    offset.
    """
    ident, more, fragment = -1, False, 0
    while protocol in EXTENSIONS and not fragment:
        if start + 8 > end:
            return -1, start, ident, more, fragment
        step = 8
        if protocol == _FRAGMENT:
            bits, ident = _fragment(data, start + 2)
            fragment, more = bits & 0xFFF8, bits & 1 != 0
        elif protocol == _AUTHENTICATION:
            step = (data[start + 1] + 2) << 2  # RFC 4302 section 2.2: in words of four bytes, minus two
        else:
            step = (data[start + 1] + 1) << 3
        if start + step > end:
            return -1, start, ident, more, fragment
        protocol, start = data[start], start + step
    return protocol, start, ident, more, fragment


_Common = tuple[str, str, int, int, str, str, int, int, int, int, bool, bool, int]
"""The first thirteen fields of Header, up to `fragment`."""


def _decode_transport(
    data: bytes, start: int, end: int, common: _Common, protocol: int, fragment: int
) -> Header:
    """The rest of the header, from where the transport header begins to where the packet ends."""
    room = end - start
    if fragment:
        return Header(*common, payload=start, length=room)
    if protocol == TCP and room >= 20:
        sport, dport, seq, ack, bits, window = _tcp(data, start)
        begin = start + (bits >> 12 << 2)
        if bits >> 12 < 5 or begin > end:
            begin = end
        return Header(
            *common, sport, dport, seq, ack, bits & 0x1FF, window, -1, -1, -1, start, begin, end - begin
        )
    if protocol == UDP and room >= 8:
        sport, dport, length = _udp(data, start)
        carried = length - 8 if 8 <= length <= room else room - 8
        return Header(*common, sport, dport, -1, -1, -1, -1, -1, -1, -1, start, start + 8, carried)
    if protocol in (TCP, UDP) and room >= 4:  # cut off behind the ports, as in what an ICMP error quotes
        sport, dport, _ = _udp(data[start : start + 4] + b"\0\0")
        return Header(*common, sport, dport, payload=end)
    if room >= 8 and protocol in (ICMP, IGMP):
        head = min(_LARGE_ICMP.get(data[start], 8), room) if protocol == ICMP else 8
        code = data[start + 1] if protocol == ICMP else -1
        return Header(
            *common, type=data[start], code=code, transport=start, payload=start + head, length=room - head
        )
    if protocol == ICMPV6 and room >= 4:
        head = 8 if data[start] in _ICMPV6_WITH_WORD and room >= 8 else 4
        return Header(
            *common,
            type=data[start], code=data[start + 1], transport=start, payload=start + head, length=room - head,
        )  # fmt: skip
    return Header(*common, payload=start, length=room)


def is_group(mac: str) -> bool:
    """Whether a MAC in text is one of many receivers: broadcast or multicast (the lowest bit of the first
    byte).
    """
    return mac[1:2] in _GROUP_DIGITS


_GROUP_DIGITS = frozenset("13579bdf")
