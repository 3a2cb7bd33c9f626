"""What was recorded of real runs for the pages, as files of docs/recorded: read and written, never judged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "scenarios"
RECORDED = ROOT / "docs" / "recorded"
LADDERS = RECORDED / "ladders"
CALLS = RECORDED / "calls.jsonl"


@dataclass(frozen=True)
class Ladder:
    """The picture of a run, and a digest of the scenario's file as it was then."""

    digest: str
    lines: tuple[str, ...]


def files() -> list[Path]:
    """All scenario files, in the order of their names."""
    return sorted(SCENARIOS.glob("*.yaml"))


def digest(path: Path) -> str:
    """A digest of a scenario's file without its comments at the margin: they change nothing of its run."""
    played = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return hashlib.sha256("\n".join(played).encode()).hexdigest()[:16]


def ladder(path: Path) -> Ladder | None:
    """What was recorded of a scenario; None where nothing was."""
    try:
        first, *lines = (LADDERS / f"{path.stem}.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return Ladder(first, tuple(lines))


def keep(path: Path, lines: list[str]) -> None:
    """Write down the picture of a scenario's run."""
    LADDERS.mkdir(parents=True, exist_ok=True)
    text = "\n".join([digest(path), *lines])
    (LADDERS / f"{path.stem}.txt").write_text(f"{text}\n", encoding="utf-8")
