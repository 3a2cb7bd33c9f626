"""Play a recorded run again without a lab: its steps ask, its history answers. For tests that change one answer.

What a step waited for is not waited for again; `until` has held, and its steps are not played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab import agent
from runner.commands import (
    Attempt,
    Await,
    Call,
    Failure,
    Outcome,
    Poll,
    ReadState,
    Run,
    SendPacket,
    SniffPacket,
)
from runner.errors import Unmet
from runner.evidence import Evidence
from runner.history import CallRecord, StateRecord, StepRecord
from runner.packets import Packet
from runner.scenario import PlacedStep, Scenario
from runner.scope import Scope, Thing

NEVER = -1
"""When a call returned that had not when the lab went down (`blocks: forever`)."""
Answers = Mapping[int, Sequence[CallRecord | StateRecord]]
"""Number of a step as played -> what it was told, in order."""


class Replay:
    """One recorded run of a scenario. `judged` are the numbers of steps whose outcome something is said about, `asked`
    those of all that wait for their calls.
    """

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self.answers: dict[int, list[CallRecord | StateRecord]] = {}
        for record in seen.history:
            if isinstance(record, CallRecord | StateRecord):
                self.answers.setdefault(record.step, []).append(record)
        self.judged: set[int] = set()
        self.asked: set[int] = set()
        self._interfaces = {host.name: seen.info.interfaces_of(host.name) for host in scenario.topology.hosts}
        self._packets = seen.packets
        self._steps = list(_numbered([*scenario.steps, *scenario.finally_], seen))

    def play(self, answers: Answers | None = None) -> None:
        """Ask and answer every step, by default as recorded; raises Unmet where a step does not get what it expects."""
        self._answers = self.answers if answers is None else answers
        self._scope = Scope(self._interfaces)
        self._named: dict[str, tuple[int, Outcome]] = {}
        self._taken: dict[str, int] = {}
        for number, placed in self._steps:
            self._play_one(number, placed)

    def _play_one(self, number: int, placed: PlacedStep) -> None:
        step = placed.settle(self._scope)
        if _says_something(step) or placed.verb == "sniff_packet":
            self.judged.add(self._named[step.returns][0] if hasattr(step, "returns") else number)
        if getattr(step, "blocks", None) is None:
            self.asked.add(number)
        left = iter(self._answers.get(number, ()))
        performance = step.perform(self._scope)
        outcome: Outcome | None = None
        try:
            while True:
                command = performance.send(outcome) if outcome else next(performance)
                outcome = self._answer(command, left)
                if isinstance(command, Call | Run):
                    for name in placed.makes:
                        self._named[name] = number, outcome
                if isinstance(command, Call) and outcome.ended_ns == NEVER:
                    return
        except StopIteration as stop:
            for name in placed.makes:
                if name not in self._scope.things:
                    self._scope.values[name] = stop.value

    def _answer(self, command: Any, left: Iterator[CallRecord | StateRecord]) -> Outcome:
        match command:
            case Call() | Run() | SendPacket():
                record = next(left)
                assert isinstance(record, CallRecord)
                if not isinstance(command, SendPacket):
                    self._make(command, record)
                return outcome_of(record)
            case SniffPacket():
                record = next(left)
                assert isinstance(record, CallRecord)
                found = None if record.failure else self._take(command)
                return replace(outcome_of(record), value=found)
            case ReadState() | Poll():
                record = next(left)
                assert isinstance(record, StateRecord)
                return Outcome(record.at_ns, record.at_ns, {"state": record.state})
            case Await(name):
                return self._named[name][1]
            case Attempt():
                return Outcome(1, 1, True)
        return Outcome(1, 1)

    def _take(self, wanted: SniffPacket) -> Packet:
        """The packet that the step took: the host's first that matches behind the last one taken."""
        received = [one for one in self._packets if (one.host, one.direction) == (wanted.host, "in")]
        for place in range(self._taken.get(wanted.host, 0), len(received)):
            if wanted.matches(received[place]):
                self._taken[wanted.host] = place + 1
                return received[place]
        raise Unmet("no such packet was received")

    def _make(self, command: Call | Run, record: CallRecord) -> None:
        if command.makes is None or record.failure is not None:
            return
        kind: Any = "program" if isinstance(command, Run) else "socket" if record.family else "other"
        if command_name(command) == "makefile":
            kind = "file"
        for name in command.makes.split(","):
            self._scope.things[name] = Thing(name, command.host, kind, record.family or "", record.type or "")


def command_name(command: Call | Run) -> str:
    """The call's name."""
    return command.name if isinstance(command, Call) else "run"


def outcome_of(record: CallRecord) -> Outcome:
    """What a recorded call came to."""
    failure = Failure(**record.failure) if record.failure else None
    return Outcome(record.began_ns, record.ended_ns or NEVER, agent.decode(record.value), failure)


def _says_something(step: Any) -> bool:
    return any(getattr(step, word, None) is not None for word in ("gives", "raises"))


def _numbered(placed: Sequence[PlacedStep], seen: Evidence) -> Iterator[tuple[int, PlacedStep]]:
    """Each step with its number in the run; the steps inside of `until` have numbers of their own, which are left
    out."""
    records = iter({one.number: one for one in seen.history if isinstance(one, StepRecord)}.items())
    ordered = iter(sorted(records))
    for one in placed:
        for number, record in ordered:
            if (record.verb, record.host, record.line) == (one.verb, one.host, one.place.line):
                yield number, one
                break
        else:
            raise AssertionError(f"the run has no step {one.verb} of line {one.place.line}")


__all__ = ["Answers", "Replay", "Unmet", "outcome_of"]
