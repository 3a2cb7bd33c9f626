"""The headers of a raw frame: where they begin, single fields of them, and checksums made right again.

Runs in the host: standard library only, Python 3.9 syntax. `runner.headers` and `runner.fields` say the same of
captured frames; a property test holds the two to the same answers. Sources: RFC 791, 8200, 826, 9293, 768, 792, 1071.
"""

from __future__ import annotations

import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

IP4, IP6, ARP_TYPE = 0x0800, 0x86DD, 0x0806
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
_SHORTEST = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 4}
_LARGE_ICMP = {13: 20, 14: 20, 17: 12, 18: 12}
_ICMPV6_WITH_WORD = (1, 2, 3, 4, 128, 129)
"""Types whose header is larger than the shortest (RFC 792; RFC 4443)."""
_VLANS = (0x8100, 0x88A8, 0x9100)
_EXTENSIONS = (0, 43, 60, 135)
"""IPv6 extension headers that lead to another one (RFC 8200, section 4): hop-by-hop, routing, destination, mobility."""
_FRAGMENT, _AUTHENTICATION = 44, 51


class Headers:
    """Where the headers of a frame are. -1 and None are what it does not have.

    `upper` is where what IP carries begins, `transport` the same where a whole header of the transport is there. Of a
    fragment `first` says whether it is the first one, `more` whether others follow.
    """

    __slots__ = (
        "data",
        "end",
        "ether_type",
        "first",
        "more",
        "network",
        "protocol",
        "transport",
        "upper",
        "version",
    )

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.network = 14
        self.ether_type = int.from_bytes(data[12:14], "big") if len(data) >= 14 else -1
        while self.ether_type in _VLANS and len(data) >= self.network + 4:
            self.ether_type = int.from_bytes(data[self.network + 2 : self.network + 4], "big")
            self.network += 4
        self.version = self.protocol = self.transport = self.upper = -1
        self.first, self.more = True, False
        self.end = len(data)
        if self.ether_type == IP4 and len(data) >= self.network + 20 and data[self.network] >> 4 == 4:
            self._read_ip4()
        elif self.ether_type == IP6 and len(data) >= self.network + 40 and data[self.network] >> 4 == 6:
            self._read_ip6()

    def _read_ip4(self) -> None:
        data, begin = self.data, self.network
        length = (data[begin] & 15) * 4
        total = int.from_bytes(data[begin + 2 : begin + 4], "big")
        self.version, self.protocol = 4, data[begin + 9]
        self.end = min(len(data), begin + total) if total >= length else len(data)
        fragment = int.from_bytes(data[begin + 6 : begin + 8], "big")
        self.first, self.more = not fragment & 0x1FFF, bool(fragment & 0x2000)
        if length >= 20 and begin + length <= self.end:
            self._place_transport(begin + length)

    def _read_ip6(self) -> None:
        data, begin = self.data, self.network
        payload = int.from_bytes(data[begin + 4 : begin + 6], "big")
        self.version, kind, place = 6, data[begin + 6], begin + 40
        self.end = min(len(data), place + payload) if payload else len(data)
        while (kind in _EXTENSIONS or kind in (_FRAGMENT, _AUTHENTICATION)) and place + 8 <= self.end:
            following = data[place]
            if kind == _FRAGMENT:
                fragment = int.from_bytes(data[place + 2 : place + 4], "big")
                self.first, self.more = not fragment & 0xFFF8, bool(fragment & 1)
                place += 8
            else:
                place += (data[place + 1] + 2) * 4 if kind == _AUTHENTICATION else (data[place + 1] + 1) * 8
            kind = following
            if not self.first:
                break
        self.protocol = kind
        whole = kind not in _EXTENSIONS and kind not in (_FRAGMENT, _AUTHENTICATION)
        if place <= self.end and (whole or not self.first):  # else an extension header is cut off
            self._place_transport(place)

    def _place_transport(self, place: int) -> None:
        self.upper = place
        if self.first and place + _SHORTEST.get(self.protocol, 0) <= self.end:
            self.transport = place

    def number(self, place: int, size: int) -> int:
        """An unsigned number in network byte order."""
        return int(int.from_bytes(self.data[place : place + size], "big"))

    def address(self, target: bool) -> Optional[str]:
        """An end's IP address (of ARP: protocol address) as text."""
        begin = self.network
        if self.version == 4:
            at = begin + (16 if target else 12)
            return socket.inet_ntop(socket.AF_INET, self.data[at : at + 4])
        if self.version == 6:
            at = begin + (24 if target else 8)
            return socket.inet_ntop(socket.AF_INET6, self.data[at : at + 16])
        if self.is_arp:
            at = begin + (24 if target else 14)
            return socket.inet_ntop(socket.AF_INET, self.data[at : at + 4])
        return None

    @property
    def is_arp(self) -> bool:
        """Whether it is ARP for IPv4 over Ethernet."""
        begin = self.network
        return (
            self.ether_type == ARP_TYPE
            and self.data[begin : begin + 6] == b"\0\1\x08\0\6\4"
            and len(self.data) >= begin + 28
        )

    @property
    def covered(self) -> int:
        """Where that ends which the transport's checksum covers: UDP says so itself (RFC 768), others end with IP."""
        if self.protocol == UDP and self.transport >= 0:
            length = self.number(self.transport + 4, 2)
            if 8 <= length <= self.end - self.transport:
                return self.transport + length
        return self.end

    @property
    def payload(self) -> int:
        """How many bytes the transport carries, of a fragment or a protocol that is not known: IP; -1 without IP."""
        if self.upper < 0:
            return -1
        room, kind = self.end - self.upper, self.protocol
        if not self.first:
            return room
        if kind == TCP and room >= 20:
            head = (self.data[self.upper + 12] >> 4) * 4
            return room - head if 20 <= head <= room else 0
        if kind == UDP and room >= 8:
            length = self.number(self.upper + 4, 2)
            return (length if 8 <= length <= room else room) - 8
        if kind in (TCP, UDP) and room >= 4:  # cut off behind the ports
            return 0
        return room - self._icmp_header(room, kind)

    def _icmp_header(self, room: int, kind: int) -> int:
        """How long the header of ICMP or IGMP is; 0 where it is something else, or cut off."""
        if kind in (ICMP, IGMP) and room >= 8:
            return min(_LARGE_ICMP.get(self.data[self.upper], 8), room) if kind == ICMP else 8
        if kind == ICMPV6 and room >= 4:
            return 8 if self.data[self.upper] in _ICMPV6_WITH_WORD and room >= 8 else 4
        return 0


def mac_text(data: bytes) -> str:
    """Six bytes as text."""
    return ":".join("%02x" % byte for byte in data)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def mended(frame: bytes) -> bytes:
    """The frame with right checksums of IP and of what it carries; fragments keep the one of their datagram."""
    found = Headers(frame)
    data = bytearray(frame)
    begin = found.network
    if found.version == 4:
        length = (data[begin] & 15) * 4
        data[begin + 10 : begin + 12] = b"\0\0"
        data[begin + 10 : begin + 12] = checksum(bytes(data[begin : begin + length])).to_bytes(2, "big")
    place = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}.get(found.protocol)
    if place is None or found.transport < 0 or found.more:
        return bytes(data)
    at, end = found.transport + place, found.covered
    if found.protocol == UDP and found.version == 4 and not any(data[at : at + 2]):
        return bytes(data)  # RFC 768: it has none
    data[at : at + 2] = b"\0\0"
    body = bytes(data[found.transport : end])
    total = checksum(pseudo_header(found, end - found.transport) + body)
    if found.protocol == UDP and not total:
        total = 0xFFFF  # RFC 768: all zeros mean that there is none
    data[at : at + 2] = total.to_bytes(2, "big")
    return bytes(data)


def pseudo_header(found: Headers, length: int) -> bytes:
    """What a checksum covers beside the packet itself (RFC 9293, section 3.1; RFC 8200, section 8.1)."""
    begin = found.network
    if found.protocol == ICMP:
        return b""
    if found.version == 4:
        return found.data[begin + 12 : begin + 20] + struct.pack("!BBH", 0, found.protocol, length)
    return found.data[begin + 8 : begin + 40] + struct.pack("!IxxxB", length, found.protocol)
