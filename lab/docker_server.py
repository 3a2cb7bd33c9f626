"""What answers at Docker's socket: Docker or Podman, with root or without, and which limits it can hold.

From the API's /version and /info alone, so that every kind can be tested anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab import docker_socket

_LIMITS = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "processor time"}
"""Keys of /info, and what each bounds."""


@dataclass(frozen=True)
class Server:
    """A container engine. `unlimited` names what it cannot bound for a container, and `why`."""

    name: str
    version: str
    rootless: bool
    unlimited: tuple[str, ...] = ()
    why: str = ""

    @property
    def title(self) -> str:
        """`Docker 20.10.24, rootless`."""
        return f"{self.name} {self.version}{', rootless' if self.rootless else ''}"


def ask() -> Server:
    """What answers; raises LabError where nothing does."""
    return told(docker_socket.get("/version"), docker_socket.get("/info"))


def told(version: Mapping[str, Any], info: Mapping[str, Any]) -> Server:
    """The server that gave these two answers."""
    parts = [str(one.get("Name", "")) for one in version.get("Components") or ()]
    rootless = bool(info.get("Rootless")) or "name=rootless" in (info.get("SecurityOptions") or ())
    unlimited = tuple(word for key, word in _LIMITS.items() if not info.get(key))
    why = ""
    if rootless and str(info.get("CgroupVersion")) != "2":  # Podman says that it can, and then does not
        unlimited = tuple(_LIMITS.values())
        why = "without root that takes cgroup v2, and this machine has v1"
    elif unlimited:
        why = f"control groups: version {info.get('CgroupVersion', '?')}, driver {info.get('CgroupDriver', '?')}"
    name = "Podman" if any("Podman" in part for part in parts) else "Docker"
    return Server(name, str(version.get("Version", "?")), rootless, unlimited, why)
