"""Records the ladders of docs/scenarios.md: each scenario that is new or changed is played once."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import engine as engines
from lab.engine import Engine
from lab.errors import LabError, Unsupported
from runner import evidence, player, scenario
from runner.checks import CHECKS
from runner.errors import UsageError
from runner.evidence import Evidence
from runner.guide import recorded
from runner.history import CallRecord, StepRecord
from runner.report.paper import Paper
from runner.report.terminal import picture

WIDTH = 100
MOMENTS = 60
"""A longer ladder is folded: a page is to be read."""


class Unseen:
    """A watcher that looks at nothing."""

    def step(self, record: StepRecord, calls: Sequence[CallRecord]) -> None:
        """Look away."""

    def note(self, text: str) -> None:
        """Look away."""


def record() -> Iterator[str]:
    """Record what is missing or out of date; yields a line for each scenario that was played or had to be left."""
    for path in recorded.files():
        kept = recorded.ladder(path)
        if kept is not None and kept.digest == recorded.digest(path):
            continue
        try:
            seen = _played_somewhere(path)
        except LabError as lacks:
            yield f"{path.stem}: left as it was, {lacks.what}"
            continue
        recorded.keep(path, picture(seen, Paper(io.StringIO(), WIDTH), MOMENTS))
        yield f"{path.stem}: recorded"


def _played_somewhere(path: Path) -> Evidence:
    """A run on namespaces, or on Docker where they are not enough; raises LabError where neither can."""
    try:
        return played(path, engines.find("netns"))
    except Unsupported:
        docker = engines.find("docker")
        problem = docker.ready()
        if problem is not None:
            raise problem from None
        return played(path, docker)


def played(path: Path, engine: Engine) -> Evidence:
    """The evidence of one run of a scenario's first case; raises UsageError where it did not play to its end."""
    loaded = scenario.load(path, checks=CHECKS, case=dict(scenario.cases(path, {})[0]))
    with tempfile.TemporaryDirectory() as folder:
        info = player.play(loaded, engine, Path(folder), watcher=Unseen())
        if info.ending != "completed":
            raise UsageError(f"{path.stem} did not play to its end: {info.problem or info.ending}")
        return evidence.load(Path(folder))
