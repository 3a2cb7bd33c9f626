"""The course in docs/tutorial is whole: both languages have its chapters, and it meets every scenario."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT

ENGLISH, CHINESE = ROOT / "docs" / "tutorial", ROOT / "docs" / "zh" / "tutorial"
CHAPTERS = sorted(path.name for path in ENGLISH.glob("[0-9]*.md"))


@pytest.mark.parametrize("folder", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_the_index_leads_through_the_chapters_in_order(folder: Path) -> None:
    assert sorted(path.name for path in folder.glob("[0-9]*.md")) == CHAPTERS
    links = re.findall(r"\]\((\d[^)]*)\)", (folder / "index.md").read_text(encoding="utf-8"))
    assert links == CHAPTERS


@pytest.mark.parametrize("folder", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_every_scenario_is_met(folder: Path) -> None:
    course = "".join((folder / name).read_text(encoding="utf-8") for name in CHAPTERS)
    files = sorted(path.name for path in (ROOT / "scenarios").glob("*.yaml"))
    assert [name for name in files if f"scenarios/{name})" not in course] == []
