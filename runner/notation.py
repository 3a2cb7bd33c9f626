"""Packets written as lines of a ladder: the notation that authors write, for terminals, records and failure
texts.

What is written here passes when it is pasted as `packets:` for the run it came from; a property test holds it
to that. Reading the notation is `runner.ladder`'s affair.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.evidence import Evidence
from runner.flows import Flow, select
from runner.headers import ICMP, ICMPV6, IGMP, PSH, TCP, UDP
from runner.packets import Header, Packet, Transmission
from runner.quoting import quoted
from runner.words import words_of

SHOWN = 40
"""A longer payload is written as a prefix of so many bytes, and its length."""

_ECHOES = {ICMP: (0, 8), ICMPV6: (128, 129)}


def lines(evidence: Evidence, flow: Flow, network: str | None = None, at: str | None = None) -> list[str]:
    """The ladder of a flow as it was recorded; raises Blind as `runner.flows.select` does."""
    return written(select(evidence, flow, network, at))


def written(transmissions: Iterable[Transmission]) -> list[str]:
    """A line for each; of two hosts the first that sends stands left, then arrows turn."""
    left_of: dict[frozenset[str], str] = {}
    found = []
    for one in transmissions:
        left = left_of.setdefault(frozenset((one.source, one.target)), one.source)
        found.append(line(one, left))
    return found


def line(transmission: Transmission, left: str | None = None) -> str:
    """`client -> server  SYN`; `left` says which of the two hosts stands there (None: the sender)."""
    source, target, lost = transmission.source or "?", transmission.target or "?", transmission.lost
    if left is None or left == transmission.source:
        ends = f"{source} {'-x' if lost else '->'} {target}"
    else:
        ends = f"{target} {'x-' if lost else '<-'} {source}"
    return f"{ends}  {words(transmission)}"


def words(transmission: Transmission) -> str:
    """What the packet is and carries: `SYN,ACK`, `PSH,ACK  "hello"`, `echo-request  "ping"`."""
    packet = transmission.sent
    return "  ".join(part for part in (words_for(packet.header), payload_of(packet)) if part)


def words_for(header: Header) -> str:
    """What a packet is, by its header: `SYN,ACK`."""
    return " ".join(words_of(header))


def payload_of(packet: Packet) -> str:
    """The payload of a packet as a line has it, empty where it means nothing to a reader."""
    return "  ".join(_payload(packet))


def _payload(packet: Packet) -> list[str]:
    """The payload, where it means something to a reader."""
    if not _shows_payload(packet):
        return []
    payload = packet.payload
    if len(payload) <= SHOWN:
        return [quoted(payload)]
    return [quoted(payload, SHOWN), f"len={packet.header.length}"]


def _shows_payload(packet: Packet) -> bool:
    header = packet.header
    if not header.version or header.payload < 0:
        return False
    if header.protocol == TCP:
        return header.length > 0 or (header.flags >= 0 and bool(header.flags & PSH))
    if header.protocol == UDP:
        return True
    if header.protocol in _ECHOES:  # the others quote a packet, or carry options
        return header.type in _ECHOES[header.protocol]
    return header.protocol != IGMP and header.length > 0
