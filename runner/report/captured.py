"""`runner inspect`: the flows and the ladder of a capture from anywhere.

Shows what `runner.survey` found; knows no scenario. Everything in a capture is hostile text.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.capture_index import Integers
from runner import survey
from runner.columns import Truth, protocol_name
from runner.errors import Blind, UsageError
from runner.headers import RST
from runner.report import filtering, ladder, timeline
from runner.report.paper import Paper
from runner.report.text import counted, duration, padded, printable, shortened
from runner.survey import Survey

FLOWS = 40
"""Of more flows the largest are shown."""


@dataclass(frozen=True)
class _Row:
    """A flow in the table; `sent` and `answered` are bytes of payload, of the first end and of the other."""

    protocol: str
    begin: str
    end: str
    packets: int
    sent: int
    answered: int
    elapsed_ns: int
    notes: str


def show_capture(path: Path, condition: str, paper: Paper, limit: int | None) -> None:
    """Flows, then the ladder of the packets that meet the conditions; raises UsageError.

    Of a capture that is damaged, what stands before the damage, which is said.
    """
    wanted = filtering.read(condition)
    seen = survey.read(path)
    try:
        chosen = survey.choose(seen, wanted)
    except Blind as error:
        raise UsageError(f"--filter: {error}") from None
    paper.line(_head(path, seen, chosen, filtered=bool(wanted), paper=paper))
    if seen.damage:
        said = f"damaged: {seen.damage}; this is what stands before"
        paper.line(paper.styled(f"  {printable(said)}", "bad"))
    if not len(chosen):
        return
    paper.line()
    paper.lines(_table(seen, chosen, paper))
    paper.line()
    paper.lines(ladder.draw(_timeline(seen, chosen, limit), paper))


def open_capture(path: Path) -> str:
    """Start Wireshark on a capture and leave it running; returns what was started.

    Raises UsageError where there is no file or no Wireshark.
    """
    if not path.is_file():
        raise UsageError(f"the capture {path} is not there")
    program = shutil.which("wireshark")
    if program is None:
        raise UsageError("Wireshark is not installed; on Debian and Ubuntu: apt-get install wireshark")
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    words = [program, "-r", str(path.absolute())]
    os.posix_spawn(program, words, os.environ, file_actions=nothing, setsid=True)
    return f"Started {program} on {path}."


def _head(path: Path, seen: Survey, chosen: Integers, *, filtered: bool, paper: Paper) -> str:
    total = counted(len(seen), "packet")
    parts = [f"{len(chosen):,} of {total}" if filtered else total]
    if len(chosen):
        flows = len(np.unique(seen.conversations.flow[chosen]))
        times = seen.index.time_ns[chosen]
        parts += [counted(flows, "flow"), duration(int(times[-1] - times[0]))]
    parts += _notes(seen, chosen)
    return f"{paper.styled(printable(str(path)), 'title')}  {', '.join(parts)}"


def _timeline(seen: Survey, chosen: Integers, limit: int | None) -> timeline.Timeline:
    """The first two thirds and the last third of the packets that may be shown."""
    if limit is None or len(chosen) <= limit:
        limit = len(chosen)
    cut = limit * 2 // 3 if limit < len(chosen) else limit
    head = [seen.transmission(int(row)) for row in chosen[:cut]]
    tail = [seen.transmission(int(row)) for row in chosen[len(chosen) - (limit - cut) :]]
    return timeline.of_packets(head, len(chosen) - limit, tail)


# --- flows ----------------------------------------------------------------------------------------


def _table(seen: Survey, chosen: Integers, paper: Paper) -> Iterator[str]:
    flow = seen.conversations.flow[chosen]
    sizes = np.bincount(flow, minlength=1)
    flows = np.flatnonzero(sizes)
    largest = np.sort(flows[np.argsort(-sizes[flows], kind="stable")][:FLOWS])
    rows = [_row(seen, chosen[flow == one]) for one in largest]
    room = max(20, (paper.width - 50) // 2)
    wide = min(room, max(len(text) for row in rows for text in (row.begin, row.end)))
    for row in rows:
        yield (
            f"  {row.protocol:<7} {padded(printable(row.begin), wide)} {padded(printable(row.end), wide)}"
            f" {row.packets:>7,} {'packet ' if row.packets == 1 else 'packets'}"
            f"  {_size(row.sent):>7} {_size(row.answered):>7}"
            f"  {duration(row.elapsed_ns)}"
        )
        if row.notes:
            yield " " * 10 + paper.styled(row.notes, "quiet")
    if len(flows) > FLOWS:
        yield f"  ... {counted(len(flows) - FLOWS, 'smaller flow')}"


def _row(seen: Survey, rows: Integers) -> _Row:
    """One flow, from its packets among those chosen."""
    first = int(seen.conversations.first[seen.conversations.flow[rows[0]]])
    columns, reverse = seen.columns, seen.conversations.reverse[rows]
    length, times = columns.length[rows].astype(np.int64), seen.index.time_ns[rows]
    notes = [*_notes(seen, rows), *_round_trips(seen, rows)]
    return _Row(
        protocol_name(int(columns.version[first]), int(columns.protocol[first])),
        _end(columns.address(first, source=True), int(columns.sport[first])),
        _end(columns.address(first, source=False), int(columns.dport[first])),
        len(rows),
        int(length[~reverse].sum()),
        int(length[reverse].sum()),
        int(times[-1] - times[0]),
        ", ".join(notes),
    )


def _notes(seen: Survey, rows: Integers) -> list[str]:
    """What is remarkable about packets, counted."""
    flags = seen.columns.flags[rows]
    resets: Truth = (flags >= 0) & (flags & RST != 0)
    found = (
        (int(seen.marks.again[rows].sum()), "{} sent again"),
        (int(seen.marks.misplaced[rows].sum()), "{} out of order"),
        (int(seen.marks.probe[rows].sum()), "{} probing"),
    )
    texts = [text.format(f"{count:,}") for count, text in found if count]
    return texts + ([counted(int(resets.sum()), "reset")] if resets.any() else [])


def _round_trips(seen: Survey, rows: Integers) -> list[str]:
    """The handshake's round trip, and the median of those of the data."""
    handshake, trips = seen.marks.handshake_ns[rows], seen.marks.round_trip_ns[rows]
    texts = []
    if (handshake >= 0).any():
        texts.append(f"handshake {duration(int(handshake[handshake >= 0][0]))}")
    if (trips >= 0).any():
        texts.append(f"acknowledged in {duration(int(np.median(trips[trips >= 0])))} (median)")
    return texts


def _end(address: str, port: int) -> str:
    if port < 0:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _size(count: int) -> str:
    """A number of bytes for people, by thousands: `999 B`, `1.5 kB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return shortened(f"{size:.1f} TB", 9)
