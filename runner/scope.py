"""What a step may know when it is performed: hosts and their addresses, objects made so far, values named so
far.

The stage keeps it up to date; steps only read it, and playbook tests make one by hand. No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.engine import Interface


@dataclass(frozen=True)
class Thing:
    """An object that lives in a host: a socket, a file made by makefile, a program, a poll object.

    `family` and `type` are constants by name (`AF_INET`, `SOCK_STREAM`) for sockets and empty for the rest.
    """

    name: str
    host: str
    kind: Literal["socket", "file", "program", "other"]
    family: str = ""
    type: str = ""


@dataclass
class Scope:
    """Everything that names stand for at one moment of a play."""

    interfaces: Mapping[str, tuple[Interface, ...]]
    things: dict[str, Thing] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    scripted: frozenset[str] = frozenset()
    """Hosts without a stack of their own: all that they send are frames."""

    def networks_of(self, host: str) -> set[str]:
        """The names of the networks that a host is on; raises KeyError for no such host."""
        return {interface.network for interface in self.interfaces[host]}

    def address(self, host: str, family: str, seen_from: str) -> str:
        """The address of `host` that `seen_from` should use for a socket of that family (`AF_INET` or `AF_INET6`).

        On a network that both are on, else the host's first. Raises KeyError for no such host, LookupError
        where it has no address of the family.
        """
        ends = self.interfaces[host]
        near = self.networks_of(seen_from) if seen_from in self.interfaces else set()
        for end in sorted(ends, key=lambda end: end.network not in near):
            addresses = end.ip6 if family == "AF_INET6" else end.ip4
            if addresses:
                return addresses[0]
        raise LookupError(f"host {host} has no {family} address")

    def knows(self, name: str) -> bool:
        """Whether what a name stands for exists."""
        return name in self.things or name in self.values or name in self.interfaces
