"""How the cases of the last run ended, kept in `RUNS/last.json` for `runner run --rerun-failed`.

Only what finds a case again is kept: its file and the values of its matrix. Its findings are in its run directory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import files
from runner.errors import UsageError
from runner.report.audiences import Silent
from runner.running import Case, Played, Result, case_of

FORMAT = 1
NAME = "last.json"
_GOOD = ("pass", "skipped")


@dataclass(frozen=True)
class Remembered:
    """How a case ended when it was last played, and where its run is."""

    case: Case
    ended: str
    folder: str
    seconds: float = 0.0


class Remembers(Silent):
    """The audience that writes the file when all cases have ended. `others` are cases to be kept as they are."""

    def __init__(self, runs: Path, others: Sequence[Remembered] = ()) -> None:
        self._runs = runs
        self._others = others

    def end(self, played: Played) -> None:
        """Nothing is written before all have ended."""

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended; raises OSError where the file cannot be written."""
        found = {one.case: one for one in self._others}
        for result in results:
            case = case_of(result.scenario)
            found[case] = Remembered(case, result.ended, str(result.folder or ""), round(result.seconds, 3))
        entries = [
            {
                "path": one.case[0],
                "case": dict(one.case[1]),
                "ended": one.ended,
                "folder": one.folder,
                "seconds": one.seconds,
            }
            for one in found.values()
        ]
        data = json.dumps({"format": FORMAT, "cases": entries}, indent=1) + "\n"
        self._runs.mkdir(parents=True, exist_ok=True)
        part = self._runs / f"{NAME}.part"
        files.write_text(part, data)
        part.replace(self._runs / NAME)


def durations(path: Path) -> dict[str, float]:
    """How long the cases of a run took, by what `runner.running.shard_key` calls them; raises UsageError."""
    return {
        " ".join((Path(one.case[0]).stem, *(label for _, label in one.case[1]))): one.seconds
        for one in read_file(path)
        if one.ended in _GOOD
    }


def read(runs: Path) -> list[Remembered]:
    """The cases of the last run; raises UsageError where there was none, or it cannot be read."""
    return read_file(runs / NAME)


def read_file(path: Path) -> list[Remembered]:
    """The cases that such a record has; raises UsageError."""
    try:
        data: Any = json.loads(files.read_text(path))
        if data["format"] != FORMAT:
            raise UsageError(f"{path} was written by another version of the runner")
        return [
            Remembered(
                (one["path"], tuple(one["case"].items())), one["ended"], one["folder"], float(one["seconds"])
            )
            for one in data["cases"]
        ]
    except FileNotFoundError:
        raise UsageError(f"there is no {path}: nothing was played into {path.parent} yet") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def failed(remembered: Sequence[Remembered], paths: Sequence[Path]) -> list[Case]:
    """The cases that neither passed nor were skipped, of these files and folders only (of all where none is named)."""
    tops = [path.resolve() for path in paths]
    return [
        one.case
        for one in remembered
        if one.ended not in _GOOD and (not tops or any(Path(one.case[0]).is_relative_to(top) for top in tops))
    ]
