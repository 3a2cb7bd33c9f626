"""`runner shell HOST --watch`: a prompt in a host, and its packets as they come.

A terminal between the person and the host's: packets are written above the line that is being typed, which is
then written again.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runner.errors import UsageError
from runner.report import watched
from runner.report.paper import Paper
from runner.report.watched import Picture
from runner.watching import PERIOD_S, Watch

_LONGEST_LINE = 4096
"""Of a longer line being typed the end is written again."""


def enter(host: str, command: Sequence[str], watch: Watch, paper: Paper) -> int:
    """Run a command (none: a prompt) in a host and show the host's packets; returns its exit code.

    Raises UsageError where standard input or output is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--watch needs a terminal; to see packets elsewhere: runner watch")
    sys.stdout.flush()
    words = [sys.executable, "-m", "runner", "shell", host, "--", *command]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(words[0], words if command else words[:-1])
    with _raw(), _same_size(terminal):
        _Screen(host, terminal, watch, paper).run()
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code if code >= 0 else 128 - code


@contextmanager
def _raw() -> Iterator[None]:
    """Hand on every key as it is pressed: the host's terminal gives it its meaning."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _same_size(terminal: int) -> Iterator[None]:
    """The host's terminal is as large as the person's, also when that changes (tty_ioctl(4))."""

    def copy(number: int = 0, frame: Any = None) -> None:
        size = fcntl.ioctl(0, termios.TIOCGWINSZ, struct.pack("4H", 0, 0, 0, 0))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)

    copy()
    before = signal.signal(signal.SIGWINCH, copy)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


class _Screen:
    """What is on the person's terminal: what the host says, and packets between."""

    def __init__(self, host: str, terminal: int, watch: Watch, paper: Paper) -> None:
        self._host, self._terminal, self._watch = host, terminal, watch
        self._picture = Picture(watch, paper)
        self._line = b""

    def run(self) -> None:
        """Until the host's program has ended."""
        due = time.monotonic()
        while True:
            ready, _, _ = select.select([0, self._terminal], [], [], max(0.0, due - time.monotonic()))
            if 0 in ready and (typed := os.read(0, 4096)):
                _write(self._terminal, typed)
            if self._terminal in ready and not self._hear():
                return
            if time.monotonic() >= due:
                self._show()
                due = time.monotonic() + PERIOD_S

    def _hear(self) -> bool:
        """Pass on what the host says; False when it has ended."""
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError:  # EIO: nobody has the other end any more (pty(7))
            data = b""
        _write(1, data)
        self._line = (self._line + data).rpartition(b"\n")[2][-_LONGEST_LINE:]
        return bool(data)

    def _show(self) -> None:
        packets = [one for one in self._watch.fetch() if watched.concerns(one, self._host)]
        lines = [line.rstrip() for one in packets for line in self._picture.lines(one)]
        if lines:
            written = "".join(f"{line}\r\n" for line in lines)
            _write(1, b"\r\x1b[K" + written.encode() + self._line)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
