"""Annotations and the job summary, read by GitHub's own rules."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from runner.report import github
from runner.report.github import GitHub
from runner.report.paper import Paper
from tests.runner.report.endings import HOSTILE, ended, failed, loaded

COMMAND = re.compile(r"::(?P<kind>\w+) (?P<properties>.*?)::(?P<message>.*)")
"""ActionCommand.TryParseV2 of actions/runner: properties end at the first `::`."""


class Job:
    """What a job of GitHub Actions sees."""

    def __init__(self, folder: Path) -> None:
        self.stream = io.StringIO()
        self.page = folder / "summary.md"
        environment = {"GITHUB_WORKSPACE": str(folder), "GITHUB_STEP_SUMMARY": str(self.page)}
        self.report = GitHub(Paper(self.stream), environment)

    def commands(self) -> list[tuple[str, dict[str, str], str]]:
        """The commands that are obeyed, with what GitHub makes of them."""
        stop, *rest = self.stream.getvalue().splitlines()
        token = stop.removeprefix("::stop-commands::")
        assert len(token) == 32
        found = []
        for line in rest[rest.index(f"::{token}::") + 1 :]:
            match = COMMAND.fullmatch(line)
            assert match, line
            pairs = (pair.partition("=") for pair in match["properties"].split(","))
            properties = {name: unescaped(value) for name, _, value in pairs}
            found.append((match["kind"], properties, unescaped(match["message"])))
        return found


def unescaped(value: str) -> str:
    """What GitHub shows for an escaped value."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        value = value.replace(code, character)
    return value


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with four cases."""
    found = Job(tmp_path)
    played = [
        failed(loaded(tmp_path, "first"), tmp_path / "run"),
        ended(loaded(tmp_path, "second"), "pass"),
        ended(loaded(tmp_path, "third"), "skipped", "no such kernel"),
        ended(loaded(tmp_path, "fourth"), "unknown", "the disk is full, 100%\nFree some space."),
    ]
    for one in played:
        found.report.begin(one.result.scenario)
        found.report.end(one)
    found.report.summary([one.result for one in played])
    return found


def test_an_annotation_for_each_finding_on_its_line(job: Job) -> None:
    commands = job.commands()
    assert [kind for kind, _, _ in commands] == ["error", "error", "notice", "error"]
    first, second = commands[0][1], commands[1][1]
    assert (first["file"], first["line"]) == ("first.yaml", "4"), "from the top of the repository"
    assert (second["file"], second["line"]) == ("first.yaml", "3")
    assert first["title"] == "a: title, of <b>: packets"


def test_messages_are_shown_as_they_are(job: Job) -> None:
    commands = job.commands()
    assert commands[3][2] == "the disk is full, 100%\nFree some space."
    assert commands[2][2] == "no such kernel"
    assert "::error::x" in commands[0][2] and "\x1b" not in commands[0][2]


def test_the_payload_gives_no_commands(tmp_path: Path) -> None:
    line = github.command("error", "a,b:c.yaml", 7, "::title::", HOSTILE)
    assert len(line.splitlines()) == 1
    match = COMMAND.fullmatch(line)
    assert match and match["kind"] == "error"
    assert match["properties"].startswith("file=a%2Cb%3Ac.yaml,line=7,title=%3A%3Atitle%3A%3A")
    assert "%250A" in match["message"], "a per cent sign of the payload is none of ours"


def test_the_summary_has_the_ladder_of_each_failure(job: Job) -> None:
    page = job.page.read_text(encoding="utf-8")
    assert page.startswith("## Socket Lab: 1 fail, 1 pass, 1 skipped, 1 unknown\n")
    assert 'UDP "payload' in page and "the disk is full" in page
    assert page.count("<details open>") == page.count("\n</details>\n") == 2


def test_nothing_gets_out_of_its_block(tmp_path: Path) -> None:
    job = Job(tmp_path)
    one = ended(loaded(tmp_path), "unknown", HOSTILE)
    job.report.end(one)
    job.report.summary([one.result])
    page = job.page.read_text(encoding="utf-8")
    outside, inside, fence = [], [], ""
    for line in page.splitlines():
        if fence:
            inside.append(line)
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = re.match("`+", line).group()  # type: ignore[union-attr]
        else:
            outside.append(line)
    assert not fence
    assert any("```" in line for line in inside), "the hostile text is there"
    assert not any("add-mask" in line or "<b>" in line for line in outside)


def test_a_summary_that_is_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "SUMMARY_BYTES", 1000)
    job = Job(tmp_path)
    one = ended(loaded(tmp_path), "unknown", "x" * 400)
    for _ in range(5):
        job.report.end(one)
    job.report.summary([one.result] * 5)
    page = job.page.read_text(encoding="utf-8")
    assert "4 more failures did not fit" in page and len(page) < 1100
