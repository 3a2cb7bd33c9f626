"""Scenarios loaded from texts, and what is wrong with those that are not one."""

from __future__ import annotations

from typing import Any

import pytest

from runner.checks import CHECKS
from runner.errors import ScenarioError
from runner.scenario import PlacedStep, Scenario, load_text

HEAD = "name: n\nhosts: [server, client]\n"
SOCKETS = HEAD + "steps:\n  - server: {socket: s}\n  - client: {socket: c}\n"


def load(text: str, **options: Any) -> Scenario:
    return load_text(text, "f.yaml", checks=CHECKS, **options)


def mistakes(text: str, **options: Any) -> list[str]:
    """`line:column: message` of all mistakes, with `(suggestion)`."""
    with pytest.raises(ScenarioError) as caught:
        load(text, **options)
    return [
        f"{one.line}:{one.column}: {one.message}" + (f" ({one.suggestion})" if one.suggestion else "")
        for one in caught.value.mistakes
    ]


def said(steps: tuple[PlacedStep, ...]) -> list[tuple[str | None, str]]:
    return [(one.host, one.verb) for one in steps]
