"""The lines of cases that are played side by side, on a real pty: what a terminal shows while they go on and after."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.engine import find
from tests.needing import ROOT

pytestmark = pytest.mark.slow
COLUMNS = 80
SCENARIO = """\
name: {name}
hosts: [server, client]
steps:
  - client: {{socket: c, type: SOCK_DGRAM}}
  - sleep: {sleep}
  - client: {{getsockopt: c, option: SO_BROADCAST, gives: {gives}}}
"""
_PIECES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


@dataclass
class Screen:
    """As much of a terminal as the runner asks for; anything else fails the test."""

    rows: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    frames: list[list[str]] = field(default_factory=list)

    def feed(self, text: str) -> None:
        """Take what was written; what stands there whenever lines are about to be erased is a frame."""
        for found in _PIECES.finditer(text):
            parameters, final, back, down, plain = found.groups()
            if back:
                continue  # all our lines are written whole, from the first column
            if down:
                self.row += 1
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif plain:
                self.rows[self.row] += plain
            elif final == "A":
                if self.row == len(self.rows) - 1:
                    self.frames.append(list(self.rows))
                self.row -= int(parameters or 1)
            elif final == "K":
                self.rows[self.row] = ""
            else:
                assert final == "m", f"the runner asked the terminal for {found[0]!r}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    problem = find("netns").ready()
    if problem is not None:
        pytest.skip(str(problem))
    for name, sleep, gives in (("a_long", "2500ms", 0), ("b_fails", "300ms", 1), ("c_good", "400ms", 0)):
        text = SCENARIO.format(name=name, sleep=sleep, gives=gives)
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def watch(
    folder: Path,
    environment: Mapping[str, str],
    jobs: int = 2,
    when: Callable[[str, int], None] | None = None,
) -> tuple[int, str]:
    """Play the folder on a pty of 80 columns; its exit code, and all that it wrote.

    `when` is called with all that was written until now, and the process's number.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "runner", "run", ".", "--engine", "netns", "-j", str(jobs)]
    plain = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "COLUMNS")}
    around = {**plain, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(command, cwd=folder, env=around, stdout=theirs, stderr=theirs)
    os.close(theirs)
    told = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # EIO: nobody has the other end any more
            break
        told += data
        if when is not None:
            when(told.decode(errors="replace"), process.pid)
    os.close(ours)
    return process.wait(30), told.decode()


def shown(text: str) -> Screen:
    screen = Screen()
    screen.feed(text)
    return screen


def lanes(rows: list[str]) -> list[str]:
    """The lines of cases on their way: they end with the seconds."""
    return [row for row in rows if re.search(r"^\w+ +\d+/3 .* \d+\.\d s$", row)]


def test_each_worker_has_a_line_that_says_case_step_and_time(folder: Path) -> None:
    code, text = watch(folder, {})
    screen = shown(text)
    assert code == 1
    frames = [lanes(rows) for rows in screen.frames]
    assert max(map(len, frames)) == 2
    asleep = [row for frame in frames for row in frame if "sleep 2.5s" in row]
    assert asleep and all(row.split()[:2] == ["a_long", "2/3"] for row in asleep)
    seconds = [float(row.split()[-2]) for row in asleep]
    assert len(set(seconds)) >= 3 and seconds == sorted(seconds), "it is seen that time goes on"
    totals = {row for rows in screen.frames for row in rows if " played" in row}
    assert any(row.startswith("1 of 3 played, 1 not passed, 0 to come") for row in totals)


def test_what_ends_scrolls_above_and_nothing_is_left_below(folder: Path) -> None:
    screen = shown(watch(folder, {})[1])
    assert not lanes(screen.rows) and not [row for row in screen.rows if " to come" in row]
    ends = [row.split()[1].rstrip(":") for row in screen.rows if row.startswith(("PASSED", "FAILED"))]
    assert sorted(ends) == ["a_long", "b_fails", "c_good"]
    assert any("expected 1, and it gave 0" in row for row in screen.rows)
    assert any(row.startswith("2 passed, 1 failed in") for row in screen.rows)
    for rows in screen.frames:
        first = next(number for number, row in enumerate(rows) if row in lanes(rows))
        assert not [row for row in rows[first:] if row.startswith(("PASSED", "FAILED"))]
    assert all(len(row) < COLUMNS for rows in screen.frames for row in lanes(rows))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}])
def test_who_wants_plain_lines_gets_them(folder: Path, environment: dict[str, str]) -> None:
    code, text = watch(folder, environment)
    assert code == 1 and "\x1b[A" not in text and " to come" not in text
    assert text.count("PASSED") == 2
    if "CI" not in environment:
        assert "\x1b" not in text


def test_four_workers_have_four_lines_at_most_what_there_is_to_play(folder: Path) -> None:
    frames = [lanes(rows) for rows in shown(watch(folder, {}, jobs=4)[1]).frames]
    assert max(map(len, frames)) == 3


def test_ctrl_c_leaves_no_line_behind(folder: Path) -> None:
    interrupted: list[int] = []

    def interrupt(text: str, process: int) -> None:
        if not interrupted and "sleep 2" in text:
            interrupted.append(process)
            os.kill(process, signal.SIGINT)

    code, text = watch(folder, {}, when=interrupt)
    screen = shown(text)
    assert interrupted and code == 130
    assert not lanes(screen.rows) and "Traceback" not in text
    assert any(row.startswith("interrupted") for row in screen.rows)
