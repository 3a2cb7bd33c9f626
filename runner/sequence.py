"""Sequence numbers relative to where each direction of a TCP connection began, as Wireshark shows them.

One pass over the segments in the order they were sent; knows nothing of hosts or flows.
"""

from __future__ import annotations

from runner.headers import ACK, SYN, TCP
from runner.packets import Packet

_Direction = tuple[str, str, int, str, int]
_WRAP = 0xFFFFFFFF


class RelativeNumbers:
    """Remembers the first sequence number of each direction.

    A direction begins at its SYN. Where no SYN was seen it begins one before the first number seen, and the
    other direction one before the first number acknowledged, so that the first byte of data is 1 (Wireshark,
    packet-tcp.c). A SYN with another number on the same ports begins a new connection.
    """

    def __init__(self) -> None:
        self._first: dict[_Direction, int] = {}

    def of(self, packet: Packet) -> tuple[int, int]:
        """Relative sequence and acknowledgement number of the next segment; (-1, -1) for what is not TCP.

        Without the ACK flag the acknowledgement number means nothing and is given as it stands.
        """
        header = packet.header
        if header.protocol != TCP or header.transport < 0:
            return -1, -1
        first, seq, flags = self._first, header.seq, header.flags
        ours = (packet.network, header.src, header.sport, header.dst, header.dport)
        theirs = (packet.network, header.dst, header.dport, header.src, header.sport)
        if flags & SYN:
            if not flags & ACK and first.get(ours, seq) != seq:
                first.pop(theirs, None)
            first[ours] = seq
        begin = first.setdefault(ours, seq - 1 & _WRAP)
        if not flags & ACK:
            return seq - begin & _WRAP, header.ack
        return seq - begin & _WRAP, header.ack - first.setdefault(theirs, header.ack - 1 & _WRAP) & _WRAP
