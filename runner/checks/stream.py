"""The expectation `stream`: the bytes that one socket sent are those that the other received, on the wire
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from pydantic import Field

from runner import streams
from runner.checks import keys
from runner.errors import Blind
from runner.evidence import Evidence
from runner.expected import Exactly, Expected, ExpectedBytes, same_bytes
from runner.model import KnownNames, MisplacedAt, Model
from runner.quoting import around, first_difference, quoted
from runner.streams import Transcript, WireStream
from runner.values import Name
from runner.verdict import Finding

_SHOWN = 64


class Ends(Model):
    """Which bytes are compared; `from`, `is`, or both are needed.

    from  the socket that sent them
    to    the socket that received them
    is    what was received
    """

    source: Name | None = Field(None, alias="from")
    to: Name
    expected: ExpectedBytes | None = Field(None, alias="is")


class Stream(Model):
    """All bytes that one socket sent are what the other received: `{from: c, to: conn}`.

    Or what was received is V: `{to: conn, is: V}`. Both by the calls on the sockets (also on their duplicates
    and files), and for TCP between two hosts by the segments on the wire put together again; all must agree.

    Segments that the receiver has to throw away count for nothing: those with a wrong checksum or without ACK, a SYN in
    the middle of a connection, an acknowledgement of what was never sent (RFC 9293 section 3.10.7.4, RFC 5961 sections
    4 and 5), a timestamp that is too old (RFC 7323 section 5).

    stream  a map of from, to and is
    """

    kind: ClassVar[str] = "stream"

    stream: Ends

    def mistakes(self, names: KnownNames) -> Iterator[MisplacedAt]:
        """Names that do not exist, and a stream that is compared with nothing."""
        if self.stream.source is not None:
            yield from keys.unknown(names, "sockets", self.stream.source, ("stream", "from"))
        yield from keys.unknown(names, "sockets", self.stream.to, ("stream", "to"))
        if self.stream.source is None and self.stream.expected is None:
            yield MisplacedAt(("stream",), "a stream needs `from` (who sent it) or `is` (what it is)")

    def needs(self, home: keys.Home) -> Iterable[str] | None:
        """The hosts whose captures it needs."""
        return keys.socket_hosts((self.stream.to, self.stream.source), home)

    def examine(self, evidence: Evidence) -> Iterator[Finding]:
        """One finding for each comparison; raises Blind where bytes are not known."""
        got = _known(streams.received(evidence, self.stream.to))
        if self.stream.expected is not None:
            yield self._compared_with(self.stream.expected, got)
            yield from self._checked_at_receiver(evidence, got)
        if self.stream.source is not None:
            yield from self._checked_from_sender(evidence, self.stream.source, got)

    def _compared_with(self, expected: Expected, got: Transcript) -> Finding:
        """What was received against `is`."""
        data = bytes(got.data)
        if expected.holds(data, same_bytes):
            told = f"{self.stream.to} received {_told(data)} in {_calls(got)}"
            return self._pass(f"{told}, expected {expected}")
        if isinstance(expected, Exactly):
            wanted = (expected.value, "expected")
            return self._parted((data, f"{self.stream.to} received"), wanted)
        return Finding("fail", self.kind, f"{self.stream.to} received {_told(data)}, expected {expected}")

    def _checked_at_receiver(self, evidence: Evidence, got: Transcript) -> Iterator[Finding]:
        """What calls received must have come over the wire; the kernel may hold more that nobody read."""
        if not streams.is_on_wire(evidence, self.stream.to):
            return
        wire, data = streams.wire_to(evidence, self.stream.to), bytes(got.data)
        if not wire.data.startswith(data):
            _be_sure(wire)
            arrived = (wire.data, "the wire brought")
            yield self._parted((data, f"{self.stream.to} received"), arrived)

    def _checked_from_sender(self, evidence: Evidence, source: str, got: Transcript) -> Iterator[Finding]:
        gave = _known(streams.sent(evidence, source))
        sent, received = (bytes(gave.data), f"{source} sent"), (bytes(got.data), f"{self.stream.to} received")
        if sent[0] != received[0]:
            yield self._parted(received, sent)
        elif not streams.is_on_wire(evidence, source):
            told = f"sent by {source} in {_calls(gave)}, received by {self.stream.to} in {_calls(got)}"
            yield self._pass(f"{_told(sent[0])}: {told}")
        else:
            yield self._checked_on_wire(evidence, source, gave, got)

    def _checked_on_wire(self, evidence: Evidence, source: str, gave: Transcript, got: Transcript) -> Finding:
        """Calls agree; now the segments that left and those that arrived."""
        left, arrived = streams.wire_from(evidence, source), streams.wire_to(evidence, self.stream.to)
        calls = bytes(gave.data), f"{source} sent"
        for wire, which in ((left, "left"), (arrived, "arrived")):
            who = f"the segments that {which} carry"
            if wire.data != calls[0] or wire.hole is not None:
                _be_sure(wire)
                return self._parted((wire.data, who), calls, _hole(wire))
        segments = f"{left.segments:,} segment{'' if left.segments == 1 else 's'} on the wire"
        return self._pass(
            f"{_told(calls[0])}: sent by {source} in {_calls(gave)}, {segments}, "
            f"received by {self.stream.to} in {_calls(got)}"
        )

    def _pass(self, summary: str) -> Finding:
        return Finding("pass", self.kind, summary)

    def _parted(self, one: tuple[bytes, str], other: tuple[bytes, str], more: str = "") -> Finding:
        """Two streams that differ: where, with the bytes about that place."""
        place = first_difference(one[0], other[0]) or 0
        summary = f"{one[1]} {_told(one[0])}, {other[1]} {_told(other[0])}: they part at byte {place:,}"
        width = max(len(one[1]), len(other[1]))
        lines = [f"  {who:{width}}  {_about(data, place)}" for data, who in (one, other)]
        detail = [f"From byte {place:,} on (the first is 0):", *lines, *([more] if more else [])]
        return Finding("fail", self.kind, summary, "\n".join(detail))


def _known(transcript: Transcript) -> Transcript:
    """The transcript; raises Blind where it is not sure."""
    if transcript.doubt:
        raise Blind(transcript.doubt)
    return transcript


def _be_sure(wire: WireStream) -> None:
    """Raise Blind where it is not known which segments the receiver took."""
    if wire.doubt:
        raise Blind(wire.doubt)


def _told(data: bytes) -> str:
    return f"{len(data):,} byte{'' if len(data) == 1 else 's'}"


def _calls(transcript: Transcript) -> str:
    return f"{transcript.calls:,} call{'' if transcript.calls == 1 else 's'}"


def _about(data: bytes, place: int) -> str:
    if place >= len(data):
        return f"ends after {quoted(data[-_SHOWN // 4 :])}" if data else "is empty"
    return around(data, place)


def _hole(wire: WireStream) -> str:
    return f"Bytes are missing on the wire from byte {wire.hole:,} on." if wire.hole is not None else ""
