"""The judgement: failed steps fail, nothing unseen or crashed passes, and the same run gives the same
verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runner import evidence as evidences
from runner import judge, rundir
from runner.checks.packets import Packets
from runner.errors import Blind, UsageError
from runner.evidence import Evidence
from runner.history import StepRecord, StepStatus
from runner.judge import Judgement
from runner.rundir import Ending, FaultInfo
from runner.verdict import Finding
from tests.runner.checks.echoes import LADDER, echo, written


@dataclass(frozen=True)
class At:
    """A place in a scenario."""

    path: str = "echo.yaml"
    line: int = 30
    column: int = 5


@dataclass(frozen=True)
class Placed:
    """An expectation with its place, as a scenario holds it."""

    model: Any
    kind: str = "packets"
    place: At = At()


@dataclass(frozen=True)
class Expecting:
    """As much of a scenario as judging needs."""

    expect: tuple[Placed, ...] = ()
    path: str = "runs/1/scenario.yaml"


class Saying:
    """A check that yields what it was given, and raises what is an exception."""

    def __init__(self, *said: Finding | Exception) -> None:
        self._said = said

    def examine(self, evidence: Evidence) -> Iterator[Finding]:
        for one in self._said:
            if isinstance(one, Exception):
                raise one
            yield one


PASS, FAIL = Finding("pass", "count", "fine"), Finding("fail", "count", "wrong")


def step(number: int, status: StepStatus, reason: str = "", **more: Any) -> StepRecord:
    return StepRecord(
        number, 0, "echo.yaml", 10 + number, "client", "connect", f"connect c{number}", status, reason, **more
    )


def judged(
    folder: Path,
    *checks: Any,
    steps: tuple[StepRecord, ...] = (),
    ending: Ending = "completed",
    problem: str = "",
) -> Judgement:
    run = echo()
    run.records = [*steps, *run.records]
    path = run.write(folder / "run")
    rundir.write_info(path, replace(rundir.read_info(path), ending=ending, problem=problem))
    scenario: Any = Expecting(tuple(Placed(check) for check in checks))
    return judge.judge(evidences.load(path), scenario)


def test_all_is_well(tmp_path: Path) -> None:
    ladder = written(Packets, {"flow": "tcp c", "packets": LADDER})
    found = judged(tmp_path, ladder, steps=(step(1, "passed"), step(2, "pending"), step(2, "passed")))
    assert found.verdict == "pass"
    steps, packets = found.findings
    assert steps.summary == "2 steps played as written"
    assert (packets.check, packets.path, packets.line) == ("packets", "echo.yaml", 30)


def test_a_failed_step_fails_with_its_reason_and_place(tmp_path: Path) -> None:
    found = judged(tmp_path, Saying(PASS), steps=(step(1, "failed", "ECONNREFUSED"),), ending="failed")
    assert found.verdict == "fail"
    assert found.findings[0] == Finding(
        "fail", "steps", "step 1, client: connect c1: ECONNREFUSED", path="echo.yaml", line=11
    )
    assert found.findings[1].verdict == "pass", "expectations are judged on what there is"


def test_tries_of_until_and_skips_are_no_failures(tmp_path: Path) -> None:
    found = judged(tmp_path, steps=(step(1, "again", "not yet"), step(2, "skipped"), step(3, "passed")))
    assert (found.verdict, found.findings[0].summary) == ("pass", "1 step played as written")


def test_a_failed_play_without_a_failed_step_still_fails(tmp_path: Path) -> None:
    assert judged(tmp_path, ending="failed").verdict == "fail"


@pytest.mark.parametrize(
    ("said", "verdict", "summary"),
    [
        (PASS, "pass", "fine"),
        (FAIL, "fail", "wrong"),
        (Blind("the capture is gone"), "unknown", "could not be seen: the capture is gone"),
        (ZeroDivisionError("oh"), "unknown", "the check crashed: ZeroDivisionError: oh"),
        (RecursionError("deep"), "unknown", "the check crashed: RecursionError: deep"),
    ],
)
def test_what_a_check_says(tmp_path: Path, said: Finding | Exception, verdict: str, summary: str) -> None:
    found = judged(tmp_path, Saying(said))
    assert (found.verdict, found.findings[-1].summary) == (verdict, summary)
    assert (found.findings[-1].path, found.findings[-1].line) == ("echo.yaml", 30)


def test_what_a_check_said_before_it_crashed_counts(tmp_path: Path) -> None:
    found = judged(tmp_path, Saying(FAIL, ValueError("x")), Saying(PASS))
    assert [one.verdict for one in found.findings] == ["pass", "fail", "unknown", "pass"]
    assert found.verdict == "fail"


def test_a_check_that_says_nothing_is_no_pass(tmp_path: Path) -> None:
    assert judged(tmp_path, Saying()).verdict == "unknown"


@pytest.mark.parametrize("ending", ["broken", "interrupted"])
def test_an_unfinished_run_is_unknown(tmp_path: Path, ending: Ending) -> None:
    found = judged(tmp_path, Saying(PASS), Saying(FAIL), ending=ending, problem="host server is gone")
    assert found.verdict == "unknown"
    assert [one.verdict for one in found.findings] == ["unknown", "pass", "unknown"]
    assert "before its end" in found.findings[-1].summary


def test_a_history_that_is_cut_off_is_unknown(tmp_path: Path) -> None:
    """At the end of a line, under a run.json that says completed: only the number of records tells."""
    run = echo()
    path = run.write(tmp_path / "run")
    scenario: Any = Expecting((Placed(Saying(FAIL)), Placed(Saying(PASS))))
    records = len(evidences.load(path).history)
    for said, verdict in ((records, "fail"), (records + 1, "unknown")):
        rundir.write_info(path, replace(rundir.read_info(path), records=said))
        found = judge.judge(evidences.load(path), scenario)
        assert found.verdict == verdict
    assert (
        found.findings[0].summary == f"the history is cut off: {records} of {records + 1} records are there"
    )
    assert [one.verdict for one in found.findings] == ["unknown", "unknown", "pass"]


def test_a_broken_step_is_unknown_and_told_once(tmp_path: Path) -> None:
    found = judged(
        tmp_path,
        steps=(step(1, "broken", "host server is gone"),),
        ending="broken",
        problem="host server is gone",
    )
    assert [one.summary for one in found.findings] == [
        "step 1, client: connect c1: the lab broke: host server is gone"
    ]
    assert found.verdict == "unknown"


def test_a_step_that_failed_before_the_lab_broke_is_a_failure(tmp_path: Path) -> None:
    found = judged(tmp_path, steps=(step(1, "failed", "timed out"),), ending="broken", problem="gone")
    assert found.verdict == "fail"


def test_dropped_packets_make_the_verdict_unknown(tmp_path: Path) -> None:
    seen = echo().evidence(tmp_path / "run", {"server": 7})
    ladder = written(Packets, {"flow": "tcp c", "packets": LADDER})
    scenario: Any = Expecting((Placed(ladder),))
    found = judge.judge(seen, scenario)
    assert found.verdict == "unknown"
    assert "dropped 7 packets" in found.findings[-1].summary


def test_verdicts_are_written_and_read(tmp_path: Path) -> None:
    found = judged(tmp_path, Saying(replace(FAIL, detail="a\nb", packets=(1, 2))), steps=(step(1, "passed"),))
    judge.write(tmp_path, found)
    assert judge.read(tmp_path) == found
    assert json.loads((tmp_path / "verdict.json").read_text())["verdict"] == "fail"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 99}', '{"format": 1, "verdict": "pass", "findings": [1]}']
)
def test_what_is_no_verdict_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "verdict.json").write_text(text)
    with pytest.raises(UsageError, match=r"verdict\.json"):
        judge.read(tmp_path)


def test_no_verdict_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        judge.read(tmp_path)


def test_the_file_that_was_played_is_named_not_its_copy(tmp_path: Path) -> None:
    scenario: Any = Expecting((Placed(Saying(PASS), place=At("runs/1/scenario.yaml")), Placed(Saying(PASS))))
    found = judge.judge(echo().evidence(tmp_path / "run"), scenario)
    assert [one.path for one in found.findings[1:]] == ["recorded.yaml", "echo.yaml"]


def test_the_same_run_gives_the_same_judgement(tmp_path: Path) -> None:
    ladder = written(Packets, {"flow": "tcp c", "packets": LADDER.replace("hello", "hullo")})
    found = [judged(tmp_path / str(number), ladder) for number in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (FaultInfo(1000, 996, lost=4), "faults on host client could not keep up with 4 frames beside 1,000"),
        (
            FaultInfo(missing="it ended with SIGKILL"),
            "the fault process of host client is gone: it ended with SIGKILL",
        ),
        (
            FaultInfo(9, 8, waiting=1),
            "faults still put off 1 of the frames of host client when the run ended",
        ),
        (FaultInfo(1000, 1000), ""),
    ],
)
def test_faults_that_could_not_do_as_said_make_it_unknown(info: FaultInfo, said: str, tmp_path: Path) -> None:
    evidence = echo().evidence(tmp_path / "run")
    known = replace(evidence, info=replace(evidence.info, faults={"client": info}))
    judged = judge.judge(known, Expecting())
    assert judged.verdict == ("unknown" if said else "pass")
    assert [one.summary for one in judged.findings if one.check == "faults"] == ([said] if said else [])


def test_what_is_missing_behind_a_fault_process_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    evidence = echo().evidence(tmp_path / "run")
    known = replace(evidence, info=replace(evidence.info, faults={"client": FaultInfo(missing="SIGKILL")}))
    judged = judge.judge(
        known, Expecting((Placed(Saying(Finding("fail", "count", "0 packets, expected 1"))),))
    )
    assert judged.verdict == "unknown"
    [told] = [one.summary for one in judged.findings if one.check == "count"]
    assert told == "0 packets, expected 1 (but the fault process of host client ended before its end)"
