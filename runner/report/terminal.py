"""The whole of `runner run` for a terminal: engine, steps as they happen, ladder, findings, where the run is.

One scenario is shown in full; of many each gets a line, and the whole picture only where one went wrong.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from runner import rundir
from runner.choice import Choice
from runner.evidence import Evidence
from runner.history import CallRecord, StepRecord
from runner.performing import Watcher
from runner.report import ladder, summary, text, timeline
from runner.report.live import Live
from runner.report.paper import Paper, Style
from runner.report.rows import PLAIN, Details
from runner.report.text import counted, printable
from runner.running import Ended, Played, Result
from runner.scenario import Scenario
from runner.verdict import Finding, Verdict

MOMENTS = 120
"""A longer ladder is folded; `runner show RUN --all` has the whole."""
PLACE_WIDE = 18
"""The cells for the place of a finding; longer file names push all summaries to the right."""

_WORDS: dict[Ended, tuple[str, Style]] = {
    "pass": ("PASSED", "good"),
    "fail": ("FAILED", "bad"),
    "unknown": ("UNKNOWN", "bad"),
    "skipped": ("skipped", "waits"),
    "interrupted": ("interrupted", "waits"),
}


class Terminal(Live):
    """The audience of a run (`runner.running.Audience`)."""

    def __init__(self, paper: Paper, *, brief: bool = False) -> None:
        super().__init__(paper)
        self._brief = brief
        self._failed: list[tuple[StepRecord, Sequence[CallRecord]]] = []
        self._began_s = time.monotonic()

    def engine(self, choice: Choice) -> None:
        """The first line: which engine plays, and why."""
        self._paper.line(f"Engine {self._paper.styled(choice.name, 'title')}: {printable(choice.why)}.")

    def begin(self, scenario: Scenario) -> Watcher:
        """A case is about to be played."""
        self._failed.clear()
        self.hosts([host.name for host in scenario.topology.hosts])
        if not self._brief:
            self._paper.line()
            self._paper.line(f"{self._paper.styled(title(scenario), 'title')}  {printable(scenario.path)}")
            for line in text.wrapped(scenario.about.strip(), self._paper.width) if scenario.about else ():
                self._paper.line(self._paper.styled(line, "quiet"))
        return self

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """A step began to be pending, or ended."""
        if not self._brief:
            super().step(record, calls)
        elif record.status in ("failed", "broken"):
            self._failed.append((record, calls))

    def note(self, text: str) -> None:
        """Something else that a reader wants to know."""
        if not self._brief:
            super().note(text)

    def end(self, played: Played) -> None:
        """A case has ended, and was judged where something could be."""
        result, seen, judgement = played.result, played.seen, played.judgement
        if self._brief:
            self._line(result)
            if result.ended in ("pass", "skipped"):
                return
            for record, calls in self._failed:
                super().step(record, calls)
        if seen is not None:
            self._paper.line()
            self._paper.lines(picture(seen, self._paper))
        self._paper.line()
        if judgement is not None:
            findings(judgement.findings, self._paper)
        if not self._brief or result.reason:
            self._outcome(result)
        if result.folder is not None:
            where(result.folder, self._paper)

    def _line(self, result: Result) -> None:
        word, style = _WORDS[result.ended]
        name = f"{Path(result.scenario.path).stem}: {title(result.scenario)}"
        reason = f"  {printable(result.reason.splitlines()[0])}" if result.reason else ""
        head = self._paper.styled(f"{word:<11}", style)
        self._paper.line(f"{head} {printable(name)}  {result.seconds:.2f} s{reason}")

    def _outcome(self, result: Result) -> None:
        word, style = _WORDS[result.ended]
        self._paper.line(f"{self._paper.styled(word, style)} in {result.seconds:.2f} s")
        for line in text.lines(result.reason) if result.reason else ():
            self._paper.line(f"  {line}")

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended."""
        if not self._brief:
            return
        counts = {ended: sum(one.ended == ended for one in results) for ended in _WORDS}
        words = [
            self._paper.styled(
                f"{counts[ended]} {word.lower()}", style if ended != "pass" or counts[ended] else "plain"
            )
            for ended, (word, style) in _WORDS.items()
            if counts[ended]
        ]
        self._paper.line()
        summary.show(results, self._paper)
        self._paper.line(f"{', '.join(words)} in {time.monotonic() - self._began_s:.1f} s")


def title(scenario: Scenario) -> str:
    """The scenario's name, with the values of its matrix that this case has."""
    values = ", ".join(f"{name}={value}" for name, value in scenario.case.items())
    return printable(f"{scenario.name} ({values})" if values else scenario.name)


def picture(seen: Evidence, paper: Paper, limit: int | None = MOMENTS, details: Details = PLAIN) -> list[str]:
    """The ladder of a run, and what it leaves out."""
    drawn = timeline.of(seen, limit=limit, states=details.states)
    found = list(ladder.draw(drawn, paper, details))
    found += [
        paper.styled(line, "quiet") for one in drawn.untold for line in text.wrapped(f"  {one}", paper.width)
    ]
    if drawn.hidden:
        noun = counted(drawn.hidden, "packet")
        found.append(
            paper.styled(f"  {noun} of IPv6's own housekeeping left out (runner inspect shows all)", "quiet")
        )
    return found


def findings(found: Sequence[Finding], paper: Paper) -> None:
    """Each finding with its reason and its place; details of those that did not pass."""
    places = [f"{printable(Path(one.path).name)}:{one.line}" if one.path else "" for one in found]
    wide = max([PLACE_WIDE, *map(text.width, places)])
    indent = wide + len("✓ packets   ")
    for one, place in zip(found, places, strict=True):
        mark, style = mark_of(one.verdict, paper)
        summary = text.wrapped(one.summary, paper.width - indent)
        head = (
            f"{paper.styled(mark, style)} {one.check:<8} {paper.styled(text.padded(place, wide), 'quiet')} "
        )
        paper.line(head + paper.styled(summary[0], "plain" if style == "good" else style))
        for line in summary[1:]:
            paper.line(" " * indent + paper.styled(line, "plain" if style == "good" else style))
        for line in text.lines(one.detail) if one.detail and one.verdict != "pass" else ():
            paper.line(f"    {line}")


def mark_of(verdict: Verdict, paper: Paper) -> tuple[str, Style]:
    """The mark of a verdict and its meaning."""
    marks = paper.marks
    match verdict:
        case "pass":
            return marks.passed, "good"
        case "fail":
            return marks.failed, "bad"
        case _:
            return f"{marks.unknown} unknown", "bad"


def where(folder: Path, paper: Paper) -> None:
    """Where the page, the capture and the run's directory are."""
    for word, name in (("report", rundir.REPORT), ("capture", rundir.CAPTURE)):
        if (folder / name).exists():
            paper.line(f"{paper.styled(f'{word:<7}', 'quiet')}  {folder / name}")
    paper.line(f"{paper.styled('run', 'quiet')}      {folder}")
