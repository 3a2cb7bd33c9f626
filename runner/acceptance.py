"""Which TCP segments that reach a host its kernel throws away, as far as the host's own packets tell.

By RFC 9293 section 3.10.7, RFC 5961 and RFC 7323 section 5, as Linux does it (tcp_validate_incoming and tcp_ack in
net/ipv4/tcp_input.c). What becomes of what is left is `runner.streams`' affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.checksums import ip_is_bad, transport_is_bad
from runner.headers import ACK, FIN, RST, SYN, TCP
from runner.packets import Packet

MODULUS = 1 << 32
_END_OF_OPTIONS, _NO_OPERATION, WINDOW_SCALE, TIMESTAMPS = 0, 1, 3, 8
"""Kinds of TCP options: RFC 9293 section 3.2, RFC 7323 sections 2.2 and 3.2."""
_LARGEST_WINDOW = 1 << 30
"""Bytes: RFC 7323, section 2.3."""
_REPLAY = 1
"""By how much a timestamp may be older (TCP_PAWS_WINDOW in include/net/tcp.h)."""


def is_damaged(packet: Packet) -> bool:
    """Whether a checksum of the segment is wrong: nobody looks at the rest then."""
    return ip_is_bad(packet) or transport_is_bad(packet, TCP)


def options_of(packet: Packet) -> dict[int, bytes]:
    """The TCP options of a segment: kind -> what it carries; of those that are there twice the first."""
    header = packet.header
    options = packet.data[header.transport + 20 : header.payload]
    found: dict[int, bytes] = {}
    place = 0
    while place < len(options) and options[place] != _END_OF_OPTIONS:
        alone = options[place] == _NO_OPERATION
        size = 1 if alone else max(2, int.from_bytes(options[place + 1 : place + 2], "big"))
        if not alone:
            found.setdefault(options[place], options[place + 2 : place + size])
        place += size
    return found


def timestamp_of(packet: Packet) -> int | None:
    """The timestamp of the segment's sender; None where it has none."""
    value = options_of(packet).get(TIMESTAMPS, b"")
    return int.from_bytes(value[:4], "big") if len(value) == 8 else None


def ahead(first: int, second: int) -> int:
    """How far the second sequence number is after the first; below 0 where it is before (RFC 9293 section 3.4)."""
    return (second - first + MODULUS // 2) % MODULUS - MODULUS // 2


class Taken(NamedTuple):
    """A segment that was taken; `data` is how many bytes of its payload. `doubt` says why that is not sure."""

    packet: Packet
    data: int
    doubt: str = ""


def taken(seen: Sequence[Packet]) -> list[Taken]:
    """The segments of one connection, or of several after each other, that a host took of those that reached it.

    `seen` is what the host captured of them in its order, what it sent included.
    """
    receiver = _Receiver(seen)
    found = []
    for place, packet in enumerate(seen):
        if packet.direction == "out":
            receiver.sends(packet)
        elif (one := receiver.receives(place, packet)) is not None:
            found.append(one)
    return found


class _Receiver:
    """One end of a connection: what it has sent, and what it knows of the other end."""

    def __init__(self, seen: Sequence[Packet]) -> None:
        self._seen = seen
        self._first: int | None = None  # of what it sent
        self._end = 0
        self._told = 0  # the last acknowledgement that it sent
        self._acknowledged = 0
        self._begin: int | None = None  # the other end's SYN
        self._stamps = False
        self._stamp: int | None = None  # the newest timestamp that it keeps for sure (TS.Recent)

    def sends(self, packet: Packet) -> None:
        """A segment leaves."""
        header, flags = packet.header, packet.header.flags
        if flags & SYN and header.seq != self._first:
            self._first = self._end = self._acknowledged = header.seq
            if not flags & ACK:
                self._begin = self._stamp = None
        if flags & SYN:
            self._stamps = timestamp_of(packet) is not None
        end = header.seq + header.length + bool(flags & SYN) + bool(flags & FIN)
        if self._first is not None and ahead(self._end, end) > 0:
            self._end = end % MODULUS
        if flags & ACK:
            self._told = header.ack

    def receives(self, place: int, packet: Packet) -> Taken | None:
        """A segment arrives: what is taken of it, None where it is thrown away."""
        header, flags = packet.header, packet.header.flags
        if is_damaged(packet) or flags & RST or not flags & (SYN | ACK):
            return None
        if flags & SYN:
            return self._opens(place, packet)
        if self._is_old(packet):
            return None
        doubt = ""
        if self._first is not None:
            if ahead(self._end, header.ack) > 0 or ahead(header.ack, self._end) > _LARGEST_WINDOW:
                return None  # RFC 5961, section 5.2
            if ahead(header.ack, self._first) > 0:
                doubt = (
                    f"packet {packet.number} acknowledges bytes before the first: kernels differ in taking it"
                )
            else:
                self._keep(packet)
        return Taken(packet, header.length, doubt)

    def _opens(self, place: int, packet: Packet) -> Taken | None:
        """A SYN: it opens a connection where the host agrees to it, else it draws an ACK at most (RFC 5961, 4.2)."""
        header = packet.header
        again = header.seq == self._begin and not header.length  # of a simultaneous open: RFC 9293 figure 8
        if header.flags & ACK and self._first is not None and (self._begin is None or again):
            if ahead(self._first, header.ack) <= 0 or ahead(self._end, header.ack) > 0:
                return None
            data = header.length
        else:
            answer = self._answer(place, packet)
            if answer is None:
                return None
            data = max(
                0, ahead(header.seq + 1, answer.header.ack)
            )  # others are sent again (RFC 7413, section 2)
        if header.seq != self._begin:
            self._begin, self._stamp = header.seq, timestamp_of(packet)
        return Taken(packet, data)

    def _answer(self, place: int, packet: Packet) -> Packet | None:
        """The SYN,ACK that the host sent for a SYN; None where there is none."""
        wanted, length = packet.header.seq + 1, packet.header.length
        answers = (
            one
            for one in self._seen[place + 1 :]
            if one.direction == "out" and one.header.flags & (SYN | ACK) == SYN | ACK
        )
        return next((one for one in answers if 0 <= ahead(wanted, one.header.ack) <= length), None)

    def _is_old(self, packet: Packet) -> bool:
        """Whether its timestamp is older than one that the host keeps (RFC 7323 section 5.3)."""
        own = timestamp_of(packet) if self._stamps and self._stamp else None
        return own is not None and self._stamp is not None and ahead(own, self._stamp) > _REPLAY

    def _keep(self, packet: Packet) -> None:
        """What a segment that was taken tells of its sender (RFC 7323 section 4.3)."""
        header = packet.header
        if ahead(self._acknowledged, header.ack) < 0:
            return
        self._acknowledged = header.ack
        own = timestamp_of(packet)
        if own is not None and self._stamp is not None and ahead(header.seq, self._told) >= 0:
            self._stamp = own if ahead(self._stamp, own) > 0 else self._stamp
