"""One scenario played on one engine into one run directory.

Brings up the lab, lets the stage play, drains the captures, and writes everything down, also when something
broke. What it all means is judged from the directory, elsewhere.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lab import stackless, translating
from lab.engine import Engine, Interface, Lab
from lab.errors import LabError, Unsupported
from lab.topology import Host
from runner import capturing, changes, history, requirements, rundir
from runner.changes import Changes
from runner.history import Record
from runner.performing import Watcher
from runner.recorder import Recorder
from runner.rundir import CaptureInfo, Ending, FaultInfo, RunInfo
from runner.scenario import Scenario
from runner.scope import Scope
from runner.sniffing import Sniffer
from runner.stage import Stage
from runner.strikes import Strikes, are_relative, plan


@dataclass
class _Play:
    """What is known of a play so far; becomes its RunInfo."""

    scenario: Scenario
    engine: str
    started_ns: int
    ending: Ending = "completed"
    problem: str = ""
    interfaces: tuple[Interface, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    captures: dict[str, CaptureInfo] = field(default_factory=dict)
    faults: dict[str, FaultInfo] = field(default_factory=dict)
    records: int = 0

    def info(self) -> RunInfo:
        scenario = self.scenario
        return RunInfo(
            name=scenario.name,
            scenario=scenario.path,
            engine=self.engine,
            started_ns=self.started_ns,
            ended_ns=time.time_ns(),
            ending=self.ending,
            problem=self.problem,
            case=dict(scenario.case),
            interfaces=self.interfaces,
            captures=self.captures,
            facts=self.facts,
            includes=dict(scenario.includes),
            faults=self.faults,
            records=self.records,
        )


def play(
    scenario: Scenario,
    engine: Engine,
    folder: Path,
    *,
    watcher: Watcher,
    keep: Callable[[Lab], None] | None = None,
) -> RunInfo:
    """Play a scenario and leave its run in `folder`, which must exist and be empty.

    `keep` is called with the lab after the capture was written and before the lab goes down.

    A lab that breaks is told in the returned RunInfo (`broken` and the problem), so is an interruption.
    Raises Unsupported when engine or kernel lacks what the scenario needs, and LabError when the run could
    not even be written.
    """
    playing = _Play(scenario, engine.name, time.time_ns())
    with _writing(folder):
        (folder / rundir.SCENARIO).write_text(scenario.text, encoding="utf-8")
        with (folder / rundir.HISTORY).open("w", encoding="utf-8", buffering=1) as records:
            try:
                with engine.up(scenario.topology, logs=folder) as lab:
                    _play_on(lab, playing, folder, records, watcher)
                    rundir.write_info(folder, playing.info())
                    if keep is not None:
                        keep(lab)
            except Unsupported:
                raise
            except LabError as error:
                playing.ending, playing.problem = "broken", playing.problem or str(error)
            except KeyboardInterrupt:
                playing.ending = "interrupted"
        info = playing.info()
        rundir.write_info(folder, info)
        return info


def _play_on(lab: Lab, playing: _Play, folder: Path, records: TextIO, watcher: Watcher) -> None:
    scenario = playing.scenario
    hosts = [host.name for host in scenario.topology.hosts]
    playing.interfaces = tuple(end for host in hosts for end in lab.interfaces(host))
    playing.facts = dict(lab.facts())
    requirements.check_hosts(scenario.requires, lab)
    steps = [*scenario.steps, *scenario.finally_]
    changes.check(steps, lab, playing.engine)
    for host in scenario.topology.hosts:
        _set_up(lab, host)

    def keep(record: Record) -> None:
        print(history.to_line(record), file=records)
        playing.records += 1

    strikes = Strikes(lab, plan(steps, hosts), keep, relative=are_relative(steps))
    strikes.begin()
    captured = capturing.capturing_hosts(scenario)
    left_out = [host for host in hosts if host not in captured]
    if left_out:
        watcher.note(capturing.told(scenario, captured))
    recorder = Recorder(lab, captured, strikes.processes, left_out=left_out)
    recorder.begin()
    for host in scenario.topology.hosts:
        _restrict(lab, host)
    scripted = frozenset(host.name for host in scenario.topology.hosts if host.scripted)
    scope = Scope({host: lab.interfaces(host) for host in hosts}, scripted=scripted)
    sniffer = Sniffer(recorder, scope.interfaces)

    def prepare(name: str) -> None:
        host = scenario.topology.host(name)
        _set_up(lab, host)
        _restrict(lab, host)

    made = Changes(lab, strikes, recorder, keep, prepare)
    stage = Stage(lab, scope, keep, watcher, sniffer, made)
    try:
        _act(stage, playing)
    finally:
        stage.close()
        made.resume_all()
        strikes.release()
        recorder.settle()
        playing.faults = strikes.end()
        recorder.write(folder / rundir.CAPTURE)
        playing.captures = {host: seen.info() for host, seen in recorder.captures.items()}
        playing.captures |= {
            host: CaptureInfo(missing=capturing.NOT_NAMED, left_out=True) for host in left_out
        }


def _act(stage: Stage, playing: _Play) -> None:
    """Steps, then what must always be done; the first trouble decides how the play ended."""
    try:
        if not stage.play(playing.scenario.steps):
            playing.ending = "failed"
    except LabError as error:
        playing.ending, playing.problem = "broken", str(error)
        return
    except KeyboardInterrupt:
        playing.ending = "interrupted"
    if not stage.play_always(playing.scenario.finally_) and playing.ending == "completed":
        playing.ending = "failed"


def _set_up(lab: Lab, host: Host) -> None:
    """Make a host what the engine does not: one without a stack, one that rewrites addresses."""
    stackless.begin_in(lab, host)
    translating.begin_in(lab, host)


def _restrict(lab: Lab, host: Host) -> None:
    """Let the scenario's own calls on a host do no more than it says."""
    if host.capabilities is not None or host.user is not None:
        capabilities = None if host.capabilities is None else list(host.capabilities)
        lab.agent(host.name).ask(do="privileges", capabilities=capabilities, user=host.user)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LabError(
                f"the disk that holds {folder} is full",
                "Free some space, or give another folder with --runs.",
            ) from error
        if isinstance(error, PermissionError | FileNotFoundError | FileExistsError | NotADirectoryError):
            raise LabError(
                f"cannot write the run to {folder}: {error.strerror}", "Give another folder with --runs."
            ) from error
        raise
