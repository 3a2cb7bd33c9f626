"""`runner list`: the reference, read from the registries; nothing of it is written here a second time."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from lab import engine as engines
from runner.errors import ScenarioError, UsageError

Chosen = TypeVar("Chosen")

SCENARIOS = Path("scenarios")
"""Where `runner list scenarios` looks."""


def listing(kind: str | None, name: str | None) -> Iterator[str]:
    """The lines of `runner list [KIND [NAME]]`; raises UsageError for a kind or name that is not there."""
    if kind is None:
        for one, entries in KINDS.items():
            yield f"{one:<10} {', '.join(entries())}"
        yield "One kind with what each is for: runner list steps    One of them: runner list steps connect"
        return
    found = _choose(KINDS, kind, "kind")()
    if name is None:
        width = max(map(len, found), default=0)
        for one, text in found.items():
            yield f"{one:<{width}}  {_first_sentence(text)}"
        return
    text = _choose(found, name, kind.removesuffix("s"))
    yield name
    yield ""
    yield from text.splitlines()


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return paragraph if ". " not in paragraph else paragraph.partition(". ")[0] + "."


def _choose(table: Mapping[str, Chosen], name: str, noun: str) -> Chosen:
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, 1)
    meant = f" - did you mean {near[0]!r}?" if near else f"; there are: {', '.join(table)}"
    raise UsageError(f"there is no {noun} {name!r}{meant}")


def _steps() -> dict[str, str]:
    """Verb -> whole text: the step's own, then the keys that it shares with others."""
    from runner.steps import STEPS
    from runner.steps.base import Step

    return {
        verb: "\n".join([inspect.getdoc(step) or "", *_shared_keys(step, Step)])
        for verb, step in sorted(STEPS.items())
    }


def _shared_keys(step: type, base: type) -> Iterator[str]:
    """What the classes above a step say about keys: all of their docstrings but the first paragraph."""
    for above in step.__mro__[1:]:
        if above is base:
            return
        if issubclass(above, base) and above.__doc__:
            yield from inspect.cleandoc(above.__doc__).split("\n\n", 1)[1:]


def _checks() -> dict[str, str]:
    from runner.checks import CHECKS

    return {kind: inspect.getdoc(check) or "" for kind, check in CHECKS.items()}


def _engines() -> dict[str, str]:
    """Engine -> what its module says it is, and whether it can be used here."""
    import importlib

    return {
        name: inspect.getdoc(importlib.import_module(module)) or ""
        for name, module in engines.ENGINES.items()
    }


def _scenarios() -> dict[str, str]:
    """File -> name and about, of the scenarios in the folder `scenarios`."""
    from runner import scenario
    from runner.checks import CHECKS

    found: dict[str, str] = {}
    for path in sorted(SCENARIOS.rglob("*.yaml")):
        if "programs" in path.parts:
            continue
        try:
            loaded = scenario.load(path, checks=CHECKS, case=scenario.cases(path, {})[0])
        except ScenarioError as error:
            found[path.stem] = f"cannot be read: {error.mistakes[0].message}"
            continue
        found[path.stem] = f"{loaded.name}. {loaded.about.strip()}"
    return found


def _faults() -> dict[str, str]:
    from lab.faults import FAULTS

    return {name: inspect.getdoc(fault) or "" for name, fault in FAULTS.items()}


KINDS: Mapping[str, Callable[[], dict[str, str]]] = {
    "steps": _steps,
    "checks": _checks,
    "faults": _faults,
    "engines": _engines,
    "scenarios": _scenarios,
}
