"""What stands on which line of a picture: moments as rows, each with what hosts did and at most one packet.

Words and order only; where a row's parts stand is `runner.report.ladder`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.history import CallRecord, FaultRecord, HostRecord
from runner.packets import Transmission
from runner.report import wording
from runner.report.paper import Paper, Style
from runner.report.text import counted, printable, shortened, width
from runner.report.timeline import Began, Changed, Entered, Folded, Moment, Read, Returned, Sent, Timeline

if TYPE_CHECKING:
    from runner.report.c_form import CForm


@dataclass(frozen=True)
class Details:
    """What a picture shows besides: calls `in_c`, TCP `states`, `payloads` (of each packet so many bytes at most)."""

    in_c: bool = False
    states: bool = False
    payloads: bool = False
    payload_limit: int | None = 64


PLAIN = Details()


@dataclass(frozen=True)
class Said:
    """What a host did: the call, and what it came to where that is to be shown here; `brief` is a shorter outcome."""

    call: str
    outcome: str
    style: Style
    in_c: bool = False
    brief: str = ""

    @property
    def whole(self) -> str:
        return f"{self.call} {self.outcome}" if self.outcome else self.call

    def fitted(self, room: int) -> str:
        """The text in so many cells; arguments are given up before what the call came to."""
        said = ""
        for said in self._shorter():
            if width(said) <= room:
                return said
        return shortened(said, room)

    def _shorter(self) -> Iterator[str]:
        """The text, then shorter and shorter."""
        name, bracket, arguments = self.call.partition("(")
        short = name.rpartition(".")[2]
        calls = [self.call, f"{short}{bracket}{arguments}"]
        if self.in_c:
            from runner.report import c_form

            calls = list(c_form.shorter(self.call))
        if self.outcome:
            calls += [f"{name}()", short] if bracket else []
        for call in calls:
            yield f"{call} {self.outcome}".rstrip()
        if self.brief:
            yield f"{calls[-1]} {self.brief}"


@dataclass
class Line:
    """One row to be drawn: nanoseconds since the first moment, what hosts did, and at most one packet."""

    since_ns: int
    calls: dict[str, Said] = field(default_factory=dict)
    packet: Transmission | None = None
    last: CallRecord | None = None
    notice: str = ""
    waiting: frozenset[str] = frozenset()


def rows_of(timeline: Timeline, paper: Paper, details: Details = PLAIN) -> list[Line]:
    """Moments as lines: a packet stands beside the call that sent it, a state beside the packet that made it, and
    everything else has its own.
    """
    words = _Words(timeline, paper, details)
    rows: list[Line] = []
    waiting: dict[str, int] = {}
    with_packet: dict[int, Line] = {}
    ends = {timeline.columns[0], timeline.columns[-1]} if timeline.columns else set()
    for moment in timeline.moments:
        _count_return(moment, waiting)
        if isinstance(moment, Entered):
            row = with_packet.get(moment.packet or 0)
            if row is not None and moment.host not in row.calls:
                row.calls[moment.host] = words.entered(moment)
                continue
        if isinstance(moment, Sent) and rows and _sends(rows[-1], moment, ends):
            rows[-1].packet = moment.transmission
        else:
            rows.append(words.line(moment))
        _count_begin(moment, waiting)
        rows[-1].waiting = frozenset(host for host, count in waiting.items() if count)
        if isinstance(moment, Sent):
            one = moment.transmission
            with_packet |= {copy.number: rows[-1] for copy in (one.sent, *one.arrivals)}
    return rows


def _count_begin(moment: Moment, waiting: dict[str, int]) -> None:
    if isinstance(moment, Began) and (moment.returns or moment.call.ended_ns is None):
        waiting[moment.call.host] = waiting.get(moment.call.host, 0) + 1


def _count_return(moment: Moment, waiting: dict[str, int]) -> None:
    if isinstance(moment, Returned):
        waiting[moment.call.host] = waiting.get(moment.call.host, 1) - 1


def _sends(row: Line, moment: Sent, ends: set[str]) -> bool:
    """Whether the call on this line is under way at one of the two ends and this packet is its host's."""
    call, host = row.last, moment.transmission.sent.host
    if call is None or row.packet is not None or call.host != host or host not in ends:
        return False
    return call.began_ns <= moment.at_ns <= (call.ended_ns or moment.at_ns)


class _Words:
    """What stands on a line, in the words of Python or of C."""

    def __init__(self, timeline: Timeline, paper: Paper, details: Details) -> None:
        self._timeline = timeline
        self._marks = paper.marks
        self._in_c: Callable[[CallRecord], CForm] | None = None
        if details.in_c:
            from runner.report import c_form

            kinds = c_form.kinds_of(one.call for one in timeline.moments if isinstance(one, Began))
            self._in_c = lambda call: c_form.of(call, kinds)

    def line(self, moment: Moment) -> Line:
        """The line of a moment that has one of its own."""
        since_ns = moment.at_ns - self._timeline.began_ns
        match moment:
            case Began(_, call, returns):
                return Line(since_ns, {call.host: self._began(call, returns)}, last=call)
            case Returned(_, call):
                return Line(since_ns, {call.host: self._returned(call)})
            case Sent(_, transmission):
                return Line(since_ns, packet=transmission)
            case Read(_, record):
                said = Said(f"{printable(record.of)} is", printable(record.state), "quiet")
                return Line(since_ns, {record.host: said})
            case Entered(host=host):
                return Line(since_ns, {host: self.entered(moment)})
            case Changed(_, record):
                return Line(since_ns, notice=printable(_change(record)))
            case Folded(_, count):
                return Line(since_ns, notice=_folded(count))

    def entered(self, moment: Entered) -> Said:
        """A socket and the state that it is in now."""
        return Said(f"{self._marks.state} {printable(moment.socket)}", printable(moment.state), "state")

    def _began(self, call: CallRecord, returns: bool) -> Said:
        waits: Style = "waits" if call.asleep_ns is not None else "plain"
        if self._in_c is not None:
            form = self._in_c(call)
            if returns:
                return Said(form.asked, "", waits, in_c=True)
            return Said(form.done, f"= {form.result}" if form.result else "", _style(call), in_c=True)
        said = wording.call(call, self._timeline.owner)
        return Said(said, "", waits) if returns else Said(said, self._outcome(call), _style(call))

    def _returned(self, call: CallRecord) -> Said:
        if self._in_c is not None:
            form = self._in_c(call)
            name = f"{self._marks.end} {form.asked.partition('(')[0]}"
            result = f"= {form.result}" if form.result else "returns"
            outcome = f"{form.filled} {result}" if form.filled else result
            return Said(name, outcome, _style(call), in_c=True, brief=result.removeprefix("= -1 "))
        name = f"{self._marks.end} {printable(call.name)}"
        return Said(name, self._outcome(call) or "returns", _style(call))

    def _outcome(self, call: CallRecord) -> str:
        outcome = wording.outcome(call, self._timeline.owner)
        if call.failure is not None or call.ended_ns is None:
            return outcome
        return f"= {outcome}" if outcome else ""


def _change(record: FaultRecord | HostRecord) -> str:
    """A fault's beginning or end, or what was done to a host: `host server killed`, `host client link eth0 down`."""
    if isinstance(record, HostRecord):
        what = record.what.replace("link", f"link {record.interface}", 1) if record.interface else record.what
        return f"host {record.host} {what}"
    return f"{record.text if record.what == 'begins' else record.fault} {record.what}"


def _style(call: CallRecord) -> Style:
    return "bad" if call.failure is not None else "plain"


def _folded(count: int) -> str:
    return f"... {counted(count, 'more call or packet', 'more calls and packets')} ..."
