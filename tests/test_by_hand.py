"""The programs of the scenarios, started by hand in a lab that is up: real terminals, real prompts."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
RUNNER = [sys.executable, "-m", "runner"]
PATIENCE_S = 20


class Terminal:
    """A command on a terminal of its own, as somebody has it who types."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._command = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, start_new_session=True
        )
        os.close(theirs)
        self._seen = ""

    def reads(self, text: str) -> None:
        """Wait until the text is on the screen."""
        until_s = time.monotonic() + PATIENCE_S
        while text not in self._seen:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, until_s - time.monotonic()))
            assert ready, f"{text!r} did not come, but {self._seen!r}"
            self._seen += os.read(self._ours, 4096).decode("utf-8", "replace").replace("\r\n", "\n")
        self._seen = self._seen.partition(text)[2]

    def types(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> None:
        """Take the terminal away."""
        self._command.kill()
        self._command.wait()
        os.close(self._ours)


@contextmanager
def opened(folder: Path, *command: str) -> Iterator[Terminal]:
    """A command of the runner on a terminal, ended at the end."""
    made = Terminal([*RUNNER, *command], folder)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two hosts of a lab that is kept up, with names that no other lab of this machine has."""
    server, client = (f"{kind}{uuid.uuid4().hex[:6]}" for kind in ("server", "client"))
    shutil.copytree(ROOT / "scenarios" / "programs", tmp_path / "programs")
    text = f"name: kept\nhosts: [{server}, {client}]\nsteps:\n  - {server}: {{gethostname: true}}\n"
    (tmp_path / "kept.yaml").write_text(text, encoding="utf-8")
    with opened(tmp_path, "run", "kept.yaml", "--engine", "netns", "--keep") as kept:
        kept.reads("The lab stays up.")
        yield server, client
        kept.types("\n")
        kept.reads("PASSED")


def test_the_echo_with_prompts(hosts: tuple[str, str], tmp_path: Path) -> None:
    server, client = hosts
    with opened(tmp_path, "shell", server, "--", "python3", "/programs/interactive_server.py") as there:
        there.reads("Listening on port 8888.")
        with opened(
            tmp_path, "shell", client, "--", "python3", "/programs/interactive_client.py", server
        ) as here:
            here.reads("Say something: ")
            here.types("hello\n")
            here.reads("Back came: hello\nSay something: ")
            there.reads("Received 5 bytes: hello")
            here.types("\n")
            there.reads("The client hung up.")


def test_the_chat(hosts: tuple[str, str], tmp_path: Path) -> None:
    server, client = hosts
    with opened(tmp_path, "shell", server, "--", "python3", "/programs/chat_server.py") as callee:
        callee.reads("Waiting for a call.")
        with opened(tmp_path, "shell", client, "--", "python3", "/programs/chat_client.py", server) as caller:
            caller.reads("Connected.\n> ")
            caller.types("who is it?\n")
            callee.reads("< who is it?\n> ")
            callee.types("\n")
            callee.reads("> ")
            callee.types("只有我\n")
            caller.reads("< 只有我\n> ")
            caller.types("\x04")  # what Ctrl-D types
            callee.reads("The other side hung up.")


def test_sockets_at_the_prompt(hosts: tuple[str, str], tmp_path: Path) -> None:
    """Both ends by hand: a prompt of Python in each host."""
    server, client = hosts
    with opened(tmp_path, "shell", server) as there, opened(tmp_path, "shell", client) as here:
        for prompt in (there, here):
            prompt.reads(">>> ")
            prompt.types("import socket; s = socket.socket()\n")
            prompt.reads(">>> ")
        there.types("s.bind(('', 9000)); s.listen(1)\n")
        there.reads(">>> ")
        here.types(f"s.connect(('{server}', 9000)); s.send(b'by hand')\n")
        here.reads("7\n>>> ")
        there.types("s.accept()[0].recv(100)\n")
        there.reads("b'by hand'")
