"""One step on its way, and who is shown a play: what the stage keeps of each step that has begun.

Data only; `runner.stage` moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runner.commands import Call, Command, Outcome, Performance, ReadState, Run
from runner.history import CallRecord, StepRecord
from runner.scenario import PlacedStep
from runner.steps.base import Step


class Watcher(Protocol):
    """Somebody who is shown a play while it goes on."""

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """A step began to be pending, or ended, after these calls."""
        ...

    def note(self, text: str) -> None:
        """Something else that a reader wants to know."""
        ...


@dataclass(eq=False)
class Performing:
    """One step on its way: its generator, the command it waits for and the calls it has made.

    `reason` says why it failed, and is empty while it has not. `outcome` is what its last call came to.
    """

    number: int
    placed: PlacedStep
    step: Step
    performance: Performance
    command: Command | None = None
    call: Call | Run | ReadState | None = None
    identifier: int = 0
    began_ns: int = 0
    deadline_s: float = 0.0
    pause_s: float = 0.0
    asleep_ns: int | None = None
    pending: bool = False
    done: bool = False
    reason: str = ""
    outcome: Outcome | None = None
    records: list[CallRecord] = field(default_factory=list)
    waiters: list[Performing] = field(default_factory=list)
