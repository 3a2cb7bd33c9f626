"""The common header fields of all frames of a capture as columns: one array element a frame.

For captures of millions: NumPy reads what nearly all frames are (TCP and UDP over IPv4 or IPv6), and
`runner.headers` every other frame by itself, so that both always say the same; a property test holds them to
each other. Knows no flow. Sources are those of `runner.headers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton

import numpy as np
from numpy.typing import NDArray

from lab.capture_index import Bytes, Index, Integers, windows
from runner.headers import (
    ARP,
    COOKED,
    COOKED2,
    ETHERNET,
    EXTENSIONS,
    IPV4,
    IPV6,
    NULL_LINKS,
    RAW_LINKS,
    TAGS,
    TCP,
    UDP,
    decode,
    ip_text,
    mac_text,
)
from runner.packets import Header

Wide = NDArray[np.uint64]
Truth = NDArray[np.bool_]
_AT_ONCE = 1 << 16
_WINDOW = 40
"""The longest header that is read at once; frames nearer to the end of the file are read one by one."""
NO_IP = 0
"""The version of what has no IP header: its addresses are MACs, its protocol the EtherType."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Header fields as `runner.packets.Header` has them: numbers as on the wire, -1 where there is none.

    `source_high` and `source_low` are the two halves of a source address as a number (of the MAC, where
    `version` is 0), likewise of the target. `protocol` is the EtherType where there is no IP. `whole` is true
    where the header of the transport is there and not cut off.
    """

    version: NDArray[np.int8]
    protocol: NDArray[np.int32]
    source_high: Wide
    source_low: Wide
    target_high: Wide
    target_low: Wide
    sport: NDArray[np.int32]
    dport: NDArray[np.int32]
    seq: Integers
    ack: Integers
    flags: NDArray[np.int16]
    window: NDArray[np.int32]
    length: NDArray[np.int32]
    whole: Truth

    def address(self, row: int, *, source: bool) -> str:
        """The address of one end of a frame as text; empty where the link has none."""
        high, low = (self.source_high, self.source_low) if source else (self.target_high, self.target_low)
        return address_text(int(self.version[row]), int(high[row]), int(low[row]))


def address_text(version: int, high: int, low: int) -> str:
    """An address of the columns as it is written."""
    if version == 4:
        return ip_text(low.to_bytes(4, "big"))
    if version == 6:
        return ip_text((high << 64 | low).to_bytes(16, "big"))
    return mac_text((low ^ _IS_MAC).to_bytes(6, "big")) if low else ""


def read(index: Index) -> Columns:
    """The columns of all frames, in the order of the index."""
    count = len(index.begin)
    made = _empty(count)
    links = np.array([source.link for source in index.sources] or [0], np.int64)
    for first in range(0, count, _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, count))
        left = _Reader(index, made, rows, links[index.source[rows]]).read()
        for row in left:
            _read_alone(index, made, int(row), int(links[index.source[row]]))
    return made


def _empty(count: int) -> Columns:
    """Columns of so many frames that have no header at all."""
    return Columns(
        version=np.zeros(count, np.int8),
        protocol=np.full(count, -1, np.int32),
        source_high=np.zeros(count, np.uint64),
        source_low=np.zeros(count, np.uint64),
        target_high=np.zeros(count, np.uint64),
        target_low=np.zeros(count, np.uint64),
        sport=np.full(count, -1, np.int32),
        dport=np.full(count, -1, np.int32),
        seq=np.full(count, -1, np.int64),
        ack=np.full(count, -1, np.int64),
        flags=np.full(count, -1, np.int16),
        window=np.full(count, -1, np.int32),
        length=np.zeros(count, np.int32),
        whole=np.zeros(count, np.bool_),
    )


def _read_alone(index: Index, made: Columns, row: int, link: int) -> None:
    """One frame, by `runner.headers`."""
    header = decode(index.frame(row), link)
    made.version[row] = header.version
    made.protocol[row] = header.protocol if header.version else header.ether_type
    made.source_high[row], made.source_low[row] = _numbers(header, header.src, header.source_mac)
    made.target_high[row], made.target_low[row] = _numbers(header, header.dst, header.target_mac)
    made.sport[row], made.dport[row] = header.sport, header.dport
    made.seq[row], made.ack[row], made.flags[row] = header.seq, header.ack, header.flags
    made.window[row], made.length[row] = header.window, header.length
    made.whole[row] = header.transport >= 0


_IS_MAC = 1 << 48
"""Marks a MAC, so that 00:00:00:00:00:00 is one too."""


def _numbers(header: Header, address: str, mac: str) -> tuple[int, int]:
    if not header.version:
        return 0, (int(mac.replace(":", ""), 16) | _IS_MAC) if mac else 0
    data = inet_pton(AF_INET6 if header.version == 6 else AF_INET, address)
    whole = int.from_bytes(data, "big")
    return whole >> 64, whole & (1 << 64) - 1


@dataclass
class _Reader:
    """Reads the frames of some rows; those that are unusual are left over."""

    index: Index
    made: Columns
    rows: Integers
    link: Integers

    def read(self) -> Integers:
        """Fill what can be filled at once; returns the rows that are left."""
        self.begin, self.kept = self.index.begin[self.rows], self.index.kept[self.rows]
        self.raw: Bytes = self.index.raw
        done = np.zeros(len(self.rows), np.bool_)
        safe = self.begin + self.kept + _WINDOW <= len(self.raw)
        kind, offset = self._network(safe)
        for read, ether_type, least in ((self._ipv4, IPV4, 20), (self._ipv6, IPV6, 40)):
            picked = np.flatnonzero(safe & (kind == ether_type) & (offset + least <= self.kept))
            done[read(picked, offset[picked])] = True
        left: Integers = self.rows[~done]
        return left

    def _two(self, place: Integers) -> Integers:
        """The 16-bit numbers at these places of the file."""
        return self.raw[place].astype(np.int64) << 8 | self.raw[place + 1]

    def _network(self, safe: Truth) -> tuple[Integers, Integers]:
        """The EtherType of each frame and where what it carries begins; -1 for what is read alone."""
        kind, offset = np.full(len(self.rows), -1, np.int64), np.zeros(len(self.rows), np.int64)
        for link in np.unique(self.link):
            mine = np.flatnonzero((self.link == link) & safe)
            layout = _LAYOUTS.get(int(link))
            if layout is None or not len(mine):
                continue
            place, start = layout
            mine = mine[self.kept[mine] > start]
            offset[mine] = start
            if place >= 0:
                kind[mine] = self._two(self.begin[mine] + place)
            else:
                version = self.raw[self.begin[mine] + start] >> 4
                kind[mine] = np.where(version == 4, IPV4, np.where(version == 6, IPV6, -1))
        tagged = np.flatnonzero(np.isin(kind, _TAGS) & (self.link == ETHERNET))
        while len(tagged):
            tagged = tagged[offset[tagged] + 4 <= self.kept[tagged]]
            kind[tagged] = self._two(self.begin[tagged] + offset[tagged] + 2)
            offset[tagged] += 4
            tagged = tagged[np.isin(kind[tagged], _TAGS)]
        return kind, offset

    def _ipv4(self, picked: Integers, offset: Integers) -> Integers:
        head = windows(self.raw, self.begin[picked] + offset, 20)
        words = head.view(">u2").astype(np.int64)
        size = (head[:, 0] & 15).astype(np.int64) << 2
        total, kept, fragment = words[:, 1], self.kept[picked], (words[:, 3] & 0x1FFF) << 3
        start, end = offset + size, offset + total
        end = np.where((total < size) | (end > kept), kept, end)
        regular = (head[:, 0] >> 4 == 4) & (size >= 20) & (start <= end)
        addresses = head.view(">u4").astype(np.uint64)
        none = np.zeros(len(picked), np.uint64)
        ends = (none, addresses[:, 3], none, addresses[:, 4])
        return self._fill(picked, regular, 4, head[:, 9].astype(np.int64), ends, (start, end, fragment))

    def _ipv6(self, picked: Integers, offset: Integers) -> Integers:
        head = windows(self.raw, self.begin[picked] + offset, 40)
        length, kept = head.view(">u2")[:, 2].astype(np.int64), self.kept[picked]
        start, end = offset + 40, offset + 40 + length
        end = np.where((length == 0) | (end > kept), kept, end)
        protocol = head[:, 6].astype(np.int64)
        regular = (head[:, 0] >> 4 == 6) & ~np.isin(protocol, _EXTENSIONS)
        halves = head.view(">u8").astype(np.uint64)
        ends = (halves[:, 1], halves[:, 2], halves[:, 3], halves[:, 4])
        return self._fill(picked, regular, 6, protocol, ends, (start, end, np.zeros_like(start)))

    def _fill(
        self,
        picked: Integers,
        regular: Truth,
        version: int,
        protocol: Integers,
        ends: tuple[Wide, Wide, Wide, Wide],
        spans: tuple[Integers, Integers, Integers],
    ) -> Integers:
        """Write the fields of regular packets of TCP, UDP and of later fragments; returns which those were."""
        start, end, fragment = spans
        room = end - start
        later = fragment > 0
        tcp = ~later & (protocol == TCP) & (room >= 20)
        udp = ~later & (protocol == UDP) & (room >= 8)
        chosen = np.flatnonzero(regular & (later | tcp | udp))
        at, made = self.rows[picked[chosen]], self.made
        made.version[at], made.protocol[at] = version, protocol[chosen]
        halves = (made.source_high, made.source_low, made.target_high, made.target_low)
        for column, values in zip(halves, ends, strict=True):
            column[at] = values[chosen]
        made.length[at] = room[chosen]
        made.whole[at] = ~later[chosen]
        self._fill_udp(picked, np.flatnonzero(regular & udp), start, room)
        self._fill_tcp(picked, np.flatnonzero(regular & tcp), start, room)
        return picked[chosen]

    def _fill_udp(self, picked: Integers, chosen: Integers, start: Integers, room: Integers) -> None:
        at, made = self.rows[picked[chosen]], self.made
        words = windows(self.raw, self.begin[picked[chosen]] + start[chosen], 6).view(">u2").astype(np.int64)
        made.sport[at], made.dport[at] = words[:, 0], words[:, 1]
        said, there = words[:, 2], room[chosen]
        made.length[at] = np.where((said >= 8) & (said <= there), said, there) - 8

    def _fill_tcp(self, picked: Integers, chosen: Integers, start: Integers, room: Integers) -> None:
        at, made = self.rows[picked[chosen]], self.made
        head = windows(self.raw, self.begin[picked[chosen]] + start[chosen], 20)
        words, longs = head.view(">u2").astype(np.int64), head.view(">u4").astype(np.int64)
        made.sport[at], made.dport[at] = words[:, 0], words[:, 1]
        made.seq[at], made.ack[at] = longs[:, 1], longs[:, 2]
        made.flags[at], made.window[at] = words[:, 6] & 0x1FF, words[:, 7]
        size = words[:, 6] >> 12 << 2
        made.length[at] = np.where((size < 20) | (size > room[chosen]), 0, room[chosen] - size)


_TAGS = np.array(sorted(TAGS))
_EXTENSIONS = np.array(sorted(EXTENSIONS))


def _layouts() -> Iterator[tuple[int, tuple[int, int]]]:
    yield ETHERNET, (12, 14)
    yield COOKED, (14, 16)
    yield COOKED2, (0, 20)
    yield from ((link, (-1, 0)) for link in RAW_LINKS)
    yield from ((link, (-1, 4)) for link in NULL_LINKS)


_LAYOUTS = dict(_layouts())
"""Link -> where the EtherType is (-1: the version of the packet says it) and where the packet begins."""
PROTOCOL_NAMES = {TCP: "tcp", UDP: "udp", 1: "icmp", 58: "icmpv6", 2: "igmp"}
"""IP protocol numbers with names of their own."""


def protocol_name(version: int, protocol: int) -> str:
    """What a flow of a protocol of the columns is called: `tcp`, `ip.253`, `arp`, `frame`."""
    if version:
        return PROTOCOL_NAMES.get(protocol, f"ip.{protocol}")
    return "arp" if protocol == ARP else "frame"
