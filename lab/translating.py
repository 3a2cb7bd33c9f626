"""Routers that rewrite source addresses, on any engine: `lab.translator` is begun in them, through their agents."""

from __future__ import annotations

from typing import Any

from lab import beside
from lab.engine import Lab
from lab.errors import Unsupported
from lab.topology import Host

NAME = "the translator"
"""What the process is called in its agent; no scenario can make that name."""


def begin_in(lab: Lab, host: Host) -> None:
    """Make a host with `nat` rewrite addresses; raises Unsupported where its kernel cannot."""
    if host.nat is None:
        return
    [outside] = [end.name for end in lab.interfaces(host.name) if end.network == host.nat]
    agent = lab.agent(host.name)
    agent.ask(do="start", source=beside.program(("lab",), ("lab.translator",)), makes=NAME)
    value: Any = agent.ask(do="tell", to=NAME, what={"outside": outside})
    answer = value.get("dict", value)
    if "error" in answer:
        raise Unsupported(
            f"the kernel of host {host.name} cannot translate addresses: {answer['error']}",
            "It needs nf_tables with masquerading (CONFIG_NFT_MASQ, CONFIG_NFT_NAT).",
        )
