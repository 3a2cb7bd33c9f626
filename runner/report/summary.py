"""The end of a run of many scenarios: how many ended how, what was skipped, what went wrong, what took longest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from runner.report.paper import Paper
from runner.report.text import counted, printable
from runner.running import Result

SLOWEST = 3
"""How many of the slowest are named."""
WORTH_NAMING = 5
"""With fewer scenarios everybody sees by himself which took long."""


def show(results: Sequence[Result], paper: Paper) -> None:
    """Write what is worth saying about all results together; how many ended how is said elsewhere."""
    skipped = Counter(printable(one.reason) for one in results if one.ended == "skipped")
    for reason, count in skipped.items():
        paper.line(f"{paper.styled('skipped', 'waits')}  {counted(count, 'scenario')}: {reason}")
    if len(results) < WORTH_NAMING:
        return
    for one in results:
        if one.ended in ("fail", "unknown"):
            word = "failed" if one.ended == "fail" else one.ended
            paper.line(f"{paper.styled(f'{word:<8}', 'bad')} {printable(one.scenario.path)}{_case(one)}")
    slowest = sorted(results, key=lambda one: one.seconds, reverse=True)[:SLOWEST]
    names = ", ".join(f"{Path(one.scenario.path).stem}{_case(one)} {one.seconds:.2f} s" for one in slowest)
    paper.line(f"{paper.styled('slowest', 'quiet')}  {printable(names)}")


def _case(result: Result) -> str:
    values = ", ".join(f"{name}={value}" for name, value in result.scenario.case.items())
    return printable(f" ({values})") if values else ""
