"""`runner watch` and `runner shell --watch` on a lab that a run keeps: packets as they come, on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.engine import find

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RUNNER = [sys.executable, "-m", "runner"]
SCENARIO = """\
name: kept
hosts: [server, client]
steps:
  - server: {socket: s, type: SOCK_DGRAM}
"""
SENDS = "import socket; socket.socket(2, 2).sendto(b'over here', ('server', 9))"
PATIENCE_S = 20


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which `runner` finds a lab that is up."""
    problem = find("netns").ready()
    if problem is not None:
        pytest.skip(str(problem))
    folder = tmp_path_factory.mktemp("kept")
    (folder / "kept.yaml").write_text(SCENARIO)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(folder), "TERM": "xterm"}
    words = [*RUNNER, "run", "kept.yaml", "--engine", "netns", "--keep"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        assert process.stdin and process.stdout
        while "stays up" not in process.stdout.readline():
            assert process.poll() is None
        yield environment
        process.stdin.write("\n")


def send(environment: dict[str, str]) -> None:
    """A datagram from client to server, by a program that somebody starts in the host."""
    words = [*RUNNER, "shell", "client", "--", "python3", "-c", SENDS]
    subprocess.run(words, env=environment, check=True, timeout=PATIENCE_S)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvpe(words[0], words, environment)
        self.said = ""

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def until(self, wanted: str | Callable[[str], bool]) -> None:
        """Read until something was said."""
        deadline = time.monotonic() + PATIENCE_S
        while not (wanted in self.said if isinstance(wanted, str) else wanted(self.said)):
            assert self._read(deadline), f"never said, but: {self.said!r}"

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"nothing more was said after: {self.said!r}"
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:  # EIO: the program has ended
            return False
        self.said += data.decode("utf-8", "replace")
        return bool(data)

    def interrupt(self) -> None:
        """Press Ctrl-C until it was heard: a prompt that is just beginning to listen may miss it."""
        deadline = time.monotonic() + PATIENCE_S
        while "KeyboardInterrupt" not in self.said:
            self.type("\x03")
            pause = time.monotonic() + 1
            while "KeyboardInterrupt" not in self.said and time.monotonic() < pause:
                ready, _, _ = select.select([self.terminal], [], [], 0.1)
                if ready:
                    self._read(deadline)
            assert time.monotonic() < deadline, f"Ctrl-C was never heard: {self.said!r}"

    def prompts(self, number: int) -> None:
        """Wait for a prompt: what is typed before it stands there may be lost."""
        self.until(lambda said: said.count(">>> ") >= number)

    def end(self) -> int:
        """The exit code; everything that is left is read."""
        deadline = time.monotonic() + PATIENCE_S
        try:
            while self._read(deadline):
                pass
        finally:
            os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_watch_shows_what_is_sent_until_ctrl_c(kept: dict[str, str]) -> None:
    terminal = Terminal([*RUNNER, "watch"], kept)
    terminal.until("Watching server, client")
    time.sleep(1)  # so that the captures run: what was sent before is nobody's promise
    send(kept)
    terminal.until('UDP "over here"')
    terminal.until("port-unreachable")
    terminal.type("\x03")
    assert terminal.end() == 0
    assert terminal.said.count("over here") == 1, "sent once, shown once"


def test_watch_filters_and_ends_with_sigterm(kept: dict[str, str]) -> None:
    terminal = Terminal([*RUNNER, "watch", "client", "--filter", "ICMP"], kept)
    terminal.until("Watching client")
    time.sleep(1)
    send(kept)
    terminal.until("port-unreachable")
    assert "over here" not in terminal.said
    os.kill(terminal.process, signal.SIGTERM)
    terminal.end()


def test_a_wrong_filter_and_an_unknown_host_are_said(kept: dict[str, str]) -> None:
    for words, said in ((["--filter", "UDP.dprt = 1"], "^^"), (["nosuch"], "nosuch")):
        done = subprocess.run(
            [*RUNNER, "watch", *words], env=kept, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2 and said in done.stderr, done


def test_a_prompt_shows_its_packets_and_keeps_what_is_typed(kept: dict[str, str]) -> None:
    terminal = Terminal([*RUNNER, "shell", "--watch", "client"], kept)
    terminal.until(">>> ")
    terminal.type("s = socket(AF_INET, SOCK_DGRAM)\r")
    terminal.prompts(2)
    terminal.type("s.sendto(b'typed', ('server', 9))\r")
    terminal.until("port-unreachable")
    terminal.type("half a li")
    terminal.until("half a li")
    before = len(terminal.said)
    send(kept)
    terminal.until(lambda said: "over here" in said[before:] and "half a li" in said[before:])
    terminal.interrupt()
    shown = terminal.said.rpartition("KeyboardInterrupt")[2]
    if ">>> " not in shown:
        terminal.prompts(terminal.said.count(">>> ") + 1)
    terminal.type("\x04")
    assert terminal.end() == 0
    assert re.search(r'UDP "typed"', terminal.said)


def test_ctrl_c_is_for_the_prompt(kept: dict[str, str]) -> None:
    terminal = Terminal([*RUNNER, "shell", "server"], kept)
    terminal.until(">>> ")
    terminal.interrupt()
    terminal.prompts(2)
    terminal.type("print(6 * 7)\r")
    terminal.until("42")
    terminal.prompts(3)
    terminal.type("\x04")
    assert terminal.end() == 0


def test_a_prompt_with_packets_needs_a_terminal(kept: dict[str, str]) -> None:
    words = [*RUNNER, "shell", "--watch", "client"]
    done = subprocess.run(
        words, env=kept, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == 2 and "needs a terminal" in done.stderr
