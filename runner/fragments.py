"""Datagrams whose fragments were seen, put together: RFC 791 section 3.2, RFC 8200 section 4.5.

Works on the packets that one host saw, or sent; knows nothing of what they carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from runner.packets import Packet

_Pieces = dict[int, Packet]
"""Fragments of one datagram by their offsets, in bytes."""


def put_together(packets: Iterable[Packet]) -> Iterator[Packet]:
    """The packets in their order; of fragments one packet with all that the datagram carries, where its last one was.

    It is the first fragment's in everything else. A datagram that is not whole is left out, as a kernel leaves it.
    """
    waiting: dict[tuple[str, str, str, str, int], _Pieces] = {}
    for packet in packets:
        header = packet.header
        if not header.more and not header.fragment:
            yield packet
            continue
        key = (packet.network, packet.direction, header.src, header.dst, header.ident)
        pieces = waiting.setdefault(key, {})
        pieces[header.fragment] = packet
        whole = _whole(pieces)
        if whole is not None:
            del waiting[key]
            yield whole


def _whole(pieces: _Pieces) -> Packet | None:
    """The datagram, where each of its bytes is there."""
    first = pieces.get(0)
    if first is None or first.header.transport < 0:
        return None
    begin, end = first.header.transport, first.header.payload + first.header.length
    data, last = bytearray(first.data[:end]), first
    while last.header.more:
        following = pieces.get(len(data) - begin)
        if following is None or not following.payload:
            return None
        last = following
        data += last.payload
    length = len(data) - first.header.payload
    return replace(last, data=bytes(data), header=replace(first.header, length=length, more=False))
