"""Whether a scenario sends what a network with rules of its own would drop, so that its hosts need one without any.

The labs that the engines make have no such rules. Docker's own internal networks have: they pass between two hosts only
what comes from one of their addresses and is for another, and put fragments together (DOCKER-ISOLATION, through
br_netfilter). The compose lab's bridge may drop what is malformed. Looks at what is written; what a program sends the
scenario says with `requires`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from runner.placing import PlacedStep, texts_of
from runner.requirements import OF_NETWORKS

_VERBS = ("send_packet",)
_WORDS = re.compile(
    r"AF_PACKET|IP_HDRINCL|IP_(ADD|DROP)(_SOURCE)?_MEMBERSHIP|IP_MULTICAST_\w+|MCAST_\w+|IP_TRANSPARENT|IP_FREEBIND"
    r"|IP\.(frag|flags|chksum)|corrupt|truncate"
    r"|(^|[^\d.])(22[4-9]|23\d)\.\d+\.\d+\.\d+([^\d.]|$)|255\.255\.255\.255|<broadcast>"
)


def is_unusual(requires: Sequence[str], steps: Iterable[PlacedStep]) -> bool:
    """Whether such frames are asked for, or sent by these steps as far as they say so."""
    return any(one in OF_NETWORKS for one in requires) or any(map(_says_so, _all(steps)))


def _says_so(step: PlacedStep) -> bool:
    return step.verb in _VERBS or any(_WORDS.search(text.text) for text in texts_of(step.source.body))


def _all(steps: Iterable[PlacedStep]) -> Iterator[PlacedStep]:
    for step in steps:
        yield step
        yield from _all(step.source.inner)
