"""The judgement of a run: what its steps came to, then each expectation, from the run directory alone.

Nothing unseen is ever a pass: a check that crashes, a capture that is missing and a play that broke make it
unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runner import files, rundir, typed
from runner.errors import Blind, UsageError
from runner.evidence import Evidence, evidence_until
from runner.history import FaultRecord, MomentRecord, StepRecord
from runner.placing import Place
from runner.verdict import Finding, Verdict, combine

if TYPE_CHECKING:
    from runner.scenario import PlacedCheck, Scenario

FORMAT = 1
_UNFINISHED = ("broken", "interrupted")


class Check(Protocol):
    """What an expectation can do; the classes are in `runner.checks`."""

    def examine(self, evidence: Evidence) -> Iterable[Finding]:
        """Findings, also where all is well; raises Blind where what it needs could not be seen."""
        ...


@dataclass(frozen=True)
class Judgement:
    """The verdict on a run, and all findings it follows from, steps first."""

    verdict: Verdict
    findings: tuple[Finding, ...]


def judge(evidence: Evidence, scenario: Scenario) -> Judgement:
    """Judge a run by its scenario. The same run directory always gives the same judgement."""
    findings = [*_steps(evidence), *_faults(evidence)]
    moments = {one.number: one for one in evidence.history if isinstance(one, MomentRecord)}
    for number, placed in enumerate(scenario.expect, 1):
        if (moment := moments.get(number)) is not None:
            placed = replace(placed, place=Place(moment.path, moment.line, 1))
            findings.extend(examined(evidence_until(evidence, moment), placed, moment.path))
            continue
        # the copy in the run directory is judged, and the file that was played is named
        here = placed.place.path == scenario.path
        path = evidence.info.scenario if here else placed.place.path
        findings.extend(examined(evidence, placed, path))
    return Judgement(combine(finding.verdict for finding in findings), tuple(findings))


def examined(evidence: Evidence, placed: PlacedCheck, path: str) -> Iterator[Finding]:
    """The findings of one expectation, with its place."""
    found = list(_findings(evidence, placed))
    if not found:
        found = [Finding("unknown", placed.kind, "the check said nothing")]
    for finding in found:
        if not finding.line:
            finding = replace(finding, path=path, line=placed.place.line)
        yield _of_unfinished(finding, evidence)


def _findings(evidence: Evidence, placed: PlacedCheck) -> Iterator[Finding]:
    check: Any = placed.model
    try:
        yield from check.examine(evidence)
    except Blind as reason:
        yield Finding("unknown", placed.kind, f"could not be seen: {reason}")
    except Exception as error:  # a defect of ours must not look like one of what is tested, nor like a pass
        yield Finding("unknown", placed.kind, f"the check crashed: {type(error).__name__}: {error}")


def _of_unfinished(finding: Finding, evidence: Evidence) -> Finding:
    """Where the play broke or was interrupted, what is missing need not be the fault of what is tested."""
    how = _unfinished(evidence)
    if finding.verdict != "fail" or not how:
        return finding
    return replace(finding, verdict="unknown", summary=f"{finding.summary} (but {how} before its end)")


def _unfinished(evidence: Evidence) -> str:
    """What ended before the end of the run, or nothing."""
    if evidence.info.ending in _UNFINISHED:
        return f"the run {'broke' if evidence.info.ending == 'broken' else 'was interrupted'}"
    if _cut_off(evidence):
        return "the history ends"
    gone = next((host for host, info in evidence.info.faults.items() if info.missing), "")
    return f"the fault process of host {gone} ended" if gone else ""


def _cut_off(evidence: Evidence) -> bool:
    """Whether the history has fewer records than were written."""
    return evidence.info.records is not None and len(evidence.history) < evidence.info.records


def _steps(evidence: Evidence) -> Iterator[Finding]:
    """What the steps came to: every failure, or that all passed; and how the play ended, where no step says
    it.
    """
    records = [record for record in evidence.history if isinstance(record, StepRecord)]
    said = {record.status for record in records}
    for record in records:
        if record.status in ("failed", "broken"):
            verdict: Verdict = "fail" if record.status == "failed" else "unknown"
            yield Finding(verdict, "steps", _told(record), path=record.path, line=record.line)
    info = evidence.info
    if _cut_off(evidence):
        there = f"{len(evidence.history):,} of {info.records:,} records are there"
        yield Finding("unknown", "steps", f"the history is cut off: {there}")
    elif info.ending == "interrupted":
        yield Finding("unknown", "steps", "the run was interrupted")
    elif info.ending == "broken" and "broken" not in said:
        yield Finding("unknown", "steps", f"the lab broke: {info.problem or 'nobody said why'}")
    elif info.ending == "failed" and "failed" not in said:
        yield Finding("fail", "steps", info.problem or "a step failed, the history does not say which")
    elif info.ending == "completed" and not said & {"failed", "broken"}:
        count = len({record.number for record in records if record.status == "passed"})
        yield Finding("pass", "steps", f"{count} step{'' if count == 1 else 's'} played as written")


def _faults(evidence: Evidence) -> Iterator[Finding]:
    """What faults could not do as said: then nobody knows what the rest would have come to."""
    for host, info in evidence.info.faults.items():
        if info.missing:
            yield Finding("unknown", "faults", f"the fault process of host {host} is gone: {info.missing}")
        elif info.lost:
            summary = (
                f"faults on host {host} could not keep up with {info.lost:,} frames beside {info.taken:,}"
            )
            yield Finding("unknown", "faults", summary)
        if info.waiting:
            summary = f"faults still put off {info.waiting:,} of the frames of host {host} when the run ended"
            yield Finding("unknown", "faults", summary)
    yield from _group_frames(evidence)


_GROUPS = {
    "refused": "it goes to others as well as to the receivers of the fault, so it was left alone",
    "doubted": "hosts that are cut off do not take it, and here that changed while it was on its way",
}
"""What cannot be done as said for a frame that is for a group, by what is recorded of it."""


def _group_frames(evidence: Evidence) -> Iterator[Finding]:
    records = [record for record in evidence.history if isinstance(record, FaultRecord)]
    found = {(record.fault, record.what): record for record in records if record.what in _GROUPS}
    for (name, what), record in found.items():
        summary = f"the fault {name} means a frame that host {record.host} sent to a group: {_GROUPS[what]}"
        yield Finding("unknown", "faults", summary)


def _told(record: StepRecord) -> str:
    where = f"{record.host}: " if record.host else ""
    broke = "" if record.status == "failed" else "the lab broke: "
    return f"step {record.number}, {where}{record.text}: {broke}{record.reason or record.status}"


# --- verdict.json ---------------------------------------------------------------------------------


def write(folder: Path, judgement: Judgement) -> None:
    """Write verdict.json into a run directory."""
    data = {"format": FORMAT, **asdict(judgement)}
    files.write_text(folder / rundir.VERDICT, json.dumps(data, indent=1) + "\n")


def read(folder: Path) -> Judgement:
    """Read verdict.json; raises UsageError where there is none, or one of another format."""
    path = folder / rundir.VERDICT
    try:
        data = json.loads(files.read_text(path))
        if data["format"] != FORMAT:
            raise UsageError(f"{path} was written by another version of the runner")
        data.pop("format")
        typed.require(Judgement, data, "a verdict")
        findings = tuple(Finding(**{**one, "packets": tuple(one["packets"])}) for one in data["findings"])
        return Judgement(data["verdict"], findings)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is no verdict: {error}") from None
