"""The loop of `runner run`: reads all scenarios, chooses an engine, plays each case, judges it, and adds up.

What a reader sees is the `Audience`'s affair; what a run means is the judge's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lab.engine import Engine, Lab
from lab.errors import LabError, Unsupported
from runner import evidence, judge, player, scenario
from runner.checks import CHECKS
from runner.choice import Choice
from runner.errors import BROKEN, FAILED, INTERRUPTED, PASSED, Mistake, ScenarioError, UsageError
from runner.evidence import Evidence
from runner.judge import Judgement
from runner.performing import Watcher
from runner.rundir import RunInfo
from runner.scenario import Scenario

Ended = Literal["pass", "fail", "unknown", "skipped", "interrupted"]


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    `names` and `tags` choose scenarios (any of each must fit: part of the file's or the scenario's name; a
    tag); scenarios tagged `slow` are left out unless asked for by tag, as a file or by `slow_too`. `settings`
    pick values of matrices.
    """

    paths: Sequence[Path]
    runs: Path
    names: Sequence[str] = ()
    tags: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    stop_at_first: bool = False
    skips_are_errors: bool = False
    slow_too: bool = False


@dataclass(frozen=True)
class Result:
    """How one case ended. `folder` is None where nothing was played."""

    scenario: Scenario
    ended: Ended
    folder: Path | None = None
    reason: str = ""
    seconds: float = 0.0


class Audience(Watcher, Protocol):
    """Who is shown what goes on."""

    def engine(self, choice: Choice) -> None:
        """The first line: which engine plays, and why."""
        ...

    def begin(self, scenario: Scenario) -> None: ...

    def end(self, result: Result, seen: Evidence | None, judgement: Judgement | None) -> None: ...

    def summary(self, results: Sequence[Result]) -> None: ...


def collect(wanted: Wanted) -> list[Scenario]:
    """All cases to be played, read and checked; raises ScenarioError with the mistakes of all files, UsageError."""
    files = list(_files(wanted.paths))
    mistakes: list[Mistake] = []
    found: list[Scenario] = []
    for path, named in files:
        try:
            loaded = [
                scenario.load(path, checks=CHECKS, case=case)
                for case in scenario.cases(path, wanted.settings)
            ]
        except ScenarioError as error:
            mistakes.extend(error.mistakes)
            continue
        found.extend(one for one in loaded if _chosen(one, wanted, named))
    if mistakes:
        raise ScenarioError(mistakes)
    if not found:
        raise UsageError(
            "no scenario fits what was asked for: " + ", ".join(str(path) for path in wanted.paths)
        )
    return found


def _files(paths: Iterable[Path]) -> Iterable[tuple[Path, bool]]:
    """Scenario files, with whether each was named itself."""
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*.yaml") if "programs" not in one.parts)
            if not inside:
                raise UsageError(f"{path} holds no scenario (no file that ends in .yaml)")
            yield from ((one, False) for one in inside)
        elif path.exists():
            yield path, True
        else:
            raise UsageError(f"there is no file {path}")


def _chosen(one: Scenario, wanted: Wanted, named: bool) -> bool:
    title = f"{Path(one.path).stem} {one.name} {' '.join(one.case.values())}".lower()
    if wanted.names and not any(name.lower() in title for name in wanted.names):
        return False
    if wanted.tags:
        return any(tag in one.tags for tag in wanted.tags)
    return named or wanted.slow_too or "slow" not in one.tags


def run(
    scenarios: Sequence[Scenario],
    wanted: Wanted,
    choose: Callable[[Sequence[Scenario]], Choice],
    audience: Audience,
    keep: Callable[[Lab], None] | None = None,
) -> int:
    """Play and judge every case; returns the exit code."""
    choice = choose(scenarios)
    audience.engine(choice)
    results: list[Result] = []
    for one in scenarios:
        audience.begin(one)
        result = _run_one(one, choice.engine, wanted.runs, audience, keep)
        results.append(result)
        if result.ended == "interrupted" or (wanted.stop_at_first and result.ended in ("fail", "unknown")):
            break
    audience.summary(results)
    return exit_code(results, skips_are_errors=wanted.skips_are_errors)


def _run_one(
    one: Scenario, engine: Engine, runs: Path, audience: Audience, keep: Callable[[Lab], None] | None
) -> Result:
    began = time.monotonic()
    folder = new_folder(runs, one, engine.name)
    try:
        info = player.play(one, engine, folder, watcher=audience, keep=keep)
    except Unsupported as lacks:
        result = Result(one, "skipped", folder, lacks.what, time.monotonic() - began)
        audience.end(result, None, None)
        return result
    except LabError as error:
        result = Result(one, "unknown", folder, str(error), time.monotonic() - began)
        audience.end(result, None, None)
        return result
    return _judged(one, info, folder, began, audience)


def _judged(one: Scenario, info: RunInfo, folder: Path, began: float, audience: Audience) -> Result:
    if not (folder / "capture.pcapng").exists():
        ended: Ended = "interrupted" if info.ending == "interrupted" else "unknown"
        result = Result(one, ended, folder, info.problem, time.monotonic() - began)
        audience.end(result, None, None)
        return result
    seen = evidence.load(folder)
    judgement = judge.judge(seen, one)
    judge.write(folder, judgement)
    ended = "interrupted" if info.ending == "interrupted" else judgement.verdict
    result = Result(one, ended, folder, info.problem, time.monotonic() - began)
    audience.end(result, seen, judgement)
    return result


def exit_code(results: Sequence[Result], *, skips_are_errors: bool) -> int:
    """The exit code by cause: interrupted, then a failed check, then what could not be run or seen."""
    ends = {result.ended for result in results}
    if "interrupted" in ends:
        return INTERRUPTED
    if "fail" in ends:
        return FAILED
    if "unknown" in ends or (skips_are_errors and "skipped" in ends):
        return BROKEN
    return PASSED


def new_folder(runs: Path, one: Scenario, engine: str) -> Path:
    """Make the directory of a new run: `RUNS/20260131-235959-tcp_echo-netns`, numbered where it exists already."""
    words = [Path(one.path).stem, *one.case.values(), engine]
    title = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:40] for word in words)
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{title}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            folder = runs / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise LabError(
            f"cannot make a run directory in {runs}: {error.strerror}", "Give another with --runs."
        ) from error
    raise LabError(f"{runs} is full of runs of this second")
