"""The only code that carries commands out: plays steps on a lab, in order, and writes down what happened.

A step is a generator that yields commands and is sent their outcomes. The stage posts requests to agents,
waits, keeps pending calls apart, and makes names known when what they name exists. It judges nothing: steps
say `Unmet`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lab.engine import Lab
from runner import calls, commands
from runner.changes import Changes
from runner.commands import Attempt, Await, Command, Failure, Outcome, Poll, Run, Sleep, SniffPacket
from runner.errors import ScenarioError, Unmet
from runner.exchange import Event, Exchange
from runner.history import Keep, StepStatus
from runner.performing import (
    Performing,
    Watcher,
    overdue,
    patience_s,
    polls_on,
    record_of_reply,
    record_of_step,
    unanswered,
)
from runner.scenario import PlacedStep
from runner.scope import Scope
from runner.sniffing import Sniffer
from runner.steps.base import PATIENCE_NS

POLL_FIRST_S, POLL_LAST_S = 0.001, 0.02
"""The first and the longest pause between two tries of a `Poll`."""


class Failed(Exception):
    """A step failed, as its record and this say: `steps` end here."""


class Stage:
    """Plays steps on a lab. One thread; the agents do the waiting."""

    def __init__(
        self, lab: Lab, scope: Scope, keep: Keep, watcher: Watcher, sniffer: Sniffer, changes: Changes
    ) -> None:
        self._lab, self._scope = lab, scope
        self._sniffer, self._changes = sniffer, changes
        self._keep, self._watcher = keep, watcher
        self._exchange: Exchange[Performing] = Exchange({host: lab.agent(host) for host in scope.interfaces})
        self._pending: list[Performing] = []
        self._makers: dict[str, Performing] = {}
        self._number = 0
        self._trying = 0
        self._last_reason = ""

    # Playing

    def play(self, steps: Iterable[PlacedStep]) -> bool:
        """Play the steps in order, then wait for pending calls; False where one failed (its record says why).

        Raises LabError when a host or the lab is gone.
        """
        try:
            for placed in steps:
                self.perform(placed)
            self.finish()
        except Failed:
            return False
        return True

    def play_always(self, steps: Iterable[PlacedStep]) -> bool:
        """Play each of the `finally` steps, whatever happened; those whose names were never made are skipped."""
        held = True
        for placed in steps:
            missing = [name for name in placed.uses if not self._scope.knows(name)]
            idle = self._changes.why_idle(placed.host)
            if idle or missing:
                self._say(self._next(), placed, None, "skipped", idle or f"{missing[0]} was never made")
                continue
            try:
                self.perform(placed)
            except Failed:
                held = False
        return held

    def close(self) -> None:
        """Write down the calls that never returned."""
        for record in unanswered(self._exchange.unanswered()):
            self._keep(record)

    def perform(self, placed: PlacedStep) -> Performing:
        """Play one step until it has ended, or is seen asleep where it says so; raises Failed, LabError."""
        self._wait_for_names(placed)
        performing = self._begin(placed)
        while not performing.done and not performing.pending:
            if not self._pump(performing.deadline_s) and time.monotonic() >= performing.deadline_s:
                self._expire(performing)
        if performing.reason:
            raise Failed(performing.reason)
        self._check_pending()
        return performing

    def _begin(self, placed: PlacedStep) -> Performing:
        number = self._next()
        try:
            step = placed.settle(self._scope)
        except ScenarioError as error:
            raise self._refused(number, placed, error.mistakes[0].message) from None
        if idle := self._changes.why_idle(step.host):
            raise self._refused(number, placed, idle)
        performing = Performing(number, placed, step, step.perform(self._scope))
        for name in placed.makes:
            self._makers[name] = performing
        self._advance(performing, None)
        return performing

    def _refused(self, number: int, placed: PlacedStep, reason: str) -> Failed:
        """Say that a step failed before it could begin."""
        self._last_reason = reason
        self._say(number, placed, None, self._failed(), reason)
        return Failed(reason)

    def _next(self) -> int:
        self._number += 1
        return self._number

    # Commands

    def _advance(self, performing: Performing, outcome: Outcome | None) -> None:
        """Send an outcome into the step and carry out what it asks for next."""
        try:
            command = performing.performance.send(outcome) if outcome else next(performing.performance)
        except StopIteration as stop:
            self._finish(performing, stop.value)
        except Unmet as unmet:
            self._end(performing, str(unmet))
        else:
            self._carry_out(performing, command)

    def _carry_out(self, performing: Performing, command: Command) -> None:
        performing.command = command
        performing.began_ns = time.time_ns()
        performing.deadline_s = time.monotonic() + patience_s(performing.step, command)
        match command:
            case SniffPacket():
                performing.pause_s = POLL_FIRST_S
                self._sniff(performing, command)
            case Poll(command=inner):
                performing.pause_s = POLL_FIRST_S
                self._post(performing, inner)
            case Sleep(ns):
                performing.deadline_s = time.monotonic() + (ns + PATIENCE_NS) / 1e9
                self._exchange.wake(time.monotonic() + ns / 1e9, performing)
            case Await(name):
                self._await(performing, name)
            case Attempt(steps, within_ns):
                self._advance(performing, self._attempt(steps, within_ns))
            case commands.Call() | Run() | commands.SendPacket() | commands.ReadState():
                self._post(performing, command)
            case _:
                self._change(performing, command)

    def _change(self, performing: Performing, command: commands.Change) -> None:
        """Do something to the lab; calls that a killed host has pending are gone with it."""
        self._pump_until(time.monotonic())  # what has come by now came before
        outcome = self._changes.carry_out(command)
        restarted = {command.host} if isinstance(command, commands.RestartHost) else set()
        for host in self._changes.killed | restarted:
            asked = self._exchange.leave(host)
            for record in unanswered(asked):
                self._keep(record)
            for one in asked:
                if not one.done:
                    self._end(one, f"host {host} was killed while this call waited", gone=True)
        for host in restarted:
            self._exchange.join(host, self._lab.agent(host))
        self._advance(performing, outcome)

    def _post(self, performing: Performing, command: calls.Asked) -> None:
        if isinstance(command, Run):
            environment = self._lab.topology.host(command.host).environment
            command = replace(command, environment={**environment, **command.environment})
        performing.call = command
        performing.asleep_ns = None
        performing.identifier = self._exchange.post(command.host, calls.request_of(command), performing)

    def _sniff(self, performing: Performing, command: SniffPacket) -> None:
        """Look for the packet; while it has not come, look again soon."""
        try:
            found = self._sniffer.take(command)
        except Unmet as unmet:
            self._end(performing, str(unmet))
            return
        if found is None and time.monotonic() < performing.deadline_s:
            self._pause(performing)
            return
        performing.call = command
        reply = calls.sniffed(performing.began_ns, time.time_ns(), found)
        self._record(performing, reply)
        performing.outcome = replace(calls.outcome_of(reply, None), value=found)
        self._advance(performing, performing.outcome)

    def _await(self, performing: Performing, name: str) -> None:
        awaited = self._makers.get(name)
        if awaited is None:
            self._end(performing, f"no call named {name} was ever made")
        elif awaited.done:
            self._hand_over(awaited, performing)
        else:
            awaited.waiters.append(performing)

    def _hand_over(self, awaited: Performing, waiter: Performing) -> None:
        if awaited.outcome is None:
            never = f"step {awaited.number} ({awaited.step.text()}) never made its call"
            self._end(waiter, awaited.reason if awaited.pending else never)
        else:
            self._advance(waiter, awaited.outcome)

    def _attempt(self, steps: Sequence[PlacedStep], within_ns: int) -> Outcome:
        """Play the steps again until none fails; a try that has begun is played to its end."""
        began_ns = time.time_ns()
        deadline_s = time.monotonic() + within_ns / 1e9
        while not self._try(steps):
            if time.monotonic() >= deadline_s:
                return Outcome(began_ns, time.time_ns(), failure=Failure("Unmet", None, self._last_reason))
            self._pump_until(time.monotonic() + POLL_LAST_S)
        return Outcome(began_ns, time.time_ns(), value=True)

    def _try(self, steps: Sequence[PlacedStep]) -> bool:
        self._trying += 1
        try:
            for placed in steps:
                self.perform(placed)
        except Failed:
            return False
        finally:
            self._trying -= 1
        return True

    # What comes back

    def _pump(self, deadline_s: float) -> bool:
        """Handle what comes next, waiting for it until the deadline (monotonic seconds); False when nothing came."""
        events = self._exchange.wait(deadline_s)
        for event in events:
            self._handle(event)
        return bool(events)

    def _pump_until(self, deadline_s: float) -> None:
        while True:
            self._pump(deadline_s)
            if time.monotonic() >= deadline_s:
                return

    def _handle(self, event: Event[Performing]) -> None:
        performing = event.token
        if event.message is None:
            if not performing.done:
                self._ring(performing)
        elif event.is_notice:
            self._fell_asleep(performing, event.message["asleep"])
        elif performing.done:
            self._record(performing, event.message)
        elif "malformed" in event.message:
            self._end(performing, f"the host's agent did not take the request: {event.message['malformed']}")
        else:
            self._returned(performing, event.message)

    def _ring(self, performing: Performing) -> None:
        match performing.command:
            case Poll(command=inner):
                self._post(performing, inner)
            case SniffPacket() as command:
                self._sniff(performing, command)
            case Sleep():
                self._advance(performing, Outcome(performing.began_ns, time.time_ns()))

    def _fell_asleep(self, performing: Performing, at_ns: int) -> None:
        performing.asleep_ns = at_ns
        if performing.blocks != "no" and not performing.done:
            performing.pending = True
            self._pending.append(performing)
            self._say(performing.number, performing.placed, performing, "pending")

    def _returned(self, performing: Performing, reply: dict[str, Any]) -> None:
        self._record(performing, reply)
        assert performing.call is not None
        outcome = performing.outcome = calls.outcome_of(reply, performing.asleep_ns)
        if polls_on(performing, outcome):
            self._pause(performing)
            return
        for thing in calls.things_of(performing.call, reply):
            self._scope.things[thing.name] = thing
        if performing.blocks != "no" and not performing.pending:
            self._end(performing, f"it did not block: it returned {calls.spelled(outcome)} at once")
        elif performing.blocks == "forever":
            self._end(performing, f"it should have blocked to the end, and returned {calls.spelled(outcome)}")
        else:
            self._advance(performing, outcome)

    def _pause(self, performing: Performing) -> None:
        performing.pause_s = min(performing.pause_s * 1.5, POLL_LAST_S)
        self._exchange.wake(time.monotonic() + performing.pause_s, performing)

    def _record(self, performing: Performing, reply: dict[str, Any]) -> None:
        record = record_of_reply(performing, reply)
        if record is not None:
            self._keep(record)

    # Ends

    def _finish(self, performing: Performing, value: Any) -> None:
        performing.value = value
        for name in performing.placed.makes:
            if name not in self._scope.things:
                self._scope.values[name] = value
        self._end(performing, "")

    def _end(self, performing: Performing, reason: str, gone: bool = False) -> None:
        """The step is over: passed without a reason, else failed, unless its host is gone."""
        performing.done = True
        performing.reason = reason
        performing.performance.close()
        if performing in self._pending and (gone or not reason):
            self._pending.remove(performing)
        self._last_reason = reason or self._last_reason
        status: StepStatus = "gone" if gone else "passed" if not reason else self._failed()
        self._say(performing.number, performing.placed, performing, status, reason)
        for waiter in performing.waiters:
            if not waiter.done:
                self._hand_over(performing, waiter)

    def _failed(self) -> StepStatus:
        return "again" if self._trying else "failed"

    def _expire(self, performing: Performing) -> None:
        """The step's time is over and nothing came."""
        match performing.command:
            case Poll() if performing.outcome is not None:
                self._advance(performing, performing.outcome)
            case SniffPacket() as command:
                self._sniff(performing, command)
            case _:
                self._end(performing, overdue(performing))

    def _say(
        self, number: int, placed: PlacedStep, by: Performing | None, status: StepStatus, reason: str = ""
    ) -> None:
        record = record_of_step(number, placed, by.step if by else None, status, reason)
        self._keep(record)
        self._watcher.step(record, tuple(by.records) if by else ())

    # Names and pending calls

    def _wait_for_names(self, placed: PlacedStep) -> None:
        """Wait for the names that pending calls will make."""
        for name in placed.uses:
            maker = self._makers.get(name)
            if maker is None or self._scope.knows(name):
                continue
            deadline_s = time.monotonic() + PATIENCE_NS / 1e9
            while not maker.done:
                if not self._pump(deadline_s) and time.monotonic() >= deadline_s:
                    waiting = f"step {maker.number} ({maker.step.text()}) is still waiting"
                    raise self._refused(self._next(), placed, f"{name} does not exist yet: {waiting}")
            self._check_pending()

    def _check_pending(self) -> None:
        """A pending call that came back wrong ends the steps too."""
        wrong = [performing for performing in self._pending if performing.done]
        for performing in wrong:
            self._pending.remove(performing)
        if wrong:
            raise Failed(wrong[0].reason)

    def finish(self) -> None:
        """Wait for the calls still pending when the steps end; `forever` must be asleep still. Raises Failed."""
        deadline_s = time.monotonic() + PATIENCE_NS / 1e9
        for performing in list(self._pending):
            if performing.step.blocks == "forever":
                self._still_asleep(performing)
                continue
            while not performing.done:
                if not self._pump(deadline_s) and time.monotonic() >= deadline_s:
                    self._end(performing, f"it was still waiting {PATIENCE_NS / 1e9:g} s after the last step")
        self._check_pending()

    def _still_asleep(self, performing: Performing) -> None:
        assert performing.call is not None
        host = performing.call.host
        stopped = host in self._changes.paused  # as it was when it was paused
        asleep = stopped or self._lab.agent(host).ask(do="asleep", of=performing.identifier)
        self._pump_until(time.monotonic())
        if not performing.done:
            self._end(performing, "" if asleep else "it is no longer asleep in the kernel")
