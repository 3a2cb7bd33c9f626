"""Scenarios as tests of pytest, and labs for tests in Python: `pytest scenarios/`, and the fixtures lab, hosts, wire.

Public pytest API only. What a project does not use costs it nothing: all of ours is imported when the first scenario
is collected, or the first lab made. YAML files of others are left alone: a scenario has `hosts` and `steps` at the
beginning of lines.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from runner.fixtures.handles import Hosts, Lab
    from runner.fixtures.session import Session
    from runner.fixtures.wire import Wire
    from runner.history import StepRecord
    from runner.running import Played
    from runner.scenario import Scenario

_KEYS = (re.compile(rb"^hosts[ \t]*:", re.M), re.compile(rb"^steps[ \t]*:", re.M))
_LARGEST = 1 << 20
_WIDTH = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two things that a scenario needs to know of the command line."""
    group = parser.getgroup("socket lab")
    group.addoption("--lab-engine", default="auto", help="play on: auto, docker or netns")
    group.addoption("--lab-runs", default="runs", help="where run directories are left")


def pytest_configure(config: pytest.Config) -> None:
    """Say what the mark of the fixtures means."""
    keys = "hosts=[..] or {..}, networks={..}, requires=[..], faults=True"
    config.addinivalue_line("markers", f"lab({keys}): what the fixture lab is made of")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A scenario's file is a collector of its cases."""
    if file_path.suffix not in (".yaml", ".yml") or not _is_scenario(file_path):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


def _is_scenario(path: Path) -> bool:
    """Whether a file is one, and not the copy in the directory of a run (`runner.rundir`)."""
    if path.name == "scenario.yaml" and (path.parent / "history.jsonl").exists():
        return False
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST)
    except OSError:
        return False
    return all(key.search(text) for key in _KEYS)


class ScenarioFile(pytest.File):
    """A scenario's file."""

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each case of its matrix; mistakes in the file are an error of the collection."""
        from runner import scenario
        from runner.checks import CHECKS
        from runner.errors import ScenarioError, UsageError

        try:
            cases = scenario.cases(self.path, {})
            loaded = [scenario.load(self.path, checks=CHECKS, case=case) for case in cases]
        except (ScenarioError, UsageError) as error:
            raise self.CollectError(str(error)) from None
        for one in loaded:
            name = "-".join(one.case.values()) or self.path.stem
            yield ScenarioItem.from_parent(self, name=name, one=one)


class ScenarioItem(pytest.Item):
    """One case of a scenario; its tags are its marks."""

    def __init__(self, *, one: Scenario, **more: Any) -> None:
        super().__init__(**more)
        self.one = one
        for tag in one.tags:
            mark = re.sub(r"\W", "_", tag)
            self.config.addinivalue_line("markers", f"{mark}: scenarios that are tagged so")
            self.add_marker(mark)

    def runtest(self) -> None:
        """Play it and judge it; raises Failed with what was seen."""
        from runner import running
        from runner.choice import choose

        side_by_side = "PYTEST_XDIST_WORKER" in os.environ
        engine = choose(
            self.config.getoption("lab_engine"), [self.one.topology], side_by_side=side_by_side
        ).engine
        runs = Path(self.config.getoption("lab_runs"))
        folder = running.new_folder(runs, running.words_of(self.one, engine.name))
        played = running.play_one(self.one, engine, folder, _Unwatched())
        self.user_properties.append(("run", str(folder)))
        if played.result.ended == "interrupted":
            raise KeyboardInterrupt
        if played.result.ended == "skipped":
            pytest.skip(played.result.reason)
        if played.result.ended != "pass":
            raise Failed(played)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the runner would have shown: steps, ladder and findings."""
        if isinstance(excinfo.value, Failed):
            return excinfo.value.text()
        if _is_of_the_lab(excinfo.value):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is, and what it is called."""
        case: Mapping[str, str] = self.one.case
        labels = f" [{', '.join(case.values())}]" if case else ""
        return self.path, 0, f"{self.path.stem}: {self.one.name}{labels}"


class Failed(Exception):
    """A case did not pass."""

    def __init__(self, played: Played) -> None:
        super().__init__(played.result.ended)
        self.played = played

    def text(self) -> str:
        """The run as the runner shows it."""
        from runner.report.finished import show_run
        from runner.report.paper import Paper

        result = self.played.result
        if self.played.seen is None or result.folder is None:
            return result.reason or result.ended
        stream = io.StringIO()
        show_run(result.folder, Paper(stream, _WIDTH), limit=200)
        return stream.getvalue()


# Labs for tests in Python --------------------------------------------------------------------------------------

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_ERROR: pytest.StashKey[BaseException] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Keep what a test with a lab ended with; what its engine cannot do skips it."""
    try:
        return (yield)
    except BaseException as error:
        from lab.errors import Unsupported

        if _SESSION in item.stash:
            item.stash[_ERROR] = error
            if isinstance(error, Unsupported):
                pytest.skip(error.what)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the run of a test that failed as the runner shows it, while its lab is still up."""
    report = yield
    if call.when == "call" and report.failed and _SESSION in item.stash and call.excinfo is not None:
        report.sections.append(("socket lab", item.stash[_SESSION].shown(call.excinfo.value)))
    return report


@pytest.fixture
def _session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The lab of this test, and what is played on it."""
    from lab.errors import Unsupported
    from runner.fixtures import beginning
    from runner.fixtures.session import verdict_of

    item: pytest.Item = request.node
    if _ERROR in item.stash:  # somebody plays it again
        del item.stash[_ERROR]
    mark = item.get_closest_marker("lab")
    option = request.config.getoption
    runs = Path(option("lab_runs"))
    said = mark.kwargs if mark else {}
    try:
        with beginning.begin(item.name, item.path, said, option("lab_engine"), runs) as made:
            item.user_properties.append(("run", str(made.folder)))
            item.stash[_SESSION] = made
            yield made
            made.end(item.stash.get(_ERROR, None))
    except Unsupported as lacks:
        pytest.skip(lacks.what)
    if _ERROR not in item.stash and (wrong := verdict_of(made.folder)):
        pytest.fail(wrong, pytrace=False)


@pytest.fixture
def lab(request: pytest.FixtureRequest, _session: Session) -> Lab:
    """A lab made for this test, of the hosts that its mark `lab` says, else server and client."""
    from runner.fixtures.handles import Lab

    mark = request.node.get_closest_marker("lab")
    return Lab(_session, faults=bool(mark and mark.kwargs.get("faults")))


@pytest.fixture
def hosts(lab: Lab) -> Hosts:
    """The hosts of the lab by name: `hosts["client"]`, `hosts.client`."""
    return lab.hosts


@pytest.fixture
def wire(_session: Session) -> Wire:
    """What must be seen on the wire of the lab: ladders, counts, streams, states."""
    from runner.fixtures.wire import Wire

    return Wire(_session)


def _is_of_the_lab(error: BaseException) -> bool:
    from lab.errors import LabError
    from runner.errors import UsageError

    return isinstance(error, LabError | UsageError)


class _Unwatched:
    """Nobody sees the steps as they are played."""

    def step(self, record: StepRecord, calls: Any) -> None:
        """A step has ended."""

    def note(self, text: str) -> None:
        """Something worth a line."""
