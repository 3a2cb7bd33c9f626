"""Pairs what was sent with what arrived of it: from every host's packets to transmissions.

Works on one run's packets and who owns which address; knows no flow, no check and no file. A network is one
link: a packet that a router passes on is another transmission there.
"""

from __future__ import annotations

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from lab.engine import Interface
from runner.headers import is_group
from runner.packets import Packet, Transmission
from runner.rundir import CaptureInfo
from runner.sequence import RelativeNumbers
from runner.struck import Struck

NOTHING_STRUCK = Struck()
"""Of a run without faults."""
_End = tuple[str, str]
"""A host's name and its interface's."""


@dataclass(frozen=True)
class Pairing:
    """`transmissions` in the order they were sent; `copies` says for each packet number what it is a copy of.

    A packet that belongs to no transmission (altered on its way, say) is in `copies` only, as one of its own.
    """

    transmissions: tuple[Transmission, ...]
    copies: Mapping[int, Transmission]


def canonical(address: str) -> str:
    """An IP address as the kernel writes it, without a zone, a mapped IPv4 address as IPv4; other text as it
    is.
    """
    text = address.partition("%")[0]
    if ":" not in text:
        return text
    try:
        packed = inet_pton(AF_INET6, text)
    except OSError:
        return address.lower()  # a MAC
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return inet_ntop(AF_INET, packed[12:])
    return inet_ntop(AF_INET6, packed)


def owners_of(interfaces: Iterable[Interface]) -> dict[str, str]:
    """Address (IP or MAC) -> the host that has it; link-local addresses made of the MAC too (RFC 4291,
    appendix A).
    """
    owners: dict[str, str] = {}
    for end in interfaces:
        for address in (*end.ip4, *end.ip6, end.mac, *_link_local(end.mac)):
            owners.setdefault(canonical(address), end.host)
    return owners


def _link_local(mac: str) -> list[str]:
    data = bytes.fromhex(mac.replace(":", "")) if mac else b""
    if len(data) != 6:
        return []
    identifier = struct.pack("!B2s2s3s", data[0] ^ 2, data[1:3], b"\xff\xfe", data[3:])
    return [inet_ntop(AF_INET6, b"\xfe\x80" + b"\0" * 6 + identifier)]


@dataclass
class _Copies:
    """Frames of the same bytes on one network, in the order of their times."""

    sent: list[Packet] = field(default_factory=list)
    arrived: list[Packet] = field(default_factory=list)


def pair(
    packets: Sequence[Packet],
    interfaces: Sequence[Interface],
    captures: Mapping[str, CaptureInfo],
    struck: Struck = NOTHING_STRUCK,
) -> Pairing:
    """Find out for every frame sent which copies arrived, by identical bytes on the same network.

    A unicast frame is expected at the owner of its target MAC, a group frame at all others on the network;
    where nobody owns the MAC, whatever saw it counts and it is never `lost`. Frames that no host sent are
    transmissions of their own if they come from outside, that is from a MAC of no host whose capture is
    complete. What a fault changed on its way (`struck`) is a copy of what was sent all the same.
    """
    networks: dict[str, defaultdict[bytes, _Copies]] = {}
    for packet in sorted(packets, key=attrgetter("time_ns")):
        found = networks.setdefault(packet.network, defaultdict(_Copies))[struck.sent_as(packet)]
        (found.sent if packet.direction == "out" else found.arrived).append(packet)
    links = _Links(interfaces, captures, struck)
    raw = [one for same in networks.values() for copies in same.values() for one in links.split(copies)]
    return _numbered(raw, owners_of(interfaces), struck)


@dataclass
class _Raw:
    """A transmission in the making: `arrived` where it was expected, `other` copies that are seen in views
    only.
    """

    sent: Packet
    arrived: list[Packet] = field(default_factory=list)
    other: list[Packet] = field(default_factory=list)
    lost: bool = False
    real: bool = True


class _Links:
    """Who is on which network, and whose capture is complete."""

    def __init__(
        self, interfaces: Sequence[Interface], captures: Mapping[str, CaptureInfo], struck: Struck
    ) -> None:
        self._struck = struck
        self._ends: defaultdict[str, list[_End]] = defaultdict(list)
        self._owners: defaultdict[tuple[str, str], list[_End]] = defaultdict(list)
        for end in interfaces:
            self._ends[end.network].append((end.host, end.name))
            self._owners[(end.network, end.mac)].append((end.host, end.name))
        self._targets: dict[tuple[str, str, str], list[_End]] = {}
        self._complete = {host for host, one in captures.items() if not one.missing and not one.drops}

    def _expected(self, packet: Packet) -> list[_End]:
        """Where a frame should arrive; empty where nobody of the lab is its target."""
        network, target, host = packet.network, packet.header.target_mac, packet.host
        key = (network, target, host)
        known = self._targets.get(key)
        if known is None:
            ends = self._ends[network] if is_group(target) else self._owners.get((network, target), [])
            known = self._targets[key] = [end for end in ends if end[0] != host]
        return known

    def split(self, copies: _Copies) -> list[_Raw]:
        """The transmissions that frames of the same bytes on one network are."""
        if not copies.sent:
            return self._strays(copies.arrived)
        if len(copies.sent) == len(copies.arrived) == 1:  # nearly all frames: no need to look any closer
            sent, copy = copies.sent[0], copies.arrived[0]
            if self._expected(sent) == [(copy.host, copy.interface)]:
                return [_Raw(sent, [copy])]
        raw = [_Raw(packet) for packet in copies.sent]
        by_end: defaultdict[_End, list[Packet]] = defaultdict(list)
        for packet in copies.arrived:
            by_end[(packet.host, packet.interface)].append(packet)
        expected = [self._expected(one.sent) for one in raw]
        for end, arrived in by_end.items():
            mine = [number for number, one in enumerate(raw) if one.sent.host != end[0]] or range(len(raw))
            places = self._places([raw[number].sent for number in mine], arrived, end[0])
            for packet, place in zip(arrived, places, strict=True):
                number = mine[place]
                wanted = end in expected[number] or not expected[number]
                is_own = raw[number].sent.host == packet.host
                (raw[number].arrived if wanted and not is_own else raw[number].other).append(packet)
        for one, ends in zip(raw, expected, strict=True):
            one.lost = not one.arrived and bool(ends) and all(host in self._complete for host, _ in ends)
        return raw

    def _places(self, sent: Sequence[Packet], arrived: Sequence[Packet], host: str) -> list[int]:
        """For each arrival at one end the place of the sending it is a copy of, by what faults let pass there."""
        if len(sent) == 1:
            return [0] * len(arrived)
        found = [0] * len(arrived)
        for kind, numbers in _by_bytes(arrived).items():
            due = [
                (packet.time_ns + left.later_ns, place)
                for place, packet in enumerate(sent)
                for left in self._struck.copies(packet)
                if (left.length, left.crc) == kind and host not in left.without
            ]
            due = sorted(due) or [(packet.time_ns, place) for place, packet in enumerate(sent)]
            times = [arrived[number].time_ns for number in numbers]
            for number, place in zip(numbers, _assigned([at_ns for at_ns, _ in due], times), strict=True):
                found[number] = due[place][1]
        return found

    def _strays(self, arrived: Sequence[Packet]) -> list[_Raw]:
        """Frames that no host sent: the k-th copy at each end is of the k-th sending."""
        groups: list[_Raw] = []
        seen: defaultdict[_End, int] = defaultdict(int)
        for packet in arrived:
            end = (packet.host, packet.interface)
            if seen[end] == len(groups):
                inside = self._owners.get((packet.network, packet.header.source_mac), [])
                real = not any(host in self._complete for host, _ in inside)
                groups.append(_Raw(packet, real=real))
            groups[seen[end]].arrived.append(packet)
            seen[end] += 1
        return groups


def _by_bytes(packets: Sequence[Packet]) -> dict[tuple[int, int], list[int]]:
    """The places of packets that have the same bytes, by their length and CRC-32."""
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for number, packet in enumerate(packets):
        found[(len(packet.data), zlib.crc32(packet.data))].append(number)
    return found


def _assigned(sent: Sequence[int], arrived: Sequence[int]) -> list[int]:
    """For each arrival at one end the place of what left that it is; both are times in nanoseconds, in order.

    The k-th arrival is the k-th that left. Where fewer arrived than left, each is the latest that left before it
    and is still free; where more arrived, the surplus belongs to the last one that left before it.
    """
    places: list[int] = []
    if len(arrived) < len(sent):
        free = len(sent) - 1
        for time_ns in reversed(arrived):
            while free > 0 and sent[free] > time_ns:
                free -= 1
            places.append(max(free, 0))
            free -= 1
        return places[::-1]
    following = 0
    for time_ns in arrived:
        if following < len(sent) and (following == 0 or sent[following] <= time_ns):
            following += 1
        places.append(following - 1)
    return places


def _numbered(raw: list[_Raw], owners: Mapping[str, str], struck: Struck) -> Pairing:
    """In the order they were sent, with the owners of their addresses and relative TCP numbers."""
    raw.sort(key=lambda one: (one.sent.time_ns, one.sent.number))
    numbers = RelativeNumbers()
    transmissions: list[Transmission] = []
    copies: dict[int, Transmission] = {}
    for one in raw:
        packet, header = one.sent, one.sent.header
        source = header.src if header.version else header.source_mac
        target = header.dst if header.version else header.target_mac
        seq, ack = numbers.of(packet)
        made = Transmission(
            packet,
            tuple(one.arrived),
            owners.get(source, source),
            owners.get(target, target),
            one.lost,
            seq,
            ack,
            struck.words.get(packet.number, ()),
        )
        if one.real:
            transmissions.append(made)
        copies[packet.number] = made
        for copy in (*one.arrived, *one.other):
            copies[copy.number] = made
    return Pairing(tuple(transmissions), copies)
