"""Frames of every kind that the header columns know, made of scapy's layers by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

bytes8, bytes16, bytes32 = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
macs = st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))
ip4 = st.builds(lambda a, b, c: f"10.{a}.{b}.{c}", bytes8, bytes8, bytes8)
ip6 = st.builds(lambda a, b, c: f"2001:db8:{a:x}::{b:x}:{c:x}", bytes16, bytes16, bytes16)
ports = st.integers(20_000, 60_000)
"""Ports that scapy has no further layer for: it would find fields of its own in what is payload to us."""
payloads = st.binary(max_size=40)

tcp = st.builds(
    lambda sport, dport, seq, ack, flags, window, options, data: (
        TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=window, options=options) / data
    ),
    ports, ports, bytes32, bytes32, st.integers(0, 0x1FF), bytes16,
    st.sampled_from([[], [("MSS", 1460)], [("NOP", None), ("Timestamp", (1, 2)), ("WScale", 7)]]), payloads,
)  # fmt: skip
udp = st.builds(lambda sport, dport, data: UDP(sport=sport, dport=dport) / data, ports, ports, payloads)
icmp = st.one_of(
    st.builds(lambda kind, id, seq, data: ICMP(type=kind, id=id, seq=seq) / data,
              st.sampled_from([0, 8]), bytes16, bytes16, payloads),
    st.builds(lambda kind, code, src, dst, inner: ICMP(type=kind, code=code) / IP(src=src, dst=dst) / inner,
              st.sampled_from([3, 11]), st.integers(0, 3), ip4, ip4, st.one_of(tcp, udp)),
    st.builds(lambda kind: ICMP(type=kind), st.sampled_from([13, 14, 17, 18])),
)  # fmt: skip
other = payloads.map(Raw)


def _ipv4(src: str, dst: str, ttl: int, tos: int, ident: int, options: Any, carried: Any, dont: bool) -> Any:
    number = 253 if isinstance(carried, Raw) else None
    head = IP(src=src, dst=dst, ttl=ttl, tos=tos, id=ident, options=options, flags="DF" if dont else 0)
    if number is not None:
        head.proto = number
    return head / carried


options4 = st.sampled_from([[], [IPOption_NOP()], [IPOption_Router_Alert()], [IPOption_NOP()] * 4])
ipv4 = st.builds(
    _ipv4, ip4, ip4, bytes8, bytes8, bytes16, options4, st.one_of(tcp, udp, icmp, other), st.booleans()
)


def _fragment(head: Any, part: int, more: bool, protocol: int, data: bytes) -> Any:
    return (
        IP(src=head.src, dst=head.dst, id=head.id, frag=part, flags="MF" if more else 0, proto=protocol)
        / data
    )


fragments4 = st.builds(
    _fragment, ipv4, st.integers(1, 8191), st.booleans(), st.sampled_from([6, 17, 1, 253]), payloads
)


def _ipv6(src: str, dst: str, hlim: int, tc: int, extensions: list[Any], carried: Any) -> Any:
    packet = IPv6(src=src, dst=dst, hlim=hlim, tc=tc)
    for extension in extensions:
        packet = packet / extension.copy()
    if isinstance(carried, Raw):
        packet.lastlayer().nh = 253
    return packet / carried


icmp6 = st.one_of(
    st.builds(lambda id, seq, data: ICMPv6EchoRequest(id=id, seq=seq, data=data), bytes16, bytes16, payloads),
    st.builds(
        lambda src, dst, inner: ICMPv6DestUnreach(code=4) / IPv6(src=src, dst=dst) / inner, ip6, ip6, udp
    ),
    st.builds(lambda target: ICMPv6ND_NS(tgt=target), ip6),
)
extensions = st.lists(
    st.sampled_from(
        [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(addresses=["2001:db8::9"])]
    ),
    max_size=2,
    unique_by=type,
)
first_fragments = st.booleans().map(lambda more: IPv6ExtHdrFragment(offset=0, m=int(more), id=77))
ipv6 = st.builds(
    lambda src, dst, hlim, tc, chain, part, carried: _ipv6(src, dst, hlim, tc, [*chain, *part], carried),
    ip6, ip6, bytes8, bytes8, extensions, st.one_of(st.just([]), first_fragments.map(lambda one: [one])),
    st.one_of(tcp, udp, icmp6, other),
)  # fmt: skip
later_fragments6 = st.builds(
    lambda src, dst, part, more, data: (
        IPv6(src=src, dst=dst) / IPv6ExtHdrFragment(offset=part, m=int(more), id=9, nh=17) / data
    ),
    ip6, ip6, st.integers(1, 8191), st.booleans(), payloads,
)  # fmt: skip
arp = st.builds(
    lambda op, a, b, c, d: ARP(op=op, hwsrc=a, psrc=b, hwdst=c, pdst=d),
    st.integers(1, 2),
    macs,
    ip4,
    macs,
    ip4,
)
strange = payloads.map(lambda data: Raw(data))


def _frame(src: str, dst: str, tags: list[Any], carried: Any, padding: bytes) -> bytes:
    packet = Ether(src=src, dst=dst)
    if isinstance(carried, Raw):
        packet.type = 0x88B5
        return bytes(packet / carried)
    for tag in tags:
        packet = packet / tag.copy()
    return bytes(packet / carried) + padding


tags = st.lists(st.sampled_from([Dot1Q(vlan=5), Dot1AD(vlan=7)]), max_size=2)
frames = st.builds(
    _frame, macs, macs, tags, st.one_of(ipv4, fragments4, ipv6, later_fragments6, arp, strange),
    st.sampled_from([b"", b"", b"\0" * 6]),
)  # fmt: skip


def _damage(frame: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    damaged = bytearray(frame)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    return bytes(damaged[: max(14, len(damaged) - cut)])


_changes = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4)
damaged_frames = st.builds(_damage, frames, _changes, st.integers(0, 60))
"""Frames with some bytes of their headers changed, or cut short."""
