"""Which packets an expectation speaks of: `tcp c`, `udp client server:53`, `icmp`, `ip.253 mallory`.

`icmp` and `any` leave out what hosts say by themselves: Neighbor Discovery and Multicast Listener Discovery of IPv6,
`any` also ARP and IGMP. What a step made, and what the expectation names, they have all the same.
Parses flow texts and picks transmissions out of evidence; what they should look like is the checks' affair.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton

from runner import housekeeping
from runner.errors import Misplaced
from runner.evidence import Evidence
from runner.headers import ARP, ICMP, ICMPV6, IGMP, TCP, UDP, decode_quoted, is_group
from runner.packets import Header, Transmission
from runner.sockets import AddressPair, SocketFacts, is_wildcard
from runner.wire import canonical

PROTOCOLS = ("tcp", "udp", "icmp", "igmp", "arp", "dns", "ip", "any")
_WITH_PORTS = ("tcp", "udp", "dns", "any", "ip")
_DNS_PORT = 53
_ERRORS = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset({1, 2, 3, 4})}
"""ICMP types that quote the packet they speak of (RFC 792, RFC 4443 section 2.1)."""


@dataclass(frozen=True)
class End:
    """One end of a flow as it was written. `name` (a socket or a host) or `address` may be empty, `port`
    None.

    `column` counts from 0 in the flow's text.
    """

    text: str
    name: str = ""
    address: str = ""
    port: int | None = None
    column: int = 0


@dataclass(frozen=True)
class Flow:
    """A protocol and up to two ends; the order of the ends means nothing."""

    protocol: str
    ends: tuple[End, ...]
    text: str


# --- reading --------------------------------------------------------------------------------------


def parse(text: str) -> Flow:
    """`PROTO [END [END]]`; raises Misplaced with the column, the length and what was probably meant."""
    words = [(match.start(), match.group()) for match in re.finditer(r"\S+", text)]
    if not words:
        raise Misplaced(
            f"a flow is a protocol and up to two ends; the protocols are {', '.join(PROTOCOLS)}, ip.NUMBER"
        )
    column, protocol = words[0]
    _check_protocol(protocol, column)
    if len(words) > 3:
        column, word = words[3]
        raise Misplaced("a flow has two ends at most", column=column, length=len(word))
    ends = tuple(_end(word, column) for column, word in words[1:])
    for end in ends:
        if end.port is not None and protocol not in _WITH_PORTS:
            raise Misplaced(f"{protocol} has no ports", column=end.column, length=len(end.text))
    return Flow(protocol, ends, text)


def names(flow: Flow) -> tuple[str, ...]:
    """The words of its ends that must be hosts or sockets; those with a port must be hosts."""
    return tuple(dict.fromkeys(end.name for end in flow.ends if end.name))


def _check_protocol(word: str, column: int) -> None:
    if word in PROTOCOLS:
        return
    number = re.fullmatch(r"ip\.(\d{1,3})", word)
    if number and int(number[1]) <= 255:
        return
    if word.startswith("ip."):
        raise Misplaced("a protocol number is 0 to 255, as in ip.253", column=column, length=len(word))
    near = difflib.get_close_matches(word.lower(), PROTOCOLS, 1)
    raise Misplaced(
        f"unknown protocol {word!r}; there are {', '.join(PROTOCOLS)} and ip.NUMBER",
        column=column,
        length=len(word),
        suggestion=near[0] if near else "",
    )


_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def _end(word: str, column: int) -> End:
    if bracketed := _BRACKETED.fullmatch(word):
        host, port = bracketed[1], bracketed[2]
        address = _address(host, column + 1)
        return End(word, "", address, _port(port, word, column), column)
    if _MAC.fullmatch(word):
        return End(word, "", word.lower(), None, column)
    if word.count(":") > 1:
        return End(word, "", _address(word, column), None, column)
    host, colon, written = word.partition(":")
    port_number = _port(written if colon else None, word, column)
    if not host:
        return End(word, "", "", port_number, column)
    if re.fullmatch(r"[0-9.]+", host):
        return End(word, "", _address(host, column), port_number, column)
    if not _WORD.fullmatch(host):
        raise Misplaced(
            "an end is a socket, a host, host:port, :port or an address", column=column, length=len(word)
        )
    return End(word, host, "", port_number, column)


def _address(text: str, column: int) -> str:
    plain = text.partition("%")[0]
    try:
        inet_pton(AF_INET6 if ":" in plain else AF_INET, plain)
    except (OSError, ValueError):
        raise Misplaced(f"{text!r} is no address", column=column, length=max(1, len(text))) from None
    return canonical(text)


def _port(text: str | None, word: str, column: int) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        at = column + len(word) - len(text)
        raise Misplaced(f"{text!r} is no port (0 to 65535)", column=at, length=max(1, len(text)))
    return int(text)


# --- selecting ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """One address of a packet, or of the packet that it speaks of, with its port (-1: none)."""

    address: str
    port: int
    target: bool


_Matches = Callable[[_Side, _Side, Transmission], bool]
"""Whether an end is the first side, the other side of the packet being the second."""


def select(
    evidence: Evidence,
    flow: Flow,
    network: str | None = None,
    at: str | None = None,
    named: frozenset[int] = frozenset(),
) -> list[Transmission]:
    """The transmissions of a flow, each once, in the order they were sent; on one network, or on all.

    `icmp` and `any` leave out the hosts' own IPv6 housekeeping (`runner.housekeeping`), but for messages of the types
    in `named`. With `at`, what that host captured in its order: what arrived there stands as a transmission of its own,
    seen when it arrived, doubled frames doubled. Raises Blind where that capture is not complete, or where a
    named socket was never made.
    """
    seen: Sequence[Transmission] = evidence.transmissions
    if at is not None:
        seen = [evidence.view(packet) for packet in evidence.captured(at)]
    if network is not None:
        seen = [one for one in seen if one.sent.network == network]
    ends = [_matcher(evidence, end) for end in flow.ends]
    ports = _fragment_ports(seen)
    found = [one for one in seen if _belongs(one, flow.protocol, ends, ports)]
    if flow.protocol not in ("icmp", "any"):
        return found
    made = housekeeping.made_by_steps(evidence)
    left_out = housekeeping.KINDS - named
    return [
        one
        for one in found
        if not _is_left_out(one, left_out) or evidence.whole(one.sent).sent.number in made
    ]


def _is_left_out(one: Transmission, kinds: frozenset[int]) -> bool:
    return one.sent.header.protocol == ICMPV6 and one.sent.header.type in kinds


_Datagram = tuple[str, str, str, int, int]


def _datagram(one: Transmission) -> _Datagram:
    """What the fragments of one datagram have in common (RFC 791 section 3.2, RFC 8200 section 4.5)."""
    header = one.sent.header
    return one.sent.network, header.src, header.dst, header.protocol, header.ident


def _fragment_ports(seen: Iterable[Transmission]) -> dict[int, tuple[int, int]]:
    """The ports of later fragments, by packet number, from the first fragment of their datagram."""
    known: dict[_Datagram, tuple[int, int]] = {}
    early: dict[_Datagram, list[int]] = {}
    found: dict[int, tuple[int, int]] = {}
    for one in seen:
        header = one.sent.header
        if header.fragment:
            key = _datagram(one)
            if key in known:
                found[one.sent.number] = known[key]
            else:
                early.setdefault(key, []).append(one.sent.number)
        elif header.more and header.sport >= 0:
            key = _datagram(one)
            known[key] = (header.sport, header.dport)
            found.update((number, known[key]) for number in early.pop(key, ()))
    return found


def _belongs(
    one: Transmission, protocol: str, ends: Sequence[_Matches], ports: dict[int, tuple[int, int]]
) -> bool:
    header = one.sent.header
    own = (header.sport, header.dport) if not header.fragment else ports.get(one.sent.number, (-1, -1))
    if _is_of(protocol, header, own) and _joins(one, header, own, ends):
        return True
    if protocol in ("arp", "igmp") or header.type not in _ERRORS.get(header.protocol, ()):
        return False
    quoted = decode_quoted(one.sent.payload)
    spoken = (quoted.sport, quoted.dport)
    return _is_of(protocol, quoted, spoken) and _joins(one, quoted, spoken, ends)


def _is_of(protocol: str, header: Header, ports: tuple[int, int]) -> bool:
    number = header.protocol
    if protocol == "tcp":
        return number == TCP
    if protocol == "udp":
        return number == UDP
    if protocol == "icmp":
        return number in (ICMP, ICMPV6)
    if protocol == "igmp":
        return number == IGMP
    if protocol == "arp":
        return header.ether_type == ARP
    if protocol == "dns":
        return number in (TCP, UDP) and _DNS_PORT in ports
    if protocol == "ip":
        return header.version != 0
    if protocol == "any":
        return number != IGMP and header.ether_type != ARP
    return header.version != 0 and number == int(protocol.removeprefix("ip."))


def _joins(one: Transmission, header: Header, ports: tuple[int, int], ends: Sequence[_Matches]) -> bool:
    """Whether the ends of a packet are the ends of the flow, in one order or the other."""
    if not ends:
        return True
    near, far = _Side(header.src, ports[0], False), _Side(header.dst, ports[1], True)
    first = ends[0]
    if len(ends) == 1:
        if first(near, far, one) or first(far, near, one):
            return True
    else:
        second = ends[1]
        if (first(near, far, one) and second(far, near, one)) or (
            first(far, near, one) and second(near, far, one)
        ):
            return True
    if header.version or one.sent.header.version:
        return False
    return _joins_by_mac(one, header, ends)


def _joins_by_mac(one: Transmission, header: Header, ends: Sequence[_Matches]) -> bool:
    """The same by MACs, for packets without an IP header."""
    near, far = _Side(header.source_mac, -1, False), _Side(header.target_mac, -1, True)
    if len(ends) == 1:
        return ends[0](near, far, one) or ends[0](far, near, one)
    first, second = ends
    return (first(near, far, one) and second(far, near, one)) or (
        first(far, near, one) and second(near, far, one)
    )


def _matcher(evidence: Evidence, end: End) -> _Matches:
    if not end.name:
        return _by_address(end.address, end.port)
    if end.name in evidence.hosts:
        return _by_host(evidence, end.name, end.port)
    return _by_socket(evidence, evidence.socket(end.name))


def _by_address(address: str, port: int | None) -> _Matches:
    def matches(side: _Side, other: _Side, one: Transmission) -> bool:
        return (not address or side.address == address) and (port is None or side.port == port)

    return matches


def _by_host(evidence: Evidence, host: str, port: int | None) -> _Matches:
    def matches(side: _Side, other: _Side, one: Transmission) -> bool:
        return (port is None or side.port == port) and evidence.owner(side.address) == host

    return matches


def _by_socket(evidence: Evidence, facts: SocketFacts) -> _Matches:
    """A socket is its addresses as recorded, from when it was made until another one took its place."""
    until_ns = _successor_ns(evidence, facts)

    def in_time(one: Transmission) -> bool:
        return facts.born_ns <= one.sent.time_ns and (until_ns is None or one.sent.time_ns < until_ns)

    def reaches(side: _Side, one: Transmission) -> bool:
        """Whether the address is one of the host's, or of a group that the host may belong to."""
        if evidence.owner(side.address) == facts.host:
            return True
        header = one.sent.header
        return side.target and is_group(header.target_mac) and evidence.owner(header.source_mac) != facts.host

    def has(pair: AddressPair, side: _Side, other: _Side, one: Transmission) -> bool:
        if side.port != pair.local[1]:
            return False
        if pair.peer is not None and (other.address, other.port) != pair.peer:
            return False
        return reaches(side, one) if is_wildcard(pair.local[0]) else side.address == pair.local[0]

    def matches(side: _Side, other: _Side, one: Transmission) -> bool:
        if not in_time(one):
            return False
        if not facts.has_ports:
            return reaches(side, one)
        return any(has(pair, side, other, one) for pair in facts.pairs)

    return matches


def _successor_ns(evidence: Evidence, facts: SocketFacts) -> int | None:
    """When a later socket of the host was made that got the port of this one after it was closed; else
    None.
    """
    if facts.closed_ns is None or not facts.has_ports:
        return None
    ports = {pair.local[1] for pair in facts.pairs}
    births = [
        other.born_ns
        for other in map(evidence.socket, evidence.sockets)
        if (other.host, other.type) == (facts.host, facts.type)
        and other.born_ns > facts.closed_ns
        and ports & {pair.local[1] for pair in other.pairs}
    ]
    return min(births, default=None)
