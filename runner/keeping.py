"""Labs outside a run: holding one up, entering a host of one that is up, removing what killed runs left.

The engines know how; here is only which lab is meant.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from lab.engine import Lab
from lab.errors import LabError
from runner.errors import UsageError

_BEGIN = """
import atexit, socket, sys
from socket import *
print(f"Python {sys.version.split()[0]} in host {gethostname()}: all of the socket module is at hand. Ctrl-D leaves.")
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
        say(f"The lab stays up. In another terminal: runner shell {names[0]}   (hosts: {', '.join(names)})")
        say("Enter or Ctrl-C here takes it down.")
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
    """Run a command in a host of a lab that is up, of labs that runs keep first; returns its exit code.

    Raises UsageError with the hosts there are, LabError where no lab is up.
    """
    from lab import running

    argv = list(command or PROMPT)
    kept = {name: pid for one in running.running() for name, pid in one.hosts.items()}
    if host in kept:
        return running.enter(kept[host], argv)
    containers = _containers()
    if host in containers:
        terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
        words = ["docker", "exec", *terminal, containers[host], *argv]
        return subprocess.run(words, check=False).returncode
    if not kept and not containers:
        raise _no_lab()
    names = ", ".join(sorted({*kept, *containers}))
    raise UsageError(f"no lab that is up has a host {host!r}; there are: {names}")


def hosts_up(wanted: Sequence[str] = ()) -> list[str]:
    """The hosts of the lab that is up, of one that a run keeps first, or those that are wanted of them.

    Raises LabError where no lab is up, UsageError where it has no such host.
    """
    from lab import running

    kept = next((list(one.hosts) for one in running.running()), [])
    hosts = kept or list(_containers())
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


def _containers() -> dict[str, str]:
    """Host -> container, of the compose lab first, and of runs on Docker that are going on."""
    from lab import compose, docker_socket
    from lab.container import RUN_LABEL

    found = compose.running()
    hosts = {one.name: one.container for one in found.hosts} if found else {}
    try:
        filters = json.dumps({"label": [RUN_LABEL]})
        made = docker_socket.get("/containers/json", filters=filters)
    except LabError:
        return hosts
    for one in made:  # `lab.engines.docker_plan` calls them socket-lab-RUN-HOST
        name = one["Names"][0].removeprefix(f"/socket-lab-{one['Labels'][RUN_LABEL]}").partition("-")[2]
        hosts.setdefault(name, one["Id"])
    return hosts


def clean() -> list[str]:
    """Remove what killed runs of this user left, by every engine; returns what was removed, a line each."""
    from lab import running
    from lab.engines import docker

    return [*running.clean(), *docker.clean_docker()]
