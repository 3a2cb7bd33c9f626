"""The TCP states a socket went through, from its host's own packets and calls, by RFC 9293's state table.

A kernel shows short states to no one, so they are worked out: what its host sent counts when it was sent,
what reached the host when it arrived, calls when they returned. What the kernel did say (a `state` step) must
not disagree. Nothing here judges.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from runner import acceptance
from runner.errors import Blind
from runner.evidence import Evidence
from runner.headers import ACK, FIN, RST, SYN, TCP
from runner.history import CallRecord, StateRecord
from runner.packets import Packet
from runner.sockets import SocketFacts

_MODULUS = 1 << 32
_EARLIER_NS, _LATER_NS = 20_000_000, 1_000_000
"""How far before and after a reading of the kernel's state a change may lie and still be the same moment."""

_OUR_FIN = {"ESTABLISHED": "FIN_WAIT1", "SYN_RECV": "FIN_WAIT1", "CLOSE_WAIT": "LAST_ACK"}
"""State -> next, when this end closes (RFC 9293 section 3.10.4, and when its FIN is seen)."""
_FIN_ACKNOWLEDGED = {"FIN_WAIT1": "FIN_WAIT2", "CLOSING": "TIME_WAIT", "LAST_ACK": "CLOSE"}
"""State -> next, when the other end acknowledges our FIN (RFC 9293 section 3.10.7.4, fifth)."""
_THEIR_FIN = {"ESTABLISHED": "CLOSE_WAIT", "FIN_WAIT1": "CLOSING", "FIN_WAIT2": "TIME_WAIT"}
"""State -> next, when the other end's FIN comes in order (RFC 9293 section 3.10.7.4, eighth)."""
_WITHOUT_CONNECTION = ("", "CLOSE", "LISTEN")
_STILL_CONNECTING = frozenset({None, "EINPROGRESS", "EALREADY", "EINTR", "EAGAIN", "EWOULDBLOCK", "EISCONN"})
"""What connect may fail with while the kernel goes on, or without having begun; None is a timeout of Python's
own.
"""
_WENT_OUT = frozenset({"ETIMEDOUT", "EHOSTUNREACH"})
"""What connect fails with where it was SYN_SENT although no SYN could be sent (nobody answered the ARP
requests).
"""
_GAVE_UP = frozenset({"ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "ECONNRESET"})
"""What a call fails with once the kernel has given the connection up (tcp(7))."""


class Change(NamedTuple):
    """A socket entered a state; `packet` is the number of the packet that did it, None where a call or a
    timer did.
    """

    state: str
    time_ns: int
    packet: int | None


def states_of(evidence: Evidence, socket: str) -> list[Change]:
    """The states a socket entered, in order, spelled as the kernel does; CLOSE before the first other is left
    out.

    An ACK of our FIN that carries the other end's FIN gives FIN_WAIT2 and TIME_WAIT, as RFC 9293 section
    3.10.7.4 goes through both: so a close in three packets has the states of one in four. Raises Blind where
    the host's capture is not complete, where the socket was never made or is not TCP's, and where the kernel
    said otherwise.
    """
    facts = evidence.socket(socket)
    if not facts.has_ports or facts.type != "SOCK_STREAM":
        raise Blind(f"{socket} is no TCP socket: it has no TCP states")
    machine = _Machine(accepted=facts.accepted)
    events = _events(evidence, facts)
    taken = {
        one.packet.number
        for one in acceptance.taken([event for *_, event in events if isinstance(event, Packet)])
    }
    for time_ns, _, event in events:
        if isinstance(event, Packet):
            machine.packet(event, taken=event.number in taken)
        else:
            machine.call(event, time_ns)
    _compare(evidence, socket, machine.changes, closed=facts.closed_ns is not None)
    return machine.changes


# --- what happened to the socket ------------------------------------------------------------------


class _Began(NamedTuple):
    """The moment a connect began, where no SYN shows it."""


class _Closed(NamedTuple):
    """A close, or a shutdown that sends a FIN, returned."""

    reads_too: bool


class _Listening(NamedTuple):
    """A listen returned."""


class _GivenUp(NamedTuple):
    """A call failed because the connection is no more."""


_Event = _Began | _Closed | _Listening | _GivenUp


def _events(evidence: Evidence, facts: SocketFacts) -> list[tuple[int, int, Packet | _Event]]:
    """Packets and calls in the order of time; at the same time packets first."""
    packets = list(_own_packets(evidence, facts))
    calls = evidence.calls(facts.name)
    shared = any(call.name in ("dup", "makefile", "detach") for call in calls)
    events: list[tuple[int, int, Packet | _Event]] = [(packet.time_ns, 0, packet) for packet in packets]
    for call in calls:
        events.extend((time_ns, 1, event) for time_ns, event in _of_call(call, packets, shared))
    return sorted(events, key=lambda event: event[:2])


def _own_packets(evidence: Evidence, facts: SocketFacts) -> Iterator[Packet]:
    """The socket's segments as its host captured them, from the connection that is its own on."""
    ends = {(*pair.local, *pair.peer) for pair in facts.pairs if pair.peer is not None}
    found: list[Packet] = []
    begin = facts.born_ns
    accepted_ns = _accepted_ns(evidence, facts)
    first: int | None = None
    for packet in evidence.captured(facts.host):
        header = packet.header
        near, far = (header.src, header.sport), (header.dst, header.dport)
        if header.protocol != TCP or header.transport < 0 or packet.time_ns < facts.born_ns:
            continue
        if ((*near, *far) if packet.direction == "out" else (*far, *near)) not in ends:
            continue
        found.append(packet)
        opens = packet.direction == "in" and header.flags & (SYN | ACK) == SYN
        if opens and packet.time_ns <= accepted_ns and header.seq != first:
            begin, first = packet.time_ns, header.seq  # an earlier connection had the same ports
    return (packet for packet in found if packet.time_ns >= begin)


def _accepted_ns(evidence: Evidence, facts: SocketFacts) -> int:
    """When accept returned the socket; 0 where it was made otherwise."""
    return next((call.ended_ns or 0 for call in evidence.calls() if call.made == facts.name), 0)


def _of_call(call: CallRecord, packets: Iterable[Packet], shared: bool) -> Iterator[tuple[int, _Event]]:
    failed = _errno_of(call)
    if call.name in ("connect", "connect_ex"):
        waits = call.ended_ns is None or failed in _WENT_OUT or failed == "EINPROGRESS" or _timed_out(call)
        if waits and not _sends_syn(call, packets):
            yield call.began_ns, _Began()
        if call.ended_ns is not None and failed not in _STILL_CONNECTING:
            yield call.ended_ns, _GivenUp()
    elif call.ended_ns is None:
        return
    elif failed in _GAVE_UP:
        yield call.ended_ns, _GivenUp()
    elif call.failure is not None:
        return
    elif call.name == "listen":
        yield call.ended_ns, _Listening()
    elif call.name == "close" and not shared:
        yield call.ended_ns, _Closed(True)
    elif call.name == "shutdown":
        how = _how(call)
        if how != "SHUT_RD":
            yield call.ended_ns, _Closed(how == "SHUT_RDWR")


def _errno_of(call: CallRecord) -> str | None:
    """The errno by name that a call failed with; connect_ex returns its number."""
    if call.failure is not None:
        return call.failure.get("errno")
    if call.name == "connect_ex" and isinstance(call.value, int):
        return errno.errorcode.get(call.value)
    return None


def _timed_out(call: CallRecord) -> bool:
    return call.failure is not None and call.failure.get("errno") is None


def _sends_syn(call: CallRecord, packets: Iterable[Packet]) -> bool:
    end_ns = call.ended_ns
    return any(
        packet.direction == "out"
        and packet.header.flags & SYN
        and packet.time_ns >= call.began_ns
        and (end_ns is None or packet.time_ns <= end_ns)
        for packet in packets
    )


def _how(call: CallRecord) -> str:
    argument: Any = call.arguments[0] if call.arguments else None
    if isinstance(argument, dict):
        return str(argument.get("constant"))
    return {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}.get(argument, "")


# --- the table ------------------------------------------------------------------------------------


def _before(first: int, second: int) -> bool:
    """Whether one sequence number comes before another (RFC 9293 section 3.4: modulo 2**32)."""
    return 0 < (second - first) % _MODULUS < _MODULUS // 2


class _Machine:
    """One connection end: sees segments and calls, keeps the changes of its state."""

    def __init__(self, accepted: bool) -> None:
        self.changes: list[Change] = []
        self._accepted = accepted
        self._state = ""
        self._forget()

    def _forget(self) -> None:
        """What a new connection knows."""
        self._sent_first: int | None = None
        self._sent_next = 0
        self._our_fin_end: int | None = None
        self._expected: int | None = None
        self._their_fins: set[int] = set()
        self._scale = 0
        self._window_end: int | None = None
        self._early: list[tuple[int, int]] = []

    def _enter(self, state: str | None, time_ns: int, number: int | None = None) -> None:
        if state is None or state == self._state or (state == "CLOSE" and not self._state):
            return
        self._state = state
        self.changes.append(Change(state, time_ns, number))

    def call(self, event: object, time_ns: int) -> None:
        """A call began or returned."""
        match event:
            case _Listening() if self._state in ("", "CLOSE"):
                self._enter("LISTEN", time_ns)
            case _Began() if self._state in ("", "CLOSE"):
                self._forget()
                self._enter("SYN_SENT", time_ns)
            case _GivenUp() if self._state != "LISTEN":
                self._enter("CLOSE", time_ns)
            case _Closed(reads_too):
                if self._state == "SYN_SENT" or (self._state == "LISTEN" and reads_too):
                    self._enter("CLOSE", time_ns)
                else:
                    self._enter(_OUR_FIN.get(self._state), time_ns)

    def packet(self, packet: Packet, *, taken: bool) -> None:
        """A segment left the host or reached it; `taken` as `runner.acceptance` says, which knows no RST."""
        if packet.direction == "out":
            self._out(packet)
        elif taken or (packet.header.flags & RST and not acceptance.is_damaged(packet)):
            self._in(packet)

    def _out(self, packet: Packet) -> None:
        header, flags = packet.header, packet.header.flags
        if flags & RST:
            if self._state not in _WITHOUT_CONNECTION:
                self._enter("CLOSE", packet.time_ns, packet.number)
            return
        end = (header.seq + header.length + bool(flags & SYN) + bool(flags & FIN)) % _MODULUS
        if flags & SYN:
            if self._state in ("", "CLOSE") and not flags & ACK:
                self._forget()
                self._enter("SYN_SENT", packet.time_ns, packet.number)
            if self._sent_first is None:
                self._sent_first, self._sent_next = header.seq, end
        if self._sent_first is None or _before(self._sent_next, end):
            self._sent_next = end
        if flags & ACK:
            self._offer(packet)
        if flags & FIN:
            self._our_fin_end = end
            self._enter(_OUR_FIN.get(self._state), packet.time_ns, packet.number)

    def _offer(self, packet: Packet) -> None:
        """Move the end of the window, which never goes back (RFC 9293 section 3.8.6), nor here; RFC 7323 scales it."""
        header, options = packet.header, acceptance.options_of(packet)
        if header.flags & SYN:
            self._scale = options.get(acceptance.WINDOW_SCALE, b"\0")[0]
        end = (header.ack + (header.window << (0 if header.flags & SYN else self._scale))) % _MODULUS
        if self._window_end is None or _before(self._window_end, end):
            self._window_end = end

    def _in(self, packet: Packet) -> None:
        if self._state == "" and self._accepted:
            self._opened(packet)
        elif self._state == "SYN_SENT":
            self._answered(packet)
        elif self._state not in _WITHOUT_CONNECTION:
            self._arrived(packet)

    def _opened(self, packet: Packet) -> None:
        """RFC 9293 section 3.10.7.2: what a listening socket does, in the name of the connection it makes."""
        if packet.header.flags & (SYN | ACK | RST) == SYN:
            self._expected = (packet.header.seq + 1) % _MODULUS
            self._enter("SYN_RECV", packet.time_ns, packet.number)

    def _answered(self, packet: Packet) -> None:
        """RFC 9293 section 3.10.7.3: SYN-SENT."""
        header, flags = packet.header, packet.header.flags
        if flags & ACK and not self._acknowledges_syn(header.ack):
            return
        if flags & RST:
            if flags & ACK:
                self._enter("CLOSE", packet.time_ns, packet.number)
        elif flags & SYN:
            self._expected = (header.seq + 1) % _MODULUS
            self._enter("ESTABLISHED" if flags & ACK else "SYN_RECV", packet.time_ns, packet.number)

    def _acknowledges_syn(self, ack: int) -> bool:
        first = self._sent_first
        return first is not None and _before(first, ack) and not _before(self._sent_next, ack)

    def _arrived(self, packet: Packet) -> None:
        """RFC 9293 section 3.10.7.4: all other states."""
        header, flags = packet.header, packet.header.flags
        if flags & RST:
            if self._expected in (None, header.seq):  # others draw a challenge ACK (RFC 9293, Reset Attack)
                self._enter("CLOSE", packet.time_ns, packet.number)
            return
        if not flags & ACK or _before(self._sent_next, header.ack) or self._is_beyond_window(header.seq):
            return
        opened = not flags & SYN or (not self._accepted and (header.seq + 1) % _MODULUS == self._expected)
        if (
            self._state == "SYN_RECV" and opened and self._acknowledges_syn(header.ack)
        ):  # figure 8: also by a SYN,ACK
            self._enter("ESTABLISHED", packet.time_ns, packet.number)
        if self._our_fin_end is not None and not _before(header.ack, self._our_fin_end):
            self._enter(_FIN_ACKNOWLEDGED.get(self._state), packet.time_ns, packet.number)
        if self._state != "SYN_RECV" and not flags & SYN:
            self._take(header.seq, header.length, bool(flags & FIN))
            if self._expected is not None and self._expected in self._their_fins:
                self._their_fins.clear()
                self._expected = (self._expected + 1) % _MODULUS
                self._enter(_THEIR_FIN.get(self._state), packet.time_ns, packet.number)

    def _is_beyond_window(self, seq: int) -> bool:
        """Whether a segment begins behind all that this end ever offered to take (RFC 9293 section 3.10.7.4, first)."""
        return self._window_end is not None and _before(self._window_end, seq)

    def _take(self, seq: int, length: int, fin: bool) -> None:
        """Move on over the bytes that came in order; those that came early wait."""
        if self._expected is None:
            self._expected = seq
        if fin:
            self._their_fins.add((seq + length) % _MODULUS)
        if length:
            self._early.append((seq, (seq + length) % _MODULUS))
        moved = True
        while moved and self._early:
            moved = False
            for one in list(self._early):
                if not _before(self._expected, one[0]):
                    self._early.remove(one)
                    if _before(self._expected, one[1]):
                        self._expected, moved = one[1], True


# --- what the kernel said -------------------------------------------------------------------------

_ALSO: dict[str, frozenset[str]] = {
    "": frozenset({"CLOSE", "BOUND", "gone"}),
    "CLOSE": frozenset({"BOUND", "gone"}),
    "TIME_WAIT": frozenset({"CLOSE", "gone"}),
    "FIN_WAIT2": frozenset({"gone"}),
}
"""State worked out -> what the kernel may say beside it: timers end it that no packet shows, or it has no
connection.
"""


def _compare(evidence: Evidence, socket: str, changes: list[Change], closed: bool) -> None:
    """Raise Blind where a reading of the kernel's state is none that the socket was in at about that time."""
    for record in evidence.history:
        if not isinstance(record, StateRecord) or record.of != socket:
            continue
        possible = _during(changes, record.at_ns)
        said = record.state
        if said in possible or any(said in _ALSO.get(state, ()) for state in possible):
            continue
        if said == "gone" and closed:
            continue
        raise Blind(
            f"the kernel said that {socket} was {said}, its packets and calls say {possible[-1] or 'CLOSE'}:"
            " its states cannot be told"
        )


def _during(changes: list[Change], at_ns: int) -> list[str]:
    """The states a socket was in around a moment, in order; empty text for the time before the first."""
    begin_ns, end_ns = at_ns - _EARLIER_NS, at_ns + _LATER_NS
    held = [change.state for change in changes if change.time_ns <= begin_ns][-1:] or [""]
    return [*held, *(change.state for change in changes if begin_ns < change.time_ns <= end_ns)]
