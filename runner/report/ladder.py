"""The picture of a run: hosts as columns, calls at their host's side, packets as arrows, time running down.

Draws a `Timeline` and nothing else. Two hosts have their calls outside; hosts in the middle of more have them
to the right of their line. Where columns do not fit, packets become a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.headers import ACK, RST, TCP
from runner.notation import words
from runner.packets import Transmission
from runner.report import hexdump
from runner.report.canvas import Row
from runner.report.paper import Paper, Style
from runner.report.rows import PLAIN, Details, Line, Said, rows_of
from runner.report.text import padded, printable, shortened, width
from runner.report.timeline import Timeline, ends_of

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
LABEL_LEAST = 7
"""The cells that say what a packet is, where what became of it takes the others."""


@dataclass(frozen=True)
class _Plan:
    """Where things stand: the column of each host's line, and the room for calls at both ends."""

    columns: dict[str, int]
    width: int
    left: int
    right: int


def draw(timeline: Timeline, paper: Paper, details: Details = PLAIN) -> Iterator[str]:
    """The lines of the picture, none wider than the paper; `details` say what it shows besides."""
    if not timeline.moments:
        yield paper.styled("  nothing happened: no calls and no packets", "quiet")
        return
    rows = rows_of(timeline, paper, details)
    plan = _plan(timeline.columns, rows, paper.width)
    if plan is None:
        yield from _listed(rows, details, paper)
        return
    yield from _heads(plan, paper)
    for row in rows:
        yield _drawn(row, plan, paper)
        if details.payloads and row.packet is not None:
            yield from _dumped(row, plan, details, paper)


# --- where it stands ------------------------------------------------------------------------------


def _plan(hosts: Sequence[str], rows: Sequence[Line], wide: int) -> _Plan | None:
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


def _span_wished(rows: Sequence[Line]) -> int:
    """The cells between two lines that the packets' labels want."""
    labels = [width(_label(row.packet)) + SHAFT for row in rows if row.packet is not None]
    return min(max([*labels, SPAN_MINIMUM]), SPAN_ENOUGH)


def _needed(rows: Sequence[Line], hosts: Sequence[str]) -> int:
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


def _heads(plan: _Plan, paper: Paper) -> Iterator[str]:
    """The hosts' names over their lines; names that would run into each other stand one line higher or more."""
    heads: list[list[tuple[int, int, str]]] = []
    for host, column in plan.columns.items():
        name = shortened(printable(host), plan.width - TIME_WIDE)
        begin = max(TIME_WIDE, min(column - width(name) // 2, plan.width - width(name)))
        free = (line for line in heads if line[-1][0] + width(line[-1][2]) + 1 < begin)
        line = next(free, None)
        if line is None:
            heads.append(line := [])
        line.append((begin, column, name))
    heads.reverse()
    for number, line in enumerate(heads):
        row = Row(plan.width)
        if number == len(heads) - 1:
            row.put(0, "ms".rjust(TIME_WIDE - 2), "quiet")
        for above in heads[:number]:
            for _, column, _ in above:
                row.put(column, paper.marks.line, "quiet")
        for begin, _, name in line:
            row.put(begin - 1, f" {name} ", "host")
        yield row.render(paper)


def _span(plan: _Plan) -> int:
    """The cells from one host's line to the next."""
    columns = list(plan.columns.values())
    return columns[1] - columns[0] if len(columns) > 1 else plan.width


def _drawn(line: Line, plan: _Plan, paper: Paper) -> str:
    row = _empty(line, plan, paper)
    row.put_before(TIME_WIDE - 2, _time(line.since_ns), "quiet")
    if line.notice:
        _notice(row, line.notice, plan)
    if line.packet is not None:
        _arrow(row, line.packet, plan, paper)
    for host, said in line.calls.items():
        _call(row, host, said, plan)
    return row.render(paper)


def _empty(line: Line, plan: _Plan, paper: Paper) -> Row:
    """A row with the hosts' lines alone."""
    row = Row(plan.width)
    for host, column in plan.columns.items():
        waits = host in line.waiting
        row.put(column, paper.marks.waiting if waits else paper.marks.line, "waits" if waits else "quiet")
    return row


def _dumped(line: Line, plan: _Plan, details: Details, paper: Paper) -> Iterator[str]:
    """The payload of a line's packet under its arrow, from the leftmost line that the arrow touches on."""
    packet = line.packet
    assert packet is not None
    source, targets = ends_of(packet)
    touched = [plan.columns[one] for one in (source, *targets) if one in plan.columns]
    begin = min(touched or plan.columns.values()) + 1 + GAP
    for text in hexdump.lines(packet.sent.payload, plan.width - begin, details.payload_limit):
        row = _empty(line, plan, paper)
        row.put(begin, f"{text} ", "quiet")
        yield row.render(paper)


def _notice(row: Row, text: str, plan: _Plan) -> None:
    """What concerns no host alone, across the picture."""
    said = shortened(f" {text} ", plan.width - TIME_WIDE - 2)
    row.put(TIME_WIDE + max(0, (plan.width - TIME_WIDE - width(said)) // 2), said, "quiet")


def _time(ns: int) -> str:
    """Milliseconds since the first moment."""
    return f"{ns / 1e6:.2f}"


def _call(row: Row, host: str, said: Said, plan: _Plan) -> None:
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
    label = _label(packet, room)
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


def _label(packet: Transmission, room: int | None = None) -> str:
    """What the packet is, then what became of it: dropped, arrived twice. Where room is short the first gives way."""
    copies: dict[str, int] = {}
    for arrival in packet.arrivals:
        copies[arrival.host] = copies.get(arrival.host, 0) + 1
    often = max(copies.values(), default=1)
    said = printable(" ".join(words(packet).split("  ")))
    marks = list(packet.struck)
    if often > 1 and packet.sent.direction == "out":
        marks = [mark for mark in marks if mark != "doubled"] + [f"arrived {often} times"]
    became = f" ({', '.join(marks)})" if marks else ""
    if room is None:
        return said + became
    left = room - width(became)
    return shortened(said, left) + became if left >= LABEL_LEAST else shortened(said + became, room)


def _packet_style(packet: Transmission) -> Style:
    header = packet.sent.header
    if packet.lost or (header.protocol == TCP and header.flags >= 0 and header.flags & RST):
        return "bad"
    if header.protocol == TCP and header.flags == ACK and header.length == 0:
        return "quiet"
    return "data" if header.length else "plain"


# --- without columns ------------------------------------------------------------------------------


def _listed(rows: Sequence[Line], details: Details, paper: Paper) -> Iterator[str]:
    """One line for each moment, where there are too many hosts for columns."""
    yield paper.styled("ms".rjust(TIME_WIDE - 2), "quiet")
    wide = _ends_wide(rows, paper.width - TIME_WIDE)
    for row in rows:
        since = _time(row.since_ns)
        time = paper.styled(since.rjust(TIME_WIDE - 2) + "  ", "quiet")
        room = paper.width - TIME_WIDE
        for host, said in row.calls.items():
            yield time + paper.styled(shortened(f"{printable(host)}: {said.whole}", room), said.style)
        if row.packet is not None:
            said_of = shortened(_sentence(row.packet, wide, paper), room)
            yield time + paper.styled(said_of, _packet_style(row.packet))
            if details.payloads:
                for text in hexdump.lines(row.packet.sent.payload, room - 2, details.payload_limit):
                    yield " " * (TIME_WIDE + 2) + paper.styled(text, "quiet")
        if row.notice:
            yield time + shortened(row.notice, room)


def _ends_wide(rows: Sequence[Line], room: int) -> tuple[int, int]:
    """The cells for senders and for receivers, so that they stand beneath each other: a third of the room at most."""
    packets = [row.packet for row in rows if row.packet is not None]
    sources = max((width(printable(one.source)) for one in packets), default=0)
    targets = max((width(printable(one.target)) for one in packets), default=0)
    return min(sources, room // 3), min(targets, room // 3)


def _sentence(packet: Transmission, wide: tuple[int, int], paper: Paper) -> str:
    head = paper.marks.lost if packet.lost else paper.marks.right
    source, target = (
        padded(printable(end), size) for end, size in zip((packet.source, packet.target), wide, strict=True)
    )
    return f"{source} {paper.marks.wire}{head} {target}  {_label(packet)}"
