"""What a process that runs a lab has made, and what of it is left: so that tests can say that nothing is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

OWNER_LABEL = "socket-lab.owner"
"""Its value is written by `lab.owner`: boot, PID namespace, process and when it started."""


def made_by(engine: str, pid: int) -> set[str]:
    """Everything that exists now because process `pid` runs a lab on that engine."""
    return _in_docker(pid) if engine == "docker" else _processes_and_namespaces(pid)


def left_of(engine: str, pid: int, made: set[str]) -> set[str]:
    """What of it is still there."""
    if engine == "docker":
        return made & _in_docker(pid)
    return {one for one in made if _exists(one)}


def _in_docker(pid: int) -> set[str]:
    found = set()
    for kind, command in (("container", ["ps", "-a"]), ("network", ["network", "ls"])):
        shown = f'{{{{.ID}}}} {{{{.Label "{OWNER_LABEL}"}}}}'
        argv = ["docker", *command, "--filter", f"label={OWNER_LABEL}", "--format", shown]
        listing = subprocess.run(argv, capture_output=True, text=True, check=True)
        for line in listing.stdout.splitlines():
            identifier, owner = line.split(" ", 1)
            if owner.split(":")[2] == str(pid):
                found.add(f"{kind} {identifier}")
    return found


def _processes_and_namespaces(pid: int) -> set[str]:
    """Descendants of a process, each with its start time, and their network namespaces."""
    parents = {int(path.name): _stat(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found, look = set(), [pid]
    while look:
        parent = look.pop()
        for child, fields in parents.items():
            if fields and int(fields[1]) == parent:
                look.append(child)
                found.add(f"process {child} {fields[19]}")
                found.add("namespace " + _namespace(child))
    return found - {"namespace " + _namespace(os.getpid()), "namespace "}


def _exists(one: str) -> bool:
    kind, name = one.split(" ", 1)
    if kind == "namespace":
        return any(
            _namespace(int(path.name)) == name for path in Path("/proc").iterdir() if path.name.isdigit()
        )
    process, started = name.split()
    fields = _stat(process)
    return bool(fields) and fields[19] == started


def _stat(pid: str) -> list[str]:
    """Fields of proc_pid_stat(5) from the third on; none where the process is gone or a zombie."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(") ")[2]
            .split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [] if fields[0] in "ZX" else fields


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 - not a path
    except OSError:
        return ""
