"""Hosts without a stack of their own, on any engine: their addresses are taken from the kernel and answered for.

Begins `lab.responder` in them, through their agents. What such a host says is its steps' affair.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lab.engine import Lab
from lab.errors import LabError
from lab.topology import Host

NAME = "the responder"
"""What the process is called in its agent; no scenario can make that name."""


def begin_in(lab: Lab, host: Host) -> None:
    """Make a host one if it is scripted; raises LabError where its kernel keeps an address."""
    if host.scripted:
        _begin(lab, host.name)


def _begin(lab: Lab, host: str) -> None:
    agent = lab.agent(host)
    agent.ask(do="start", source=_source(), makes=NAME)
    wanted = _interfaces(lab, host)
    value: Any = agent.ask(do="tell", to=NAME, what={"interfaces": wanted})
    answer = value.get("dict", value)
    if "error" in answer:
        raise LabError(f"the addresses of host {host} cannot be taken from its kernel: {answer['error']}")
    left = [address for one in _interfaces(lab, host) for address in (*one["ip4"], *one["ip6"])]
    if left:
        raise LabError(f"the kernel of host {host} still has {', '.join(left)}")


def deafen(lab: Lab, host: str, macs: Sequence[str]) -> None:
    """Let a scripted host not hear what these MACs send to groups; replaces those of before. No other host is told."""
    if any(one.scripted for one in lab.topology.hosts if one.name == host):
        lab.agent(host).ask(do="tell", to=NAME, what={"deaf": list(macs)})


def _interfaces(lab: Lab, host: str) -> list[dict[str, Any]]:
    """All interfaces that the host's kernel has, but for lo."""
    told = [one.get("dict", one) for one in lab.agent(host).ask(do="interfaces")]
    return [one for one in told if one["name"] != "lo"]


@cache
def _source() -> str:
    found = importlib.util.find_spec("lab.responder")
    assert found is not None and found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")
