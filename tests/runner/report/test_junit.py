"""JUnit XML, as two readers see it that do not share a line: a JUnit library, and libxml2 where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest

from lab.engines.netns import ENGINE
from runner.choice import Choice
from runner.report.junit import JUnit
from runner.running import Played
from tests.runner.report.endings import ended, failed, loaded


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The report of five cases of three files."""
    first, second = (
        loaded(tmp_path, "first"),
        loaded(tmp_path, "second", "\x07 bell".encode("unicode_escape").decode()),
    )
    played = [
        failed(first, tmp_path / "run"),
        ended(second, "pass"),
        ended(loaded(tmp_path, "third"), "skipped", "no \x1b[2J kernel"),
        ended(loaded(tmp_path, "fourth"), "unknown", "the disk is full\nFree some space."),
        ended(loaded(tmp_path, "fifth"), "interrupted", "interrupted"),
    ]
    return report(tmp_path / "new" / "junit.xml", played)


def report(path: Path, played: list[Played]) -> Path:
    """The file that is written about cases which end in the reverse of their order."""
    junit = JUnit(path)
    junit.engine(Choice(ENGINE, "it is here"))
    for one in reversed(played):
        junit.begin(one.result.scenario)
        junit.end(one)
    junit.summary([one.result for one in played])
    return path


def test_a_library_reads_every_case(written: Path, tmp_path: Path) -> None:
    suites = list(junitparser.JUnitXml.fromfile(str(written)))
    cases = [case for suite in suites for case in suite]
    assert [Path(suite.name).stem for suite in suites] == ["first", "second", "third", "fourth", "fifth"]
    kinds = [type(case.result[0]) if case.result else None for case in cases]
    assert kinds == [junitparser.Failure, None, junitparser.Skipped, junitparser.Error, junitparser.Error]
    properties = {one.name: one.value for one in cases[0].child(junitparser.Properties)}
    assert properties == {"engine": "netns", "run": str(tmp_path / "run")}
    assert cases[0].time == 1.5 and cases[0].classname.endswith(".first")
    assert "Free some space." in cases[3].result[0].text


def test_counts_and_places(written: Path, tmp_path: Path) -> None:
    root = ElementTree.parse(written).getroot()
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "2", "skipped": "1"}
    first = root.find(".//testcase")
    assert first is not None
    assert first.get("file") == str(tmp_path / "first.yaml")
    assert first.get("line") == "4", "the line of what failed, before what could not be seen"


def test_the_failure_holds_finding_and_ladder(written: Path) -> None:
    first = ElementTree.parse(written).getroot().find(".//testcase")
    assert first is not None
    said, shown = first.findtext("failure") or "", first.findtext("system-out") or ""
    assert "first.yaml:4: fail: packets: \\x00\\x01" in said and "could not be seen" in said
    assert "all is well" not in said
    assert 'UDP "payload' in shown


def test_nothing_but_characters_of_xml(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert not {character for character in text if not character.isprintable()} - {"\n"}
    assert "\\ufffe" in text and "\\ud800" in text


@pytest.mark.skipif(not shutil.which("xmllint"), reason="xmllint (libxml2-utils) is not installed")
def test_libxml2_reads_it(written: Path) -> None:
    done = subprocess.run(
        ["xmllint", "--noout", "--nonet", str(written)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_a_run_that_never_ended_is_an_error_until_it_does(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text("of an earlier run")
    JUnit(tmp_path / "junit.xml")
    [suite] = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    [case] = suite
    assert (
        isinstance(case.result[0], junitparser.Error) and "did not come to its end" in case.result[0].message
    )
