"""What all reports for other programs say of a case: its name, its trouble, its ladder without colours.

Their forms are their own affair. All text from here is printable (`runner.report.text`).
"""

from __future__ import annotations

import io

from runner.report.paper import Paper
from runner.report.terminal import picture, title
from runner.running import Played
from runner.verdict import Finding

__all__ = ["ladder_of", "title", "trouble_of"]

WIDTH = 110
"""The cells that a ladder may take in a report: what fits a page of GitHub and of Jenkins."""


def trouble_of(played: Played) -> tuple[Finding, ...]:
    """The findings that did not pass: those that failed, then those that could not be seen."""
    found = played.judgement.findings if played.judgement else ()
    failed = tuple(one for one in found if one.verdict == "fail")
    return failed + tuple(one for one in found if one.verdict == "unknown")


def ladder_of(played: Played) -> list[str]:
    """The ladder of a case, a text for each line; empty where nothing was recorded."""
    return picture(played.seen, Paper(io.StringIO(), WIDTH)) if played.seen else []
