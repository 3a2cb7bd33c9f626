"""TAP of a run, for whatever reads the Test Anything Protocol: version 14, a line a case as it ends.

https://testanything.org/tap-version-14-specification.html. Diagnostics are YAML between `---` and `...`; what was
skipped says why; a run that was interrupted bails out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from runner.report import text
from runner.report.audiences import Silent
from runner.report.portable import title, trouble_of
from runner.running import Played, Result


class Tap(Silent):
    """The audience that writes the file; raises OSError where it cannot be written."""

    def __init__(self, path: Path, count: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)
        self._number = 0
        self._file.write(f"TAP version 14\n1..{count}\n")

    def end(self, played: Played) -> None:
        """A case has ended."""
        self._number += 1
        result = played.result
        good = result.ended in ("pass", "skipped")
        name = f"{Path(result.scenario.path).stem}: {title(result.scenario)}"
        directive = f" # SKIP {_plain(result.reason)}" if result.ended == "skipped" else ""
        self._file.write(f"{'ok' if good else 'not ok'} {self._number} - {_plain(name)}{directive}\n")
        for line in () if good else _diagnostic(played):
            self._file.write(f"  {line}\n")

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended."""
        if any(one.ended == "interrupted" for one in results):
            self._file.write("Bail out! interrupted\n")
        self._file.close()


def _plain(words: str) -> str:
    """A description: one line, and no `#`, which would begin a directive, unless it is escaped."""
    return text.printable(" ".join(words.split())).replace("\\", "\\\\").replace("#", "\\#")


def _diagnostic(played: Played) -> list[str]:
    """What did not hold, as YAML: JSON's texts are YAML's."""
    result = played.result
    lines = [
        "---",
        f"verdict: {result.ended}",
        f"seconds: {result.seconds:.3f}",
        f"run: {json.dumps(str(result.folder or ''))}",
    ]
    found = trouble_of(played)
    if result.reason:
        lines.append(f"message: {json.dumps(result.reason)}")
    if found:
        lines.append("findings:")
        for one in found:
            place = f"{one.path}:{one.line}" if one.path else ""
            lines.append(f"  - {json.dumps({'at': place, 'check': one.check, 'said': one.summary})}")
    return [*lines, "..."]
