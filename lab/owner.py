"""Which process owns something that outlives processes, and whether that process is still there.

A process is its number together with when it started, as numbers are used again: proc_pid_stat(5), field 22.
"""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def this_process() -> str:
    """The owner text of the calling process: boot, PID namespace, process and when it started."""
    return _text(os.getpid(), _started(os.getpid()) or 0)


def is_gone(owner: str) -> bool:
    """Whether that process is known to have ended.

    False where this process cannot tell: an owner in another PID namespace, or a text that is none of ours.
    """
    parts = owner.split(":")
    if len(parts) != 4 or not (parts[2].isdigit() and parts[3].isdigit()):
        return False
    boot, namespace, process, started = parts
    if boot != _boot():
        return True
    return namespace == _namespace() and _started(int(process)) != int(started)


def _text(process: int, started: int) -> str:
    return f"{_boot()}:{_namespace()}:{process}:{started}"


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()


def _namespace() -> str:
    return str(_NAMESPACE.stat().st_ino)


def _started(process: int) -> int | None:
    """When a process started, in clock ticks since boot; None where there is none of that number."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return None if fields[0] in "ZX" else int(fields[19])
