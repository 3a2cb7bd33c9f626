"""The audience that writes a run's page, `report.html`: of each run that failed or could not be seen, or of every run.

What the page is like is `runner.report.page`'s affair, which is imported when one is to be written: a run that passes
pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.errors import ScenarioError, UsageError
from runner.report.audiences import Silent
from runner.report.paper import Paper
from runner.report.text import printable
from runner.running import Played, Result


class Browsable(Silent):
    """The audience that writes pages; it must be told before those that say where the files of a run are."""

    def __init__(self, paper: Paper, *, always: bool) -> None:
        self._paper = paper
        self._always = always

    def end(self, played: Played) -> None:
        result = played.result
        if result.folder is None or not self._wants(result):
            return
        try:
            _write(played, result.folder)
        except (UsageError, ScenarioError):
            return  # the lab broke before anything was recorded: there is nothing to be shown
        except OSError as error:  # what was played and judged stays as it is
            where = printable(str(result.folder))
            self._paper.line(f"  no report.html in {where}: {error.strerror or error}")

    def summary(self, results: Sequence[Result]) -> None:
        """Nothing is left to be written."""

    def _wants(self, result: Result) -> bool:
        return result.ended in ("fail", "unknown") or (self._always and result.ended == "pass")


def _write(played: Played, folder: Path) -> None:
    from runner import evidence
    from runner.report import finished, page

    seen = played.seen or evidence.load(folder)
    judgement = played.judgement or finished.judged(folder, seen)
    page.write(folder, seen, judgement, played.result.scenario.about)
