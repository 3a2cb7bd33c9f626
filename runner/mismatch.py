"""What a reader is told about a ladder that does not hold: expected and seen side by side, the first
difference, near misses.

Plain text for a learner, readable at 80 columns. Matching itself is `runner.matching`'s affair.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from runner import notation
from runner.headers import FIN, SYN
from runner.ladder import Line
from runner.matching import FREE, Match, Matcher
from runner.packets import Transmission
from runner.patterns import is_acknowledgement
from runner.quoting import QUOTED

WIDTH = 80
_BEFORE, _BEHIND = 8, 6
"""How many rows are shown before the first difference and behind it."""
_FEW = 2
"""More differences than these make no near miss."""
_MOST = 5
"""How many near misses are told."""
_LOOKED_AT = 1000
"""How many packets are looked at for near misses, from the first difference on."""


@dataclass(frozen=True)
class _Row:
    """One row of the table; numbers are as a reader counts, empty where there is nothing."""

    line: str = ""
    expected: str = ""
    packet: str = ""
    seen: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Mismatch:
    """A ladder that does not hold, with the packets it was held against."""

    matcher: Matcher
    match: Match
    packets: Sequence[Transmission]

    # --- one line ---------------------------------------------------------------------------------

    def summary(self) -> str:
        """The first difference in one line."""
        packet, entry = self.match.packet, self.match.entry
        if packet is None:
            return f"{self._line(entry)} has no packet: {self._text(entry)}"
        name, seen = self._packet(packet), self.packets[packet]
        if entry is None:
            return f"{name} is one too many: {notation.line(seen)}"
        differences = self._differences(entry, packet)
        if 0 < len(differences) <= _FEW:
            return f"{name} is not what {self._line(entry)} expects: {' and '.join(differences)}"
        return f"{name} is not what {self._line(entry)} expects: {notation.line(seen)}"

    def detail(self) -> str:
        """The table, and what almost fitted."""
        parts = [_table(list(self._rows()))]
        if not self.packets:
            parts.append("There was no such packet at all: does `flow` say what was meant?")
        near = list(dict.fromkeys(self._near_misses()))[:_MOST]
        if near:
            parts.append("Near misses:\n" + "\n".join(_wrapped(one) for one in near))
        return "\n\n".join(parts)

    def numbers(self) -> tuple[int, ...]:
        """The packets that the first difference is about, as numbers in the capture file."""
        return () if self.match.packet is None else (self.packets[self.match.packet].sent.number,)

    # --- names ------------------------------------------------------------------------------------

    def _line(self, entry: int | None) -> str:
        return "" if entry is None else f"line {self.matcher.entries[entry].number + 1}"

    def _text(self, entry: int | None) -> str:
        return "" if entry is None else _closely(self.matcher.entries[entry].text)

    def _packet(self, place: int) -> str:
        return f"packet {self.packets[place].sent.number}"

    def _since_ns(self) -> int | None:
        """When the last packet that a line speaks of was sent."""
        for one in reversed(self.match.explained):
            if one.entry != FREE and isinstance(self.matcher.entries[one.entry], Line):
                return self.packets[one.packet].sent.time_ns
        return None

    def _differences(self, entry: int, packet: int) -> list[str]:
        pattern = self.matcher.patterns[entry]
        return [] if pattern is None else pattern.differences(self.packets[packet], self._since_ns())

    # --- the table --------------------------------------------------------------------------------

    def _rows(self) -> Iterator[_Row]:
        written = [_closely(line) for line in notation.written(self.packets)]
        before = list(self._rows_before(written))
        if len(before) > _BEFORE:
            yield _Row(expected=f"({len(before) - _BEFORE} rows that fit)")
        yield from before[-_BEFORE:]
        yield from self._rows_behind(written)

    def _rows_behind(self, written: Sequence[str]) -> Iterator[_Row]:
        """The first difference, and what is left on both sides, which was not compared any more."""
        entries, match = self.matcher.entries, self.match
        lines = [] if match.entry is None else entries[match.entry :]
        seen = range(0) if match.packet is None else range(match.packet, len(self.packets))
        nothing = "(nothing more)"
        for place, (entry, packet) in enumerate(zip_longest(lines[: _BEHIND + 1], seen[: _BEHIND + 1])):
            number = "" if packet is None else str(self.packets[packet].sent.number)
            line = "" if entry is None else str(entry.number + 1)
            expected = _closely(entry.text) if entry is not None else "" if place else nothing
            there = written[packet] if packet is not None else "" if place else nothing
            yield _Row(line, expected, number, there, marked=not place)
        left = [max(0, len(one) - _BEHIND - 1) for one in (lines, seen)]
        if any(left):
            yield _Row("", _more(left[0], "line"), "", _more(left[1], "packet"))

    def _rows_before(self, written: Sequence[str]) -> Iterator[_Row]:
        """What was explained, with the lines that were left out where they stand."""
        following = 0
        for packet, entry in self.match.explained:
            number = str(self.packets[packet].sent.number)
            if entry == FREE:
                yield _Row("", "(pure ACKs need no line)", number, written[packet])
                continue
            for absent in range(following, entry):
                yield _Row(self._number(absent), self._text(absent), "", "(not there, which is allowed)")
            yield _Row(self._number(entry), self._text(entry), number, written[packet])
            following = entry + 1
        due = len(self.matcher.entries) if self.match.entry is None else self.match.entry
        for absent in range(following, due):
            yield _Row(self._number(absent), self._text(absent), "", "(not there, which is allowed)")

    def _number(self, place: int) -> str:
        return str(self.matcher.entries[place].number + 1)

    # --- near misses ------------------------------------------------------------------------------

    def _near_misses(self) -> Iterator[str]:
        packet, entry = self.match.packet, self.match.entry
        most = 1
        if packet is not None and entry is not None:
            differences = self._differences(entry, packet)
            if 0 < len(differences) <= _FEW:
                name, most = self._packet(packet), 0
                yield f"{name} fits {self._line(entry)} but for: {' and '.join(differences)}"
        if packet is not None:
            yield from self._sent_again(packet)
            yield from self._other_lines(packet)
        if entry is not None:
            yield from self._other_packets(entry, most)

    def _sent_again(self, place: int) -> Iterator[str]:
        """TCP sends what was not acknowledged again: such packets are listed like others."""
        header = self.packets[place].sent.header
        if not (header.flags > 0 and (header.length or header.flags & (SYN | FIN))):
            return
        for earlier in range(place - 1, max(-1, place - _LOOKED_AT), -1):
            other = self.packets[earlier].sent.header
            same = (other.src, other.sport, other.dst, other.dport, other.seq, other.length, other.flags)
            if same == (
                header.src, header.sport, header.dst, header.dport, header.seq, header.length, header.flags,
            ):  # fmt: skip
                yield f"{self._packet(place)} is {self._packet(earlier)} sent again (a retransmission)"
                return

    def _other_lines(self, place: int) -> Iterator[str]:
        """Lines further down that the packet fits."""
        begin = len(self.matcher.entries) if self.match.entry is None else self.match.entry + 1
        for entry in range(begin, min(len(self.matcher.entries), begin + _LOOKED_AT)):
            pattern = self.matcher.patterns[entry]
            if pattern is not None and not self._differences(entry, place):
                due = self._line(self.match.entry)
                yield f"{self._packet(place)} fits {self._line(entry)}, but {due} comes before that"
                return

    def _other_packets(self, entry: int, most: int) -> Iterator[str]:
        """Packets that no line speaks of and that are what the line expects but for `most` differences."""
        by_lines = {
            one.packet
            for one in self.match.explained
            if one.entry != FREE and isinstance(self.matcher.entries[one.entry], Line)
        }
        begin = max(by_lines, default=-1) + 1
        found = []
        for place in range(begin, min(len(self.packets), begin + _LOOKED_AT)):
            differences = self._differences(entry, place)
            if differences and is_acknowledgement(self.packets[place]):
                continue
            if place != self.match.packet and len(differences) <= most:
                found.append((len(differences), place, differences))
        for count, place, differences in sorted(found)[:_MOST]:
            name, line = self._packet(place), self._line(entry)
            if count:
                yield f"{name} fits {line} but for: {' and '.join(differences)}"
            else:
                yield f"{name} fits {line}, but other packets come before it"


def _more(count: int, what: str) -> str:
    return f"({count} more {what}{'s' if count > 1 else ''})" if count else ""


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _table(rows: Sequence[_Row]) -> str:
    """Two columns; texts that are too long go on in the next row, so that nothing is cut off."""
    lines = max(2, *(len(row.line) for row in rows))
    packets = max(2, *(len(row.packet) for row in rows))
    room = WIDTH - lines - packets - 4
    longest = max(len(row.expected) for row in rows)
    left = max(len("expected"), min(longest, max(room // 2, room - max(len(row.seen) for row in rows))))
    found = [f"{'':{lines + 2}}{'expected':{left}} {'':{packets + 1}}seen"]
    for row in rows:
        sides = zip_longest(_folded(row.expected, left), _folded(row.seen, room - left), fillvalue="")
        for place, (expected, seen) in enumerate(sides):
            mark = ">" if row.marked and not place else " "
            line, packet = ("", "") if place else (row.line, row.packet)
            found.append(f"{mark}{line:>{lines}} {expected:{left}} {packet:>{packets}} {seen}".rstrip())
    return "\n".join(found)


def _folded(text: str, width: int) -> list[str]:
    """The text in pieces no longer than `width`."""
    return textwrap.wrap(text, max(20, width), subsequent_indent="  ", break_on_hyphens=False) or [""]


def _closely(text: str) -> str:
    """A line of a ladder with one blank between its parts; payloads stay as they are."""
    return re.sub(rf"({QUOTED})|\s+", lambda found: found[1] or " ", text)
