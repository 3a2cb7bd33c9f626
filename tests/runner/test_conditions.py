"""Conditions say exactly what they say, and a wrong one says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.all import (
    IP,
    UDP,
    VXLAN,
    Ether,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)

from runner import conditions, flows
from runner.conditions import Condition
from runner.errors import Blind, Misplaced
from runner.evidence import Evidence
from runner.packets import Transmission
from tests import frames
from tests.recorded import Recorded


@pytest.fixture
def seen(tmp_path: Path) -> Evidence:
    run = Recorded(["client", "server"])
    connection = run.connection("client", "server", 40000, 80)
    connection.open().send("client", b"GET /").segment("server", "RA")
    run.packet("client", "server", 1, frames.icmp(8, 0, b"\x12\x34\x00\x01", b"ping"), ttl=33)
    return run.evidence(tmp_path / "run")


def numbers(evidence: Evidence, text: str) -> list[int]:
    """The places (from 0) of the transmissions that meet conditions."""
    found = conditions.parse(text)
    return [
        place
        for place, one in enumerate(evidence.transmissions)
        if all(conditions.holds(condition, one, evidence.owner) for condition in found)
    ]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("TCP", [0, 1, 2, 3, 4, 5]),
        ("ICMP", [6]),
        ("TCP.flags = SA", [1]),
        ("TCP.flags = AS", [1]),
        ("TCP.flags=0x12", [1]),
        ("TCP.flags has S", [0, 1]),
        ("TCP.flags has AS", [1]),
        ("TCP.flags has R", [5]),
        ("TCP.flags != A", [0, 1, 3, 5]),
        ("len = 5", [3]),
        ("len >= 4", [3, 6]),
        ("TCP and len > 0", [3]),
        ("seq = 1 and len=0", [2, 4, 5]),
        ("ack = 6", [4, 5]),
        ("IP.src = server", [1, 4, 5]),
        ("IP.dst != server and TCP", [1, 4, 5]),
        ("IP.src = 10.0.0.2", [1, 4, 5]),
        ('IP.src = "server"', [1, 4, 5]),
        ("Ether.src = server", [1, 4, 5]),
        ("Ether.src = 02:00:00:00:00:02", [1, 4, 5]),
        ("IP.ttl = 33", [6]),
        ("IP.ttl = 0x21", [6]),
        ("IP.ttl < 64", [6]),
        ("IP.flags = DF and ICMP", [6]),
        ("IP.flags = 2 and ICMP", [6]),
        ("IP.flags != DF+MF and ICMP", [6]),
        ("IP.flags has DF and ICMP", [6]),
        ("IP.flags has MF+DF", []),
        ("ICMP.type = echo-request", [6]),
        ("ICMP.id = 0x1234", [6]),
        ("IP.proto = tcp and seq = 0", [0, 1]),
        ("IP.chksum = bad", []),
        ("IP.chksum != bad", [0, 1, 2, 3, 4, 5, 6]),
        ("TCP.chksum != bad", [0, 1, 2, 3, 4, 5]),
        ("TCP.dport = 80\n  and seq > 0", [2, 3]),
        ("Raw.load has GET", [3]),
        ('Raw.load = "GET /"', [3]),
    ],
)
def test_what_meets_a_condition(seen: Evidence, text: str, places: list[int]) -> None:
    assert numbers(seen, text) == places


def test_a_bad_checksum_is_seen(tmp_path: Path) -> None:
    run = Recorded(["client", "server"])
    data = bytearray(run.udp("client", "server", 1000, 2000, b"right"))
    data[-1] ^= 1
    run.frame("client", bytes(data), ["server"])
    evidence = run.evidence(tmp_path / "run")
    assert numbers(evidence, "UDP.chksum = bad") == [1]
    assert numbers(evidence, "UDP.chksum != bad") == [0]
    assert numbers(evidence, "TCP.chksum != bad") == [], "what has no such checksum is neither"


@pytest.fixture
def asked(tmp_path: Path) -> Evidence:
    """The server is asked for by its link-layer address; the second solicitation's checksum is wrong."""
    run = Recorded(["client", "server"])
    mac = run.end("client").mac
    for checksum in (None, 0x1234):
        told = IPv6(src="fd00::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd00::2", cksum=checksum)
        frame = Ether(src=mac, dst="33:33:ff:00:00:02") / told / ICMPv6NDOptSrcLLAddr(lladdr=mac)
        run.frame("client", bytes(frame), ["server"])
    tunnel = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=4789) / VXLAN(flags="Instance")
    run.frame("client", bytes(Ether(src=mac, dst=run.end("server").mac) / tunnel), ["server"])
    cut = IP(src="10.0.0.1", dst="10.0.0.2", flags="MF+DF") / UDP(sport=1, dport=2)
    run.frame("client", bytes(Ether(src=mac, dst=run.end("server").mac) / cut), ["server"])
    router = IPv6(src="fd00::1", dst="ff02::1") / ICMPv6ND_RA() / ICMPv6NDOptRDNSS(dns=["fd00::2", "fd00::7"])
    run.frame("client", bytes(Ether(src=mac, dst="33:33:00:00:00:01") / router), ["server"])
    return run.evidence(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("ICMPv6NDOptRDNSS.dns has server", [4]),
        ("ICMPv6NDOptRDNSS.dns has fd00:0::7", [4]),
        ("ICMPv6NDOptRDNSS.dns has client", []),
        ("ICMPv6NDOptRDNSS.dns = server", []),
        ("ICMPv6NDOptRDNSS.dns != server", [4]),
        ("ICMPv6ND_NS.tgt = server", [0, 1]),
        ("ICMPv6ND_NS.tgt = client", []),
        ("ICMPv6ND_NS.tgt != server", []),
        ("ICMPv6ND_NS.tgt = FD00:0::0002", [0, 1]),
        ("ICMPv6ND_NS.tgt has fd00", [0, 1]),
        ("ICMPv6NDOptSrcLLAddr.lladdr = client", [0, 1]),
        ("ICMPv6NDOptSrcLLAddr.lladdr = 02:00:00:00:00:01", [0, 1]),
        ("ICMPv6ND_NS.cksum = bad", [1]),
        ("ICMPv6ND_NS.cksum != bad", [0]),
        ("ICMPv6ND_NA.cksum != bad", []),
        ("VXLAN.flags = Instance", [2]),
        ("VXLAN.flags = 8", [2]),
        ("VXLAN.flags has 0x0c", []),
        ("IP.flags = DF+MF", [3]),
        ("IP.flags = MF+DF", [3]),
        ("IP.flags = 3", [3]),
        ("IP.flags has MF", [3]),
        ("IP.flags = 0 and VXLAN", [2]),
    ],
)
def test_addresses_flags_and_checksums_of_any_layer(asked: Evidence, text: str, places: list[int]) -> None:
    assert numbers(asked, text) == places


@pytest.mark.parametrize(
    "field", ["ICMPv6ND_NS.tgt", "ICMPv6NDOptSrcLLAddr.lladdr", "BOOTP.yiaddr", "IPOption_RR.routers"]
)
def test_any_field_of_addresses_may_name_a_host(field: str) -> None:
    assert [one.name for one in conditions.hosts_in(conditions.parse(f"{field} = sevrer"))] == ["sevrer"]


def test_a_field_that_may_hold_an_address_or_a_name_names_no_host() -> None:
    assert [*conditions.hosts_in(conditions.parse("DNSRR.rdata = ns.example."))] == []


def test_an_absent_field_meets_nothing(seen: Evidence) -> None:
    assert numbers(seen, "UDP.sport != 5") == []
    assert numbers(seen, "seq >= 0 and ICMP") == []


@pytest.mark.parametrize(
    ("text", "column", "length", "suggestion", "message"),
    [
        ("", 0, 1, "", "a layer or a field"),
        ("TCP.flags == SA", 10, 2, "=", "one sign"),
        ("TCP.flags = sa", 12, 2, "SA", "letters"),
        ("TCP.flags = SYN,ACK", 12, 7, "SA", "letters"),
        ("TCP.flags > SA", 12, 2, "", "=, != or has"),
        ("TCP.flag = S", 0, 8, "", "did you mean TCP.flags?"),
        ("TPC", 0, 3, "", "did you mean 'TCP'?"),
        ("ttl = 3", 0, 3, "IP.ttl", "no field 'ttl'"),
        ("len", 0, 3, "", "compared"),
        ("IP.ttl", 0, 6, "", "compared"),
        ("IP.ttl =", 8, 1, "", "here must be the value"),
        ("IP.ttl = many", 9, 4, "", "'many' is none"),
        ("IP.src < 10.0.0.1", 9, 8, "", "no number"),
        ("TCP or UDP", 4, 2, "", "joined by `and`"),
        ("TCP, UDP", 3, 1, "", "joined by `and`"),
        ("TCP and", 7, 1, "", "a layer or a field"),
        ("TCP and after > 1s", 8, 5, "", "for ladders"),
        ("IP.chksum > bad", 12, 3, "", "= and != only"),
        ("ARP.chksum = bad", 0, 10, "", "no field"),
        ("IGMP.chksum = bad", 14, 3, "", "messages of ICMPv6 (cksum)"),
        ("IP.flags = XX", 11, 2, "", "MF, DF, evil, joined with +"),
        ("IP.flags = df,mf", 11, 5, "DF+MF", "joined with +"),
        ("IP.flags = 8", 11, 1, "", "MF, DF, evil"),
        ("IP.flags > DF", 11, 2, "", "a set of flags"),
        ("VXLAN.flags = OI", 14, 2, "", "the flags of VXLAN.flags are"),
        ("IP.src = 10.0.0", 9, 6, "", "no address"),
        ("ICMPv6ND_NS.tgt = fd00::zz", 18, 8, "", "no address"),
        (r'len = 1 and Raw.load = "\q"', 24, 2, "", "escapes"),
    ],
)
def test_mistakes_have_places(text: str, column: int, length: int, suggestion: str, message: str) -> None:
    with pytest.raises(Misplaced) as caught:
        conditions.parse(text)
    wrong = caught.value
    assert (wrong.line, wrong.column, wrong.length, wrong.suggestion) == (0, column, length, suggestion)
    assert message in wrong.message


def test_a_mistake_in_the_second_line() -> None:
    with pytest.raises(Misplaced) as caught:
        conditions.parse("TCP and\n  IP.ttl = x")
    assert (caught.value.line, caught.value.column) == (1, 11)


def test_what_cannot_be_compared_is_unknown_not_false(seen: Evidence) -> None:
    (icmp,) = flows.select(seen, flows.parse("icmp"))
    for text in ("Raw.load < 5", "Padding and Raw.load > x"):
        condition = conditions.parse(text)[-1]
        with pytest.raises(Blind, match="cannot be compared"):
            conditions.holds(condition, icmp, seen.owner)


def test_after_is_the_time_since_the_line_before(seen: Evidence) -> None:
    one: Transmission = seen.transmissions[1]
    condition, _ = conditions.read("after>=250ms", 0)
    then = one.sent.time_ns
    assert conditions.holds(condition, one, seen.owner, then - 250_000_000)
    assert not conditions.holds(condition, one, seen.owner, then - 249_999_999)
    assert not conditions.holds(condition, one, seen.owner, None)
    assert conditions.shown(condition, one, seen.owner, then - 12_345_678) == "after=12.346ms"
    with pytest.raises(Misplaced, match="unit"):
        conditions.read("after>=250", 0)


def test_what_a_packet_has_instead_is_shown(seen: Evidence) -> None:
    def shown(text: str, place: int) -> str:
        return conditions.shown(conditions.parse(text)[0], seen.transmissions[place], seen.owner)

    assert shown("IP.ttl = 1", 0) == "IP.ttl=64"
    assert shown("IP.src = server", 0) == "IP.src=client (10.0.0.1)"
    assert shown("UDP.sport = 1", 0) == "no UDP.sport"
    assert shown("UDP", 0) == "no UDP"
    assert shown("TCP.flags = S", 1) == "TCP.flags=SA"
    assert shown("IP.chksum = bad", 1) == "a right checksum"


def test_names_that_must_be_hosts() -> None:
    found = conditions.parse("IP.src = clinet and IP.dst = 10.0.0.1 and Raw.load = client")
    assert [tuple(one) for one in conditions.hosts_in(found)] == [("clinet", 9)]


@given(st.text(max_size=40))
def test_any_text_is_conditions_or_a_mistake_inside_it(text: str) -> None:
    try:
        found = conditions.parse(text)
    except Misplaced as wrong:
        lines = text.split("\n")
        assert wrong.line < len(lines)
        assert 0 <= wrong.column <= len(lines[wrong.line])
    else:
        assert found
        assert all(isinstance(one, Condition) for one in found)


@given(
    st.sampled_from(["IP.ttl", "len", "TCP.sport"]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.integers(0, 70000),
    st.sampled_from(["", " ", "  "]),
)
def test_a_condition_reads_back_as_it_is_written(field: str, sign: str, number: int, blank: str) -> None:
    (one,) = conditions.parse(f"{field}{blank}{sign}{blank}{number}")
    assert (one.field, one.operator, one.operand) == (field, sign, number)
    (again,) = conditions.parse(str(one))
    assert str(again) == str(one)
