"""A flow text picks the packets that an expectation speaks of, and a wrong one says where it is wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import flows
from runner.errors import Blind, Misplaced
from runner.evidence import Evidence
from runner.flows import End
from tests import frames
from tests.recorded import Recorded, interface

BROADCAST = "ff:ff:ff:ff:ff:ff"


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("tcp", []),
        ("tcp c", [End("c", "c", column=4)]),
        ("udp client server:53", [End("client", "client", column=4), End("server:53", "server", "", 53, 11)]),
        ("tcp :8888", [End(":8888", "", "", 8888, 4)]),
        ("tcp 10.0.0.1:80", [End("10.0.0.1:80", "", "10.0.0.1", 80, 4)]),
        ("udp [fd00::2]:5000", [End("[fd00::2]:5000", "", "fd00::2", 5000, 4)]),
        ("icmp  FD00:0::2", [End("FD00:0::2", "", "fd00::2", None, 6)]),
        ("arp 02:00:00:00:00:0A", [End("02:00:00:00:00:0A", "", "02:00:00:00:00:0a", None, 4)]),
        ("ip.253 mallory", [End("mallory", "mallory", column=7)]),
    ],
)
def test_flows_that_are_right(text: str, ends: list[End]) -> None:
    flow = flows.parse(text)
    assert flow.protocol == text.split()[0]
    assert list(flow.ends) == ends


def test_names_are_the_words_to_be_checked() -> None:
    assert flows.names(flows.parse("tcp c server:80")) == ("c", "server")
    assert flows.names(flows.parse("udp :53 10.0.0.1")) == ()


@pytest.mark.parametrize(
    ("text", "column", "length", "said", "suggestion"),
    [
        ("", 0, 1, "a flow is a protocol", ""),
        ("tpc c", 0, 3, "unknown protocol 'tpc'", "tcp"),
        ("TCP c", 0, 3, "unknown protocol 'TCP'", "tcp"),
        ("ip.256", 0, 6, "0 to 255", ""),
        ("tcp a b c", 8, 1, "two ends at most", ""),
        ("tcp server:http", 11, 4, "'http' is no port", ""),
        ("tcp server:65536", 11, 5, "no port", ""),
        ("tcp server:", 11, 1, "no port", ""),
        ("udp 10.0.0.300", 4, 10, "no address", ""),
        ("udp [fd00::x]:1", 5, 7, "no address", ""),
        ("udp ser/ver", 4, 7, "an end is", ""),
        ("icmp client:80", 5, 9, "icmp has no ports", ""),
        ("ip.253 :80", 7, 3, "ip.253 has no ports", ""),
    ],
)
def test_flows_that_are_wrong_say_where(
    text: str, column: int, length: int, said: str, suggestion: str
) -> None:
    with pytest.raises(Misplaced) as caught:
        flows.parse(text)
    error = caught.value
    assert (error.column, error.length, error.suggestion) == (column, length, suggestion)
    assert said in error.message


@given(st.text(alphabet="tcpudi. :[]0123456789abf-_%", max_size=30))
def test_any_text_is_a_flow_or_is_wrong_at_a_place(text: str) -> None:
    try:
        flow = flows.parse(text)
    except Misplaced as error:
        assert 0 <= error.column <= len(text)
    else:
        assert len(flow.ends) <= 2


# --- selecting ------------------------------------------------------------------------------------


def chosen(seen: Evidence, text: str, **options: str) -> list[int]:
    """The packet numbers of a flow."""
    return [one.sent.number for one in flows.select(seen, flows.parse(text), **options)]


def payloads(seen: Evidence, text: str, **options: str) -> list[bytes]:
    return [one.sent.payload for one in flows.select(seen, flows.parse(text), **options)]


def mixed(tmp_path: Path) -> Evidence:
    run = Recorded(["client", "server", "third"])
    run.connection("client", "server", 40000, 80).made_by("c", "conn").send("client", b"a")
    run.connection("third", "server", 40000, 80).open()
    run.udp("client", "server", 5000, 53, b"query")
    run.udp("third", "server", 5000, 6000, b"other")
    run.packet("client", "server", 253, b"mine")
    run.packet("client", "server", 1, frames.icmp(8, 0, b"\0\1\0\1", b"ping"))
    run.packet("client", "server", 2, frames.icmp(0x16, 0))
    who_has = frames.arp(1, run.end("client").mac, "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")
    run.frame(
        "client", frames.ethernet(run.end("client").mac, BROADCAST, 0x0806, who_has), ["server", "third"]
    )
    return run.evidence(tmp_path)


def test_protocols_and_ends(tmp_path: Path) -> None:
    seen = mixed(tmp_path)
    counts = {
        "tcp": 8, "tcp c": 5, "tcp conn": 5, "tcp listener": 8, "tcp client": 5, "tcp third server": 3,
        "tcp server third": 3, "tcp :80": 8, "tcp third:40000 server:80": 3, "tcp third:80": 0,
        "tcp 10.0.0.1": 5, "udp": 2, "udp third": 1, "dns": 1, "ip.253": 1, "icmp": 1, "igmp": 1, "arp": 1,
        "arp client server": 1, "arp 02:00:00:00:00:01": 1, "arp third": 0, "ip": 13, "any": 12,
        "any client third": 0, "any c conn": 5,
    }  # fmt: skip
    assert {text: len(chosen(seen, text)) for text in counts} == counts


def test_the_order_is_when_they_were_sent_and_networks_are_kept_apart(tmp_path: Path) -> None:
    seen = mixed(tmp_path)
    assert chosen(seen, "ip") == sorted(chosen(seen, "ip"))
    assert chosen(seen, "tcp", network="lab") == chosen(seen, "tcp")
    assert chosen(seen, "tcp", network="elsewhere") == []
    assert [(one.seq, one.ack) for one in flows.select(seen, flows.parse("tcp c"))] == [
        (0, 0),
        (0, 1),
        (1, 1),
        (1, 1),
        (1, 2),
    ]


def test_a_socket_that_never_was_makes_blind(tmp_path: Path) -> None:
    with pytest.raises(Blind, match="no call made a socket nobody"):
        chosen(mixed(tmp_path), "tcp nobody")


def test_the_view_of_one_host(tmp_path: Path) -> None:
    """Doubled and reordered frames are seen where they arrived; what was lost is seen where it was sent."""
    run = Recorded(["client", "server"])
    first = run.udp("client", "server", 5000, 6000, b"1", lost=True)
    second = run.udp("client", "server", 5000, 6000, b"2", lost=True, ident=2)
    run.udp("client", "server", 5000, 6000, b"3", lost=True, ident=3)
    run.arrive("server", second, [run.tick(), run.tick()])
    run.arrive("server", first, [run.tick()])
    seen = run.evidence(tmp_path)
    assert payloads(seen, "udp") == payloads(seen, "udp", at="client") == [b"1", b"2", b"3"]
    assert payloads(seen, "udp", at="server") == [b"2", b"2", b"1"]
    assert [one.lost for one in flows.select(seen, flows.parse("udp"), at="client")] == [False, False, True]
    view = flows.select(seen, flows.parse("udp"), at="server")
    assert {(one.source, one.sent.host, len(one.arrivals)) for one in view} == {("client", "server", 1)}


def test_a_view_that_is_not_complete_makes_blind(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.udp("client", "server", 5000, 6000, b"1")
    with pytest.raises(Blind):
        chosen(run.evidence(tmp_path, drops={"server": 1}), "udp", at="server")


def test_an_icmp_error_belongs_to_the_flow_it_speaks_of(tmp_path: Path) -> None:
    run = Recorded(["client", "server", "gate"])
    run.call("client", "u", "socket", type="SOCK_DGRAM", local=["0.0.0.0", 0])
    run.call("client", "u", "sendto", type="SOCK_DGRAM", local=["0.0.0.0", 5000])
    sent = run.udp("client", "server", 5000, 6000, b"is anybody there")
    run.packet("server", "client", 1, frames.icmp(3, 3, carried=sent[14:42]))
    run.packet("gate", "client", 1, frames.icmp(11, 0, carried=sent[14:42]))
    run.packet("server", "client", 1, frames.icmp(3, 3, carried=sent[14:34] + struct.pack("!HHI", 7, 8, 0)))
    seen = run.evidence(tmp_path)
    assert len(chosen(seen, "udp u")) == len(chosen(seen, "udp client:5000 server:6000")) == 3
    assert len(chosen(seen, "udp :7")) == 1
    assert len(chosen(seen, "tcp")) == 0
    assert len(chosen(seen, "icmp")) == 3
    assert len(chosen(seen, "icmp gate")) == 1


def test_later_fragments_belong_to_the_flow_of_the_first(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    datagram = frames.udp("10.0.0.1", "10.0.0.2", 5000, 6000, b"x" * 40)
    for ident in (7, 8):
        other = datagram if ident == 7 else frames.udp("10.0.0.1", "10.0.0.2", 5001, 6000, b"x" * 40)
        run.packet(
            "client", "server", 17, other[24:], ident=ident, fragment=24
        )  # reordered: before the first
        run.packet("client", "server", 17, other[:24], ident=ident, more=True)
    run.packet("client", "server", 17, datagram[24:], ident=9, fragment=24)  # its first was never sent
    seen = run.evidence(tmp_path)
    assert chosen(seen, "udp client:5000") == [1, 3]
    assert chosen(seen, "udp :5001") == [5, 7]
    assert len(chosen(seen, "udp client")) == 5


def test_a_socket_bound_to_all_addresses_gets_what_is_sent_to_groups(tmp_path: Path) -> None:
    run = Recorded(["a", "b", "c"])
    for host in ("a", "b"):
        run.call(host, f"at_{host}", "socket", type="SOCK_DGRAM", local=["0.0.0.0", 0])
        run.call(host, f"at_{host}", "bind", type="SOCK_DGRAM", local=["0.0.0.0", 9000])
    datagram = frames.ipv4(
        "10.0.0.1", "10.0.0.255", 17, frames.udp("10.0.0.1", "10.0.0.255", 9000, 9000, b"all")
    )
    run.frame("a", frames.ethernet(run.end("a").mac, BROADCAST, 0x0800, datagram), ["b", "c"])
    run.udp("c", "b", 1, 9000, b"one")
    seen = run.evidence(tmp_path)
    assert payloads(seen, "udp at_a") == [b"all"]
    assert payloads(seen, "udp at_b") == [b"all", b"one"]
    assert payloads(seen, "udp at_a at_b") == [b"all"]


def test_a_port_that_two_sockets_had_one_after_the_other(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    for name, text in (("first", b"1"), ("second", b"2")):
        run.call("client", name, "socket", type="SOCK_DGRAM", local=["0.0.0.0", 0])
        run.call("client", name, "bind", type="SOCK_DGRAM", local=["0.0.0.0", 5000])
        run.udp("client", "server", 5000, 6000, text)
        run.call("client", name, "close", type="SOCK_DGRAM", local=["0.0.0.0", 5000])
    seen = run.evidence(tmp_path)
    assert payloads(seen, "udp first") == [b"1"]
    assert payloads(seen, "udp second") == [b"2"]


def test_a_raw_socket_is_its_host(tmp_path: Path) -> None:
    run = Recorded(["client", "server", "third"])
    run.call("client", "r", "socket", type="SOCK_RAW", local=["0.0.0.0", 1])
    run.packet("client", "server", 1, frames.icmp(8, 0))
    run.packet("server", "third", 1, frames.icmp(8, 0))
    assert len(chosen(run.evidence(tmp_path), "icmp r")) == 1


def test_neighbour_discovery_and_listener_reports_are_left_out(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    kinds = {"echo": 128, "solicitation": 135, "report": 143}
    ends = run.end("client").mac, run.end("server").mac
    for kind in kinds.values():
        message = frames.icmpv6("fd00::1", "fd00::2", kind, 0, b"\0" * 20)
        packet = frames.ipv6("fd00::1", "fd00::2", 58, message)
        run.frame(
            "client",
            frames.ethernet(*ends, 0x86DD, packet),
            ["server"],
        )
    seen = run.evidence(tmp_path)
    assert [len(chosen(seen, text)) for text in ("any", "icmp", "ip.58", "ip")] == [1, 1, 3, 3]


def test_a_mapped_address_is_ipv4_on_the_wire(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    run.call("server", "dual", "socket", family="AF_INET6", local=["::", 0, 0, 0])
    run.call("server", "dual", "bind", family="AF_INET6", local=["::", 80, 0, 0])
    ends = {"made_local": ["::ffff:10.0.0.2", 80, 0, 0], "made_peer": ["::ffff:10.0.0.1", 40000, 0, 0]}
    run.call("server", "dual", "accept", family="AF_INET6", local=["::", 80, 0, 0], made="conn", **ends)
    run.connection("client", "server", 40000, 80).open()
    seen = run.evidence(tmp_path)
    assert len(chosen(seen, "tcp conn")) == len(chosen(seen, "tcp dual")) == 3


def test_a_host_on_two_networks(tmp_path: Path) -> None:
    ends = [
        interface("a", 1, "left", link=1),
        interface("gate", 9, "left", link=1),
        interface("gate", 9, "right", "eth1", 2),
    ]
    run = Recorded(["a", "gate"], ends)
    packet = frames.ipv4("10.1.0.1", "10.2.0.9", 253, b"x")
    run.frame("a", frames.ethernet(ends[0].mac, ends[1].mac, 0x0800, packet), ["gate"], network="left")
    seen = run.evidence(tmp_path)
    assert len(chosen(seen, "ip.253 a gate", network="left")) == 1
    assert len(chosen(seen, "ip.253 a gate", network="right")) == 0
