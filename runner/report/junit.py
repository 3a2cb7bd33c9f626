"""JUnit XML of a run, for CI servers: a suite for each scenario file, a test case for each of its cases.

There is no standard; the form is what Jenkins, GitLab and GitHub's actions read, as pytest writes it: `classname`,
`name`, `file`, `line` and `time` (seconds), properties, and `failure` (a check failed), `error` (could not run or
could not see) or `skipped`. What is no character of XML 1.0 (section 2.2) is written as an escape of Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from runner.choice import Choice
from runner.report import text
from runner.report.audiences import Silent
from runner.report.portable import ladder_of, title, trouble_of
from runner.running import Played, Result
from runner.verdict import Finding


class JUnit(Silent):
    """The audience that writes the file when all cases have ended.

    What it says until then is that the run has not come to its end, so that nobody takes the file of an earlier run for
    this one's, also where no engine was ready; raises OSError where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._write(_unfinished())
        self._engine = ""
        self._began = datetime.now(UTC)
        self._cases: dict[int, ElementTree.Element] = {}

    def engine(self, choice: Choice) -> None:
        self._engine = choice.name

    def end(self, played: Played) -> None:
        """A case has ended."""
        self._cases[id(played.result.scenario)] = _case(played, self._engine)

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended: write the file."""
        files: dict[str, list[Result]] = {}
        for one in results:
            files.setdefault(one.scenario.path, []).append(one)
        root = ElementTree.Element("testsuites", {"name": "socket-lab", **_counts(results)})
        for path, cases in files.items():
            counts = {"name": text.printable(path), "timestamp": self._began.isoformat(timespec="seconds")}
            suite = ElementTree.SubElement(root, "testsuite", counts | _counts(cases))
            suite.extend(self._cases[id(one.scenario)] for one in cases)
        self._write(root)

    def _write(self, root: ElementTree.Element) -> None:
        ElementTree.indent(root)
        ElementTree.ElementTree(root).write(self._path, encoding="utf-8", xml_declaration=True)


def _unfinished() -> ElementTree.Element:
    """The report of a run of which nothing more is known than that it began."""
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0.000"}
    root = ElementTree.Element("testsuites", {"name": "socket-lab", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": "socket-lab", **counts})
    marks = {"classname": "socket-lab", "name": "the run", "time": "0.000"}
    case = ElementTree.SubElement(suite, "testcase", marks)
    ElementTree.SubElement(
        case, "error", {"message": "the run did not come to its end", "type": "unfinished"}
    )
    return root


def _counts(results: Sequence[Result]) -> dict[str, str]:
    ends = [one.ended for one in results]
    return {
        "tests": str(len(ends)),
        "failures": str(ends.count("fail")),
        "errors": str(ends.count("unknown") + ends.count("interrupted")),
        "skipped": str(ends.count("skipped")),
        "time": f"{sum(one.seconds for one in results):.3f}",
    }


def _case(played: Played, engine: str) -> ElementTree.Element:
    result = played.result
    scenario = result.scenario
    trouble = trouble_of(played)
    folders = [part for part in Path(scenario.path).with_suffix("").parts if part not in ("/", "..", ".")]
    case = ElementTree.Element(
        "testcase",
        {
            "classname": text.printable(".".join(folders)),
            "name": title(scenario),
            "file": text.printable(scenario.path),
            "line": str(next((one.line for one in trouble if one.path == scenario.path and one.line), 1)),
            "time": f"{result.seconds:.3f}",
        },
    )
    properties = {"engine": engine, "run": str(result.folder or ""), **scenario.case}
    holder = ElementTree.SubElement(case, "properties")
    for name, value in properties.items():
        marks = {"name": text.printable(name), "value": text.printable(value)}
        ElementTree.SubElement(holder, "property", marks)
    if result.ended == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": text.printable(result.reason)})
    elif result.ended != "pass":
        _add_trouble(case, played, trouble)
    return case


def _add_trouble(case: ElementTree.Element, played: Played, trouble: Sequence[Finding]) -> None:
    result = played.result
    kind = "failure" if result.ended == "fail" else "error"
    first = trouble[0].summary if trouble else result.reason or result.ended
    marks = {"message": text.printable(first), "type": trouble[0].check if trouble else result.ended}
    element = ElementTree.SubElement(case, kind, marks)
    element.text = "\n".join(_told(trouble, result.reason))
    drawn = ladder_of(played)
    if drawn:
        ElementTree.SubElement(case, "system-out").text = "\n".join(drawn)


def _told(trouble: Iterable[Finding], reason: str) -> list[str]:
    """All that did not pass, with its details, then why it could not be played."""
    found: list[str] = []
    for one in trouble:
        place = f"{text.printable(one.path)}:{one.line}: " if one.path else ""
        found.append(f"{place}{one.verdict}: {one.check}: {text.printable(one.summary)}")
        found += [f"    {line}" for line in text.lines(one.detail)] if one.detail else []
    return found + (text.lines(reason) if reason else [])
