"""A process that plays cases for the runner, one at a time: `runner.parallel` starts it.

A lab dies with the thread that made it, and a case that crashes takes only its own process along. It is told of a
case in a line of JSON on standard input (`path`, `case`, `folder`), and answers on standard output: a line for each
step (`step`, `calls`) and each note (`note`), then one for the end (`ended`, `reason`, `seconds`). All the rest is in
the run directory. SIGTERM interrupts the case; end of file ends the process. Nothing is shown from here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from lab import engine as engines
from lab import syscalls
from lab.engine import Engine
from runner import choice, history
from runner.errors import ScenarioError, UsageError
from runner.history import CallRecord, StepRecord


def main(parent: int, engine_name: str) -> int:
    """Play what is asked for until nobody asks any more; returns the exit code of the process."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which tells us once
    syscalls.die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return 0
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # whatever else writes to standard output must not get among the answers
    try:
        choice.warm(engine_name)
        engine = choice.alone(engines.find(engine_name))
        for line in sys.stdin:
            _answer(answers, _play(json.loads(line), engine, _Telling(answers)))
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return 0


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _answer(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")


class _Telling:
    """A watcher (`runner.performing.Watcher`) that tells the parent."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        lines = [history.to_line(call) for call in calls]
        _answer(self._answers, {"step": history.to_line(record), "calls": lines})

    def note(self, text: str) -> None:
        _answer(self._answers, {"note": text})


def _play(asked: Mapping[str, Any], engine: Engine, watcher: _Telling) -> dict[str, Any]:
    """Play one case; returns the answer that says how it ended."""
    try:
        from runner import running, scenario
        from runner.checks import CHECKS

        one = scenario.load(Path(asked["path"]), checks=CHECKS, case=asked["case"])
        result = running.play_one(one, engine, Path(asked["folder"]), watcher).result
    except (ScenarioError, UsageError) as error:  # it was read before: somebody changed the file meanwhile
        return {"ended": "unknown", "reason": str(error), "seconds": 0.0}
    except KeyboardInterrupt:
        return {"ended": "interrupted", "reason": "", "seconds": 0.0}
    return {"ended": result.ended, "reason": result.reason, "seconds": result.seconds}
