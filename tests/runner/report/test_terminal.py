"""What `runner run` shows, of runs that were made by hand."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from lab.engines.netns import ENGINE
from runner import scenario
from runner.checks import CHECKS
from runner.choice import Choice
from runner.history import StepRecord
from runner.judge import Judgement
from runner.report.paper import Paper
from runner.report.terminal import Terminal, findings
from runner.report.text import width
from runner.running import Played, Result
from runner.scenario import Scenario
from runner.starter import write_starter
from runner.verdict import Finding
from tests.recorded import Recorded


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.chdir(tmp_path)
    return scenario.load(write_starter("first"), checks=CHECKS)


class Screen:
    """A terminal that keeps what it was shown."""

    def __init__(self, *, brief: bool = False, columns: int = 80) -> None:
        self.stream = io.StringIO()
        self.shows = Terminal(Paper(self.stream, columns), brief=brief)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


def failed_step() -> StepRecord:
    return StepRecord(
        2, 0, "first.yaml", 7, "server", "bind", "bind listener to :7000", "failed", "EADDRINUSE"
    )


def test_the_first_line_says_engine_and_why() -> None:
    screen = Screen()
    screen.shows.engine(Choice(ENGINE, "no compose lab is up"))
    assert screen.text == "Engine netns: no compose lab is up.\n"


def test_one_scenario_is_shown_in_full(loaded: Scenario, tmp_path: Path) -> None:
    run = Recorded(["server", "client"])
    run.udp("client", "server", 5000, 53, b"x")
    folder = run.write(tmp_path / "run")
    screen = Screen()
    screen.shows.begin(loaded)
    screen.shows.step(replace(failed_step(), status="passed", reason=""), ())
    found = Judgement("pass", (Finding("pass", "steps", "13 steps played as written"),))
    result = Result(loaded, "pass", folder, seconds=0.25)
    screen.shows.end(Played(result, run.evidence(tmp_path / "run"), found))
    screen.shows.summary([])
    order = [
        "first  first.yaml",
        "bind listener",
        'UDP "x"',
        "13 steps",
        "PASSED in 0.25 s",
        "capture.pcapng",
        "run  ",
    ]
    places = [screen.text.index(word) for word in order]
    assert places == sorted(places)


def test_of_many_those_that_pass_get_a_line(loaded: Scenario, tmp_path: Path) -> None:
    screen = Screen(brief=True)
    screen.shows.begin(loaded)
    screen.shows.step(replace(failed_step(), status="passed", reason=""), ())
    screen.shows.end(Played(Result(loaded, "pass", tmp_path, seconds=0.25), None, Judgement("pass", ())))
    assert screen.text == "PASSED      first: first  0.25 s\n"


def test_of_many_those_that_fail_are_shown(loaded: Scenario, tmp_path: Path) -> None:
    screen = Screen(brief=True)
    screen.shows.begin(loaded)
    screen.shows.step(failed_step(), ())
    found = Judgement("fail", (Finding("fail", "steps", "step 2 failed", "detail", "first.yaml", 7),))
    screen.shows.end(Played(Result(loaded, "fail", tmp_path), None, found))
    assert "EADDRINUSE" in screen.text and "first.yaml:7" in screen.text and "detail" in screen.text


def test_a_skipped_scenario_says_why_and_is_counted(loaded: Scenario) -> None:
    screen = Screen(brief=True)
    skipped = Result(loaded, "skipped", None, "the kernel has no tipc")
    screen.shows.begin(loaded)
    screen.shows.end(Played(skipped))
    screen.shows.summary([skipped, Result(loaded, "pass")])
    assert "the kernel has no tipc" in screen.text
    assert "1 passed, 1 skipped in" in screen.text


def test_a_lab_that_broke_says_what_to_do(loaded: Scenario, tmp_path: Path) -> None:
    screen = Screen()
    screen.shows.begin(loaded)
    screen.shows.end(Played(Result(loaded, "unknown", tmp_path, "the disk is full\nFree some space.")))
    assert "UNKNOWN" in screen.text and "Free some space." in screen.text


def shown(*found: Finding, columns: int = 80) -> str:
    stream = io.StringIO()
    findings(found, Paper(stream, columns))
    return stream.getvalue()


def test_findings_have_mark_check_place_and_reason() -> None:
    assert shown(Finding("pass", "packets", "8 packets", "long", "a/first.yaml", 21)).split() == [
        "✓", "packets", "first.yaml:21", "8", "packets",
    ]  # fmt: skip
    assert shown(Finding("fail", "count", "3 and not 0")).startswith("✗ count")
    assert "unknown" in shown(Finding("unknown", "count", "could not be seen"))


def test_reasons_begin_under_each_other_however_long_the_names_of_files_are() -> None:
    long = "a/a_file_with_a_long_name.yaml"
    found = [
        Finding("pass", kind, "seen " * 20, "", long, line) for kind, line in (("count", 7), ("stream", 123))
    ]
    lines = shown(*found).splitlines()
    assert {line.index("seen") for line in lines} == {12 + len("a_file_with_a_long_name.yaml:123")}
    assert all(width(line) <= 80 for line in lines)


def test_details_only_of_what_did_not_pass() -> None:
    assert "side by side" not in shown(Finding("pass", "packets", "x", "side by side"))
    assert "side by side" in shown(Finding("fail", "packets", "x", "side by side"))


def test_long_reasons_are_wrapped_and_hostile_ones_escaped() -> None:
    written = shown(Finding("fail", "steps", "word " * 60 + "\x1b[2J", "\x1b]0;title\x07"))
    assert all(width(line) <= 80 for line in written.splitlines())
    assert "\x1b" not in written and "\x07" not in written
