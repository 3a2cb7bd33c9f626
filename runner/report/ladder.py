"""The picture of a run: hosts as columns, calls at their host's side, packets as arrows, time running down.

Draws a `Timeline` and nothing else. Two hosts have their calls outside; hosts in the middle of more have them
to the right of their line. Where columns do not fit, packets become a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runner.headers import ACK, RST, TCP
from runner.history import CallRecord, FaultRecord, HostRecord
from runner.notation import words
from runner.packets import Transmission
from runner.report import wording
from runner.report.canvas import Row
from runner.report.paper import Paper, Style
from runner.report.text import counted, printable, shortened, width
from runner.report.timeline import Began, Changed, Folded, Moment, Read, Returned, Sent, Timeline, ends_of

TIME_WIDE = 10
GAP = 1
"""Blank cells between a host's line and the text of a call."""
SPAN_MINIMUM, SPAN_ENOUGH, SPAN_MOST = 16, 26, 68
"""The cells between two hosts' lines: what an arrow needs at least, what long labels get before calls do, and
what still looks well.
"""
SIDE_MINIMUM = 12
SHAFT = 6
"""The cells of an arrow beside its label."""


@dataclass(frozen=True)
class _Said:
    """What a host did: the call, and what it came to where that is to be shown here."""

    call: str
    outcome: str
    style: Style

    @property
    def whole(self) -> str:
        return f"{self.call} {self.outcome}" if self.outcome else self.call

    def fitted(self, room: int) -> str:
        """The text in so many cells; arguments are given up before what the call came to."""
        name, bracket, arguments = self.call.partition("(")
        short = name.rpartition(".")[2]
        calls = [self.call, f"{short}{bracket}{arguments}"]
        if self.outcome:
            calls += [f"{name}()", short]
        for call in calls:
            said = f"{call} {self.outcome}".rstrip()
            if width(said) <= room:
                return said
        return shortened(f"{calls[-1]} {self.outcome}", room)


@dataclass
class _Line:
    """One row to be drawn: a time, what hosts did, and at most one packet."""

    at_ns: int
    calls: dict[str, _Said] = field(default_factory=dict)
    packet: Transmission | None = None
    last: CallRecord | None = None
    notice: str = ""
    waiting: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Plan:
    """Where things stand: the column of each host's line, and the room for calls at both ends."""

    columns: dict[str, int]
    width: int
    left: int
    right: int


def draw(timeline: Timeline, paper: Paper) -> Iterator[str]:
    """The lines of the picture, none wider than the paper."""
    if not timeline.moments:
        yield paper.styled("  nothing happened: no calls and no packets", "quiet")
        return
    rows = _rows(timeline, paper)
    plan = _plan(timeline.columns, rows, paper.width)
    if plan is None:
        yield from _listed(timeline, rows, paper)
        return
    yield _head(plan, paper)
    for row in rows:
        yield _drawn(row, plan, timeline, paper)


# --- what stands on which line --------------------------------------------------------------------


def _rows(timeline: Timeline, paper: Paper) -> list[_Line]:
    """Moments as lines: a packet stands beside the call that sent it, everything else has its own."""
    rows: list[_Line] = []
    waiting: dict[str, int] = {}
    ends = {timeline.columns[0], timeline.columns[-1]} if timeline.columns else set()
    for moment in timeline.moments:
        _count_return(moment, waiting)
        if isinstance(moment, Sent) and rows and _sends(rows[-1], moment, ends):
            rows[-1].packet = moment.transmission
        else:
            rows.append(_line(moment, timeline, paper))
        _count_begin(moment, waiting)
        rows[-1].waiting = frozenset(host for host, count in waiting.items() if count)
    return rows


def _count_begin(moment: Moment, waiting: dict[str, int]) -> None:
    if isinstance(moment, Began) and (moment.returns or moment.call.ended_ns is None):
        waiting[moment.call.host] = waiting.get(moment.call.host, 0) + 1


def _count_return(moment: Moment, waiting: dict[str, int]) -> None:
    if isinstance(moment, Returned):
        waiting[moment.call.host] = waiting.get(moment.call.host, 1) - 1


def _sends(row: _Line, moment: Sent, ends: set[str]) -> bool:
    """Whether the call on this line is under way at one of the two ends and this packet is its host's."""
    call, host = row.last, moment.transmission.sent.host
    if call is None or row.packet is not None or call.host != host or host not in ends:
        return False
    return call.began_ns <= moment.at_ns <= (call.ended_ns or moment.at_ns)


def _line(moment: Moment, timeline: Timeline, paper: Paper) -> _Line:
    match moment:
        case Began(at_ns, call, returns):
            said = _Said(
                wording.call(call, timeline.owner),
                "" if returns else _outcome(call, timeline),
                "waits" if returns and call.asleep_ns is not None else "plain" if returns else _style(call),
            )
            return _Line(at_ns, {call.host: said}, last=call)
        case Returned(at_ns, call):
            name = f"{paper.marks.end} {printable(call.name)}"
            outcome = _outcome(call, timeline) or "returns"
            return _Line(at_ns, {call.host: _Said(name, outcome, _style(call))})
        case Sent(at_ns, transmission):
            return _Line(at_ns, packet=transmission)
        case Read(at_ns, record):
            said = _Said(f"{printable(record.of)} is", printable(record.state), "quiet")
            return _Line(at_ns, {record.host: said})
        case Changed(at_ns, record):
            return _Line(at_ns, notice=printable(_change(record)))
        case Folded(at_ns, count):
            return _Line(at_ns, notice=_folded(count))


def _change(record: FaultRecord | HostRecord) -> str:
    """A fault's beginning or end, or what was done to a host: `host server killed`, `host client link eth0 down`."""
    if isinstance(record, HostRecord):
        what = record.what.replace("link", f"link {record.interface}", 1) if record.interface else record.what
        return f"host {record.host} {what}"
    return f"{record.text if record.what == 'begins' else record.fault} {record.what}"


def _outcome(call: CallRecord, timeline: Timeline) -> str:
    outcome = wording.outcome(call, timeline.owner)
    if call.failure is not None or call.ended_ns is None:
        return outcome
    return f"= {outcome}" if outcome else ""


def _style(call: CallRecord) -> Style:
    return "bad" if call.failure is not None else "plain"


# --- where it stands ------------------------------------------------------------------------------


def _plan(hosts: Sequence[str], rows: Sequence[_Line], wide: int) -> _Plan | None:
    """Columns that fit the width, sides as wide as their calls need; None where the hosts are too many."""
    if not hosts:
        return None
    spans = len(hosts) - 1
    room = wide - TIME_WIDE - len(hosts)
    if room < spans * SPAN_MINIMUM:
        return None
    left = _needed(rows, hosts[:1]) if spans else 0
    right = _needed(rows, hosts[-1:])
    sides = max(room - spans * _span_wished(rows), 0)
    if left + right > sides:
        least = min(2 * SIDE_MINIMUM if spans else SIDE_MINIMUM, room - spans * SPAN_MINIMUM)
        left, right = _shared(left, right, max(sides, least))
    span = min((room - left - right) // spans, SPAN_MOST) if spans else 0
    columns = {host: TIME_WIDE + left + place * (span + 1) for place, host in enumerate(hosts)}
    return _Plan(columns, wide, left, right)


def _span_wished(rows: Sequence[_Line]) -> int:
    """The cells between two lines that the packets' labels want."""
    labels = [width(_label(row.packet)) + SHAFT for row in rows if row.packet is not None]
    return min(max([*labels, SPAN_MINIMUM]), SPAN_ENOUGH)


def _needed(rows: Sequence[_Line], hosts: Sequence[str]) -> int:
    """The cells that the calls of a host at one end need, its name included."""
    names = [width(printable(host)) for host in hosts]
    texts = [width(said.whole) for row in rows for host, said in row.calls.items() if host in hosts]
    return max([*(size // 2 for size in names), *(size + GAP for size in texts)], default=0)


def _shared(left: int, right: int, room: int) -> tuple[int, int]:
    """Divide the room between two sides that together want more: the smaller wish is met first."""
    if left <= right:
        given = min(left, room // 2)
        return given, min(right, room - given)
    given = min(right, room // 2)
    return min(left, room - given), given


# --- drawing --------------------------------------------------------------------------------------


def _head(plan: _Plan, paper: Paper) -> str:
    row = Row(plan.width)
    row.put(0, "ms".rjust(TIME_WIDE - 2), "quiet")
    hosts = list(plan.columns)
    for host, column in plan.columns.items():
        name = shortened(printable(host), _span(plan) - 1 if len(hosts) > 1 else plan.width)
        begin = max(TIME_WIDE, min(column - width(name) // 2, plan.width - width(name)))
        row.put(begin, name, "host")
    return row.render(paper)


def _span(plan: _Plan) -> int:
    """The cells from one host's line to the next."""
    columns = list(plan.columns.values())
    return columns[1] - columns[0] if len(columns) > 1 else plan.width


def _drawn(line: _Line, plan: _Plan, timeline: Timeline, paper: Paper) -> str:
    row = Row(plan.width)
    row.put_before(TIME_WIDE - 2, _time(line.at_ns - timeline.began_ns), "quiet")
    for host, column in plan.columns.items():
        waits = host in line.waiting
        row.put(column, paper.marks.waiting if waits else paper.marks.line, "waits" if waits else "quiet")
    if line.notice:
        _notice(row, line.notice, plan)
    if line.packet is not None:
        _arrow(row, line.packet, plan, paper)
    for host, said in line.calls.items():
        _call(row, host, said, plan)
    return row.render(paper)


def _notice(row: Row, text: str, plan: _Plan) -> None:
    """What concerns no host alone, across the picture."""
    said = shortened(f" {text} ", plan.width - TIME_WIDE - 2)
    row.put(TIME_WIDE + max(0, (plan.width - TIME_WIDE - width(said)) // 2), said, "quiet")


def _folded(count: int) -> str:
    return f"... {counted(count, 'more call or packet', 'more calls and packets')} ..."


def _time(ns: int) -> str:
    """Milliseconds since the first moment."""
    return f"{ns / 1e6:.2f}"


def _call(row: Row, host: str, said: _Said, plan: _Plan) -> None:
    hosts = list(plan.columns)
    column = plan.columns[host]
    if host == hosts[0] and len(hosts) > 1:
        row.put_before(column - GAP, said.fitted(plan.left - GAP), said.style)
        return
    room = plan.width - column - 1 - GAP if host == hosts[-1] else _span(plan) - 1 - 2 * GAP
    row.put(column + 1 + GAP, said.fitted(room), said.style)


def _arrow(row: Row, packet: Transmission, plan: _Plan, paper: Paper) -> None:
    """The packet from its sender's line to the lines of all that got it, its words in the longest stretch."""
    marks = paper.marks
    source, targets = ends_of(packet)
    style = _packet_style(packet)
    begin = plan.columns.get(source)
    ends = [plan.columns[target] for target in targets if target in plan.columns and target != source]
    if begin is None or not ends:
        _stray(row, packet, begin, plan, paper)
        return
    for end in (min(ends), max(ends)):
        if end == begin:
            continue
        low, high = min(begin, end), max(begin, end)
        for column in range(low + 1, high):
            row.put(column, marks.cross if column in plan.columns.values() else marks.wire, style)
    for end in ends:
        head = marks.lost if packet.lost else marks.right if end > begin else marks.left
        row.put(end - 1 if end > begin else end + 1, head, style)
    furthest = max(ends, key=lambda end: abs(end - begin))
    low, high = min(begin, furthest), max(begin, furthest)
    room = high - low - 5
    label = shortened(_label(packet), room)
    row.put(low + 1 + (high - low - 1 - width(label) - 2) // 2, f" {label} ", style)


def _stray(row: Row, packet: Transmission, begin: int | None, plan: _Plan, paper: Paper) -> None:
    """A packet to or from somebody who has no column: its ends are written out."""
    source, target = printable(packet.source), printable(packet.target)
    marks = paper.marks
    head = marks.lost if packet.lost else marks.right
    first = min(plan.columns.values())
    if begin is None:
        begin = first
        said = f"{source} {marks.wire}{head} {target} {_label(packet)}"
    else:
        said = f"{marks.wire}{head} {target}: {_label(packet)}"
    columns = sorted(plan.columns.values())
    if begin == columns[-1] and len(columns) > 1:
        said = f"{target}: {_label(packet)} {marks.left}{marks.wire}" if begin != first else said
        row.put_before(begin, shortened(said, _span(plan) - 2), _packet_style(packet))
        return
    room = (columns[-1] if len(columns) > 1 else plan.width) - begin - 2
    row.put(begin + 1, shortened(said, room), _packet_style(packet))


def _label(packet: Transmission) -> str:
    """What the packet is, and how often it arrived where it was not once."""
    copies: dict[str, int] = {}
    for arrival in packet.arrivals:
        copies[arrival.host] = copies.get(arrival.host, 0) + 1
    often = max(copies.values(), default=1)
    said = printable(" ".join(words(packet).split("  ")))
    marks = list(packet.struck)
    if often > 1 and packet.sent.direction == "out":
        marks = [mark for mark in marks if mark != "doubled"] + [f"arrived {often} times"]
    return f"{said} ({', '.join(marks)})" if marks else said


def _packet_style(packet: Transmission) -> Style:
    header = packet.sent.header
    if packet.lost or (header.protocol == TCP and header.flags >= 0 and header.flags & RST):
        return "bad"
    if header.protocol == TCP and header.flags == ACK and header.length == 0:
        return "quiet"
    return "data" if header.length else "plain"


# --- without columns ------------------------------------------------------------------------------


def _listed(timeline: Timeline, rows: Sequence[_Line], paper: Paper) -> Iterator[str]:
    """One line for each moment, where there are too many hosts for columns."""
    yield paper.styled("ms".rjust(TIME_WIDE - 2), "quiet")
    for row in rows:
        since = _time(row.at_ns - timeline.began_ns)
        time = paper.styled(since.rjust(TIME_WIDE - 2) + "  ", "quiet")
        room = paper.width - TIME_WIDE
        for host, said in row.calls.items():
            yield time + paper.styled(shortened(f"{printable(host)}: {said.whole}", room), said.style)
        if row.packet is not None:
            said_of = shortened(_sentence(row.packet, paper), room)
            yield time + paper.styled(said_of, _packet_style(row.packet))
        if row.notice:
            yield time + shortened(row.notice, room)


def _sentence(packet: Transmission, paper: Paper) -> str:
    head = paper.marks.lost if packet.lost else paper.marks.right
    ends = f"{printable(packet.source)} {paper.marks.wire}{head} {printable(packet.target)}"
    return f"{ends}  {_label(packet)}"
