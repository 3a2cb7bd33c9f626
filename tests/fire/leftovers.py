"""What a runner that was killed left on the machine: processes, namespaces, mounts, containers, networks, files."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab import docker_socket
from lab.container import OWNER_LABEL
from lab.errors import LabError
from tests.test_failures import descendants

_PR_SET_CHILD_SUBREAPER = 36
_KINDS = ("net", "mnt", "pid", "user", "ipc", "uts")


@contextmanager
def adopting() -> Iterator[None]:
    """Whatever loses its parent below this process becomes its child, so that nothing gets out of sight (prctl(2))."""
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        library.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@dataclass
class Watched:
    """A runner that will be killed: what is below it at that moment, and the namespaces that it has made."""

    pid: int
    before: frozenset[int]
    namespaces: set[str] = field(default_factory=set)
    had_a_lab: bool = False

    def look(self) -> None:
        """Note the namespaces of all processes below it that are not the machine's."""
        for pid in descendants(self.pid):
            self.namespaces |= namespaces_of(pid)

    def processes(self) -> list[int]:
        """Those of its processes that live: adopted by us, or in a namespace that it made.

        What others have started that were there before is none of them.
        """
        others = self.before.union(*map(descendants, self.before))
        adopted = set(descendants(os.getpid())) - others - {self.pid}
        inside = {pid for pid in _all() if self.namespaces & namespaces_of(pid)}
        return sorted(pid for pid in adopted | inside if not _collected(pid))

    def mounts(self) -> list[str]:
        """Mounts of the machine that hold one of its namespaces."""
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        return [line for line in text.splitlines() if any(one in line for one in self.namespaces)]


def namespaces_of(pid: int) -> set[str]:
    """`net:[4026532000]` and the like: the namespaces of a process that this one is not in."""
    found = set()
    for kind in _KINDS:
        with suppress(OSError):
            theirs = str(Path(f"/proc/{pid}/ns/{kind}").readlink())
            if theirs != str(Path(f"/proc/self/ns/{kind}").readlink()):
                found.add(theirs)
    return found


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _collected(pid: int) -> bool:
    """Whether a process is gone; one that has ended and was left to us is collected."""
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return True
    return not Path(f"/proc/{pid}").exists()


def in_docker(pid: int) -> list[str]:
    """Containers and networks of the runner with that process id; none where there is no Docker."""
    try:
        containers, networks = docker_socket.labelled(OWNER_LABEL)
    except LabError:
        return []
    mine = [one for one in (*containers, *networks) if f":{pid}:" in one["Labels"][OWNER_LABEL]]
    return [str(one.get("Name") or docker_socket.name_of(one)) for one in mine]
