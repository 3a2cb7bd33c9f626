"""Each step as it happens, a line each: host, call, outcome, whether it blocked and how long.

Lines are only ever added, so that a pipe, a log and a terminal get the same. What a run came to in the end is
`runner.report.terminal`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.history import CallRecord, StepRecord
from runner.report import wording
from runner.report.paper import Paper, Style
from runner.report.text import duration, padded, printable, shortened, width

STEPS_WIDE = 46
"""The most cells that the text of a step gets in a list of steps, so that outcomes stand near."""


class Live:
    """A watcher (`runner.stage.Watcher`) that writes a line for each thing it is shown."""

    def __init__(self, paper: Paper, owner: wording.Owner = str) -> None:
        self._paper = paper
        self._owner = owner
        self._host_width = 6

    def hosts(self, names: Sequence[str]) -> None:
        """Say which hosts there will be, so that the columns fit them."""
        self._host_width = min(16, max(map(width, names), default=6))

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """A step began to be pending, or ended."""
        if record.status == "again":
            return
        mark, style = self._mark(record)
        host = padded(printable(record.host or ""), self._host_width)
        head = f"{record.number:>4}  "
        room = self._paper.width - len(head) - self._host_width - len("  ") - width(mark) - len("  ")
        text, told = printable(record.text), self._told(record, calls, room * 2 // 5)
        column = min(STEPS_WIDE, room * 3 // 5)  # where outcomes begin, unless a longer text leaves them room
        text = (
            padded(text, column)
            if width(text) <= column
            else shortened(text, max(column, room - width(told)))
        )
        paper = self._paper
        paper.line(
            f"{paper.styled(head, 'quiet')}{paper.styled(host, 'host')}  {text} "
            f"{paper.styled(mark, style)} {paper.styled(told, 'quiet' if style == 'good' else style)}"
        )
        if record.reason:
            self._reason(record, "quiet" if record.status in ("skipped", "gone") else "bad")

    def note(self, text: str) -> None:
        """Something else that a reader wants to know."""
        self._paper.line(self._paper.styled(f"      {printable(text)}", "quiet"))

    def _mark(self, record: StepRecord) -> tuple[str, Style]:
        marks = self._paper.marks
        match record.status:
            case "passed":
                return marks.passed, "good"
            case "pending":
                return marks.waits, "waits"
            case "skipped" | "gone":
                return "-", "quiet"
            case "broken":
                return marks.unknown, "bad"
            case _:
                return marks.failed, "bad"

    def _told(self, record: StepRecord, calls: Sequence[CallRecord], room: int) -> str:
        """What the step came to, in few words and so many cells."""
        if record.status == "pending":
            asleep = "asleep in the kernel"
            return f"blocked: {asleep}" if width(f"blocked: {asleep}") <= room else asleep
        if record.status == "skipped":
            return "not done"
        if record.status == "gone":
            return "gone with its host"
        if record.status in ("failed", "broken"):
            return shortened(f"{printable(Path(record.path).name)}:{record.line}", room)
        return told(calls[-1], self._owner, room) if calls else ""

    def _reason(self, record: StepRecord, style: Style) -> None:
        indent = " " * 6
        for line in record.reason.split("\n"):
            self._paper.line(self._paper.styled(f"{indent}{printable(line)}", style))


def told(call: CallRecord, owner: wording.Owner, room: int) -> str:
    """What a call came to and how long it took: `"hello", was blocked 0.9 ms`, `85 us`; the value gives way."""
    outcome = wording.outcome(call, owner)
    if call.ended_ns is None:
        return outcome
    took = duration(call.ended_ns - call.began_ns)
    if call.asleep_ns is not None:
        took = f"was blocked {took}"
    outcome = shortened(outcome, room - width(took) - len(", "))
    return f"{outcome}, {took}" if outcome else took
