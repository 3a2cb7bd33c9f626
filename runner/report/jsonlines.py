"""A run as lines of JSON while it goes on, an event each: for programs that follow it, or read it afterwards.

    {"event": "engine", "engine": NAME, "why": TEXT}
    {"event": "begin", "case": N, "path": FILE, "name": TEXT, "values": {NAME: LABEL}, "at_ns": NS}
    {"event": "step", "case": N, "number": .., "line": .., "host": .., "text": .., "status": .., "reason": .., ..}
    {"event": "note", "case": N, "text": TEXT}
    {"event": "end", "case": N, "ended": HOW, "seconds": S, "folder": RUN, "reason": TEXT, "findings": [..]}
    {"event": "summary", "counts": {HOW: NUMBER}}

`case` counts cases in the order in which they begin; events of cases played side by side are mixed. HOW is `pass`,
`fail`, `unknown`, `skipped` or `interrupted`. Steps have the fields of `runner.history.StepRecord`, findings those of
`runner.verdict.Finding`. Times are nanoseconds of CLOCK_REALTIME. Only ASCII is written, everything else as JSON's
escapes.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from runner.choice import Choice
from runner.history import CallRecord, StepRecord
from runner.performing import Watcher
from runner.running import Played, Result
from runner.scenario import Scenario


class JsonLines:
    """The audience that writes a line for each event, at once; raises OSError where the file cannot be written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="ascii", buffering=1)
        self._numbers: dict[int, int] = {}

    def engine(self, choice: Choice) -> None:
        self._write("engine", engine=choice.name, why=choice.why)

    def begin(self, scenario: Scenario) -> Watcher:
        number = self._numbers[id(scenario)] = len(self._numbers) + 1
        self._write(
            "begin",
            case=number,
            path=scenario.path,
            name=scenario.name,
            values=dict(scenario.case),
            at_ns=time.time_ns(),
        )
        return _Steps(self, number)

    def end(self, played: Played) -> None:
        """A case has ended."""
        result, judgement = played.result, played.judgement
        self._write(
            "end",
            case=self._numbers[id(result.scenario)],
            ended=result.ended,
            seconds=round(result.seconds, 6),
            folder=str(result.folder) if result.folder else None,
            reason=result.reason,
            findings=[asdict(one) for one in judgement.findings] if judgement else [],
        )

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended; nothing is written any more."""
        self._write("summary", counts=dict(Counter(one.ended for one in results)))
        self._file.close()

    def _write(self, event: str, **fields: object) -> None:
        self._file.write(json.dumps({"event": event, **fields}) + "\n")


class _Steps:
    """The watcher of one case."""

    def __init__(self, report: JsonLines, case: int) -> None:
        self._report = report
        self._case = case

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        self._report._write("step", case=self._case, **asdict(record))

    def note(self, text: str) -> None:
        self._report._write("note", case=self._case, text=text)
