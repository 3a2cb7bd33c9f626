"""The seam to the world: what an engine is and what a lab is.

Very few methods on purpose: captures, offloads, socket calls and programs are requests to the agents, so that
no engine implements them. Rare abilities are small protocols of their own, asked for with `isinstance`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from lab.channel import Channel
from lab.errors import EngineMissing, LabError
from lab.topology import Topology


@dataclass(frozen=True)
class Interface:
    """One end of a host on one network, as the lab made it.

    Addresses are texts without prefix length; the first is the host's own on this network. `mac` is six pairs
    of hexadecimal digits in small letters, joined by colons.
    """

    host: str
    network: str
    name: str
    mac: str
    ip4: tuple[str, ...]
    ip6: tuple[str, ...]
    prefix4: int
    prefix6: int
    mtu: int


@runtime_checkable
class Lab(Protocol):
    """A topology that is up, with an agent that answers in each host."""

    @property
    def topology(self) -> Topology: ...

    def agent(self, host: str) -> Channel:
        """The runner's end of the host's agent; raises KeyError for no such host."""
        ...

    def interfaces(self, host: str) -> tuple[Interface, ...]:
        """The host's interfaces in the order of its networks."""
        ...

    def facts(self) -> Mapping[str, str]:
        """What a reader of a run wants to know: engine, its version, kernel."""
        ...


class Engine(Protocol):
    """A way of making a topology real. A module of `lab.engines` has one, called ENGINE."""

    @property
    def name(self) -> str: ...

    def ready(self) -> LabError | None:
        """None, or why this machine cannot run it and what to do about it. May warm up what `up` needs."""
        ...

    def up(self, topology: Topology, *, logs: Path) -> AbstractContextManager[Lab]:
        """Make it real. Each host's stderr goes to `logs/HOST.stderr`. Leaving takes it down, whatever
        happened.

        Raises LabError when it cannot be made, Unsupported when this engine or kernel lacks what it needs.
        """
        ...


@runtime_checkable
class Warms(Protocol):
    """An engine that can begin to get ready while the runner does something else."""

    def warm(self) -> None: ...


@runtime_checkable
class Shares(Protocol):
    """An engine that plays on a lab that is up already, where one fits."""

    def alone(self) -> Engine:
        """The engine that does the same, but makes each lab anew."""
        ...


@runtime_checkable
class Pauses(Protocol):
    """A lab that can stop the programs of a host while its kernel goes on answering."""

    def pause(self, host: str) -> None: ...

    def resume(self, host: str) -> None: ...


@runtime_checkable
class Kills(Protocol):
    """A lab that can end a host as a power cut does.

    `cut` takes it off all its networks and lets it live, so that its capture can still be fetched, whole: nothing
    gets in or out any more. `kill` ends it; what dies with it says nothing on the wire, cut off before or not.
    """

    def cut(self, host: str) -> None: ...

    def kill(self, host: str) -> None: ...


@runtime_checkable
class Restarts(Protocol):
    """A lab that can begin a killed host anew: with its addresses and MACs, and nothing else of before.

    After `restart` its agent is another one, that has said hello, and no packet passes yet where the lab makes its own
    networks: what has to see or strike the first one is made ready before `join`.
    """

    def restart(self, host: str) -> None: ...

    def join(self, host: str) -> None: ...


ENGINES: Mapping[str, str] = {"docker": "lab.engines.docker", "netns": "lab.engines.netns"}
"""Engine name -> module. A table, so that `docker` is imported only when it is asked for."""


def find(name: str) -> Engine:
    """The engine of that name; raises EngineMissing with the names there are."""
    module = ENGINES.get(name)
    if module is None:
        raise EngineMissing(f"there is no engine {name!r}", f"the engines are: {', '.join(ENGINES)}")
    return cast(Engine, importlib.import_module(module).ENGINE)


Reporter = Callable[[str], None]
"""Told one line about something that takes a while."""
