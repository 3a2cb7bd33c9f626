"""`runner show RUN` and `runner judge RUN`: a finished run again, from its directory alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner import evidence, judge, rundir, scenario
from runner.checks import CHECKS
from runner.evidence import Evidence
from runner.history import CallRecord, StepRecord
from runner.judge import Judgement
from runner.report.live import Live
from runner.report.paper import Paper
from runner.report.rows import PLAIN, Details
from runner.report.terminal import findings, mark_of, picture, where
from runner.report.text import lines, printable
from runner.scenario import Scenario
from runner.verdict import Verdict

_WORDS: dict[Verdict, str] = {"pass": "PASSED", "fail": "FAILED", "unknown": "UNKNOWN"}


def show_run(folder: Path, paper: Paper, limit: int | None, details: Details = PLAIN) -> None:
    """Steps, ladder, findings and place of a finished run; raises UsageError where it is none."""
    seen = evidence.load(folder)
    _head(seen, paper)
    live = Live(paper, seen.owner)
    live.hosts(seen.hosts)
    calls = _calls_by_step(seen)
    for record in seen.history:
        if isinstance(record, StepRecord):
            live.step(record, () if record.status == "pending" else calls.get(record.number, ()))
    paper.line()
    paper.lines(picture(seen, paper, limit, details))
    paper.line()
    _judged(judged(folder, seen), seen, paper)
    where(folder, paper)


def show_judgement(folder: Path, paper: Paper) -> Verdict:
    """The findings of a run, judged again; returns the verdict. Raises UsageError where it is no run."""
    seen = evidence.load(folder)
    judgement = judged(folder, seen)
    paper.line(f"{paper.styled(printable(seen.info.name), 'title')}  {printable(str(folder))}")
    _judged(judgement, seen, paper)
    return judgement.verdict


def write_page(folder: Path) -> Path:
    """Make the page of a finished run; returns its path. Raises as `judged` does, and OSError."""
    from runner.report import page

    seen = evidence.load(folder)
    return page.write(folder, seen, judged(folder, seen), _played(folder, seen).about)


def judged(folder: Path, seen: Evidence) -> Judgement:
    """Judge a run by the scenario in its directory; places are those of the file that was played.

    Raises UsageError or ScenarioError where the directory's scenario cannot be read.
    """
    judgement = judge.judge(seen, _played(folder, seen))
    path = str(folder / rundir.SCENARIO)
    placed = tuple(
        replace(one, path=seen.info.scenario) if one.path == path else one for one in judgement.findings
    )
    return replace(judgement, findings=placed)


def _played(folder: Path, seen: Evidence) -> Scenario:
    path = folder / rundir.SCENARIO
    rundir.require_file(path)
    return scenario.load(path, checks=CHECKS, case=seen.info.case, includes=seen.info.includes)


def _head(seen: Evidence, paper: Paper) -> None:
    info = seen.info
    case = ", ".join(f"{name}={value}" for name, value in info.case.items())
    name = printable(f"{info.name} ({case})" if case else info.name)
    paper.line(
        f"{paper.styled(name, 'title')}  {printable(info.scenario)}, played on {printable(info.engine)}"
    )
    facts = "  ".join(f"{name} {value}" for name, value in info.facts.items() if name != "engine")
    if facts:
        paper.line(paper.styled(printable(facts), "quiet"))


def _calls_by_step(seen: Evidence) -> dict[int, list[CallRecord]]:
    found: dict[int, list[CallRecord]] = {}
    for call in seen.calls():
        found.setdefault(call.step, []).append(call)
    return found


def _judged(judgement: Judgement, seen: Evidence, paper: Paper) -> None:
    findings(judgement.findings, paper)
    paper.line(paper.styled(_WORDS[judgement.verdict], mark_of(judgement.verdict, paper)[1]))
    for line in lines(seen.info.problem) if seen.info.problem else ():
        paper.line(f"  {line}")
