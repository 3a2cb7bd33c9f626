"""The header columns say what scapy says, of every field, on every frame; and of any bytes they say
something.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrRouting
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet as ScapyPacket
from scapy.packet import Padding

from runner.headers import decode, decode_quoted, is_group
from runner.packets import Header
from tests import frames as by_hand
from tests.runner.scapy_frames import damaged_frames, frames


def outermost(packet: ScapyPacket) -> tuple[ScapyPacket, int]:
    """What the Ethernet header carries behind all tags, and its EtherType."""
    kind, inner = getattr(packet, "type", -1), packet.payload  # frames of 802.3 have a length there
    while isinstance(inner, Dot1Q | Dot1AD):
        kind, inner = inner.type, inner.payload
    return inner, kind


def columns(packet: ScapyPacket) -> dict[str, Any]:
    """The header columns as scapy has them."""
    inner, kind = outermost(packet)
    found: dict[str, Any] = {"source_mac": packet.src, "target_mac": packet.dst, "ether_type": kind}
    if isinstance(inner, ARP):
        found |= {"src": inner.psrc, "dst": inner.pdst, "operation": inner.op}
    elif isinstance(inner, IP):
        found |= {
            "version": 4, "src": inner.src, "dst": inner.dst, "protocol": inner.proto, "ttl": inner.ttl,
            "tos": inner.tos, "ident": inner.id, "dont_fragment": bool(inner.flags.DF),
            "more": bool(inner.flags.MF), "fragment": inner.frag * 8,
        }  # fmt: skip
    elif isinstance(inner, IPv6):
        found |= {"version": 6, "src": inner.src, "dst": inner.dst, "ttl": inner.hlim, "tos": inner.tc}
        if IPv6ExtHdrFragment in inner:
            part = inner[IPv6ExtHdrFragment]
            found |= {"fragment": part.offset * 8, "more": bool(part.m), "ident": part.id}
        last = inner
        while "IPv6ExtHdr" in type(last.payload).__name__:
            last = last.payload
        found["protocol"] = last.nh
    return found | transport(inner)


def transport(inner: ScapyPacket) -> dict[str, Any]:
    while "IPv6ExtHdr" in type(inner.payload).__name__:
        inner = inner.payload
    upper = inner.payload
    if Padding in upper:
        upper[Padding].underlayer.remove_payload()
    if type(upper) is TCP:
        bits = int(upper.flags) & 0x1FF
        return {
            "sport": upper.sport, "dport": upper.dport, "seq": upper.seq, "ack": upper.ack, "flags": bits,
            "window": upper.window, "carried": bytes(upper.payload),
        }  # fmt: skip
    if type(upper) is UDP:
        return {"sport": upper.sport, "dport": upper.dport, "carried": bytes(upper.payload)}
    if type(upper) is ICMP:
        return {
            "type": upper.type,
            "code": upper.code,
            "carried": upper.original[len(upper) - len(upper.payload) :],
        }
    if type(upper).__name__.startswith("ICMPv6"):
        return {"type": upper.type} | ({"code": upper.code} if "code" in upper.fields else {})
    return {}


def as_columns(header: Header, data: bytes) -> dict[str, Any]:
    found = {name: getattr(header, name) for name in Header.__slots__}
    if header.transport >= 0:
        found["carried"] = data[header.payload : header.payload + header.length]
    return found


ABSENT = (-1, "")


@given(data=frames)
def test_every_field_is_scapys(data: bytes) -> None:
    ours, theirs = as_columns(decode(data), data), columns(Ether(data))
    assert {name: ours.get(name) for name in theirs} == theirs
    extra = {name for name, value in ours.items() if value not in ABSENT and name not in theirs}
    assert not extra & {"sport", "dport", "seq", "ack", "flags", "window", "type", "operation"}


@given(data=damaged_frames)
def test_what_is_read_of_a_damaged_frame_is_what_scapy_reads(data: bytes) -> None:
    header = decode(data)
    theirs_whole = Ether(data)
    if IPv6ExtHdrRouting in theirs_whole:
        routing = theirs_whole[IPv6ExtHdrRouting]
        if routing.len % 2 or len(routing.original) < 8 + 8 * routing.len:
            return  # scapy takes the whole addresses that are there, RFC 8200 section 4.4 the length
    ours, theirs = as_columns(header, data), columns(theirs_whole)
    unread = {"carried", "ether_type"}
    if header.version == 0:  # an EtherType of IP, but another version in the header
        unread |= {"version", "fragment", "more", "dont_fragment"}
    for name in ours.keys() & theirs.keys() - unread:
        if ours[name] not in ABSENT:
            assert ours[name] == theirs[name], name


@given(data=st.binary(max_size=120), link=st.sampled_from([0, 1, 12, 101, 108, 113, 228, 276, 999]))
def test_any_bytes_are_read_without_an_error(data: bytes, link: int) -> None:
    for header in (decode(data, link), decode_quoted(data)):
        assert 0 <= header.length <= len(data)
        assert header.payload <= len(data)


@given(data=frames)
def test_a_frame_cut_anywhere_is_read_without_an_error(data: bytes) -> None:
    for end in range(len(data)):
        header = decode(data[:end])
        assert header.length <= max(0, end - header.payload)


def test_padding_of_short_frames_is_no_payload() -> None:
    segment = by_hand.ipv4("10.0.0.1", "10.0.0.2", 6, by_hand.tcp("10.0.0.1", "10.0.0.2", 5000, 6000, "A"))
    header = decode(by_hand.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, segment) + b"\0" * 6)
    assert (header.payload, header.length) == (54, 0)
    datagram = by_hand.ipv4("10.0.0.1", "10.0.0.2", 17, by_hand.udp("10.0.0.1", "10.0.0.2", 5000, 6000, b"x"))
    header = decode(by_hand.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, datagram) + b"\0" * 17)
    assert (header.payload, header.length) == (42, 1)


def test_ports_are_read_from_first_fragments_only() -> None:
    part = by_hand.udp("10.0.0.1", "10.0.0.2", 5000, 6000, b"x" * 16)
    first = decode(by_hand.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800,
                                    by_hand.ipv4("10.0.0.1", "10.0.0.2", 17, part, more=True)))  # fmt: skip
    later = decode(by_hand.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800,
                                    by_hand.ipv4("10.0.0.1", "10.0.0.2", 17, part, fragment=24)))  # fmt: skip
    assert (first.sport, first.more, first.fragment) == (5000, True, 0)
    assert (later.sport, later.transport, later.fragment) == (-1, -1, 24)


def test_a_packet_that_an_icmp_error_quotes() -> None:
    segment = by_hand.tcp("10.0.0.1", "10.0.0.2", 40000, 80, "S", 9)[:8]  # RFC 792: its first 64 bits
    quoted = decode_quoted(by_hand.ipv4("10.0.0.1", "10.0.0.2", 6, segment))
    assert (quoted.src, quoted.dst, quoted.protocol) == ("10.0.0.1", "10.0.0.2", 6)
    assert (quoted.sport, quoted.dport) == (40000, 80)


def test_group_addresses() -> None:
    assert is_group("ff:ff:ff:ff:ff:ff")
    assert is_group("01:00:5e:00:00:16")
    assert is_group("33:33:00:00:00:01")
    assert not is_group("02:00:00:00:00:01")
    assert not is_group("")
