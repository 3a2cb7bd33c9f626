"""A lab made ready to be played on, and what it has recorded brought home when the play is over.

Between a lab that is up and the stage: hosts set up, faults and captures begun, in the order that keeps both whole.
What is played, and how a play ends, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import stackless, translating
from lab.engine import Lab
from lab.faults.striking import Kinds
from lab.topology import Host, Topology
from runner import capturing, rundir, strikes
from runner.changes import Changes
from runner.history import Keep
from runner.performing import Watcher
from runner.recorder import Recorder
from runner.rundir import CaptureInfo, FaultInfo
from runner.scenario import Scenario
from runner.scope import Scope
from runner.sniffing import Sniffer
from runner.stage import Stage
from runner.strikes import Strikes


@dataclass(frozen=True)
class Foresight:
    """What has to be ready before the first step.

    `captured` are the hosts that capture; `kinds` says what of each host's traffic takes the detour for faults;
    `relative` whether some fault means frames by numbers relative to their connection.
    """

    captured: tuple[str, ...]
    kinds: Mapping[str, Kinds] = field(default_factory=dict)
    relative: bool = False


def foresight_of(scenario: Scenario) -> Foresight:
    """What the steps and expectations of a scenario need."""
    steps = [*scenario.steps, *scenario.finally_]
    hosts = [host.name for host in scenario.topology.hosts]
    captured = capturing.capturing_hosts(scenario)
    return Foresight(captured, strikes.plan(steps, hosts), strikes.are_relative(steps))


def foresight_of_all(topology: Topology, *, faults: bool) -> Foresight:
    """The same where nobody knows the steps before: captures everywhere, and any fault if there may be one."""
    hosts = tuple(host.name for host in topology.hosts)
    return Foresight(hosts, dict.fromkeys(hosts, strikes.EVERYTHING) if faults else {}, faults)


@dataclass
class Staged:
    """A lab that is ready; `captures` and `faults` say in the end what was seen."""

    lab: Lab
    scope: Scope
    stage: Stage
    keep: Keep
    _recorder: Recorder
    _strikes: Strikes
    captures: dict[str, CaptureInfo] = field(default_factory=dict)
    faults: dict[str, FaultInfo] = field(default_factory=dict)

    def write_down(self, folder: Path) -> int:
        """Wait for quiet, then write what was captured and what faults did; returns until when (CLOCK_REALTIME)."""
        at_ns = self._recorder.settle()
        self._strikes.take_down()
        self._write(folder)
        return at_ns

    def _write(self, folder: Path) -> None:
        self._recorder.write(folder / rundir.CAPTURE)
        self.captures |= {host: seen.info() for host, seen in self._recorder.captures.items()}

    def _end(self, folder: Path) -> None:
        self._strikes.release()
        self._recorder.end(self._recorder.settle())
        self.faults |= self._strikes.end()
        self._write(folder)


@contextmanager
def staged(lab: Lab, folder: Path, foresight: Foresight, keep: Keep, watcher: Watcher) -> Iterator[Staged]:
    """Make a lab ready; on leaving, whatever happened, what was captured is in `folder`.

    Raises Unsupported where a host cannot have faults, and LabError where it cannot capture.
    """
    topology = lab.topology
    hosts = [host.name for host in topology.hosts]
    for host in topology.hosts:
        _set_up(lab, host)
    striking = Strikes(lab, foresight.kinds, keep, relative=foresight.relative)
    striking.begin()
    left_out = [host for host in hosts if host not in foresight.captured]
    recorder = Recorder(lab, foresight.captured, striking.processes, left_out=left_out)
    recorder.begin()
    for host in topology.hosts:
        _restrict(lab, host)
    scripted = frozenset(host.name for host in topology.hosts if host.scripted)
    scope = Scope({host: lab.interfaces(host) for host in hosts}, scripted=scripted)
    made = Changes(lab, striking, recorder, keep, _preparation(lab))
    stage = Stage(lab, scope, keep, watcher, Sniffer(recorder, scope.interfaces), made)
    missing = CaptureInfo(missing=capturing.NOT_NAMED, left_out=True)
    found = Staged(lab, scope, stage, keep, recorder, striking, dict.fromkeys(left_out, missing))
    try:
        yield found
    finally:
        stage.close()
        made.resume_all()
        found._end(folder)


def _preparation(lab: Lab) -> Callable[[str], None]:
    """What makes a host that was started again what the scenario says that it is."""

    def prepare(name: str) -> None:
        host = lab.topology.host(name)
        _set_up(lab, host)
        _restrict(lab, host)

    return prepare


def _set_up(lab: Lab, host: Host) -> None:
    """Make a host what the engine does not: one without a stack, one that rewrites addresses."""
    stackless.begin_in(lab, host)
    translating.begin_in(lab, host)


def _restrict(lab: Lab, host: Host) -> None:
    """Let the scenario's own calls on a host do no more than it says."""
    if host.capabilities is not None or host.user is not None:
        capabilities = None if host.capabilities is None else list(host.capabilities)
        lab.agent(host.name).ask(do="privileges", capabilities=capabilities, user=host.user)
