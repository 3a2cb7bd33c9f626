"""Cases played side by side, each in a process and a lab of its own (`runner run -j N`).

Starts `runner.worker` processes, gives each a case at a time, and puts what they tell together again. What a case
came to is read from its run directory, as anywhere else. Nothing here plays, judges or shows.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lab.channel import tail_of
from runner import evidence, history, judge, rundir
from runner.choice import Choice
from runner.errors import UsageError
from runner.history import CallRecord, StepRecord
from runner.performing import Watcher
from runner.running import Audience, Played, Result, Wanted, ends_all, new_folder, words_of
from runner.scenario import Scenario

INTERRUPTED_S = 60.0
"""How long workers that were told to end may take to take their labs down."""
TICK_S = 0.1
"""How often those are drawn that go on, while nothing is told of them."""
ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the package `runner`."""
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from runner import worker;"
    "sys.exit(worker.main(int(sys.argv[2]), sys.argv[3]))"
)


class Worker:
    """A worker process and the case that it plays."""

    def __init__(self, engine: str) -> None:
        self._said = os.memfd_create("said")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(ROOT), str(os.getpid()), engine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            process_group=0,  # Ctrl-C is for the parent alone, which tells each worker once
        )
        self._rest = b""
        self.case: Case | None = None

    @property
    def answers(self) -> IO[bytes]:
        """What it tells, to be waited for."""
        assert self._process.stdout is not None
        return self._process.stdout

    def play(self, case: Case) -> None:
        """Have it play a case; one that is dying says so by the end of its answers."""
        self.case = case
        one = case.scenario
        asked = {"path": one.path, "case": dict(one.case), "folder": str(case.folder)}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()

    def read(self) -> list[dict[str, Any]] | None:
        """What it told since, waiting for something; None when it is gone."""
        data = os.read(self.answers.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines] if data else None

    def interrupt(self) -> None:
        """Have it end its case and itself, as Ctrl-C does."""
        self._process.terminate()

    def end(self, timeout_s: float) -> str:
        """Wait so long for its end, then kill it (its lab goes with it); returns how it ended."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        said = tail_of(Path(f"/proc/self/fd/{self._said}")).strip()
        os.close(self._said)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}; its last words: {said}" if said else how


@dataclass(eq=False)
class Case:
    """A case that a worker plays. `number` is its place among all."""

    number: int
    scenario: Scenario
    folder: Path
    watcher: Watcher
    began_s: float = field(default_factory=time.monotonic)


class SideBySide:
    """Plays all cases with so many workers (`runner.running.PlayAll`).

    `whole`: the recorded evidence is read also of cases that passed, for somebody who wants to see it. `draw` is called
    whenever something was told, and every `TICK_S` at least: somebody watches the clock.
    """

    def __init__(self, workers: int, *, whole: bool = False, draw: Callable[[], None] | None = None) -> None:
        self._most = workers
        self._draw = draw
        self._whole = whole
        self._selector = selectors.DefaultSelector()
        self._results: dict[int, Result] = {}
        self._todo: list[tuple[int, Scenario]] = []

    def __call__(
        self, scenarios: Sequence[Scenario], choice: Choice, wanted: Wanted, audience: Audience
    ) -> list[Result]:
        """Play them all; a result each for those that were begun, in the order of the scenarios.

        Raises KeyboardInterrupt when it was interrupted while no case was played.
        """
        self._engine, self._wanted, self._audience = choice.engine, wanted, audience
        self._todo = list(enumerate(scenarios))
        try:
            for _ in range(min(self._most, len(self._todo))):
                self._employ()
            while self._workers:
                self._attend(None)
        except KeyboardInterrupt:
            self._interrupt()
            if not any(one.ended == "interrupted" for one in self._results.values()):
                raise
        finally:
            self._end_all()
        return [self._results[number] for number in sorted(self._results)]

    @property
    def _workers(self) -> list[Worker]:
        return [key.data for key in self._selector.get_map().values()]

    def _employ(self) -> None:
        worker = Worker(self._engine.name)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        self._give(worker)

    def _give(self, worker: Worker) -> None:
        """Give a worker the next case, or let it go."""
        if not self._todo:
            self._dismiss(worker, INTERRUPTED_S)
            return
        number, one = self._todo.pop(0)
        folder = new_folder(self._wanted.runs, words_of(one, self._engine.name))
        worker.play(Case(number, one, folder, self._audience.begin(one)))

    def _dismiss(self, worker: Worker, timeout_s: float) -> str:
        self._selector.unregister(worker.answers)
        return worker.end(timeout_s)

    def _attend(self, timeout_s: float | None) -> None:
        """Take what workers tell, waiting so long for something."""
        if self._draw is not None:
            self._draw()
            timeout_s = TICK_S if timeout_s is None else min(TICK_S, timeout_s)
        for key, _ in self._selector.select(timeout_s):
            worker: Worker = key.data
            told = worker.read()
            if told is None:
                self._lost(worker)
                continue
            for message in told:
                self._take(worker, message)

    def _take(self, worker: Worker, message: dict[str, Any]) -> None:
        case = worker.case
        assert case is not None, "a worker tells only of its case"
        if "step" in message:
            record = history.from_line(message["step"])
            calls = [history.from_line(line) for line in message["calls"]]
            assert isinstance(record, StepRecord)
            case.watcher.step(record, [one for one in calls if isinstance(one, CallRecord)])
        elif "note" in message:
            case.watcher.note(message["note"])
        else:
            worker.case = None
            self._ended(
                case,
                Result(case.scenario, message["ended"], case.folder, message["reason"], message["seconds"]),
            )
            self._give(worker)

    def _lost(self, worker: Worker) -> None:
        """A worker is gone; another one goes on with the rest."""
        case, how = worker.case, self._dismiss(worker, 1.0)
        if case is not None:
            reason = f"the process that played it is gone: {how}"
            seconds = time.monotonic() - case.began_s
            self._ended(case, Result(case.scenario, "unknown", case.folder, reason, seconds))
        if self._todo:
            self._employ()

    def _ended(self, case: Case, result: Result) -> None:
        self._results[case.number] = result
        if ends_all(result, self._wanted):
            self._todo.clear()
        self._audience.end(_read(result, whole=self._whole or result.ended != "pass"))

    def _interrupt(self) -> None:
        """Have all cases end, and take how they did."""
        self._todo.clear()
        for worker in self._workers:
            worker.interrupt()
        until_s = time.monotonic() + INTERRUPTED_S
        while self._workers and (left_s := until_s - time.monotonic()) > 0:
            self._attend(left_s)

    def _end_all(self) -> None:
        """No worker may be left, whatever happened."""
        workers = self._workers
        for worker in workers:
            worker.interrupt()
        for worker in workers:
            self._dismiss(worker, INTERRUPTED_S)
        self._selector.close()


def _read(result: Result, *, whole: bool) -> Played:
    """What a case left for a reader, as far as its process came; without the evidence unless `whole`."""
    folder = result.folder
    if folder is None or not (folder / rundir.VERDICT).exists():
        return Played(result)
    try:
        return Played(result, evidence.load(folder) if whole else None, judge.read(folder))
    except UsageError:  # its process was killed while it wrote
        return Played(result)
