"""Whether the checksum of a packet is right: the Internet checksum of RFC 1071 over what each protocol says
it covers.

A predicate on one packet's bytes; who asks and what follows is the caller's affair.
"""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, inet_pton

from runner.headers import ICMP, ICMPV6, IGMP, TCP, UDP, network_of
from runner.packets import Packet

_PLACES = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2, IGMP: 2}
"""Where the checksum is in each protocol's header."""


def internet_sum(data: bytes) -> int:
    """The one's complement sum of 16-bit words (RFC 1071): 0xFFFF over data with a right checksum in it."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip_is_bad(packet: Packet) -> bool:
    """Whether the checksum of the IPv4 header is wrong (RFC 791 section 3.1); False where there is none."""
    if packet.header.version != 4:
        return False
    _, offset = network_of(packet.data, packet.link)
    size = (packet.data[offset] & 15) * 4
    header = packet.data[offset : offset + size]
    return size < 20 or len(header) < size or internet_sum(header) != 0xFFFF


def transport_is_bad(packet: Packet, protocol: int) -> bool:
    """Whether the checksum of TCP, UDP, ICMP, ICMPv6 or IGMP is wrong.

    False where the packet has no such header, where it is a fragment (no single one can be checked), and for
    UDP over IPv4 without a checksum (RFC 768).
    """
    header = packet.header
    if header.protocol != protocol or header.transport < 0 or header.more or header.fragment:
        return False
    segment = packet.data[header.transport : header.payload + header.length]
    place = _PLACES[protocol]
    if len(segment) < place + 2:
        return False
    if protocol == UDP and segment[place : place + 2] == b"\0\0":
        return header.version == 6  # RFC 8200 section 8.1: never without one
    if protocol in (ICMP, IGMP):
        return internet_sum(segment) != 0xFFFF
    return internet_sum(_pseudo_header(packet, protocol, len(segment)) + segment) != 0xFFFF


def _pseudo_header(packet: Packet, protocol: int, length: int) -> bytes:
    """RFC 9293 section 3.1 and RFC 8200 section 8.1."""
    family = AF_INET if packet.header.version == 4 else AF_INET6
    ends = inet_pton(family, packet.header.src) + inet_pton(family, packet.header.dst)
    if family == AF_INET:
        return ends + struct.pack("!BBH", 0, protocol, length)
    return ends + struct.pack("!II", length, protocol)
