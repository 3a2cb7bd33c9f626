"""Which packets and calls belong together: a number for each flow, and its name with the hosts' names in it.

For filters of a page: coarser than `runner.flows`, which answers what an expectation asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.evidence import Evidence
from runner.headers import ARP, ICMP, ICMPV6, IGMP, RST, TCP, UDP
from runner.history import CallRecord
from runner.packets import Header, Transmission
from runner.sockets import is_wildcard

_End = tuple[str, int]
_Key = tuple[str, _End, _End]
_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmp6", IGMP: "igmp"}


class Streams:
    """The flows of one run, in the order of their first packets."""

    def __init__(self, seen: Evidence, sent: Sequence[Transmission]) -> None:
        self._seen = seen
        self._numbers: dict[_Key, int] = {}
        self._sockets: dict[str, list[int]] = {}
        self.names: list[str] = []
        for one in sent:
            self.of(one)

    def of(self, one: Transmission) -> int:
        """The number of a packet's flow."""
        header = one.sent.header
        ends = (
            (header.src or header.source_mac, header.sport),
            (header.dst or header.target_mac, header.dport),
        )
        first, second = sorted(ends)
        key = (self.protocol_of(header), first, second)
        if key not in self._numbers:
            self._numbers[key] = len(self.names)
            self.names.append(f"{key[0]} {self._named(ends[0])} \N{LEFT RIGHT ARROW} {self._named(ends[1])}")
        return self._numbers[key]

    def _named(self, end: _End) -> str:
        owner = self._seen.owner(end[0])
        return f"{owner}:{end[1]}" if end[1] >= 0 else owner

    @staticmethod
    def protocol_of(header: Header) -> str:
        """The name of what a packet speaks."""
        if header.ether_type == ARP:
            return "arp"
        return _NAMES.get(header.protocol, f"ip.{header.protocol}" if header.protocol >= 0 else "other")

    def kind_of(self, header: Header) -> str:
        """What colour a packet has: `reset`, `data`, or the name of what it speaks."""
        if header.protocol == TCP and header.flags >= 0 and header.flags & RST:
            return "reset"
        if header.protocol in (TCP, UDP) and header.length > 0:
            return "data"
        return self.protocol_of(header)

    def of_socket(self, name: str) -> list[int]:
        """The flows that a socket took part in."""
        if name not in self._sockets:
            self._sockets[name] = sorted(set(self._of_socket(name)))
        return self._sockets[name]

    def _of_socket(self, name: str) -> Iterator[int]:
        if name not in self._seen.sockets:
            return
        facts = self._seen.socket(name)
        own = self._seen.addresses(facts.host)
        for pair in facts.pairs:
            for (_, *ends), number in self._numbers.items():
                for near, far in (ends, reversed(ends)):
                    local = near[1] == pair.local[1] and (
                        near[0] == pair.local[0] or (is_wildcard(pair.local[0]) and near[0] in own)
                    )
                    if local and pair.peer in (None, far):
                        yield number

    def of_call(self, call: CallRecord) -> list[int]:
        """The flows of all sockets that a call was about."""
        names = [*(call.object.split(",") if call.object else ()), *([call.made] if call.made else ())]
        return sorted({number for name in names for number in self.of_socket(name)})
