"""Cases that are played side by side, as they go on: a line for each, redrawn in place below what scrolls.

For terminals only, where somebody watches; all others get the plain lines alone. What a finished case came to is the
affair of those that write above.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

from runner.history import CallRecord, StepRecord
from runner.report.audiences import Silent
from runner.report.paper import ASCII, terminal
from runner.report.text import ELLIPSIS, padded, printable, shortened, width
from runner.running import Played, Result
from runner.scenario import PlacedStep, Scenario

SECONDS_WIDE, COUNT_WIDE, HOST_WIDE = 7, 7, 10


class Below:
    """A stream to a terminal that keeps some lines below all that is written to it.

    What is written goes where these lines stood; `draw` puts them there again, below it.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._drawn: list[str] = []
        self._bare: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal as it is now."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 80, 24
        return max(20, found.columns), max(4, found.lines)

    def write(self, text: str) -> int:
        """Write above the lines: they are gone until they are drawn again."""
        return int(self._stream.write(self._erased() + text))

    def draw(self, lines: Sequence[str], bare: Sequence[str]) -> None:
        """Draw these lines in the place of those that stand there; `bare` are the same without colours."""
        if list(lines) == self._drawn:
            return
        text = self._erased() + "".join(f"{line}\n" for line in lines)
        self._drawn, self._bare = list(lines), list(bare)
        self._stream.write(text)  # at once, so that nobody sees them gone
        self._stream.flush()

    def _erased(self) -> str:
        """What takes the lines away: up (CUU) and blank (EL), one by one, ECMA-48 sections 8.3.22 and 8.3.41.

        A terminal that has become narrower has broken them. To erase all below at once would make some terminals keep
        them in what can be scrolled back.
        """
        columns = self.size()[0]
        rows = sum(max(1, -(-width(line) // columns)) for line in self._bare)
        self._drawn, self._bare = [], []
        return "\r" + "\x1b[A\x1b[2K" * rows if rows else ""


@dataclass
class _Lane:
    """One case on its way, and its watcher."""

    scenario: Scenario
    began_s: float = field(default_factory=time.monotonic)
    number: int = 0
    host: str = ""
    doing: str = ""

    def __post_init__(self) -> None:
        if self.scenario.steps:
            self._next(self.scenario.steps[0])

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """A step has ended, or waits: show the one that comes next, where it can be told, else this one."""
        steps = self.scenario.steps
        self.number = record.number
        told = record.number <= len(steps) and steps[record.number - 1].place.line == record.line
        if told and record.section == "steps" and record.number < len(steps):
            self._next(steps[record.number])
        else:
            self.host, self.doing = record.host or "", record.text

    def _next(self, placed: PlacedStep) -> None:
        step = placed.source.step
        self.number += 1
        self.host, self.doing = placed.host or "", step.text() if step is not None else placed.verb

    def note(self, text: str) -> None:
        """Nothing that a line has room for."""


class Progress(Silent):
    """The audience (`runner.running.Audience`) that draws them; `draw` is to be called often."""

    def __init__(self, stream: TextIO, count: int) -> None:
        self._below = Below(stream)
        self.paper = terminal(cast(TextIO, self._below))
        """Where all others have to write."""
        self._count = count
        self._lanes: dict[int, _Lane] = {}
        self._ended = self._wrong = 0

    def begin(self, scenario: Scenario) -> _Lane:
        """A case is about to be played: it gets the first lane that is free."""
        free = next(number for number in range(len(self._lanes) + 1) if number not in self._lanes)
        lane = self._lanes[free] = _Lane(scenario)
        return lane

    def end(self, played: Played) -> None:
        """Its lane is free again."""
        self._ended += 1
        self._wrong += played.result.ended in ("fail", "unknown")
        for number, lane in list(self._lanes.items()):
            if lane.scenario is played.result.scenario:
                del self._lanes[number]

    def draw(self) -> None:
        """Draw every case that is being played, and how many have been."""
        columns, rows = self._below.size()
        shown = [self._line(lane, columns - 1) for _, lane in sorted(self._lanes.items())]
        if len(shown) > rows - 3:
            hidden = len(shown) - (rows - 4)
            shown = [*shown[: rows - 4], ("", f"and {hidden} more")]
        if not shown:
            self._below.draw([], [])
            return
        total = ("", self._total(columns - 1))
        bare = [self._plain(head + rest) for head, rest in (*shown, total)]
        drawn = [
            self.paper.styled(self._plain(head), "title") + self.paper.styled(self._plain(rest), "quiet")
            for head, rest in (*shown, total)
        ]
        self._below.draw(drawn, bare)

    def summary(self, results: Sequence[Result]) -> None:
        """All have ended."""
        self.close()

    def close(self) -> None:
        """Leave nothing but what was written above."""
        self._below.draw([], [])

    def _plain(self, text: str) -> str:
        return text.replace(ELLIPSIS, "~") if self.paper.marks is ASCII else text

    def _line(self, lane: _Lane, columns: int) -> tuple[str, str]:
        """Which case, and then which step of how many, what it does, and for how long."""
        from runner.report.terminal import title
        from runner.running import shard_key

        steps = len(lane.scenario.steps)
        count = f"{lane.number}/{steps}" if lane.number <= steps else f"{lane.number}"
        seconds = f"{time.monotonic() - lane.began_s:.1f} s".rjust(SECONDS_WIDE)
        name_wide = min(44, max(16, columns * 3 // 10))
        room = columns - name_wide - COUNT_WIDE - HOST_WIDE - SECONDS_WIDE - 4
        key = printable(shard_key(lane.scenario))
        name = f"{key}: {title(lane.scenario)}" if name_wide > 40 else key
        head = padded(name, name_wide)
        host = padded(printable(lane.host), HOST_WIDE)
        doing = padded(printable(lane.doing), max(1, room))
        return head, shortened(f" {count:>{COUNT_WIDE}} {host} {doing} {seconds}", columns - name_wide)

    def _total(self, columns: int) -> str:
        wrong = f", {self._wrong} not passed" if self._wrong else ""
        left = self._count - self._ended - len(self._lanes)
        return shortened(f"{self._ended} of {self._count} played{wrong}, {left} to come", columns)
