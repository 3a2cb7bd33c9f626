"""Calls and packets of a run as moments on one timeline: what a picture shows, in order.

Chooses and orders only; how a moment looks is `runner.report.ladder`'s affair.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runner import housekeeping
from runner.errors import Blind
from runner.evidence import Evidence
from runner.headers import ICMPV6
from runner.history import CallRecord, FaultRecord, HostRecord, StateRecord
from runner.packets import Header, Transmission
from runner.tcp_states import states_of

WORTH_A_RETURN_NS = 1_000_000
"""A call that took longer gets a line of its own for its return."""

_HOUSEKEEPING = frozenset({130, 131, 132, 133, 134, 143})
"""ICMPv6: multicast listeners (RFC 3810) and router discovery (RFC 4861): hosts send them by themselves."""


@dataclass(frozen=True)
class Began:
    """A call began; `returns` says whether its return stands on the timeline too."""

    at_ns: int
    call: CallRecord
    returns: bool


@dataclass(frozen=True)
class Returned:
    """A call returned that was shown as begun before."""

    at_ns: int
    call: CallRecord


@dataclass(frozen=True)
class Sent:
    """A frame left its sender."""

    at_ns: int
    transmission: Transmission


@dataclass(frozen=True)
class Read:
    """The kernel was asked for the TCP state of a socket."""

    at_ns: int
    record: StateRecord


@dataclass(frozen=True)
class Entered:
    """A socket entered a TCP state; `packet` is the number of the captured packet that did it, where one did."""

    at_ns: int
    host: str
    socket: str
    state: str
    packet: int | None


@dataclass(frozen=True)
class Changed:
    """A fault began or was healed, or something was done to a host."""

    at_ns: int
    record: FaultRecord | HostRecord


@dataclass(frozen=True)
class Folded:
    """Moments that were left out here, since they were too many."""

    at_ns: int
    count: int


Moment = Began | Returned | Sent | Read | Entered | Changed | Folded


@dataclass(frozen=True)
class Timeline:
    """`columns` are the hosts (of a capture from anywhere: the addresses), `hidden` how many packets of the
    hosts' own housekeeping are not among the moments, `untold` why the states of some sockets are not.
    """

    columns: tuple[str, ...]
    moments: tuple[Moment, ...]
    began_ns: int
    hidden: int = 0
    untold: tuple[str, ...] = ()
    _owners: Evidence | None = field(default=None, repr=False)

    def owner(self, address: str) -> str:
        """The host that has an address, else the address."""
        return self._owners.owner(address) if self._owners else address


def of(evidence: Evidence, limit: int | None = None, *, states: bool = False) -> Timeline:
    """The timeline of a run; at most about `limit` moments (None: all).

    With `states` the TCP states of its sockets stand on it too, those that can be told.
    """
    chosen = evidence.transmissions
    made = housekeeping.made_by_steps(evidence)
    shown = [one for one in chosen if not is_housekeeping(one.sent.header) or one.sent.number in made]
    calls = evidence.calls()
    moments: list[Moment] = [Sent(one.sent.time_ns, one) for one in shown]
    moments += _call_moments(calls, shown)
    moments += [Read(one.at_ns, one) for one in evidence.history if isinstance(one, StateRecord)]
    faults = (one for one in evidence.history if isinstance(one, FaultRecord) and not one.length)
    moments += [Changed(one.at_ns, one) for one in faults]
    moments += [Changed(one.at_ns, one) for one in evidence.history if isinstance(one, HostRecord)]
    told = list(_states(evidence)) if states else []
    moments += [one for one in told if isinstance(one, Entered)]
    untold = tuple(one for one in told if isinstance(one, str))
    moments.sort(key=_order)
    columns = evidence.hosts
    began_ns = moments[0].at_ns if moments else evidence.info.started_ns
    return Timeline(
        columns, tuple(_fold(moments, limit)), began_ns, len(chosen) - len(shown), untold, evidence
    )


def of_packets(head: Sequence[Transmission], left_out: int, tail: Sequence[Transmission]) -> Timeline:
    """The timeline of packets alone, with the number of those between head and tail that it leaves out."""
    moments: list[Moment] = [Sent(one.sent.time_ns, one) for one in head]
    if left_out:
        moments.append(Folded(moments[-1].at_ns, left_out))
    moments += [Sent(one.sent.time_ns, one) for one in tail]
    columns = tuple(_addresses((*head, *tail)))
    return Timeline(columns, tuple(moments), moments[0].at_ns if moments else 0)


def ends_of(one: Transmission) -> tuple[str, tuple[str, ...]]:
    """Between which columns a frame goes: who put it on the link, and who got it (or should have)."""
    if one.sent.direction == "in":  # nobody of the lab sent it, or the capture is from elsewhere
        return one.source, (one.target,)
    return one.sent.host, tuple(dict.fromkeys(copy.host for copy in one.arrivals)) or (one.target,)


def is_housekeeping(header: Header) -> bool:
    """Whether a frame is one that hosts send by themselves: no picture shows it, unless a step made it."""
    return header.protocol == ICMPV6 and header.type in _HOUSEKEEPING


def _order(moment: Moment) -> tuple[int, int]:
    """By time; at the same time a call begins before what it sends, and returns after it."""
    rank = 0 if isinstance(moment, Began) else 2 if isinstance(moment, Returned | Entered) else 1
    return moment.at_ns, rank


def _states(evidence: Evidence) -> Iterator[Entered | str]:
    """The states of all TCP sockets; for one whose states the evidence does not tell, why."""
    for name in evidence.sockets:
        facts = evidence.socket(name)
        if not facts.has_ports or facts.type != "SOCK_STREAM":
            continue
        try:
            for change in states_of(evidence, name):
                yield Entered(change.time_ns, facts.host, name, change.state, change.packet)
        except Blind as reason:
            yield f"the states of {name} cannot be told: {reason}"


def _call_moments(calls: Sequence[CallRecord], shown: Sequence[Transmission]) -> Iterator[Moment]:
    began = sorted((call.began_ns, call.host) for call in calls)
    arrived = sorted((copy.time_ns, copy.host) for one in shown for copy in one.arrivals)
    for call in calls:
        returns = call.ended_ns is not None and (
            call.asleep_ns is not None
            or call.ended_ns - call.began_ns >= WORTH_A_RETURN_NS
            or _meanwhile(began, call, own=False)
            or (call.name.startswith("connect") and _meanwhile(arrived, call, own=True))
        )
        yield Began(call.began_ns, call, returns)
        if returns and call.ended_ns is not None:
            yield Returned(call.ended_ns, call)


def _meanwhile(times: Sequence[tuple[int, str]], call: CallRecord, *, own: bool) -> bool:
    """Whether one of these things happened while the call was going on, at its own host or at another."""
    ended_ns = call.ended_ns or 0
    for at_ns, host in times[bisect_right(times, (call.began_ns, "\U0010ffff")) :]:
        if at_ns > ended_ns:
            return False
        if (host == call.host) is own:
            return True
    return False


def _addresses(shown: Sequence[Transmission]) -> Iterator[str]:
    """The ends of all packets, each once, in the order in which they appear."""
    seen: set[str] = set()
    for one in shown:
        for end in (one.source, one.target):
            if end not in seen:
                seen.add(end)
                yield end


def _fold(moments: list[Moment], limit: int | None) -> list[Moment]:
    """The first two thirds and the last third of what may be shown, with the number of what was left out."""
    if limit is None or len(moments) <= limit:
        return moments
    head, tail = limit * 2 // 3, limit // 3
    left_out = moments[head : len(moments) - tail]
    return [*moments[:head], Folded(left_out[0].at_ns, len(left_out)), *moments[len(moments) - tail :]]
