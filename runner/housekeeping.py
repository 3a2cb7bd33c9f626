"""What hosts say by themselves to keep IPv6 going: which packets that are, and which of them somebody asked for.

Flows and pictures leave such packets out. What a check names it means, and what a step made it means too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.evidence import Evidence
from runner.headers import ICMPV6
from runner.history import CallRecord
from runner.packets import Header

_DISCOVERY = frozenset(range(133, 138))
KINDS = frozenset({130, 131, 132, 143}) | _DISCOVERY
"""ICMPv6 types of Multicast Listener Discovery (RFC 2710, 3810) and Neighbor Discovery (RFC 4861)."""
_LAYERS: Mapping[str, frozenset[int]] = {
    "ICMPv6MLQuery": frozenset({130}), "ICMPv6MLQuery2": frozenset({130}), "ICMPv6MLReport": frozenset({131}),
    "ICMPv6MLDone": frozenset({132}), "ICMPv6MLReport2": frozenset({143}), "ICMPv6MLDMultAddrRec": frozenset({143}),
    "ICMPv6ND_RS": frozenset({133}), "ICMPv6ND_RA": frozenset({134}), "ICMPv6ND_NS": frozenset({135}),
    "ICMPv6ND_NA": frozenset({136}), "ICMPv6ND_Redirect": frozenset({137}),
}  # fmt: skip
"""Layer, by scapy's name -> the types of the messages that have it."""


def is_housekeeping(header: Header) -> bool:
    """Whether a frame is of a kind that hosts send by themselves for IPv6."""
    return header.protocol == ICMPV6 and header.type in KINDS


def named_by(names: Iterable[str]) -> frozenset[int]:
    """The ICMPv6 types of housekeeping that these fields and layers are of: `ICMPv6ND_NS.tgt`, `ICMPv6NDOptMTU`."""
    found: set[int] = set()
    for name in names:
        layer = name.partition(".")[0]
        found |= _DISCOVERY if layer.startswith("ICMPv6NDOpt") else _LAYERS.get(layer, frozenset())
    return frozenset(found)


def made_by_steps(evidence: Evidence) -> frozenset[int]:
    """The numbers of the packets of such a kind that hosts sent while a `send_packet` made one of that kind."""
    made = ((call, named_by(_layers_of(call))) for call in evidence.calls() if call.name == "send_packet")
    return frozenset(
        one.number
        for call, kinds in made
        if kinds and call.ended_ns is not None
        for one in evidence.during(call.host, call.began_ns, call.ended_ns)
        if one.direction == "out" and one.header.protocol == ICMPV6 and one.header.type in kinds
    )


def _layers_of(call: CallRecord) -> Iterator[str]:
    """The layers of the packet that a step made, as its call is written: `send_packet(IPv6 / ICMPv6ND_RA)`."""
    layers = call.python.removeprefix("send_packet(").removesuffix(")").split(" / ")
    return (layer.partition(" ")[0] for layer in layers)
