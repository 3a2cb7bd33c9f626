"""TCP's numbers relative to where a connection began, from what one host sends alone.

Runs in the host: standard library only, Python 3.9 syntax. `runner.sequence` says the same of a whole capture. A host's
detour sees one direction, and that is enough: its own SYN tells where its sequence numbers begin, and the first number
that it acknowledges is one behind the other end's SYN (RFC 9293, section 3.5).
"""

from __future__ import annotations

from lab.faults.headers import TCP, Headers

_SYN, _ACK = 0x02, 0x10
_WRAP = 0xFFFFFFFF


class Numbers:
    """Remembers of each connection where both of its directions began."""

    def __init__(self) -> None:
        self._first: dict[tuple[bytes, bytes], int] = {}

    def note(self, found: Headers) -> None:
        """See a frame that the host sent; all of them must be shown, in their order."""
        if found.protocol != TCP or found.transport < 0:
            return
        flags, seq = found.data[found.transport + 13], found.number(found.transport + 4, 4)
        ours, theirs = self._connection(found)
        if flags & _SYN:
            if not flags & _ACK and self._first.get(ours, seq) != seq:  # the same ports, a new connection
                self._first.pop(theirs, None)
            self._first[ours] = seq
        self._first.setdefault(ours, seq - 1 & _WRAP)
        if flags & _ACK:
            self._first.setdefault(theirs, found.number(found.transport + 8, 4) - 1 & _WRAP)

    def seq(self, found: Headers) -> int:
        """The sequence number, 0 of a SYN; -1 where nothing is known of the connection."""
        return self._since(self._connection(found)[0], found.number(found.transport + 4, 4))

    def ack(self, found: Headers) -> int:
        """The acknowledgement number, 1 of an answered SYN; -1 where the segment acknowledges nothing."""
        if not found.data[found.transport + 13] & _ACK:
            return -1
        return self._since(self._connection(found)[1], found.number(found.transport + 8, 4))

    def _since(self, direction: tuple[bytes, bytes], number: int) -> int:
        first = self._first.get(direction)
        return -1 if first is None else number - first & _WRAP

    @staticmethod
    def _connection(found: Headers) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Both directions, each the sender's address and port and the receiver's."""
        at, data = found.network, found.data
        begin, size = (at + 12, 4) if found.version == 4 else (at + 8, 16)
        source = data[begin : begin + size] + data[found.transport : found.transport + 2]
        target = data[begin + size : begin + 2 * size] + data[found.transport + 2 : found.transport + 4]
        return (source, target), (target, source)
