"""The only code that carries commands out: plays steps on a lab, in order, and writes down what happened.

A step is a generator that yields commands and is sent their outcomes. The stage posts requests to agents, waits, keeps
pending calls apart, and makes names known when what they name exists. It judges nothing: steps say `Unmet`.
"""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lab.channel import Channel
from lab.engine import Lab
from runner import calls
from runner.commands import (
    Attempt,
    Await,
    Call,
    Command,
    Failure,
    Outcome,
    Performance,
    Poll,
    ReadState,
    Run,
    Sleep,
)
from runner.errors import ScenarioError, Unmet
from runner.history import CallRecord, Record, StateRecord, StepRecord, StepStatus
from runner.scenario import PlacedStep
from runner.scope import Scope
from runner.steps.base import Step

PATIENCE_NS = 5_000_000_000
"""How long a scenario waits for a name, for a pending call, and for a step that has no `takes`."""
POLL_FIRST_S, POLL_LAST_S = 0.001, 0.02
"""The first and the longest pause between two tries of a `Poll`."""


class Watcher(Protocol):
    """Somebody who is shown a play while it goes on."""

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """A step began to be pending, or ended, after these calls."""
        ...

    def note(self, text: str) -> None:
        """Something else that a reader wants to know."""
        ...


@dataclass
class Performing:
    """One step on its way: its generator, the command it waits for and the calls it has made."""

    number: int
    placed: PlacedStep
    step: Step
    performance: Performance
    command: Command | None = None
    call: Call | Run | ReadState | None = None
    identifier: int = 0
    began_ns: int = 0
    deadline_s: float = 0.0
    pause_s: float = POLL_FIRST_S
    asleep_ns: int | None = None
    asked_asleep: bool | None = None
    pending: bool = False
    done: bool = False
    reason: str = ""
    outcome: Outcome | None = None
    records: list[CallRecord] = field(default_factory=list)
    waiters: list[Performing] = field(default_factory=list)


class Failed(Exception):
    """A step failed: `steps` end here."""


class Stage:
    """Plays steps on a lab. One thread; the agents do the waiting."""

    def __init__(self, lab: Lab, scope: Scope, keep: Callable[[Record], None], watcher: Watcher) -> None:
        self._scope = scope
        self._keep = keep
        self._watcher = watcher
        self._environments = {host.name: dict(host.environment) for host in lab.topology.hosts}
        self._channels: dict[str, Channel] = {host: lab.agent(host) for host in scope.interfaces}
        self._poll = select.poll()
        self._by_descriptor: dict[int, str] = {}
        for host, channel in self._channels.items():
            self._poll.register(channel.fileno(), select.POLLIN)
            self._by_descriptor[channel.fileno()] = host
        self._asked: dict[tuple[str, int], Performing] = {}
        self._timers: list[tuple[float, int, Performing]] = []
        self._pending: dict[int, Performing] = {}
        self._named: dict[str, Performing] = {}
        self._number = 0
        self._trying = 0

    # -- playing -----------------------------------------------------------------------------------------------------

    def play(self, steps: Iterable[PlacedStep]) -> bool:
        """Play the steps in order, then wait for pending calls; False where one failed (its record says why).

        Raises LabError when a host or the lab is gone.
        """
        try:
            for placed in steps:
                self._play_one(placed)
            self._finish_pending()
        except Failed:
            return False
        return True

    def play_always(self, steps: Iterable[PlacedStep]) -> bool:
        """Play `finally` steps: each one, whatever happened to those before; steps whose names never came are skipped."""
        held = True
        for placed in steps:
            missing = [name for name in placed.uses if not self._known(name)]
            if missing:
                self._say(self._next(), placed, None, "skipped", f"{missing[0]} was never made")
                continue
            try:
                self._play_one(placed)
            except Failed:
                held = False
        return held

    def close(self) -> None:
        """Write down the calls that never returned."""
        for performing in self._asked.values():
            if isinstance(performing.call, Call | Run):
                self._keep(
                    calls.record_of(performing.number, performing.call, performing.began_ns, performing.asleep_ns, None)
                )
        self._asked.clear()

    def _play_one(self, placed: PlacedStep) -> None:
        self._wait_for_names(placed)
        performing = self._begin(placed)
        while not performing.done and not (performing.pending and not performing.reason):
            if not self._pump(performing.deadline_s) and time.monotonic() >= performing.deadline_s:
                self._expire(performing)
        if performing.done and performing.reason:
            raise Failed
        self._check_pending()

    def _begin(self, placed: PlacedStep) -> Performing:
        number = self._next()
        try:
            step = placed.settle(self._scope)
        except ScenarioError as error:
            mistake = error.mistakes[0]
            self._say(number, placed, None, "failed", f"{mistake.path}:{mistake.line}: {mistake.message}")
            raise Failed from None
        performing = Performing(number, placed, step, step.perform(self._scope))
        for name in placed.makes:
            self._named[name] = performing
        self._advance(performing, None)
        return performing

    def _next(self) -> int:
        self._number += 1
        return self._number

    # -- commands ----------------------------------------------------------------------------------------------------

    def _advance(self, performing: Performing, outcome: Outcome | None) -> None:
        """Send an outcome into the step and carry out what it asks for next."""
        try:
            command = performing.performance.send(outcome) if outcome else next(performing.performance)
        except StopIteration as stop:
            self._finish(performing, stop.value)
        except Unmet as unmet:
            self._fail(performing, str(unmet))
        else:
            self._carry_out(performing, command)

    def _carry_out(self, performing: Performing, command: Command) -> None:
        performing.command = command
        performing.began_ns = time.time_ns()
        performing.deadline_s = time.monotonic() + performing.step.limit_ns / 1e9
        match command:
            case Call() | Run() | ReadState():
                self._post(performing, command)
            case Poll(command=inner):
                performing.pause_s = POLL_FIRST_S
                self._post(performing, inner)
            case Sleep(ns):
                performing.deadline_s = time.monotonic() + (ns + PATIENCE_NS) / 1e9
                heapq.heappush(self._timers, (time.monotonic() + ns / 1e9, performing.number, performing))
            case Await(name):
                self._await(performing, name)
            case Attempt(steps, within_ns):
                self._advance(performing, self._attempt(steps, within_ns))

    def _post(self, performing: Performing, command: Call | Run | ReadState) -> None:
        if isinstance(command, Run):
            command = replace(command, environment={**self._environments[command.host], **command.environment})
        performing.call = command
        performing.asleep_ns = None
        performing.identifier = self._channels[command.host].post(calls.request_of(command))
        self._asked[command.host, performing.identifier] = performing

    def _await(self, performing: Performing, name: str) -> None:
        awaited = self._named.get(name)
        if awaited is None:
            self._fail(performing, f"no call named {name} was ever made")
        elif awaited.done:
            self._hand_over(awaited, performing)
        else:
            awaited.waiters.append(performing)

    def _attempt(self, steps: Sequence[PlacedStep], within_ns: int) -> Outcome:
        """Play the steps until none fails; a try that has begun is played to its end."""
        began_ns = time.time_ns()
        deadline_s = time.monotonic() + within_ns / 1e9
        while True:
            self._trying += 1
            first = self._number + 1
            try:
                for placed in steps:
                    self._play_one(placed)
            except Failed as failed:
                if time.monotonic() < deadline_s:
                    self._pump_until(time.monotonic() + POLL_LAST_S)
                    continue
                text = str(failed) or f"steps {first} to {self._number} did not hold within the time"
                return Outcome(began_ns, time.time_ns(), failure=Failure("Unmet", None, self._last_reason or text))
            finally:
                self._trying -= 1
            return Outcome(began_ns, time.time_ns(), value=True)

    _last_reason = ""

    # -- what comes back -----------------------------------------------------------------------------------------------

    def _pump(self, deadline_s: float) -> bool:
        """Handle what comes next, waiting for it until the deadline (monotonic seconds); False when nothing came."""
        handled = self._receive_queued()
        if handled:
            return True
        now = time.monotonic()
        due = min(deadline_s, self._timers[0][0] if self._timers else deadline_s)
        for descriptor, _ in self._poll.poll(max(0.0, (due - now) * 1000)):
            host = self._by_descriptor[descriptor]
            for message in self._channels[host].receive():
                self._handle(host, message)
                handled = True
        return self._ring_timers() or handled

    def _receive_queued(self) -> bool:
        """Handle messages that a channel read while somebody waited for another one."""
        handled = False
        for host, channel in self._channels.items():
            for message in channel.queued():
                self._handle(host, message)
                handled = True
        return handled

    def _pump_until(self, deadline_s: float) -> None:
        while time.monotonic() < deadline_s:
            self._pump(deadline_s)

    def _ring_timers(self) -> bool:
        rang = False
        while self._timers and self._timers[0][0] <= time.monotonic():
            performing = heapq.heappop(self._timers)[2]
            rang = True
            match performing.command:
                case Poll(command=inner) if not performing.done:
                    self._post(performing, inner)
                case Sleep() if not performing.done:
                    self._advance(performing, Outcome(performing.began_ns, time.time_ns()))
        return rang

    def _handle(self, host: str, message: dict[str, Any]) -> None:
        performing = self._asked.get((host, message.get("id", -1)))
        if performing is None:
            return
        if "asleep" in message and "syscall" in message:
            self._fell_asleep(performing, message["asleep"])
            return
        del self._asked[host, message["id"]]
        if "malformed" in message:
            self._fail(performing, f"the agent of {host} did not take the request: {message['malformed']}")
            return
        if performing.done:
            self._record(performing, message)
            return
        self._returned(performing, message)

    def _fell_asleep(self, performing: Performing, at_ns: int) -> None:
        performing.asleep_ns = at_ns
        if performing.step.blocks != "no" and not performing.pending:
            performing.pending = True
            self._pending[performing.number] = performing
            self._say(performing.number, performing.placed, performing, "pending")

    def _returned(self, performing: Performing, reply: dict[str, Any]) -> None:
        self._record(performing, reply)
        assert performing.call is not None
        outcome = calls.outcome_of(reply, performing.asleep_ns)
        performing.outcome = outcome
        if isinstance(performing.command, Poll) and not performing.command.until(outcome):
            if time.monotonic() < performing.deadline_s:
                performing.pause_s = min(performing.pause_s * 1.5, POLL_LAST_S)
                due_s = time.monotonic() + performing.pause_s
                heapq.heappush(self._timers, (due_s, performing.number, performing))
                return
        for thing in calls.things_of(performing.call, reply):
            self._scope.things[thing.name] = thing
        if performing.step.blocks != "no" and not performing.pending:
            self._fail(performing, f"it did not block: it returned {_spelled(outcome)} at once")
            return
        if performing.step.blocks == "forever":
            self._fail(performing, f"it should have blocked to the end, and returned {_spelled(outcome)}")
            return
        self._advance(performing, outcome)

    def _record(self, performing: Performing, reply: dict[str, Any]) -> None:
        """Keep what a reply says happened; of a poll only what it came to in the end matters, and states always do."""
        call = performing.call
        if isinstance(call, ReadState):
            state = (reply.get("value") or {}).get("state", "unknown")
            at_ns = reply.get("ended", time.time_ns())
            record = StateRecord(performing.number, call.host, call.of, state, at_ns)
            if not isinstance(performing.command, Poll) or performing.command.until(calls.outcome_of(reply, None)):
                self._keep(record)
        elif call is not None:
            made = calls.record_of(performing.number, call, performing.began_ns, performing.asleep_ns, reply)
            performing.records.append(made)
            self._keep(made)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _finish(self, performing: Performing, value: Any) -> None:
        for name in performing.placed.makes:
            if name not in self._scope.things:
                self._scope.values[name] = value
        self._end(performing, "passed", "")

    def _fail(self, performing: Performing, reason: str) -> None:
        self._last_reason = reason
        self._end(performing, "again" if self._trying else "failed", reason)

    def _end(self, performing: Performing, status: StepStatus, reason: str) -> None:
        performing.done = True
        performing.reason = reason
        performing.performance.close()
        self._pending.pop(performing.number, None)
        self._say(performing.number, performing.placed, performing, status, reason)
        for waiter in performing.waiters:
            if not waiter.done:
                self._hand_over(performing, waiter)

    def _hand_over(self, awaited: Performing, waiter: Performing) -> None:
        if awaited.outcome is None:
            self._fail(waiter, f"step {awaited.number} ({awaited.step.text()}) never made its call")
        else:
            self._advance(waiter, awaited.outcome)

    def _expire(self, performing: Performing) -> None:
        """The step's time is over and nothing came."""
        if performing.done:
            return
        if isinstance(performing.command, Poll) and performing.outcome is not None:
            self._advance(performing, performing.outcome)
            return
        seconds = performing.step.limit_ns / 1e9
        match performing.command:
            case Await(name):
                self._fail(performing, f"{name} has not returned after {seconds:g} s")
            case _ if performing.step.blocks != "no":
                self._fail(performing, f"it was never seen asleep in the kernel, and has not returned after {seconds:g} s")
            case _:
                self._fail(performing, f"it has not returned after {seconds:g} s")

    def _say(
        self, number: int, placed: PlacedStep, performing: Performing | None, status: StepStatus, reason: str = ""
    ) -> None:
        place = placed.place
        step = performing.step if performing else None
        record = StepRecord(
            number=number,
            at_ns=time.time_ns(),
            path=place.path,
            line=place.line,
            host=step.host if step else placed.host,
            verb=placed.verb,
            text=step.text() if step else placed.verb,
            status=status,
            reason=reason,
            section=placed.section,
        )
        self._keep(record)
        self._watcher.step(record, tuple(performing.records) if performing else ())

    # -- names and pending calls -----------------------------------------------------------------------------------------

    def _known(self, name: str) -> bool:
        scope = self._scope
        return name in scope.things or name in scope.values or name in scope.interfaces

    def _wait_for_names(self, placed: PlacedStep) -> None:
        """Wait for the names that pending calls will make."""
        for name in placed.uses:
            maker = self._named.get(name)
            if self._known(name) or maker is None:
                continue
            deadline_s = time.monotonic() + PATIENCE_NS / 1e9
            while not maker.done:
                if not self._pump(deadline_s) and time.monotonic() >= deadline_s:
                    reason = f"{name} does not exist yet: step {maker.number} ({maker.step.text()}) is still waiting"
                    self._say(self._next(), placed, None, "again" if self._trying else "failed", reason)
                    raise Failed
            self._check_pending()

    def _check_pending(self) -> None:
        """A pending call that came back wrong ends the steps too."""
        for performing in self._named.values():
            if performing.pending and performing.done and performing.reason:
                performing.pending = False
                raise Failed

    def _finish_pending(self) -> None:
        """Calls still pending when the steps end: waited for, but `forever` must be asleep still."""
        deadline_s = time.monotonic() + PATIENCE_NS / 1e9
        for performing in list(self._pending.values()):
            if performing.step.blocks == "forever":
                self._still_asleep(performing)
                continue
            while not performing.done:
                if not self._pump(deadline_s) and time.monotonic() >= deadline_s:
                    self._fail(performing, f"it was still waiting {PATIENCE_NS / 1e9:g} s after the last step")
        self._check_pending()

    def _still_asleep(self, performing: Performing) -> None:
        call = performing.call
        assert call is not None
        value = self._channels[call.host].ask(do="asleep", of=performing.identifier)
        self._pump_until(time.monotonic())
        if performing.done:
            return
        if value:
            self._end(performing, "passed", "")
        else:
            self._fail(performing, "it is no longer asleep in the kernel")


def _spelled(outcome: Outcome) -> str:
    if outcome.failure:
        return outcome.failure.errno or outcome.failure.type
    return repr(outcome.value)
