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

from lab.engine import Engine, Interface, Lab
from lab.errors import LabError, Unsupported
from runner import capturing, changes, history, requirements, rundir
from runner.history import Record
from runner.performing import Watcher
from runner.rundir import CaptureInfo, Ending, FaultInfo, RunInfo
from runner.scenario import Scenario
from runner.stage import Stage
from runner.staging import Foresight, Staged, foresight_of, staged


@dataclass
class Play:
    """What is known of a play so far; becomes its RunInfo."""

    scenario: Scenario
    engine: str
    started_ns: int = field(default_factory=time.time_ns)
    ending: Ending = "completed"
    problem: str = ""
    interfaces: tuple[Interface, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    captures: dict[str, CaptureInfo] = field(default_factory=dict)
    faults: dict[str, FaultInfo] = field(default_factory=dict)
    records: int = 0

    def info(self) -> RunInfo:
        """What there is to say of it now."""
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
    playing = Play(scenario, engine.name)
    with writing(folder):
        (folder / rundir.SCENARIO).write_text(scenario.text, encoding="utf-8")
        try:
            with on_stage(playing, engine, folder, foresight_of(scenario), watcher, keep) as ready:
                changes.check([*scenario.steps, *scenario.finally_], ready.lab, engine.name)
                if ready.captures:
                    watcher.note(capturing.told(scenario, capturing.capturing_hosts(scenario)))
                _act(ready.stage, playing)
        except Unsupported:
            raise
        except LabError as error:
            playing.ending, playing.problem = "broken", playing.problem or str(error)
        except KeyboardInterrupt:
            playing.ending = "interrupted"
        info = playing.info()
        rundir.write_info(folder, info)
        return info


@contextmanager
def on_stage(
    playing: Play,
    engine: Engine,
    folder: Path,
    foresight: Foresight,
    watcher: Watcher,
    keep: Callable[[Lab], None] | None = None,
) -> Iterator[Staged]:
    """Bring up the lab of a play and make it ready; on leaving, its run is in `folder`, and the lab is gone.

    `keep` is called with the lab before it goes down. What is raised inside goes through. Raises LabError and
    Unsupported, as `lab.engine` and `runner.staging` do.
    """
    with (folder / rundir.HISTORY).open("w", encoding="utf-8", buffering=1) as records:

        def record(one: Record) -> None:
            print(history.to_line(one), file=records)
            playing.records += 1

        with engine.up(playing.scenario.topology, logs=folder) as lab:
            playing.interfaces = tuple(
                end for host in playing.scenario.topology.hosts for end in lab.interfaces(host.name)
            )
            playing.facts = dict(lab.facts())
            requirements.check_hosts(playing.scenario.requires, lab)
            with staged(lab, folder, foresight, record, watcher) as ready:
                playing.captures, playing.faults = ready.captures, ready.faults
                yield ready
            rundir.write_info(folder, playing.info())
            if keep is not None:
                keep(lab)


def _act(stage: Stage, playing: Play) -> None:
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


@contextmanager
def writing(folder: Path) -> Iterator[None]:
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
