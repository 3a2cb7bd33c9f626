"""The expectation `count`: how many packets of a flow meet conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from runner import conditions, flows, housekeeping, notation
from runner.checks import keys
from runner.conditions import hosts_in
from runner.evidence import Evidence
from runner.expected import ExpectedWhole
from runner.model import KnownNames, MisplacedAt, Model
from runner.packets import Transmission
from runner.values import Text
from runner.verdict import Finding

_LISTED = 20
"""How many packets a finding lists."""


class Counted(Model):
    """What is counted.

    flow   which packets
    where  conditions that they meet, joined by `and`; left out, all count
    at     the host whose own view it is; left out, each packet counts once, however many hosts saw it
    net    the network it is about, where there are several
    is     how many there are: a number, a range `A..B`, `{any: [A, B]}`
    """

    flow: keys.FlowText
    where: keys.ConditionsText = ()
    at: Text | None = None
    net: Text | None = None
    expected: ExpectedWhole = Field(alias="is")


class Count(Model):
    """How many packets of a flow meet conditions: `{flow: tcp c, where: TCP.flags has R, is: 0}`.

    `flow` says which packets, `where` which of them (conditions joined by `and`; all, if left out), `is` how
    many there are: a number, a range `A..B`, `{any: [A, B]}`. Each packet counts once, when it was sent,
    lost ones too; with `at` those count that this host captured. `net` is needed where there are several
    networks. A condition is a layer (`DNS`) or `FIELD OP VALUE`: scapy's fields, and `len`, `seq` and `ack`;
    OP is one of = != < <= > >= has.

    The flows `icmp` and `any` leave out what hosts say by themselves: IPv6's Neighbor and Multicast Listener Discovery
    (RFC 4861, 3810), and of `any` also ARP and IGMP. What a step made is in, and so are messages of a kind that `where`
    names (`ICMPv6ND_NS`); `ip` has them all.

    count  a map of flow, where, at, net and is
    """

    kind: ClassVar[str] = "count"

    count: Counted

    def mistakes(self, names: KnownNames) -> Iterator[MisplacedAt]:
        """Names that do not exist."""
        yield from keys.flow_mistakes(self.count.flow, names, ("count", "flow"))
        yield from keys.place_mistakes(self.count.at, self.count.net, names, ("count",), "flow")
        for name, column in hosts_in(self.count.where):
            yield from keys.unknown(names, "hosts", name, ("count", "where"), column=column)

    def needs(self, home: keys.Home) -> Iterable[str] | None:
        """The hosts whose captures it needs."""
        return keys.flow_hosts(self.count.flow, self.count.at, home)

    def examine(self, evidence: Evidence) -> Iterator[Finding]:
        """One finding; raises Blind where packets could not be seen, or not be compared."""
        wanted = self.count
        keys.must_see(evidence, wanted.flow, wanted.at, wanted.net)
        named = housekeeping.named_by(condition.field for condition in wanted.where)
        found = [
            one
            for one in flows.select(evidence, wanted.flow, wanted.net, wanted.at, named)
            if all(conditions.holds(condition, one, evidence.owner) for condition in wanted.where)
        ]
        holds = wanted.expected.holds(len(found))
        numbers = tuple(one.sent.number for one in found)
        summary = f"{self._told(len(found))}, expected {wanted.expected}"
        if holds:
            yield Finding("pass", self.kind, summary, packets=numbers)
        else:
            yield Finding("fail", self.kind, summary, _listed(found), packets=numbers)

    def _told(self, count: int) -> str:
        where = " and ".join(map(str, self.count.where))
        at = f" at {self.count.at}" if self.count.at else ""
        return (
            f"{count:,} {'packet' if count == 1 else 'packets'} of {self.count.flow.text}{at}"
            f"{' with ' + where if where else ''}"
        )


def _listed(found: Sequence[Transmission]) -> str:
    """The packets that were counted, as lines of a ladder."""
    if not found:
        return "There is no such packet."
    written = notation.written(found[:_LISTED])
    lines = [f"{one.sent.number:5} {line}" for one, line in zip(found, written, strict=False)]
    more = [f"      and {len(found) - _LISTED:,} more"] if len(found) > _LISTED else []
    return "\n".join(["The packets that were counted:", *lines, *more])
