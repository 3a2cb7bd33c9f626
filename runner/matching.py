"""Does a ladder explain the packets? Some way to match must explain every packet and use every line that is
not optional.

A set of threads, each at one place of the ladder, goes over the packets once: no backtracking, no exponential
case. Made of lines and transmissions only; what a reader is told about a match that failed is
`runner.mismatch`'s affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runner.conditions import Owner
from runner.ladder import Entry, Gap, Ladder, Line
from runner.packets import Transmission
from runner.patterns import Pattern, has_fin, is_acknowledgement

FREE = -1
"""In place of an entry: a pure ACK that no line speaks of."""


class Explained(NamedTuple):
    """Packet `packet` is what entry `entry` of the ladder speaks of (places from 0; FREE: a pure ACK
    besides).
    """

    packet: int
    entry: int


@dataclass(frozen=True)
class Match:
    """How far a ladder explains packets.

    `explained` is the way to match: the whole one where it `holds`, else the one that used most lines. Where
    it does not hold, `packet` is the place of the first packet that is not explained (None: all are) and
    `entry` the place of the line that was due (None: all lines were used).
    """

    holds: bool
    explained: tuple[Explained, ...]
    packet: int | None = None
    entry: int | None = None

    @property
    def lines_used(self) -> int:
        """How many lines speak of a packet, where every packet is explained."""
        return len({one.entry for one in self.explained if one.entry != FREE})


class _Link(NamedTuple):
    """One packet explained, and what was explained before: threads share their pasts."""

    before: _Link | None
    packet: int
    entry: int
    used: int


class _Thread(NamedTuple):
    """All entries before `entry` are done; `last` is the packet that the last line matched (-1: none)."""

    entry: int
    last: int
    past: _Link | None

    @property
    def used(self) -> int:
        """How many lines it has matched."""
        return self.past.used if self.past is not None else 0


class Matcher:
    """A ladder made ready to explain packets.

    With `strict` every pure ACK needs a line. Without it those that no line matches are allowed, and a close
    in three packets is one in four: the ACK of the first FIN may ride on the second, also where the ladder
    has it as a line.
    """

    def __init__(self, ladder: Ladder, owner: Owner, strict: bool = False) -> None:
        self.entries: tuple[Entry, ...] = ladder.entries
        self.strict = strict
        self.patterns = [
            Pattern(entry, owner) if isinstance(entry, Line) else None for entry in ladder.entries
        ]
        self._rides = [not strict and self._may_ride(place) for place in range(len(self.entries))]
        self._timing = self._timings()

    def match(self, packets: Sequence[Transmission]) -> Match:
        """The match that uses most lines, of those that explain all packets if there are any."""
        threads = list(self._opened(_Thread(0, -1, None)))
        best, best_place = threads[0], 0
        for place, packet in enumerate(packets):
            reached = [(one, place) for one in threads]
            best, best_place = max([(best, best_place), *reached], key=_merit)
            threads = self._advance(threads, place, packet, packets)
            if not threads:
                break
        else:
            done = [one for one in threads if one.entry == len(self.entries)]
            if done:
                return Match(True, _past(done[0].past))
            ends = [(one, len(packets)) for one in threads]
            best, best_place = max([(best, best_place), *ends], key=_merit)
        return self._failed(best, best_place, packets)

    def _failed(self, reached: _Thread, place: int, packets: Sequence[Transmission]) -> Match:
        due = next((n for n in range(reached.entry, len(self.entries)) if not self._may_miss(n)), None)
        packet = place if place < len(packets) else None
        return Match(False, _past(reached.past), packet, due)

    def _advance(
        self, threads: Sequence[_Thread], place: int, packet: Transmission, packets: Sequence[Transmission]
    ) -> list[_Thread]:
        """The threads after one more packet; of those that will fare alike the first one is kept."""
        found: dict[tuple[int, int], _Thread] = {}
        free = not self.strict and is_acknowledgement(packet)
        for thread in threads:
            for after in self._steps(thread, place, packet, packets, free):
                for opened in self._opened(after):
                    self._keep(found, opened, packets)
        return list(found.values())

    def _steps(
        self, thread: _Thread, place: int, packet: Transmission, packets: Sequence[Transmission], free: bool
    ) -> Iterator[_Thread]:
        """The ways in which a thread may explain a packet, the best first."""
        entry, last, past = thread
        used = thread.used
        if entry < len(self.entries):
            pattern = self.patterns[entry]
            since_ns = packets[last].sent.time_ns if last >= 0 else None
            if pattern is None:
                yield _Thread(entry, last, _Link(past, place, entry, used))
            elif pattern.fits(packet, since_ns):
                yield _Thread(entry + 1, place, _Link(past, place, entry, used + 1))
            if self._rides[entry] and self._ends_both(entry, packet, last, packets):
                yield _Thread(entry + 2, place, _Link(past, place, entry + 1, used + 1))
        if free:
            yield _Thread(entry, last, _Link(past, place, FREE, used))

    def _opened(self, thread: _Thread) -> Iterator[_Thread]:
        """The thread, and those that leave out what may be missing next."""
        yield thread
        entry = thread.entry
        while entry < len(self.entries) and self._may_miss(entry):
            entry += 1
            yield thread._replace(entry=entry)

    def _may_miss(self, place: int) -> bool:
        entry = self.entries[place]
        return isinstance(entry, Gap) or entry.optional

    # --- the close in three packets ---------------------------------------------------------------

    def _may_ride(self, place: int) -> bool:
        """Whether the line is the ACK of a FIN, followed by the FIN of its sender: then one segment may be
        both.
        """
        if not 0 < place < len(self.entries) - 1:
            return False
        before, line, behind = self.entries[place - 1 : place + 2]
        if not (isinstance(before, Line) and isinstance(line, Line) and isinstance(behind, Line)):
            return False
        return (
            before.has_fin
            and line.is_acknowledgement
            and behind.has_fin
            and before.source.text == line.target.text
            and (line.source.text, line.target.text) == (behind.source.text, behind.target.text)
        )

    def _ends_both(
        self, entry: int, packet: Transmission, last: int, packets: Sequence[Transmission]
    ) -> bool:
        """Whether the packet is the second FIN, fits its line, and acknowledges the first FIN (the last
        packet matched).
        """
        pattern = self.patterns[entry + 1]
        if last < 0 or pattern is None or not has_fin(packet) or not has_fin(packets[last]):
            return False
        first = packets[last].sent.header
        acknowledges = packet.sent.header.ack == (first.seq + first.length + 1) & 0xFFFFFFFF
        return acknowledges and pattern.fits(packet, packets[last].sent.time_ns)

    # --- what is to be remembered of the time -----------------------------------------------------

    def _timings(self) -> list[str]:
        """For each place what a later line asks of the last packet matched before it.

        Empty where nothing does, `early` where an earlier one is never worse (`after >= T`), `late` where a
        later one is never worse, `exact` where all differ. At each place only one thread of those that fare
        alike has to go on.
        """
        found = [""]
        for place in range(len(self.entries) - 1, -1, -1):
            asked = {_asked(self.entries[place])} - {""}
            if self._may_miss(place):
                asked |= {found[-1]} - {""}
            if self._rides[place]:
                asked |= {"exact"}
            found.append("" if not asked else asked.pop() if len(asked) == 1 else "exact")
        return found[::-1]

    def _keep(
        self, found: dict[tuple[int, int], _Thread], thread: _Thread, packets: Sequence[Transmission]
    ) -> None:
        timing = self._timing[thread.entry]
        key = (thread.entry, thread.last if timing == "exact" else -1)
        there = found.setdefault(key, thread)
        if there is thread or timing not in ("early", "late"):
            return
        if thread.last < 0 or there.last < 0:
            better = there.last < 0
        else:
            mine, its = packets[thread.last].sent.time_ns, packets[there.last].sent.time_ns
            better = mine < its if timing == "early" else mine > its
        if better:
            found[key] = thread


def _asked(entry: Entry) -> str:
    """What a line asks of the packet before it, see `_timings`."""
    if isinstance(entry, Gap):
        return ""
    operators = {condition.operator for condition in entry.conditions if condition.field == "after"}
    if not operators:
        return ""
    if operators <= {">", ">="}:
        return "early"
    return "late" if operators <= {"<", "<="} else "exact"


def _merit(reached: tuple[_Thread, int]) -> tuple[int, int, int]:
    """How good a way to match is that came to nothing: lines used, packets explained, few lines left out."""
    thread, place = reached
    return thread.used, place, -thread.entry


def _past(link: _Link | None) -> tuple[Explained, ...]:
    found = []
    while link is not None:
        found.append(Explained(link.packet, link.entry))
        link = link.before
    return tuple(reversed(found))
