"""`runner inspect`: the flows and the ladder of a capture from anywhere.

Reads the file through `runner.evidence`; knows no scenario. Everything in a capture is hostile text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import evidence
from runner.errors import Misplaced, UsageError
from runner.evidence import Evidence
from runner.headers import ARP, ICMP, ICMPV6, IGMP, TCP, UDP
from runner.packets import Transmission
from runner.report import ladder, timeline
from runner.report.paper import Paper
from runner.report.text import counted, duration, padded, printable, shortened

FLOWS = 40
"""A longer table of flows is cut."""

_PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6", IGMP: "igmp"}


@dataclass
class _Row:
    """A flow in the table; `sent` and `answered` are bytes of payload, of the first end and of the other."""

    protocol: str
    begin: str
    end: str
    packets: int = 0
    sent: int = 0
    answered: int = 0
    first_ns: int = 0
    last_ns: int = 0


def show_capture(path: Path, condition: str, paper: Paper, limit: int | None) -> None:
    """Flows, then the ladder of the packets that meet the conditions; raises UsageError."""
    if not path.exists():
        raise UsageError(f"there is no file {path}")
    seen = evidence.of_capture(path)
    chosen = _filtered(seen, condition)
    total = counted(len(seen.transmissions), "packet")
    head = f"{len(chosen):,} of {total}" if condition else total
    paper.line(f"{paper.styled(printable(str(path)), 'title')}  {head}")
    if not chosen:
        return
    paper.line()
    paper.lines(_table(chosen, paper))
    paper.line()
    paper.lines(ladder.draw(timeline.of(seen, chosen, limit), paper))


def _filtered(seen: Evidence, text: str) -> Sequence[Transmission]:
    """The packets that meet all conditions; raises UsageError with the place of a mistake in them."""
    if not text.strip():
        return seen.transmissions
    from runner import conditions

    try:
        wanted = conditions.parse(text)
    except Misplaced as error:
        meant = f" - did you mean {error.suggestion!r}?" if error.suggestion else ""
        marks = " " * error.column + "^" * max(1, error.length)
        raise UsageError(f"--filter: {error.message}{meant}\n  {text}\n  {marks}") from None
    return [
        one
        for one in seen.transmissions
        if all(conditions.holds(condition, one, seen.owner) for condition in wanted)
    ]


def _table(chosen: Iterable[Transmission], paper: Paper) -> Iterator[str]:
    rows = _rows(chosen)
    wide = max(20, (paper.width - 50) // 2)
    for row in rows[:FLOWS]:
        yield (
            f"  {row.protocol:<7} {padded(printable(row.begin), wide)} {padded(printable(row.end), wide)}"
            f" {row.packets:>7,} {'packet ' if row.packets == 1 else 'packets'}"
            f"  {_size(row.sent):>7} {_size(row.answered):>7}"
            f"  {duration(row.last_ns - row.first_ns)}"
        )
    if len(rows) > FLOWS:
        yield f"  ... {counted(len(rows) - FLOWS, 'more flow')}"


def _rows(chosen: Iterable[Transmission]) -> list[_Row]:
    """The flows in the order in which they began."""
    found: dict[tuple[str, frozenset[str]], _Row] = {}
    for one in chosen:
        protocol, begin, end = _flow(one)
        row = found.setdefault(
            (protocol, frozenset((begin, end))), _Row(protocol, begin, end, first_ns=one.sent.time_ns)
        )
        row.packets += 1
        row.last_ns = one.sent.time_ns
        if begin == row.begin:
            row.sent += one.sent.header.length
        else:
            row.answered += one.sent.header.length
    return list(found.values())


def _flow(one: Transmission) -> tuple[str, str, str]:
    header = one.sent.header
    if header.ether_type == ARP:
        return "arp", one.source, one.target
    if not header.version:
        return "frame", one.source, one.target
    protocol = _PROTOCOLS.get(header.protocol, f"ip.{header.protocol}")
    if header.sport < 0:
        return protocol, one.source, one.target
    return protocol, _end(one.source, header.sport), _end(one.target, header.dport)


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _size(count: int) -> str:
    """A number of bytes for people, by thousands: `999 B`, `1.5 kB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return shortened(f"{size:.1f} TB", 9)
