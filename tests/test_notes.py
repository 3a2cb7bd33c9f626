"""docs/notes-on-the-texts.md: each note names a source, and a scenario that holds the line which shows it.

That the line is true is the scenario's affair: all are played on both engines (`tests/test_scenarios.py`), and a
step or an expectation that is not so fails.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTES = ROOT / "docs" / "notes-on-the-texts.md"
SHOWN = re.compile(r"\[(?P<name>\w+)\]\(\.\./scenarios/(?P<file>\w+\.yaml)\): `(?P<line>.+)`")
EXPECTED = {"listen", "SOCK_SEQPACKET", "a port belongs", "killed peer", "full buffer", "raw_input"}
"""What must be among the notes."""


def notes() -> list[list[str]]:
    """The rows of the table: what is read, what is true, the source, and what shows it."""
    lines = NOTES.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


@pytest.mark.parametrize("note", notes(), ids=lambda note: str(note[0])[:40])
def test_a_note_has_a_source_and_a_line_of_a_scenario(note: list[str]) -> None:
    said, true, source, shown = note
    assert said and true and source
    found = SHOWN.fullmatch(shown)
    assert found is not None, shown
    assert found["name"] + ".yaml" == found["file"]
    text = (ROOT / "scenarios" / found["file"]).read_text(encoding="utf-8")
    assert found["line"] in text, f"{found['file']} has no line with {found['line']}"


def test_what_must_be_noted_is() -> None:
    told = "\n".join(note[0] for note in notes())
    assert not [one for one in EXPECTED if one not in told]
    assert len({note[0] for note in notes()}) == len(notes())
