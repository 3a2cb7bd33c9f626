"""`runner record`: drafts the expectations that recorded runs meet, as an author would write them.

One run gives a ladder for each flow; several give what they have in common, with `?` behind a packet that some
did without and no payload where payloads differ. What is drafted is matched against every run it came from
before it is given. Evidence in, text out; what evidence is made of a bare capture is `runner.foreign`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from runner import flows, housekeeping, ladder
from runner.errors import Blind
from runner.evidence import Evidence
from runner.headers import ACK, ARP, FIN, ICMPV6, IGMP, PSH, RST, SYN, TCP, UDP
from runner.matching import Matcher
from runner.notation import payload_of, words_for
from runner.packets import Transmission

_EPHEMERAL = 32768
"""Ports from here on are the kernel's choice (ip_local_port_range) and differ from run to run."""


@dataclass(frozen=True)
class _Entry:
    """One line in the making: who sends what to whom, and in how many of the runs it was seen."""

    source: str
    target: str
    lost: bool
    words: str
    payload: str
    seen: int = 1

    @property
    def key(self) -> tuple[str, str, bool, str]:
        """What must be the same in all runs."""
        return self.source, self.target, self.lost, self.words


@dataclass(frozen=True)
class Draft:
    """The expectation of one flow: its text, its network (empty where there is one), and the ladder's lines.

    No lines: no ladder could be found that all runs meet.
    """

    flow: str
    network: str
    lines: tuple[str, ...]


def draft(runs: Sequence[Evidence]) -> list[Draft]:
    """The expectations that all these runs meet; raises Blind where a run could not see its packets."""
    found: dict[tuple[str, str], None] = {}
    for run in runs:
        run.must_see(run.hosts)
        for key in _flows_of(run):
            found.setdefault(key)
    return [Draft(flow, network, _ladder(runs, flow, network)) for flow, network in found]


def text(drafts: Sequence[Draft], hosts: Sequence[str], head: Sequence[str]) -> str:
    """Drafts as YAML, ready to stand in a scenario; `head` are comments before it."""
    lines = [f"# {one}" for one in head]
    lines += [f"hosts: [{', '.join(hosts)}]", "expect:"]
    for one in drafts:
        lines.append(f"  - flow: {_scalar(one.flow)}")
        if one.network:
            lines.append(f"    net: {one.network}")
        if one.lines:
            lines += ["    packets: |", *(f"      {line}" for line in one.lines)]
        else:
            lines += ["    packets: |       # no two of these runs are alike here", "      ..."]
    return "\n".join(lines) + "\n"


def _scalar(flow: str) -> str:
    """A flow's text as a YAML scalar: what ends with a colon or has brackets needs quotes."""
    return f'"{flow}"' if "[" in flow or ": " in flow else flow


# --- which flows there are ------------------------------------------------------------------------


def _flows_of(run: Evidence) -> Iterator[tuple[str, str]]:
    """Text and network of every flow, in the order in which they began; each packet belongs to one."""
    named = _by_sockets(run)
    covered: set[int] = set()
    several = len(run.networks) > 1
    for one in run.transmissions:
        if one.sent.number in covered or is_housekeeping(one):
            continue
        flow = named.get(one.sent.number) or _by_ends(one)
        if flow is None:
            continue
        network = one.sent.network if several else ""
        covered.update(packet.sent.number for packet in flows.select(run, flows.parse(flow), network or None))
        covered.add(one.sent.number)
        yield flow, network


def is_housekeeping(one: Transmission) -> bool:
    """Whether a packet is of those that hosts send by themselves: ARP, ND, multicast listeners, other frames."""
    header = one.sent.header
    if header.ether_type == ARP or header.protocol == IGMP or not header.version:
        return True
    return housekeeping.is_housekeeping(header)


def _by_sockets(run: Evidence) -> dict[int, str]:
    """Packet number -> the flow of the socket whose packet it is: of the one that connected, if there is one."""
    found: dict[int, str] = {}
    facts = [run.socket(name) for name in run.sockets]
    connected = [one for one in facts if not one.accepted and any(pair.peer for pair in one.pairs)]
    others = [one for one in facts if one not in connected and not one.accepted]
    for one in (*connected, *others, *(one for one in facts if one.accepted)):
        protocol = {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp"}.get(one.type)
        if protocol is None or not one.has_ports:
            continue
        flow = f"{protocol} {one.name}"
        for packet in flows.select(run, flows.parse(flow)):
            found.setdefault(packet.sent.number, flow)
    return found


def _by_ends(one: Transmission) -> str | None:
    """The flow of a packet by its hosts, and by the port that is not the kernel's choice."""
    header = one.sent.header
    protocol = {TCP: "tcp", UDP: "udp"}.get(header.protocol)
    source, target = _end(one.source), _end(one.target)
    if protocol is None:
        number = f"ip.{header.protocol}"
        name = "icmp" if header.protocol in (1, ICMPV6) else number
        return f"{name} {source} {target}"
    if header.sport < 0:
        return f"{protocol} {source} {target}"
    if header.dport < _EPHEMERAL or header.sport >= _EPHEMERAL:
        return f"{protocol} {source} {target}:{header.dport}"
    return f"{protocol} {source}:{header.sport} {target}"


def _end(owner: str) -> str:
    return f"[{owner}]" if ":" in owner else owner


# --- their ladders --------------------------------------------------------------------------------


def _ladder(runs: Sequence[Evidence], flow: str, network: str) -> tuple[str, ...]:
    """Lines that explain the flow in every run: as narrow as they can be."""
    parsed = flows.parse(flow)
    seen = [_selected(run, parsed, network) for run in runs]
    merged: list[_Entry] | None = None
    for packets in seen:
        entries = list(_entries(packets))
        merged = entries if merged is None else _merged(merged, entries)
    whole = merged or []
    plain = [replace(one, payload="") for one in whole]
    common = [one for one in plain if one.seen == len(runs)]
    attempts = (
        _written(whole, len(runs)),
        _written(plain, len(runs)),
        ("...", *(line for one in _written(common, len(runs)) for line in (one, "..."))),
    )
    for lines in attempts:
        matchers = [Matcher(ladder.parse("\n".join(lines)), run.owner, strict=False) for run in runs]
        if all(one.match(packets).holds for one, packets in zip(matchers, seen, strict=True)):
            return lines
    return ()


def _selected(run: Evidence, flow: flows.Flow, network: str) -> list[Transmission]:
    """The packets of a flow; where a step made some of a kind that hosts say by themselves, all of that kind.

    A line that speaks of one of them makes the expectation ask for all.
    """
    try:
        found = flows.select(run, flow, network or None)
        kinds = frozenset(
            one.sent.header.type for one in found if housekeeping.is_housekeeping(one.sent.header)
        )
        return flows.select(run, flow, network or None, named=kinds) if kinds else found
    except Blind:  # this run never made the socket
        return []


def _entries(packets: Sequence[Transmission]) -> Iterator[_Entry]:
    """A packet a line, without the pure ACKs that need none: all but those that complete a handshake."""
    opening: set[tuple[str, str]] = set()
    for one in packets:
        header = one.sent.header
        ends = (one.source, one.target)
        if header.protocol == TCP and header.flags >= 0:
            if header.flags & (SYN | ACK) == SYN | ACK:
                opening.add((one.target, one.source))
            pure = header.flags & (ACK | SYN | FIN | RST) == ACK and not header.length
            if pure and ends not in opening:
                continue
            if header.flags & ACK and not header.flags & SYN:
                opening.discard(ends)
        yield _Entry(one.source or "?", one.target or "?", one.lost, _words(one), payload_of(one.sent))


def _words(one: Transmission) -> str:
    """What the packet is; PSH stands for data, wherever the sender put it."""
    header = one.sent.header
    if header.protocol == TCP and header.flags >= 0:
        flags = header.flags | PSH if header.length else header.flags & ~PSH
        header = replace(header, flags=flags)
    return words_for(header)


def _merged(one: Sequence[_Entry], other: Sequence[_Entry]) -> list[_Entry]:
    """Two ladders as one: what both have, and between it what only one has."""
    matcher = SequenceMatcher(None, [a.key for a in one], [b.key for b in other], autojunk=False)
    found: list[_Entry] = []
    for kind, begin, end, start, stop in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(one[begin:end], other[start:stop], strict=True)
            found += [
                replace(a, seen=a.seen + 1, payload=a.payload if a.payload == b.payload else "")
                for a, b in pairs
            ]
        else:
            found += [*one[begin:end], *other[start:stop]]
    return found


def _written(entries: Sequence[_Entry], runs: int) -> tuple[str, ...]:
    """The lines; of two hosts the first that sends stands left, then arrows turn."""
    left: dict[frozenset[str], str] = {}
    lines = []
    for one in entries:
        first = left.setdefault(frozenset((one.source, one.target)), one.source)
        if first == one.source:
            ends = f"{one.source} {'-x' if one.lost else '->'} {one.target}"
        else:
            ends = f"{one.target} {'x-' if one.lost else '<-'} {one.source}"
        parts = [ends, one.words, one.payload, "?" if one.seen < runs else ""]
        lines.append("  ".join(part for part in parts if part))
    return tuple(lines)


def hosts_in(drafts: Sequence[Draft], known: Mapping[str, object]) -> list[str]:
    """The names among `known` that the drafts speak of, in the order in which they do."""
    found: dict[str, None] = {}
    for one in drafts:
        for line in one.lines:
            found.update((word, None) for word in line.split()[:3:2] if word in known)
    return list(found)
