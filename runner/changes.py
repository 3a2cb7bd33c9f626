"""What is done to a lab in one play: hosts paused, resumed and killed, links taken down and up, faults begun and ended.

Between the stage and the lab: does each in the order that keeps captures and faults whole, and keeps a record of it.
What it means for calls that wait is the stage's affair.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator

from lab.engine import Interface, Kills, Lab, Pauses, Restarts
from lab.errors import LabError, Unsupported
from lab.links import Links
from runner.commands import (
    BeginFault,
    Change,
    EndFault,
    Failure,
    HostCommand,
    KillHost,
    Outcome,
    PauseHost,
    RestartHost,
    ResumeHost,
    SetLink,
)
from runner.history import HostRecord, Keep
from runner.placing import PlacedStep
from runner.recorder import Recorder
from runner.strikes import Strikes

_ABILITIES: tuple[tuple[str, type, str], ...] = (
    ("pause", Pauses, "cannot stop the programs of a host"),
    ("kill", Kills, "cannot end a host"),
    ("restart", Restarts, "cannot begin a host anew in a lab that is up"),
)


def check(steps: Iterable[PlacedStep], lab: Lab, engine: str) -> None:
    """Raise Unsupported where these steps need of a lab what it cannot do to its hosts."""
    verbs = set(_verbs(steps))
    for verb, ability, lacks in _ABILITIES:
        if verb in verbs and not isinstance(lab, ability):
            raise Unsupported(f"{verb}: the {engine} engine {lacks}")


def _verbs(steps: Iterable[PlacedStep]) -> Iterator[str]:
    for placed in steps:
        yield placed.verb
        yield from _verbs(placed.source.inner)


class Changes:
    """Changes to one lab; `killed` and `paused` are the hosts that are. Faults are begun and ended by `strikes`.

    `prepare` makes a host that was started again what the scenario says that it is.
    """

    def __init__(
        self, lab: Lab, strikes: Strikes, recorder: Recorder, keep: Keep, prepare: Callable[[str], None]
    ) -> None:
        self._lab, self._strikes, self._recorder, self._keep = lab, strikes, recorder, keep
        self._prepare = prepare
        self._links = Links(lab)
        self.killed: set[str] = set()
        self.paused: set[str] = set()

    def why_idle(self, host: str | None) -> str:
        """Why a host can play no step now, or nothing."""
        if host in self.killed:
            return f"host {host} was killed: nothing of it is left to do this"
        if host in self.paused:
            return f"host {host} is paused: it can do nothing until it is resumed"
        return ""

    def _why_paused(self, host: str) -> str:
        return self.why_idle(host) if host in self.paused else ""

    def carry_out(self, command: Change) -> Outcome:
        """Do it; the outcome is a failure where the scenario asks for what cannot be. Raises LabError."""
        if isinstance(command, BeginFault | EndFault):
            return self._strikes.carry_out(command, self._why_paused)
        began_ns = time.time_ns()
        problem = self._do(command)
        failure = Failure("ValueError", None, problem) if problem else None
        return Outcome(began_ns, time.time_ns(), failure=failure)

    def _do(self, command: HostCommand) -> str:
        host = command.host
        if host in self.killed and not isinstance(command, RestartHost):
            return f"host {host} was killed before"
        match command:
            case PauseHost():
                return self._pause(host)
            case ResumeHost():
                return self._resume(host)
            case KillHost():
                return self._kill(host)
            case SetLink(_, up, network):
                return self._set_link(host, up, network)
            case RestartHost():
                return self._restart(host)

    def _pause(self, host: str) -> str:
        assert isinstance(self._lab, Pauses)
        if host in self.paused:
            return f"host {host} is paused already"
        self._lab.pause(host)
        self.paused.add(host)
        self._keep(HostRecord(host, "paused", time.time_ns()))
        return ""

    def _resume(self, host: str) -> str:
        assert isinstance(self._lab, Pauses)
        if host not in self.paused:
            return f"host {host} is not paused"
        self._keep(HostRecord(host, "resumed", time.time_ns()))
        self._lab.resume(host)
        self.paused.discard(host)
        return ""

    def _kill(self, host: str) -> str:
        """Off the networks first: what was captured until then is all that there will ever be, and is fetched now."""
        assert isinstance(self._lab, Kills)
        if host not in self.paused:
            self._strikes.settle(host)
        self._lab.cut(host)
        at_ns = time.time_ns()
        self._keep(HostRecord(host, "killed", at_ns))
        if host in self.paused:  # its agent must answer once more; nobody else hears of it
            assert isinstance(self._lab, Pauses)
            self._lab.resume(host)
            self.paused.discard(host)
        self._recorder.seal(host, at_ns)
        self._strikes.leave(host)
        self.killed.add(host)
        self._lab.kill(host)
        return ""

    def _restart(self, host: str) -> str:
        """Killed, if it is not yet, and begun anew: what strikes it and what captures it are there before it acts."""
        assert isinstance(self._lab, Restarts)
        if host not in self.killed:
            self._kill(host)
        self._lab.restart(host)
        self._strikes.rejoin(host)
        self._recorder.begin_again(host)
        self._prepare(host)
        self._lab.join(host)
        self.killed.discard(host)
        self._keep(HostRecord(host, "restarted", time.time_ns()))
        return ""

    def _set_link(self, host: str, up: bool, network: str | None) -> str:
        if host in self.paused:
            return self.why_idle(host)
        ends = [end for end in self._lab.interfaces(host) if network in (None, end.network)]
        if not ends:
            return self._no_link(host, network, self._lab.interfaces(host))
        if not up:
            self._strikes.settle(host)
        for end in ends:
            at_ns = self._links.set(host, end.name, up=up)
            self._keep(HostRecord(host, f"link {'up' if up else 'down'}", at_ns, end.name, end.network))
        return ""

    @staticmethod
    def _no_link(host: str, network: str | None, ends: tuple[Interface, ...]) -> str:
        if network is None:
            return f"host {host} has no link"
        return f"host {host} has no link to {network} (but to {', '.join(end.network for end in ends)})"

    def resume_all(self) -> None:
        """Resume whatever is still paused: a paused host cannot hand over its capture."""
        for host in sorted(self.paused):
            with contextlib.suppress(LabError):  # its capture will be missing, with the reason
                self._resume(host)
