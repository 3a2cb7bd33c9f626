"""One step on its way, and who is shown a play: what the stage keeps of each step that has begun.

Data only; `runner.stage` moves it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runner import calls
from runner.commands import (
    Await,
    Blocks,
    Call,
    Command,
    Outcome,
    Performance,
    Poll,
    ReadState,
    Run,
    SendPacket,
    SniffPacket,
)
from runner.history import CallRecord, Record, StateRecord, StepRecord, StepStatus
from runner.scenario import PlacedStep
from runner.steps.base import Step

ON_THE_WAY_S = 1.0
"""How long a call and its reply may be on the way besides: its host measures what it takes, also on a busy machine."""


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

    `reason` says why it failed, and is empty while it has not. `outcome` is what its last call came to,
    `value` what the step made of it.
    """

    number: int
    placed: PlacedStep
    step: Step
    performance: Performance
    command: Command | None = None
    call: Call | Run | ReadState | SendPacket | SniffPacket | None = None
    identifier: int = 0
    began_ns: int = 0
    deadline_s: float = 0.0
    pause_s: float = 0.0
    asleep_ns: int | None = None
    pending: bool = False
    done: bool = False
    reason: str = ""
    outcome: Outcome | None = None
    value: Any = None
    records: list[CallRecord] = field(default_factory=list)
    waiters: list[Performing] = field(default_factory=list)

    @property
    def blocks(self) -> Blocks:
        """What is expected of the call under way; a step may make others before it and after."""
        return self.call.blocks if isinstance(self.call, Call) else "no"


def record_of_step(
    number: int, placed: PlacedStep, step: Step | None, status: StepStatus, reason: str
) -> StepRecord:
    """The record that a step began or ended just now; `step` is None where it could not begin."""
    return StepRecord(
        number=number,
        at_ns=time.time_ns(),
        path=placed.place.path,
        line=placed.place.line,
        host=step.host if step else placed.host,
        verb=placed.verb,
        text=step.text() if step else placed.verb,
        status=status,
        reason=reason,
        section=placed.section,
    )


def unanswered(asked: Iterable[Performing]) -> Iterator[CallRecord]:
    """The records of calls that never returned."""
    for one in asked:
        if isinstance(one.call, calls.Recorded):
            yield calls.record_of(one.number, one.call, one.began_ns, one.asleep_ns, None)


def polls_on(performing: Performing, outcome: Outcome) -> bool:
    """Whether its command is a poll that is to be tried again after this outcome."""
    command = performing.command
    return (
        isinstance(command, Poll) and not command.until(outcome) and time.monotonic() < performing.deadline_s
    )


def patience_s(step: Step, command: Command) -> float:
    """How long a command is waited for, in seconds."""
    return step.limit_ns / 1e9 + (ON_THE_WAY_S if isinstance(command, Call) else 0.0)


def overdue(performing: Performing) -> str:
    """Why a step fails whose time is over."""
    late = f"it has not returned after {performing.step.limit_ns / 1e9:g} s"
    if isinstance(performing.command, Await):
        return late.replace("it", performing.command.name, 1)
    if performing.step.blocks != "no":
        return late.replace("it", "it was never seen asleep in the kernel, and", 1)
    return late


def record_of_reply(performing: Performing, reply: dict[str, Any]) -> Record | None:
    """The record of what a reply says happened; of the states that a poll reads only the one that ends it."""
    call = performing.call
    if isinstance(call, ReadState):
        outcome = calls.outcome_of(reply, None)
        goes_on = isinstance(performing.command, Poll) and not performing.command.until(outcome)
        if outcome.failure is not None or goes_on:
            return None
        return StateRecord(performing.number, call.host, call.of, outcome.value["state"], outcome.ended_ns)
    if call is None or "malformed" in reply:
        return None
    record = calls.record_of(performing.number, call, performing.began_ns, performing.asleep_ns, reply)
    performing.records.append(record)
    return record
