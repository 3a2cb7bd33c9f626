"""Play a scenario given as text on a real engine: for tests of what happens from YAML to verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import engine as engines
from runner import evidence, history, judge, player, rundir, scenario
from runner.checks import CHECKS
from runner.history import CallRecord, Record, StepRecord
from runner.judge import Judgement
from runner.rundir import RunInfo


@dataclass
class Silent:
    """A watcher that keeps what it is shown."""

    steps: list[StepRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        self.steps.append(record)

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass(frozen=True)
class Played:
    """A finished run and all that it left."""

    info: RunInfo
    records: tuple[Record, ...]
    judgement: Judgement
    folder: Path

    def steps(self, status: str) -> list[StepRecord]:
        """The step records of that status, in order."""
        return [one for one in self.records if isinstance(one, StepRecord) and one.status == status]

    def calls(self, name: str) -> list[CallRecord]:
        """The records of calls of that name, in the order in which they ended."""
        return [one for one in self.records if isinstance(one, CallRecord) and one.name == name]

    @property
    def reason(self) -> str:
        """Why the first step that failed did."""
        return self.steps("failed")[0].reason


def play_file(path: Path, folder: Path, engine: str = "netns", case: dict[str, str] | None = None) -> Played:
    """Play and judge one scenario file on a real engine."""
    loaded = scenario.load(path, checks=CHECKS, case=case)
    made = engines.find(engine)
    problem = made.ready()
    if problem is not None:
        raise problem
    folder.mkdir(parents=True)
    info = player.play(loaded, made, folder, watcher=Silent())
    records = tuple(history.read(folder / rundir.HISTORY))
    return Played(info, records, judge.judge(evidence.load(folder), loaded), folder)


def play_text(text: str, folder: Path, engine: str = "netns") -> Played:
    """The same for a scenario given as text."""
    path = folder / "scenario-under-test.yaml"
    path.write_text(text, encoding="utf-8")
    return play_file(path, folder / "run", engine)
