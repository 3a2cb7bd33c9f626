"""What `runner run` does with its options: what is played, how, and who is told.

Imports late what takes long: the engine wakes meanwhile. Words of the command line are `runner.cli`'s affair.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.engine import Lab
from runner.choice import Choice, choose, warm
from runner.errors import PASSED, UsageError

if TYPE_CHECKING:
    from runner.report.progress import Progress
    from runner.report.remembered import Remembered
    from runner.running import Audience, Case, PlayAll, Wanted
    from runner.scenario import Scenario
    from runner.sharding import Shard


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `runner run`, as its help says them."""

    paths: Sequence[Path]
    engine: str
    runs: Path
    keep: bool
    names: Sequence[str]
    tags: Sequence[str]
    settings: Mapping[str, str]
    jobs: int
    stop: bool
    rerun_failed: bool
    no_skip: bool
    junit: Path | None
    events: Path | None
    tap: Path | None
    shard: str
    durations: Path | None
    html: bool
    github: bool
    verbose: bool


def play(options: Options) -> int:
    """Play what was asked for; returns the exit code. Raises ScenarioError, UsageError, LabError and OSError."""
    if options.jobs == 1:
        warm(options.engine)  # before the imports that take long: it wakes meanwhile
    elif options.keep:
        raise UsageError("--keep shows one lab at a time: leave out -j")
    from runner import running

    remembered: list[Remembered] = []
    wanted = _wanted(options)
    if options.rerun_failed:
        from runner.report.remembered import failed, read

        remembered = read(options.runs)
        again = failed(remembered, options.paths)
        if not again:
            click.echo("Nothing failed in the last run.")
            return PASSED
        wanted = _wanted(options, again)
    elif not options.paths:
        raise UsageError("say what to play: scenario files, or folders of them")
    scenarios = running.collect(wanted)
    if not scenarios:
        click.echo(f"Nothing to play: shard {options.shard} of so few scenarios has none.")
        return PASSED

    def chosen(all_of_them: Sequence[Scenario]) -> Choice:
        topologies = [one.topology for one in all_of_them]
        return choose(options.engine, topologies, side_by_side=options.jobs > 1)

    progress = _progress(options, len(scenarios))
    audience = _audience(options, len(scenarios), remembered, progress)
    try:
        return running.run(scenarios, wanted, chosen, audience, _play_all(options, progress))
    finally:
        if progress is not None:
            progress.close()


def _wanted(options: Options, again: Sequence[Case] | None = None) -> Wanted:
    from runner.running import Wanted

    paths = (
        options.paths if again is None else [_near(path) for path in dict.fromkeys(path for path, _ in again)]
    )
    return Wanted(
        paths, options.runs, options.names, options.tags, options.settings, options.stop, options.no_skip,
        only=None if again is None else frozenset(again), shard=_shard(options), seconds=_durations(options),
    )  # fmt: skip


def _shard(options: Options) -> Shard | None:
    from runner import sharding

    return sharding.read(options.shard) if options.shard else None


def _durations(options: Options) -> Mapping[str, float]:
    """How long cases took, by the file that was given: all shards have to be given the same."""
    if options.durations is None:
        return {}
    from runner.report import remembered

    return remembered.durations(options.durations)


def _near(path: str) -> Path:
    """A file's path as one would write it from here."""
    here = Path.cwd()
    return Path(path).relative_to(here) if Path(path).is_relative_to(here) else Path(path)


def _progress(options: Options, count: int) -> Progress | None:
    """Lines that are redrawn in place, where somebody watches a terminal that takes colours, and no CI does."""
    from runner.report import paper

    if options.jobs == 1 or not paper.terminal().colour or os.environ.get("CI"):
        return None
    from runner.report.progress import Progress

    return Progress(sys.stdout, count)


def _audience(
    options: Options, count: int, remembered: Sequence[Remembered], progress: Progress | None
) -> Audience:
    """Everybody who is told; GitHub last (see there)."""
    from runner.report import paper
    from runner.report.audiences import InTurn, Several
    from runner.report.browsable import Browsable
    from runner.report.remembered import Remembers
    from runner.report.terminal import Terminal

    page = paper.terminal() if progress is None else progress.paper
    terminal = Terminal(page, brief=count > 1 and not options.verbose)
    told: list[Audience] = [] if progress is None else [progress]
    told.append(Browsable(page, always=options.html))
    told.append(InTurn(terminal) if options.jobs > 1 else terminal)
    told.append(Remembers(options.runs, remembered))
    if options.junit is not None:
        from runner.report.junit import JUnit

        told.append(JUnit(options.junit))
    if options.events is not None:
        from runner.report.jsonlines import JsonLines

        told.append(JsonLines(options.events))
    if options.tap is not None:
        from runner.report.tap import Tap

        told.append(Tap(options.tap, count))
    if options.github:
        from runner.report.github import GitHub

        told.append(GitHub(page))
    return Several(told)


def _play_all(options: Options, progress: Progress | None) -> PlayAll:
    if options.jobs > 1:
        from runner.parallel import SideBySide

        draw = None if progress is None else progress.draw
        return SideBySide(options.jobs, whole=options.verbose, draw=draw)
    from runner.running import one_after_another

    return partial(one_after_another, keep=_hold if options.keep else None)


def _hold(lab: Lab) -> None:
    from runner.keeping import hold

    hold(lab, click.echo)
