"""What TCP segments of a capture are beside what they say: sent again, out of order, probing; and how long
answers took.

The rules are those by which Wireshark marks segments (`tcp.analysis`, epan/dissectors/packet-tcp.c), computed
for all segments at once; a test holds the marks to tshark's. Works on columns and flows; knows no text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.capture_index import Integers
from runner.columns import Columns, Truth
from runner.conversations import Conversations
from runner.headers import ACK, FIN, RST, SYN, TCP

FAST_NS = 20_000_000
"""A segment so soon after duplicate acknowledgements is a fast retransmission."""
OUT_OF_ORDER_NS = 3_000_000
"""A segment so soon after the highest one is out of order, where the round trip of the handshake is unknown."""
_NONE = -1
_AT_ONCE = 1 << 17
"""About so many segments are looked at together, so that little is held meanwhile; a flow is never cut."""

_PASSES = 8
"""Probes in a row, each taken for one because of those before, are told from data after so many passes."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Of each packet of a capture, in the order of time.

    `again` was sent before (generic, fast or spurious retransmission), `misplaced` came out of order, `probe`
    is a keepalive or a zero window probe. `relative_seq` and `relative_ack` count from the connection's first
    numbers (-1 without TCP). `round_trip_ns` is the time since the segment that a packet acknowledges was
    sent (-1: acknowledges none, or one that was sent twice), `handshake_ns` from a SYN to the ACK that
    completes its handshake.
    """

    again: Truth
    misplaced: Truth
    probe: Truth
    relative_seq: Integers
    relative_ack: Integers
    round_trip_ns: Integers
    handshake_ns: Integers


def mark(columns: Columns, conversations: Conversations, time_ns: Integers) -> Marks:
    """The marks of all packets, which stand in the order of time."""
    count = len(time_ns)
    no, unknown = np.zeros(count, np.bool_), np.full(count, _NONE, np.int64)
    marks = Marks(no, no.copy(), no.copy(), unknown, unknown.copy(), unknown.copy(), unknown.copy())
    rows = np.flatnonzero((columns.protocol == TCP) & columns.whole & (columns.version > 0))
    if len(rows):
        flow = conversations.flow[rows]
        order = np.argsort(flow, kind="stable")
        rows, flow = rows[order], flow[order]
        cuts = np.unique(np.searchsorted(flow, flow[::_AT_ONCE]))
        for part in np.split(rows, cuts[1:]):
            _Segments(columns, conversations, time_ns, part).write(marks)
    return marks


def _difference(one: Integers, other: Integers) -> Integers:
    """How far one sequence number is behind another, modulo 2**32 (RFC 9293 section 3.4)."""
    return (one - other).astype(np.int32).astype(np.int64)


def _put(order: Integers, values: Integers) -> Integers:
    """Values in the order of `order`, back in the order of all."""
    placed = np.empty_like(values)
    placed[order] = values
    return placed


class _Segments:
    """All segments of TCP, flow by flow, each flow in the order of time.

    Names as in the comments of the dissector: `previous` is the segment before in the same direction,
    `other` the latest one of the other direction (-1: none). `following` is the highest sequence number that
    its direction had reached before a segment, as a distance from the direction's first.
    """

    def __init__(
        self, columns: Columns, conversations: Conversations, time_ns: Integers, rows: Integers
    ) -> None:
        self.rows, self.time_ns = rows, time_ns[rows]
        self.seq, self.ack = columns.seq[rows], columns.ack[rows]
        self.flags, self.window = columns.flags[rows].astype(np.int64), columns.window[rows]
        self.length = columns.length[rows].astype(np.int64)
        self.flow = conversations.flow[rows]
        self.reverse = conversations.reverse[rows]
        self.special = self.flags & (SYN | FIN | RST) != 0
        self.counts = (self.flags & (SYN | FIN) != 0).astype(np.int64)
        self._neighbours()
        self._advance()

    def _neighbours(self) -> None:
        places = np.arange(len(self.rows))
        begins = np.searchsorted(self.flow, self.flow)
        latest = [
            np.maximum.accumulate(np.where(self.reverse == side, places, _NONE)) for side in (False, True)
        ]
        other = np.where(self.reverse, latest[0], latest[1])
        before = np.empty_like(other)
        before[0] = _NONE
        before[1:] = np.where(self.reverse[1:], latest[1][:-1], latest[0][:-1])
        self.other = np.where(other >= begins, other, _NONE)
        self.previous = np.where(before >= begins, before, _NONE)

    def _advance(self) -> None:
        """`position`, `following` and `raised_ns` of each segment: where it stands, how far its direction had
        come before it, and since when.
        """
        side = self.flow * 2 + self.reverse
        order = np.argsort(side, kind="stable")
        side = side[order]
        begins = np.searchsorted(side, side)
        seq = self.seq[order]
        step = np.zeros(len(order), np.int64)
        step[1:] = _difference(seq[1:], seq[:-1])
        total = np.cumsum(step)
        self.position = _put(order, total - total[begins])
        # A probe of an empty window does not count, and whether a byte is one depends on those before it that do.
        candidates = (self.length == 1) & (self.other >= 0) & (self.window[self.other] == 0)
        probes = candidates
        for _ in range(_PASSES):
            self._reach(order, side, begins, probes)
            before, probes = probes, candidates & (self.position == self.following)
            if (before == probes).all():
                break
        self.empty_window_probe = probes
        self._duplicates(order, begins)

    def _reach(self, order: Integers, side: Integers, begins: Integers, probes: Truth) -> None:
        end = (self.position + np.where(probes, 0, self.length + self.counts))[order]
        lowest, places = min(0, int(end.min())), np.arange(len(order))
        floor = (side - side[0]) * (int(end.max()) - lowest + 1) - lowest  # keeps directions apart
        reached = np.maximum.accumulate(end + floor) - floor
        raised = np.ones(len(order), np.bool_)
        raised[1:] = (reached[1:] > reached[:-1]) | (side[1:] != side[:-1])
        raiser = np.maximum.accumulate(np.where(raised, places, 0))
        before = np.maximum(places - 1, 0)
        following = np.where(begins == places, np.iinfo(np.int64).min // 2, reached[before])
        self.following = _put(order, following)
        self.raised_ns = _put(order, self.time_ns[order][raiser[before]])

    def _duplicates(self, order: Integers, begins: Integers) -> None:
        """How many duplicate acknowledgements its direction had sent in a row, up to and with each segment."""
        previous = self.previous
        known = previous >= 0
        same_ack = known & (self.ack == self.ack[previous])
        self.keepalive = (self.length <= 1) & (self.position == self.following - 1) & ~self.special
        answers_probe = (self.other >= 0) & self.keepalive[self.other]
        duplicate = (
            (self.length == 0)
            & (self.window != 0)
            & known
            & (self.window == self.window[previous])
            & (self.position == self.following)
            & same_ack
            & ~self.special
            & ~answers_probe
        )
        total = np.cumsum(duplicate[order])
        reset = np.maximum.accumulate(np.where(~same_ack[order], np.arange(len(order)), begins))
        self.duplicates = _put(order, total - total[reset])

    def write(self, marks: Marks) -> None:
        """Fill the marks of these segments."""
        rows = self.rows
        again, misplaced = self._again()
        marks.again[rows], marks.misplaced[rows] = again, misplaced
        marks.probe[rows] = self.keepalive | self.empty_window_probe
        marks.relative_seq[rows], marks.relative_ack[rows] = self._relative()
        marks.round_trip_ns[rows] = self._round_trips(again | misplaced)
        completes, syn = self._handshakes()
        marks.handshake_ns[rows[completes]] = self.time_ns[completes] - self.time_ns[syn]

    def _handshakes(self) -> tuple[Integers, Integers]:
        """The segments that complete a handshake, and the SYN of each."""
        plain = (self.flags & (SYN | ACK) == ACK) & (self.previous >= 0) & (self.other >= 0)
        begun = self.flags[self.previous] & (SYN | ACK) == SYN
        answered = self.flags[self.other] & (SYN | ACK) == SYN | ACK
        found = np.flatnonzero(plain & begun & answered)
        return found, self.previous[found]

    def _again(self) -> tuple[Truth, Truth]:
        takes = (self.length > 0) | (self.counts > 0)
        takes &= ~self.keepalive
        acked = self.other >= 0
        last_ack, last_window = self.ack[self.other], self.flags[self.other] & ACK != 0
        behind = _difference(last_ack, self.seq + self.length)
        spurious = takes & (self.length > 0) & acked & last_window & (behind >= 0)
        stale = takes & (self.position < self.following)
        stale &= ~((self.length > 1) & (self.position == self.following - 1))
        stale &= ~spurious
        soon = self.time_ns - self.time_ns[self.other] < FAST_NS
        fast = stale & acked & (self.duplicates[self.other] >= 2) & (last_ack == self.seq) & soon
        reaches = self.position + self.length + self.counts
        late = self.time_ns - self.raised_ns
        misplaced = stale & ~fast & (late < self._patience()) & (reaches != self.following)
        again: NDArray[np.bool_] = spurious | (stale & ~misplaced)
        return again, misplaced

    def _patience(self) -> Integers:
        """How long after the highest segment one may come out of order: the handshake's round trip, from its
        end on.
        """
        completes, syn = self._handshakes()
        patience = np.full(len(self.rows), OUT_OF_ORDER_NS, np.int64)
        _, unique = np.unique(self.flow[completes], return_index=True)
        flows = self.flow[completes][unique]
        ends = np.searchsorted(self.flow, flows, side="right")
        trips = (self.time_ns[completes] - self.time_ns[syn])[unique]
        for begin, end, trip in zip(completes[unique], ends, trips, strict=True):
            patience[begin:end] = trip or OUT_OF_ORDER_NS
        return patience

    def _relative(self) -> tuple[Integers, Integers]:
        """As `runner.sequence` counts them: from the SYN, or from one before the first number that was seen or
        acknowledged.
        """
        side = self.flow * 2 + self.reverse - self.flow[0] * 2
        size, never = int(side.max()) + 2, len(side)
        acks = np.flatnonzero(self.flags & ACK != 0)
        own, other = np.full(size, never), np.full(size, never)
        np.minimum.at(own, side, np.arange(never))
        np.minimum.at(other, side[acks] ^ 1, acks)
        at_own, at_other = np.minimum(own, never - 1), np.minimum(other, never - 1)
        mine = self.seq[at_own] - (self.flags[at_own] & SYN == 0)
        base = np.where(own <= other, mine, self.ack[at_other] - 1)
        seq = self.seq - base[side] & 0xFFFFFFFF
        ack = np.where(self.flags & ACK != 0, self.ack - base[side ^ 1] & 0xFFFFFFFF, self.ack)
        return seq, ack

    def _round_trips(self, doubtful: Truth) -> Integers:
        """For each acknowledgement that is new: the time since the segment whose end it acknowledges."""
        found = np.full(len(self.rows), _NONE, np.int64)
        side = self.flow * 2 + self.reverse
        end = self.seq + self.length + self.counts & 0xFFFFFFFF
        sends = np.flatnonzero((self.length + self.counts > 0) & ~doubtful)
        known = np.maximum(self.previous, 0)
        new = (self.previous < 0) | (self.ack != self.ack[known]) | (self.flags[known] & ACK == 0)
        asks = np.flatnonzero((self.flags & ACK != 0) & (self.other >= 0) & new)
        keys = side[sends] << 32 | end[sends]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        wanted = (side[asks] ^ 1) << 32 | self.ack[asks]
        place = np.searchsorted(keys, wanted)
        hit = place < len(keys)
        hit[hit] = keys[place[hit]] == wanted[hit]
        asks, sent = asks[hit], sends[order][place[hit]]
        later = sent < asks
        found[asks[later]] = self.time_ns[asks[later]] - self.time_ns[sent[later]]
        return found
