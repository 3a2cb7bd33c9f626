"""What an experiment found, and how it is registered. An experiment raises AssertionError where a promise breaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNNER = [sys.executable, "-m", "runner"]
ECHO = ROOT / "scenarios" / "tcp_echo.yaml"
PATIENCE_S = 600


@dataclass(frozen=True)
class Finding:
    """One line of the table: how often it was tried, and what was seen each time."""

    count: int
    seen: str


@dataclass(frozen=True)
class Experiment:
    """A trouble: `what` in words, `needs` is `docker`, `root` or empty, `play` tries it in an empty folder."""

    what: str
    engine: str
    needs: str
    play: Callable[[Path], Finding]

    @property
    def name(self) -> str:
        return f"{self.play.__name__}[{self.engine}]" if self.engine else self.play.__name__


EXPERIMENTS: list[Experiment] = []


def experiment(
    what: str, *, engine: str = "", needs: str = ""
) -> Callable[[Callable[[Path], Finding]], Callable[[Path], Finding]]:
    """Register a function as an experiment."""

    def register(play: Callable[[Path], Finding]) -> Callable[[Path], Finding]:
        EXPERIMENTS.append(Experiment(what, engine, needs or ("docker" if engine == "docker" else ""), play))
        return play

    return register


@dataclass(frozen=True)
class Ended:
    """How a command ended, all that it said, how long it took and the most memory it had (0: it was killed)."""

    code: int
    said: str
    seconds: float
    peak_bytes: int


def run(*words: str | Path, environment: dict[str, str] | None = None, folder: Path = ROOT) -> Ended:
    """Run the command line in a process of its own to its end; it has ten minutes."""
    began = time.monotonic()
    weight, told = os.pipe()
    program = [sys.executable, "-m", "tests.fire.weighed", str(told)]
    with start(*words, environment=environment, folder=folder, program=program, keeps=[told]) as process:
        os.close(told)
        assert process.stdout is not None
        with Killer(process.pid, PATIENCE_S), process.stdout, os.fdopen(weight, "rb") as weighed:
            said = process.stdout.read()
            process.wait()
            peak = int(weighed.read() or 0)
    return Ended(process.returncode, said, time.monotonic() - began, peak)


def start(
    *words: str | Path,
    environment: dict[str, str] | None = None,
    folder: Path = ROOT,
    program: Sequence[str] = RUNNER,
    keeps: Sequence[int] = (),
) -> subprocess.Popen[str]:
    """Start the command line, with what it says on both streams in one pipe."""
    return subprocess.Popen(
        [*program, *map(str, words)],
        pass_fds=keeps,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )


class Killer:
    """Kills a process that takes too long, which then shows as its exit code."""

    def __init__(self, pid: int, seconds: float) -> None:
        import threading

        self._timer = threading.Timer(seconds, os.kill, (pid, signal.SIGKILL))

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
