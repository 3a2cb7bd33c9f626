"""The reference pages: they are what the code says now, and nothing in the registries is missing from them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.engine import ENGINES
from lab.faults import FAULTS
from runner import pages
from runner.checks import CHECKS
from runner.cli import cli
from runner.steps import STEPS

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return dict(pages.pages())


def test_the_pages_in_the_repository_are_made_from_this_code(made: dict[str, str]) -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in REFERENCE.iterdir()}
    assert sorted(kept) == sorted(made), "other pages than the code makes: run `make docs`"
    stale = [name for name, text in made.items() if kept[name] != text]
    assert not stale, f"stale pages of docs/reference: {', '.join(stale)}; run `make docs` and commit them"


@pytest.mark.parametrize(
    ("page", "entries"),
    [
        ("steps.md", STEPS),
        ("checks.md", CHECKS),
        ("faults.md", FAULTS),
        ("engines.md", ENGINES),
        ("commands.md", [f"runner {name}" for name in cli.commands]),
    ],
)
def test_a_page_has_an_entry_for_each(page: str, entries: list[str], made: dict[str, str]) -> None:
    assert sorted(re.findall(r"^## `(.+)`$", made[page], re.M)) == sorted(entries)


def test_every_key_of_a_step_says_what_it_is(made: dict[str, str]) -> None:
    assert re.findall(r"^\| `.+` \| +\|$", made["steps.md"] + made["scenario.md"], re.M) == []


def test_a_steps_verb_comes_first_and_what_all_share_last(made: dict[str, str]) -> None:
    entry = made["steps.md"].split("## `recv`")[1].split("##")[0]
    keys = [line.split("`")[1] for line in entry.splitlines() if line.startswith("| `")]
    assert keys[0] == "recv"
    assert keys.index("size") < keys.index("takes")


def test_links_inside_the_pages_lead_somewhere(made: dict[str, str]) -> None:
    for text in made.values():
        for file, _, place in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text)):
            target = made[file] if file else text
            assert not place or f"## `{place}`" in target, (file, place)


def test_pages_of_before_are_written_over(tmp_path: Path) -> None:
    (tmp_path / "steps.md").write_text("old", encoding="utf-8")
    pages.write(tmp_path)
    assert "## `accept`" in (tmp_path / "steps.md").read_text(encoding="utf-8")
