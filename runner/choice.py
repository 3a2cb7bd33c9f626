"""Which engine plays, and why.

`--engine auto` takes the compose lab for the scenarios that fit it, if it is up, and netns for all others; netns too
where scenarios are played side by side.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lab import compose
from lab import engine as engines
from lab.compose import ComposeLab
from lab.engine import Engine, Shares, Warms
from lab.errors import LabError
from lab.topology import Topology
from runner.errors import UsageError


@dataclass(frozen=True)
class Choice:
    """An engine that is ready, and one sentence on why it was taken.

    Where it does not fit all scenarios, `rest` plays those whose topology it does not take (`takes`).
    """

    engine: Engine
    why: str
    rest: Engine | None = None
    takes: Callable[[Topology], bool] | None = None

    @property
    def name(self) -> str:
        """The engine's name, or both."""
        return self.engine.name if self.rest is None else f"{self.engine.name} and {self.rest.name}"

    def engine_of(self, topology: Topology) -> Engine:
        """The engine that plays a scenario with this topology."""
        if self.rest is None or self.takes is None or self.takes(topology):
            return self.engine
        return self.rest


def choose(name: str, topologies: Sequence[Topology], *, side_by_side: bool = False) -> Choice:
    """The engine of that name, or for `auto` the one that fits; raises LabError when it is not ready here,
    UsageError when there is none of that name.

    `side_by_side`: several labs will be up at once, so that none may be one that is up already.
    """
    if name != "auto" and name not in engines.ENGINES:
        raise UsageError(f"there is no engine {name!r}; there are: auto, {', '.join(engines.ENGINES)}")
    if name != "auto":
        engine = engines.find(name)
        return Choice(_ready(alone(engine) if side_by_side else engine), "asked for with --engine")
    if side_by_side:
        return Choice(_ready(engines.find("netns")), "each scenario gets a lab of its own")
    found = compose.running()
    if found is None:
        return _without_lab(topologies)
    fits = sum(_is_dockers(found, topology) for topology in topologies)
    if fits == len(topologies):
        return Choice(_ready(engines.find("docker")), f"the compose lab {found.project} is up")
    netns = _ready(engines.find("netns"))
    if not fits:
        return Choice(netns, f"the compose lab {found.project} is up, but has other hosts")
    why = (
        f"the compose lab {found.project} is up and has the hosts of {fits} of {len(topologies)} scenarios;"
        " netns plays the others"
    )
    return Choice(_ready(engines.find("docker")), why, netns, partial(_is_dockers, found))


def _without_lab(topologies: Sequence[Topology]) -> Choice:
    """Namespaces, but for scenarios whose hosts are services of a compose file of their own."""
    own = sum(topology.compose is not None for topology in topologies)
    docker = engines.find("docker")
    if own == len(topologies) and own:
        return Choice(_ready(docker), "its hosts are services of a compose file")
    netns, why = _ready(engines.find("netns")), "no compose lab is up (`make lab-up` starts it)"
    if not own or docker.ready() is not None:
        return Choice(netns, why)
    return Choice(netns, f"{why}; docker plays what has a compose file of its own", docker, _is_of_the_lab)


def _is_dockers(found: ComposeLab, topology: Topology) -> bool:
    return topology.compose is not None or compose.fits(found, topology)


def _is_of_the_lab(topology: Topology) -> bool:
    return topology.compose is None


def alone(engine: Engine) -> Engine:
    """The engine as it is when it shares no lab with anybody."""
    return engine.alone() if isinstance(engine, Shares) else engine


def warm(name: str) -> None:
    """Have the engine that will probably play begin to get ready, without waiting; what goes wrong is told later."""
    with contextlib.suppress(LabError):
        engine = engines.find("netns" if name == "auto" else name)
        if isinstance(engine, Warms):
            engine.warm()


def _ready(engine: Engine) -> Engine:
    problem = engine.ready()
    if problem is not None:
        raise problem
    return engine
