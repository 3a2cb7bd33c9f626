"""Labs outside a run: holding one up, entering a host of one that is up, removing what killed runs left.

The engines know how; here is only which lab is meant.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from lab.engine import Lab
from lab.errors import LabError
from runner.errors import UsageError

PROMPT = ("python3", "-q")
"""What `runner shell` starts where no command is given."""


def hold(lab: Lab, say: Callable[[str], None]) -> None:
    """Keep a lab up until somebody presses Enter or Ctrl-C."""
    hosts = ", ".join(host.name for host in lab.topology.hosts)
    say(f"The lab stays up ({hosts}). In another terminal: runner shell {lab.topology.hosts[0].name}")
    say("Enter or Ctrl-C takes it down.")
    try:
        if not sys.stdin.readline():
            threading.Event().wait()  # no terminal: only a signal ends it
    except KeyboardInterrupt:
        say("")


def enter(host: str, command: Sequence[str]) -> int:
    """Run a command in a host of the lab that is up, kept runs first; returns its exit code.

    Raises UsageError with the hosts there are, LabError where no lab is up.
    """
    from lab import compose, running

    argv = list(command or PROMPT)
    noted = {name: pid for one in running.running() for name, pid in one.hosts.items()}
    if host in noted:
        return running.enter(noted[host], argv)
    found = compose.running()
    containers = {one.name: one.container for one in found.hosts} if found else {}
    if host in containers:
        terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
        return subprocess.run(["docker", "exec", *terminal, containers[host], *argv], check=False).returncode
    if not noted and not containers:
        raise LabError(
            "no lab is up",
            "Start the Docker lab with `make lab-up`, or keep one: runner run SCENARIO --keep",
        )
    names = ", ".join(sorted({*noted, *containers}))
    raise UsageError(f"no lab that is up has a host {host!r}; there are: {names}")


def clean() -> list[str]:
    """Remove what killed runs of this user left, by every engine; returns what was removed."""
    from lab import running

    return [*running.clean(), *_clean_docker()]


def _clean_docker() -> list[str]:
    """What the Docker engine left, where there is one: without it nothing of it can be there."""
    from lab.engines import docker

    if docker.ENGINE.ready() is not None:
        return []
    return docker.clean_docker()
