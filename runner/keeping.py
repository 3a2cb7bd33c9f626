"""Labs outside a run: holding one up, entering a host of one that is up, removing what killed runs left.

The engines know how; here is only which lab is meant.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from lab.engine import Lab
from lab.errors import LabError
from runner.errors import UsageError

_BEGIN = """
import atexit, socket, sys
from socket import *
print(f"Python {sys.version.split()[0]} in host {gethostname()}; the socket module is at hand. Ctrl-D leaves.")
try:
    import readline
    getattr(sys, "__interactivehook__", int)()
    readline.clear_history()
    try:
        readline.read_history_file("/tmp/.python_history")
    except OSError:
        pass
    atexit.register(readline.write_history_file, "/tmp/.python_history")
except (ImportError, OSError):
    pass
"""
PROMPT = ("python3", "-q", "-i", "-c", _BEGIN)
"""What `runner shell` starts where no command is given: Python, with a history that lives as long as the host."""


WayIn = Callable[[Sequence[str]], int]
"""Runs a command in a host; returns its exit code."""


@runtime_checkable
class OfProcesses(Protocol):
    """A lab whose hosts are processes of this machine, which another process may join."""

    @property
    def pids(self) -> Mapping[str, int]:
        """Host -> the process id of its first process."""
        ...


def hold(lab: Lab, say: Callable[[str], None]) -> None:
    """Keep a lab up until somebody presses Enter or Ctrl-C; meanwhile `enter` finds it."""
    from lab import running

    names = [host.name for host in lab.topology.hosts]
    path = running.note("kept", lab.pids) if isinstance(lab, OfProcesses) else None
    try:
        say(f"The lab stays up. In another terminal: runner shell {names[0]}")
        say(f"Its hosts: {', '.join(names)}. Enter or Ctrl-C here takes it down.")
        _wait()
    finally:
        if path is not None:
            running.forget(path)


def _wait() -> None:
    """Wait for Enter; for a signal where nobody can press it."""
    try:
        if not sys.stdin.readline():
            threading.Event().wait()
    except KeyboardInterrupt:
        return


def enter(host: str, command: Sequence[str]) -> int:
    """Run a command in a host of a lab that is up; returns its exit code.

    Where several are up it is the first that has such a host: of labs that runs keep, then the compose lab, then the
    runs on Docker that are going on. Raises UsageError with the hosts there are, LabError where no lab is up.
    """
    argv = list(command or PROMPT)
    names: list[str] = []
    for lab in _labs():
        if host in lab:
            return lab[host](argv)
        names += [name for name in lab if name not in names]
    if not names:
        raise _no_lab()
    raise UsageError(f"no lab that is up has a host {host!r}; there are: {', '.join(sorted(names))}")


def hosts_up(wanted: Sequence[str] = ()) -> list[str]:
    """The hosts of one lab that is up, or those that are wanted of them: the lab whose hosts `enter` finds first.

    Raises LabError where no lab is up, UsageError where it has no such host.
    """
    hosts = list(next(_labs(), {}))
    if not hosts:
        raise _no_lab()
    for name in wanted:
        if name not in hosts:
            raise UsageError(f"the lab that is up has no host {name!r}; there are: {', '.join(hosts)}")
    return list(wanted) or hosts


def _no_lab() -> LabError:
    return LabError(
        "no lab is up",
        "Start the Docker lab with `make lab-up`, or keep one: runner run SCENARIO --keep",
    )


def _labs() -> Iterator[Mapping[str, WayIn]]:
    """Labs that are up, those that are meant first: the hosts of each, and how to get into them."""
    from lab import running

    for one in running.running():
        yield {name: partial(running.enter, process) for name, process in one.hosts.items()}
    for containers in _containers():
        yield {name: partial(_enter_container, found) for name, found in containers.items()}


def _enter_container(container: str, argv: Sequence[str]) -> int:
    terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    return subprocess.run(["docker", "exec", *terminal, container, *argv], check=False).returncode


def _containers() -> Iterator[Mapping[str, str]]:
    """Host -> container, of the compose lab, then of each run on Docker: first what is up longest, as it is kept."""
    from lab import compose, docker_socket
    from lab.container import RUN_LABEL

    found = compose.running()
    if found and found.hosts:
        yield {one.name: one.container for one in found.hosts}
    try:
        made = docker_socket.get("/containers/json", filters=json.dumps({"label": [RUN_LABEL]}))
    except LabError:
        return
    runs: dict[str, dict[str, str]] = {}
    for one in sorted(made, key=lambda one: int(one["Created"])):
        run = one["Labels"][RUN_LABEL]
        host = docker_socket.name_of(one).removeprefix(f"socket-lab-{run}").removeprefix("-")
        if (
            host
        ):  # without one it is the run's switch: `lab.engines.docker_plan` calls them socket-lab-RUN-HOST
            runs.setdefault(run, {})[host] = one["Id"]
    yield from runs.values()


def clean() -> list[str]:
    """Remove what killed runs of this user left, by every engine; returns what was removed, a line each."""
    from lab import running
    from lab.engines import docker

    return [*running.clean(), *docker.clean_docker()]
