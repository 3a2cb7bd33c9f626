"""docs/scenarios.md: every scenario is in it, and what it says is what the scenarios say now."""

from __future__ import annotations

import re

import pytest

from runner.guide import recorded, scenarios

REMEDY = "run `make docs` and commit what it changed"
OF_RARE_KERNELS = {"tipc"}
"""Scenarios that hardly any machine can play: they may be without a picture."""


@pytest.fixture(scope="module")
def made() -> str:
    return scenarios.page()


def test_the_page_in_the_repository_is_made_from_these_scenarios(made: str) -> None:
    assert scenarios.PAGE.read_text(encoding="utf-8") == made, f"docs/scenarios.md is stale: {REMEDY}"


def test_every_scenario_is_in_it_with_a_ladder(made: str) -> None:
    names = [path.stem for path in recorded.files()]
    assert re.findall(r"^## (\w+)$", made, re.M) == names
    unrecorded = {path.stem for path in recorded.files() if recorded.ladder(path) is None}
    assert unrecorded <= OF_RARE_KERNELS, f"no ladder was recorded of {', '.join(unrecorded)}: {REMEDY}"


def test_no_ladder_is_of_a_scenario_that_there_is_not() -> None:
    kept = {path.stem for path in recorded.LADDERS.iterdir()}
    assert kept <= {path.stem for path in recorded.files()}


def test_every_entry_says_what_it_shows_and_needs(made: str) -> None:
    for entry in made.split("\n## ")[1:]:
        lines = entry.splitlines()
        assert lines[2].startswith("**[") and lines[2].rstrip()[-1] in ".!?", lines[0]
        assert lines[4].startswith("Needs: "), lines[0]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("recv(0) gives 1.5 s\nof rest. Then more.", "recv(0) gives 1.5 s of rest."),
        ("no end", "no end"),
        ("Really? Yes.", "Really?"),
    ],
)
def test_the_first_sentence(text: str, first: str) -> None:
    assert scenarios.first_sentence(text) == first
