"""The expectation `packets`: a ladder that explains every packet of a flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from runner import flows, housekeeping
from runner.checks import keys
from runner.evidence import Evidence
from runner.headers import ICMPV6
from runner.ladder import Ladder
from runner.matching import FREE, Match, Matcher
from runner.mismatch import Mismatch
from runner.model import KnownNames, MisplacedAt, Model
from runner.packets import Header
from runner.values import Text
from runner.verdict import Finding

_ECHO = Header(version=6, protocol=ICMPV6, type=128, code=0)


class Packets(Model):
    """Every packet of a flow, one line each, in the order they were sent.

    A line is `HOST ARROW HOST`, then words (`SYN,ACK`, `[S.]`, `UDP`, `echo-request`), a payload in double
    quotes (`"hel"...` is how it begins), conditions (`IP.ttl=64`, `len>0`, `after>=250ms`), and `?` if the
    packet may be absent. Arrows: `->`, `<-`, and with a cross `-x`, `x-` for a packet that was sent and not
    received. `...` stands for any packets. `#` begins a comment.

    Flags are exactly those that are named, but PSH never counts (unless `TCP.flags` is given): it says that
    there is data. Other segments carry none unless the line has a payload or `len`. Pure ACKs need no line,
    and the ACK of a FIN may ride on the other FIN, unless `acks` is strict.

    The flows `icmp` and `any` leave out what hosts say by themselves: IPv6's Neighbor and Multicast Listener Discovery
    (RFC 4861, 3810), and of `any` also ARP and IGMP. What a step made is in, and so are all messages of a kind that a
    line names: with one line `neighbor-solicitation`, or a condition on `ICMPv6ND_NS`, each of them needs a line.

    flow     which packets; all of them must be explained: `tcp c`, `udp client server:53`, `icmp`
    packets  the ladder
    at       the host whose own view it is, in its order; left out, each packet stands once, when it was sent
    net      the network it is about, where there are several
    acks     loose: pure ACKs need no line; strict: they do
    """

    kind: ClassVar[str] = "packets"

    flow: keys.FlowText
    packets: keys.LadderText
    at: Text | None = None
    net: Text | None = None
    acks: Literal["loose", "strict"] = "loose"

    def mistakes(self, names: KnownNames) -> Iterator[MisplacedAt]:
        """Lines that are none, and names that do not exist."""
        yield from keys.flow_mistakes(self.flow, names, ("flow",))
        yield from keys.place_mistakes(self.at, self.net, names, (), "packets")
        yield from keys.ladder_mistakes(self.packets, names, ("packets",))

    def needs(self, home: keys.Home) -> Iterable[str] | None:
        """The hosts whose captures it needs."""
        return keys.flow_hosts(self.flow, self.at, home, losses=self._tells_losses())

    def _tells_losses(self) -> bool:
        return any(line.lost for line in self.packets.lines)

    def examine(self, evidence: Evidence) -> Iterator[Finding]:
        """One finding; raises Blind where packets could not be seen, Misplaced where the ladder is none."""
        for wrong in self.packets.mistakes:
            raise wrong
        keys.must_see(evidence, self.flow, self.at, self.net, losses=self._tells_losses())
        seen = flows.select(evidence, self.flow, self.net, self.at, _named(self.packets))
        matcher = Matcher(self.packets, evidence.owner, strict=self.acks == "strict")
        match = matcher.match(seen)
        if match.holds:
            numbers = tuple(one.sent.number for one in seen)
            yield Finding("pass", self.kind, f"{self.flow.text}: {_told(match)}", packets=numbers)
        else:
            mismatch = Mismatch(matcher, match, seen)
            summary = f"{self.flow.text}: {mismatch.summary()}"
            yield Finding("fail", self.kind, summary, mismatch.detail(), packets=mismatch.numbers())


def _named(expected: Ladder) -> frozenset[int]:
    """The ICMPv6 types of housekeeping that lines name, by a condition or a word; `ICMPv6` names no message."""
    found = housekeeping.named_by(condition.field for line in expected.lines for condition in line.conditions)
    words = [word for line in expected.lines for word in line.words if not word.fits(_ECHO)]
    messages = (replace(_ECHO, type=kind) for kind in housekeeping.KINDS)
    return found | {message.type for message in messages if any(word.fits(message) for word in words)}


def _told(match: Match) -> str:
    """How the packets were explained, in one line."""
    besides = sum(one.entry == FREE for one in match.explained)
    count = len(match.explained) - besides
    if not match.explained:
        return "no packets, as expected"
    told = f"{_counted(count, 'packet')} explained by {_counted(match.lines_used, 'line')}"
    return told + (f", and {_counted(besides, 'pure ACK')} besides" if besides else "")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
