"""Which hosts capture: all of them, but in a large lab those alone that an expectation can need.

Left out is a host that no expectation names, that passes nothing on, and that cannot speak in another's name: it makes
no raw or packet sockets, sends no crafted packets and runs no programs. What two others say to each other is seen
whole without it. Where an expectation does not name the hosts that it is about, all capture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from runner.placing import PlacedStep, texts_of
from runner.scenario import Scenario

MANY = 16
"""Up to so many hosts all capture."""
_SPEAKS_FREELY = re.compile(r"SOCK_RAW|AF_PACKET|IP_HDRINCL|IP_TRANSPARENT|IP_FREEBIND")
_VERBS = ("send_packet", "sniff_packet", "run")

NOT_NAMED = f"no expectation names it, and the lab has more than {MANY} hosts"
"""Why a host that was left out has no capture."""

Home = Callable[[str], str | None]
"""The host of a name: its own, if it is a host, or that of a socket; None for what is neither."""


@runtime_checkable
class Needs(Protocol):
    """An expectation that can say whose captures it needs."""

    def needs(self, home: Home) -> Iterable[str] | None:
        """The hosts whose captures it needs, or None where it may be any."""
        ...


def capturing_hosts(scenario: Scenario) -> tuple[str, ...]:
    """The hosts that capture, in the order of the scenario."""
    hosts = tuple(host.name for host in scenario.topology.hosts)
    steps = list(_all((*scenario.steps, *scenario.finally_)))
    if len(hosts) <= MANY or any("$" in (step.host or "") for step in steps):
        return hosts
    makers = {name: step.host for step in steps for name in step.makes}
    needed = _needed(scenario, lambda name: name if name in hosts else makers.get(name))
    if needed is None:
        return hosts
    needed |= {host.name for host in scenario.topology.hosts if host.router or host.nat or host.scripted}
    needed |= {step.host for step in steps if step.host and _speaks_freely(step)}
    needed |= set(_struck(steps))
    return tuple(host for host in hosts if host in needed)


def _needed(scenario: Scenario, home: Home) -> set[str] | None:
    needed: set[str] = set()
    for placed in scenario.expect:
        hosts = placed.model.needs(home) if isinstance(placed.model, Needs) else None
        if hosts is None:
            return None
        needed.update(hosts)
    return needed


def _speaks_freely(step: PlacedStep) -> bool:
    return step.verb in _VERBS or any(_SPEAKS_FREELY.search(text.text) for text in texts_of(step.source.body))


def _struck(steps: Iterable[PlacedStep]) -> Iterator[str]:
    """The hosts at both ends of faults: what these do is told by what was sent and what arrived."""
    for step in steps:
        if step.verb == "fault":
            for key in ("from", "to", "between"):
                node = step.source.body.get(key)
                yield from (text.text for text in texts_of(node)) if node is not None else ()


def _all(steps: Iterable[PlacedStep]) -> Iterator[PlacedStep]:
    for step in steps:
        yield step
        yield from _all(step.source.inner)


def told(scenario: Scenario, hosts: Sequence[str]) -> str:
    """A sentence for a reader where not all capture."""
    everybody = len(scenario.topology.hosts)
    return f"captures on {len(hosts)} of {everybody} hosts: those that the expectations name"
