"""The loop of `runner run`: reads all scenarios, chooses an engine, plays each case, judges it, and adds up.

What a reader sees is the `Audience`'s affair; what a run means is the judge's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lab.engine import Engine, Lab
from lab.errors import LabError, Unsupported
from runner import evidence, judge, player, rundir, scenario, sharding
from runner.checks import CHECKS
from runner.choice import Choice
from runner.errors import BROKEN, FAILED, INTERRUPTED, PASSED, Mistake, ScenarioError, UsageError
from runner.evidence import Evidence
from runner.judge import Judgement
from runner.performing import Watcher
from runner.rundir import RunInfo
from runner.scenario import Scenario
from runner.sharding import Shard

Case = tuple[str, tuple[tuple[str, str], ...]]
"""What a case is known by: the real path of its file, and the labels of its matrix."""
_PLACE = re.compile(r"(.+\.ya?ml):([0-9]+)")
"""A scenario's file and a line of it, as reports and editors write places."""
Ended = Literal["pass", "fail", "unknown", "skipped", "interrupted"]


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    `names` and `tags` choose scenarios (any of each must fit: part of the file's or the scenario's name; a
    tag); scenarios tagged `slow` are left out unless asked for by tag, as a file or by `slow_too`. `settings`
    pick values of matrices. `only` leaves out all other cases.
    """

    paths: Sequence[Path]
    runs: Path
    names: Sequence[str] = ()
    tags: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    stop_at_first: bool = False
    skips_are_errors: bool = False
    slow_too: bool = False
    only: Collection[Case] | None = None
    shard: Shard | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How one case ended. `folder` is None where nothing was played."""

    scenario: Scenario
    ended: Ended
    folder: Path | None = None
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Played:
    """A case that has ended, with what there is of it to be shown."""

    result: Result
    seen: Evidence | None = None
    judgement: Judgement | None = None


class Audience(Protocol):
    """Who is shown what goes on."""

    def engine(self, choice: Choice) -> None:
        """The first line: which engine plays, and why."""
        ...

    def begin(self, scenario: Scenario) -> Watcher:
        """A case is about to be played; returns who is shown its steps."""
        ...

    def end(self, played: Played) -> None:
        """A case has ended. Those that are played side by side end in any order."""
        ...

    def summary(self, results: Sequence[Result]) -> None:
        """All cases have ended; the results have the order of the scenarios."""
        ...


PlayAll = Callable[[Sequence[Scenario], Choice, Wanted, Audience], list[Result]]
"""Plays cases and shows each to the audience; an interruption is a result."""


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
    if wanted.shard is None:
        return found
    return sharding.part(found, wanted.shard, shard_key, wanted.seconds)


def shard_key(one: Scenario) -> str:
    """What a case is called wherever a checkout lies: the file's name and the labels of its case."""
    return " ".join((Path(one.path).stem, *one.case.values()))


def _files(paths: Iterable[Path]) -> Iterable[tuple[Path, bool]]:
    """Scenario files, with whether each was named itself; `FILE:LINE` names the file."""
    for path in paths:
        place = _PLACE.fullmatch(str(path))
        if place is not None and not path.exists():
            path = Path(place[1])
        if path.is_dir():
            inside = sorted(
                one for one in path.rglob("*.yaml") if "programs" not in one.parts and one.is_file()
            )
            if not inside:
                raise UsageError(f"{path} holds no scenario (no file that ends in .yaml)")
            yield from ((one, False) for one in inside)
        elif path.is_file():
            yield path, True
        elif path.exists():
            raise UsageError(f"{path} is no ordinary file: write the scenario to one, and name that")
        else:
            raise UsageError(f"there is no file {path}")


def case_of(one: Scenario) -> Case:
    """What a case is known by, also to a later run."""
    return str(Path(one.path).resolve()), tuple(one.case.items())


def _chosen(one: Scenario, wanted: Wanted, named: bool) -> bool:
    if wanted.only is not None and case_of(one) not in wanted.only:
        return False
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
    play_all: PlayAll,
) -> int:
    """Play and judge every case; returns the exit code."""
    choice = choose(scenarios)
    audience.engine(choice)
    results = play_all(scenarios, choice, wanted, audience)
    audience.summary(results)
    return exit_code(results, skips_are_errors=wanted.skips_are_errors)


def one_after_another(
    scenarios: Sequence[Scenario],
    choice: Choice,
    wanted: Wanted,
    audience: Audience,
    *,
    keep: Callable[[Lab], None] | None = None,
) -> list[Result]:
    """Play the cases in this process, in their order; `keep` is called with each lab before it goes down."""
    results: list[Result] = []
    for one in scenarios:
        engine = choice.engine_of(one.topology)
        watcher = audience.begin(one)
        played = play_one(one, engine, new_folder(wanted.runs, words_of(one, engine.name)), watcher, keep)
        audience.end(played)
        results.append(played.result)
        if ends_all(played.result, wanted):
            break
    return results


def ends_all(result: Result, wanted: Wanted) -> bool:
    """Whether no other case shall begin after this one."""
    return result.ended == "interrupted" or (wanted.stop_at_first and result.ended in ("fail", "unknown"))


def play_one(
    one: Scenario,
    engine: Engine,
    folder: Path,
    watcher: Watcher,
    keep: Callable[[Lab], None] | None = None,
) -> Played:
    """Play one case into a folder that is there and empty, and judge it."""
    began = time.monotonic()
    try:
        info = player.play(one, engine, folder, watcher=watcher, keep=keep)
    except Unsupported as lacks:
        return Played(Result(one, "skipped", folder, lacks.what, time.monotonic() - began))
    except LabError as error:
        return Played(Result(one, "unknown", folder, str(error), time.monotonic() - began))
    return _judged(one, info, folder, began)


def _judged(one: Scenario, info: RunInfo, folder: Path, began: float) -> Played:
    interrupted = info.ending == "interrupted"
    if not (folder / rundir.CAPTURE).exists():
        ended: Ended = "interrupted" if interrupted else "unknown"
        return Played(Result(one, ended, folder, info.problem, time.monotonic() - began))
    seen = evidence.load(folder)
    judgement = judge.judge(seen, one)
    judge.write(folder, judgement)
    ended = "interrupted" if interrupted else judgement.verdict
    result = Result(one, ended, folder, info.problem, time.monotonic() - began)
    return Played(result, seen, judgement)


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


def words_of(one: Scenario, engine: str) -> list[str]:
    """What the directory of a case's run is called by."""
    return [Path(one.path).stem, *one.case.values(), engine]


def new_folder(runs: Path, words: Sequence[str]) -> Path:
    """Make the directory of a new run: `RUNS/20260131-235959-tcp_echo-netns`, numbered where it exists already."""
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
