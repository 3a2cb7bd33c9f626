"""A run for GitHub Actions: annotations on the scenarios' lines, and the job summary with the ladder of each failure.

Source: docs.github.com, "Workflow commands for GitHub Actions"; the escapes are those of actions/toolkit,
packages/core/src/command.ts. Annotations come after everything else: until then GitHub is told to obey no commands
(`stop-commands`), so that no payload that is shown can give any.
"""

from __future__ import annotations

import html
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.report import text
from runner.report.audiences import Silent
from runner.report.paper import Paper
from runner.report.portable import ladder_of, title, trouble_of
from runner.running import Played, Result

SUMMARY_BYTES = 1_000_000
"""GitHub shows no summary of a step that is longer than 1 MiB."""


class GitHub(Silent):
    """The audience that must be the last of several: what comes after it may give commands again."""

    def __init__(self, paper: Paper, environment: Mapping[str, str] = os.environ) -> None:
        self._paper = paper
        self._workspace = environment.get("GITHUB_WORKSPACE", "")
        self._summary = environment.get("GITHUB_STEP_SUMMARY", "")
        self._token = secrets.token_hex(16)
        self._annotations: list[str] = []
        self._failures: list[str] = []
        self._paper.line(f"::stop-commands::{self._token}")

    def end(self, played: Played) -> None:
        """A case has ended."""
        result = played.result
        if result.ended == "pass":
            return
        name = title(result.scenario)
        path = self._relative(result.scenario.path)
        if result.ended == "skipped":
            self._annotations.append(command("notice", path, 1, f"{name}: skipped", result.reason))
            return
        trouble = trouble_of(played)
        for one in trouble:
            message = f"{one.summary}\n{one.detail}" if one.detail else one.summary
            place = (self._relative(one.path), one.line) if one.path else (path, 1)
            self._annotations.append(command("error", *place, f"{name}: {one.check}", message))
        if not trouble:
            self._annotations.append(command("error", path, 1, name, result.reason or result.ended))
        self._failures.append(_section(played))

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended: the annotations and the job summary."""
        self._paper.line(f"::{self._token}::")
        self._paper.lines(self._annotations)
        if self._summary:
            with Path(self._summary).open("a", encoding="utf-8") as file:
                file.write(_page(results, self._failures))

    def _relative(self, path: str) -> str:
        """The path as GitHub wants it: from the top of the repository."""
        absolute = Path(path).absolute()
        if self._workspace and absolute.is_relative_to(self._workspace):
            return str(absolute.relative_to(self._workspace))
        return path


def command(kind: str, path: str, line: int, heading: str, message: str) -> str:
    """A workflow command that makes an annotation: `::error file=F,line=N,title=T::MESSAGE`."""
    properties = f"file={_property(path)},line={line},title={_property(text.printable(heading))}"
    return f"::{kind} {properties}::{_data(chr(10).join(text.lines(message)))}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def _section(played: Played) -> str:
    """A failure for the job summary: its findings and its ladder, both as they are on a terminal."""
    result = played.result
    lines = [
        f"{one.verdict}: {one.check} {Path(text.printable(one.path)).name}:{one.line} {text.printable(one.summary)}"
        + "".join(f"\n    {line}" for line in (text.lines(one.detail) if one.detail else ()))
        for one in trouble_of(played)
    ]
    lines += text.lines(result.reason) if result.reason else []
    drawn = ladder_of(played)
    block = "\n".join([*lines, "", *drawn] if drawn else lines)
    heading = f"{html.escape(title(result.scenario))} <code>{html.escape(text.printable(result.scenario.path))}</code>"
    return f"\n<details open><summary>{result.ended}: {heading}</summary>\n\n{_fenced(block)}\n\n</details>\n"


def _fenced(block: str) -> str:
    """A code block of CommonMark (section 4.5) that no line of its contents can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block)), default=0))
    return f"{fence}text\n{block}\n{fence}"


def _page(results: Sequence[Result], failures: Sequence[str]) -> str:
    counts = {
        ended: sum(one.ended == ended for one in results) for ended in dict.fromkeys(r.ended for r in results)
    }
    told = ", ".join(f"{number} {ended}" for ended, number in counts.items()) or "nothing was played"
    page = f"## Socket Lab: {told}\n"
    for number, one in enumerate(failures):
        if len((page + one).encode()) > SUMMARY_BYTES:
            return page + f"\n{len(failures) - number} more failures did not fit here.\n"
        page += one
    return page
