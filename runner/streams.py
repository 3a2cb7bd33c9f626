"""What a socket sent and received: by its calls, and by the segments on the wire put together again.

Works on evidence; whether the two agree is a check's affair (`runner.checks.stream`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lab import agent
from runner import acceptance, flows, fragments
from runner.errors import Blind
from runner.evidence import Evidence
from runner.headers import ACK, FIN, SYN
from runner.history import CallRecord
from runner.packets import Packet
from runner.sockets import SocketFacts

_MODULUS = 1 << 32
_MULTIPATH = 30
"""A kind of TCP option: RFC 8684, section 8.1."""


@dataclass
class Transcript:
    """What calls moved, in order. `doubt` says why that is not sure, and is empty where it is."""

    data: bytearray = field(default_factory=bytearray)
    calls: int = 0
    doubt: str = ""

    def add(self, part: bytes) -> None:
        self.data += part
        self.calls += bool(part)


@dataclass
class WireStream:
    """The payload of one direction of a connection, up to the first hole; `segments` counts those that
    carried data.

    `hole` is the offset where bytes are missing although later ones are there, or None. `doubt` says why it is not
    sure which segments the receiver took, and is empty where it is.
    """

    data: bytes = b""
    segments: int = 0
    hole: int | None = None
    doubt: str = ""


# --- by the calls ---------------------------------------------------------------------------------


def sent(evidence: Evidence, socket: str) -> Transcript:
    """All that calls on a socket, on its duplicates and on files made from it gave to the kernel."""
    return _transcript(evidence, socket, _SENDING)


def received(evidence: Evidence, socket: str) -> Transcript:
    """All that such calls got from the kernel; what was only peeked at does not count."""
    return _transcript(evidence, socket, _RECEIVING)


_Reading = Callable[[CallRecord, Transcript], None]


def _transcript(evidence: Evidence, socket: str, readings: Mapping[str, _Reading]) -> Transcript:
    found = Transcript()
    names = _shared_by(evidence, socket)
    for call in evidence.calls():
        if call.object in names and call.name in readings:
            readings[call.name](call, found)
    return found


def _shared_by(evidence: Evidence, socket: str) -> set[str]:
    """The names of the socket's files and duplicates, and its own."""
    names = {socket}
    for call in evidence.calls():
        if call.object in names and call.name in ("makefile", "dup") and isinstance(call.value, dict):
            names.add(str(call.value.get("object")))
    return names


def _argument(call: CallRecord) -> Any:
    return agent.decode(call.arguments[0]) if call.arguments else b""


def _bytes(value: Any) -> bytes:
    """Bytes as they are, text as UTF-8, lists of them joined."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return b"".join(_bytes(part) for part in value)
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def _counted(call: CallRecord, found: Transcript) -> None:
    """send, sendto, sendmsg, write: they say how much of what they were given they took."""
    if call.failure is None and isinstance(call.value, int):
        data = _argument(call)
        found.add(_bytes(data) if isinstance(data, str) else _bytes(data)[: call.value])
    elif call.ended_ns is None and call.name != "write":
        found.doubt = f"{call.python} had not returned: how much it sent is not known"


def _whole(call: CallRecord, found: Transcript) -> None:
    """sendall, writelines: all or, where they fail, nobody knows how much (socket.sendall in Python's
    reference).
    """
    if call.ended_ns is not None and call.failure is None:
        found.add(_bytes(_argument(call)))
    elif call.failure is None:
        found.doubt = f"{call.python} had not returned: how much it sent is not known"
    elif call.failure.get("errno") or call.failure.get("type") == "TimeoutError":
        reason = call.failure.get("errno") or "timed out"
        found.doubt = f"{call.python} failed ({reason}): how much it sent is not known"


def _unseen(call: CallRecord, found: Transcript) -> None:
    """sendfile, recv_into: the history has their count, not their bytes."""
    if call.failure is None and call.value != 0:
        found.doubt = f"the history does not have the bytes of {call.python}"


def _returned(call: CallRecord, found: Transcript) -> None:
    """recv, read: the bytes are the value."""
    if call.failure is None and not _peeks(call):
        found.add(_bytes(agent.decode(call.value)))


def _returned_first(call: CallRecord, found: Transcript) -> None:
    """recvfrom, recvmsg: the bytes are the first part of the value."""
    value = agent.decode(call.value)
    if call.failure is None and isinstance(value, list) and value and not _peeks(call):
        found.add(_bytes(value[0]))


def _peeks(call: CallRecord) -> bool:
    """Whether the bytes stay in the socket (MSG_PEEK) or are none of the stream (MSG_ERRQUEUE; recv(2))."""
    return "MSG_PEEK" in call.python or "MSG_ERRQUEUE" in call.python


_SENDING: Mapping[str, _Reading] = {
    "send": _counted, "sendto": _counted, "sendmsg": _counted, "write": _counted,
    "sendall": _whole, "writelines": _whole, "sendfile": _unseen,
}  # fmt: skip
_RECEIVING: Mapping[str, _Reading] = {
    "recv": _returned, "read": _returned, "read1": _returned, "readline": _returned, "readlines": _returned,
    "recvfrom": _returned_first, "recvmsg": _returned_first,
    "recv_into": _unseen, "recvfrom_into": _unseen, "recvmsg_into": _unseen, "readinto": _unseen,
}  # fmt: skip


# --- on the wire ----------------------------------------------------------------------------------


def is_on_wire(evidence: Evidence, socket: str) -> bool:
    """Whether the socket's data are TCP segments between two hosts: others, or those within a host, are not
    captured.
    """
    facts = evidence.socket(socket)
    if not facts.has_ports or facts.type != "SOCK_STREAM":
        return False
    peers = [pair.peer[0] for pair in facts.pairs if pair.peer is not None]
    return any(evidence.owner(peer) != facts.host and not _is_loopback(peer) for peer in peers)


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def wire_from(evidence: Evidence, socket: str) -> WireStream:
    """What left the socket's host, lost or not; raises Blind where that host's capture is not complete."""
    facts = evidence.socket(socket)
    evidence.must_see([facts.host])
    segments = (one for one in _segments(evidence, socket) if _leaves(one, facts, evidence))
    return _reassembled((one, one.header.length) for one in segments)


def wire_to(evidence: Evidence, socket: str) -> WireStream:
    """What reached the socket's host and was not thrown away there, in the order in which it came.

    A kernel throws away what `runner.acceptance` says. Raises Blind where that host's capture is not complete.
    """
    facts = evidence.socket(socket)
    found = acceptance.taken(_segments(evidence, socket, at=facts.host))
    whole = _reassembled((one.packet, one.data) for one in found)
    return replace(whole, doubt=next((one.doubt for one in found if one.doubt), ""))


def _segments(evidence: Evidence, socket: str, at: str | None = None) -> list[Packet]:
    """The segments of a socket's connections, those put together that IP had cut into fragments."""
    found = fragments.put_together(
        one.sent for one in flows.select(evidence, flows.parse(f"tcp {socket}"), at=at)
    )
    segments = [one for one in found if one.header.flags >= 0]
    if any(_agrees_to_multipath(one) for one in segments):
        raise Blind(f"{socket} speaks Multipath TCP: its bytes may take other connections than its first")
    return segments


def _agrees_to_multipath(packet: Packet) -> bool:
    """Whether it is a SYN,ACK with the option of Multipath TCP (RFC 8684, section 3.1)."""
    return packet.header.flags & (SYN | ACK) == SYN | ACK and _MULTIPATH in acceptance.options_of(packet)


def _leaves(one: Packet, facts: SocketFacts, evidence: Evidence) -> bool:
    header = one.header
    ports = {pair.local[1] for pair in facts.pairs}
    return header.sport in ports and evidence.owner(header.src) == facts.host


def _reassembled(segments: Iterable[tuple[Packet, int]]) -> WireStream:
    """Put payloads in the order of their sequence numbers, each byte once (RFC 9293 section 3.4).

    Of each segment so many bytes as stand with it.
    A SYN with another number begins a new connection: its bytes follow those of the one before.
    """
    streams: list[_Reassembly] = []
    for one, length in segments:
        header = one.header
        if not streams or (header.flags & SYN and streams[-1].first not in (None, header.seq)):
            streams.append(_Reassembly())
        streams[-1].take(header.seq, header.flags, one.payload[:length])
    whole = [stream.result() for stream in streams]
    hole, offset = None, 0
    for part in whole:
        if part.hole is not None and hole is None:
            hole = offset + part.hole
        offset += len(part.data)
    return WireStream(b"".join(part.data for part in whole), sum(part.segments for part in whole), hole)


class _Reassembly:
    """One direction of one connection: pieces by their offsets from the first byte of data."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._begin: int | None = None
        self._end = 0
        self._fin: int | None = None
        self._pieces: list[tuple[int, bytes]] = []

    def take(self, seq: int, flags: int, payload: bytes) -> None:
        """One segment, in any order, any number of times."""
        if flags & SYN:
            self.first = seq
            seq = (seq + 1) % _MODULUS
        if self._begin is None:
            self._begin = seq
        ahead = (seq - self._begin - self._end + _MODULUS // 2) % _MODULUS - _MODULUS // 2
        offset = self._end + ahead
        if payload:
            self._pieces.append((offset, payload))
        if flags & FIN:
            self._fin = offset + len(payload)
        self._end = max(self._end, offset + len(payload))

    def result(self) -> WireStream:
        """The bytes up to the first hole."""
        data = bytearray()
        begin = min([0, *(offset for offset, _ in self._pieces)]) if self.first is None else 0
        for offset, payload in sorted(self._pieces, key=lambda piece: piece[0]):
            at = offset - begin
            if at > len(data):
                return WireStream(bytes(data), len(self._pieces), len(data))
            data += payload[max(0, len(data) - at) :] if at >= 0 else b""
        missing = self._fin is not None and self._fin - begin > len(data)
        return WireStream(bytes(data), len(self._pieces), len(data) if missing else None)
