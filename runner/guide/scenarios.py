"""docs/scenarios.md: every scenario with what it shows, what it needs, and its ladder as recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from runner import scenario
from runner.checks import CHECKS
from runner.guide import recorded
from runner.pages import MADE
from runner.scenario import Scenario

PAGE = recorded.ROOT / "docs" / "scenarios.md"
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)", re.S)


def page() -> str:
    """The whole page."""
    lines = ["# Scenarios", "", MADE, "", *_beginning()]
    for path in recorded.files():
        lines += ["", *_entry(path)]
    return "\n".join(lines) + "\n"


def _beginning() -> Iterator[str]:
    yield "Each scenario is a file of `scenarios/`: play it, read it, change it. The pictures are of"
    yield "real runs; long ones are folded. `runner run scenarios/NAME.yaml` shows yours."
    yield ""
    for path in recorded.files():
        name = scenario.load(path, checks=CHECKS, case=dict(scenario.cases(path, {})[0])).name
        yield f"- [{path.stem}](#{path.stem}): {name}"


def _entry(path: Path) -> Iterator[str]:
    cases = scenario.cases(path, {})
    loaded = scenario.load(path, checks=CHECKS, case=dict(cases[0]))
    yield from (f"## {path.stem}", "")
    yield f"**[{loaded.name}](../scenarios/{path.name})**: {first_sentence(loaded.about)}"
    yield ""
    yield f"Needs: {_needs(loaded)}." + (f" Cases: {len(cases)}." if len(cases) > 1 else "")
    kept = recorded.ladder(path)
    if kept is None:
        yield from ("", "No picture: the machine that this page was made on lacks what it needs.")
        return
    shown = ", ".join(f"{name}={value}" for name, value in loaded.case.items())
    yield from (f"\nThe case {shown}:", "") if shown else ("",)
    yield from ("```text", *kept.lines, "```")


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line."""
    whole = " ".join(text.split())
    found = _SENTENCE.match(whole)
    return found[0] if found else whole


def _needs(loaded: Scenario) -> str:
    hosts = [host.name for host in loaded.topology.hosts]
    needed = [f"{len(hosts)} hosts ({', '.join(hosts)})" if len(hosts) > 1 else f"the host {hosts[0]}"]
    needed += [_required(one) for one in loaded.requires]
    return ", ".join(needed)


def _required(one: str) -> str:
    """A requirement for people: `kernel tipc` is a kernel with tipc."""
    kind, _, name = one.partition(" ")
    match kind:
        case "no":
            return f"a kernel without {name.removeprefix('kernel ')}"
        case "kernel":
            return f"a kernel with {name}"
        case _:
            return f"the {one}" if name else f"networks with {one}"
