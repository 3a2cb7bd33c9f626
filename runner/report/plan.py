"""`runner show SCENARIO`: what would be played: hosts, steps with their lines, expectations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lab.topology import Topology
from runner.report import text
from runner.report.paper import Paper
from runner.report.terminal import title
from runner.report.text import padded, printable, shortened
from runner.scenario import Place, Scenario

_COMMENT = re.compile(r"\s+#\s.*$")

PLACE_WIDE = 22
"""The cells of `file:line`."""


def show_plan(scenario: Scenario, paper: Paper) -> None:
    """The plan of one case."""
    paper.line(f"{paper.styled(title(scenario), 'title')}  {printable(scenario.path)}")
    for line in text.wrapped(scenario.about.strip(), paper.width) if scenario.about else ():
        paper.line(paper.styled(line, "quiet"))
    paper.line()
    paper.lines(_hosts(scenario.topology, paper))
    if scenario.requires:
        paper.line(f"requires  {printable(', '.join(scenario.requires))}")
    texts = _texts(scenario)
    for name, placed in (("steps", scenario.steps), ("finally", scenario.finally_)):
        if placed:
            paper.line()
            paper.line(paper.styled(name, "title"))
        for number, step in enumerate(placed, 1):
            waits = "  (stays blocked)" if step.blocks != "no" else ""
            paper.line(_row(number, step.place, texts, paper, len(waits)) + paper.styled(waits, "waits"))
    if scenario.expect:
        paper.line()
        paper.line(paper.styled("expect", "title"))
    for number, check in enumerate(scenario.expect, 1):
        paper.line(_row(number, check.place, texts, paper, said=f"{check.kind:<8} "))


def _hosts(topology: Topology, paper: Paper) -> Iterator[str]:
    for network in topology.networks:
        hosts = ", ".join(paper.styled(printable(host), "host") for host in network.hosts)
        size = f"  (mtu {network.mtu})" if network.mtu != 1500 else ""
        yield f"network {printable(network.name)}: {hosts}{size}"


def _texts(scenario: Scenario) -> dict[str, list[str]]:
    """The lines of the scenario and of what it includes, by path."""
    files = {scenario.path: scenario.text, **scenario.includes}
    return {Path(path).name: text.splitlines() for path, text in files.items()}


def _row(
    number: int, place: Place, texts: dict[str, list[str]], paper: Paper, taken: int = 0, said: str = ""
) -> str:
    """A step or an expectation as its file has it, after `said`; `taken` cells are left free at the end."""
    lines = texts.get(Path(place.path).name, [])
    source = lines[place.line - 1].strip().removeprefix("- ") if 0 < place.line <= len(lines) else ""
    source = said + _COMMENT.sub("", source)
    where = f"{Path(place.path).name}:{place.line}"
    place_text = paper.styled(padded(printable(where), PLACE_WIDE), "quiet")
    room = paper.width - 8 - PLACE_WIDE - taken
    return f"{number:>4}  {place_text}  {shortened(printable(source), room)}"
