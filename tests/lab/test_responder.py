"""A host without a stack of its own: what its responder answers, and that its kernel is silent."""

from __future__ import annotations

from pathlib import Path
from socket import AF_INET6, inet_pton

import pytest
from scapy.all import (
    ARP,
    IP,
    Ether,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    Padding,
    Raw,
)

from lab import responder
from tests.needing import need_docker
from tests.playing import play_text

MAC, ASKER = "02:00:00:00:00:01", "02:00:00:00:00:02"
OWN4, OWN6 = {bytes((192, 0, 2, 1))}, {bytes.fromhex("20010db8" + "00" * 11 + "01")}


def arp(frame: Ether) -> Ether | None:
    answer = responder.arp_answer(bytes(frame), bytes.fromhex(MAC.replace(":", "")), OWN4)
    return None if answer is None else Ether(answer)


def neighbour(frame: Ether) -> Ether | None:
    answer = responder.neighbour_answer(bytes(frame), bytes.fromhex(MAC.replace(":", "")), OWN6)
    return None if answer is None else Ether(answer)


def test_arp_is_answered_for_own_addresses_only() -> None:
    asked = Ether(src=ASKER, dst="ff:ff:ff:ff:ff:ff") / ARP(
        op="who-has", hwsrc=ASKER, psrc="192.0.2.2", pdst="192.0.2.1"
    )
    answer = arp(asked)
    assert answer is not None
    assert (answer.src, answer.dst, answer[ARP].op) == (MAC, ASKER, 2)
    told = answer[ARP]
    assert (told.hwsrc, told.psrc, told.hwdst, told.pdst) == (MAC, "192.0.2.1", ASKER, "192.0.2.2")
    asked[ARP].pdst = "192.0.2.3"
    assert arp(asked) is None
    asked[ARP].pdst, asked[ARP].op = "192.0.2.1", 2
    assert arp(asked) is None
    assert arp(Ether(src=ASKER) / IP(dst="192.0.2.1")) is None


def solicitation(
    source: str, target: str, *, to: str = "ff02::1:ff00:1", hops: int = 255, **ns: int
) -> Ether:
    asked = IPv6(src=source, dst=to, hlim=hops) / ICMPv6ND_NS(tgt=target, **ns)
    return Ether(src=ASKER, dst="33:33:ff:00:00:01") / asked


def test_neighbours_are_told_with_a_right_checksum() -> None:
    answer = neighbour(solicitation("2001:db8::2", "2001:db8::1"))
    assert answer is not None
    assert (answer.dst, answer[IPv6].src, answer[IPv6].dst) == (ASKER, "2001:db8::1", "2001:db8::2")
    told = answer[ICMPv6ND_NA]
    assert (told.S, told.O, told.tgt, answer[ICMPv6NDOptDstLLAddr].lladdr) == (1, 1, "2001:db8::1", MAC)
    again = answer[IPv6].copy()
    del again[ICMPv6ND_NA].cksum
    assert bytes(again) == bytes(answer[IPv6])
    assert neighbour(solicitation("2001:db8::2", "2001:db8::9")) is None


def test_who_has_no_address_yet_is_told_with_everybody() -> None:
    answer = neighbour(solicitation("::", "2001:db8::1"))
    assert answer is not None
    assert (answer.dst, answer[IPv6].dst, answer[ICMPv6ND_NA].S) == ("33:33:00:00:00:01", "ff02::1", 0)


HOST, OWN = "2001:db8::2", "2001:db8::1"
ENDLESS = Raw(bytes((14, 0)) + bytes(6))
TOO_LONG = Raw(bytes((14, 2)) + bytes(6))
GROUP = "ff02::1:ff00:1"


@pytest.mark.parametrize(
    ("told", "valid"),
    [
        (solicitation(HOST, OWN, to="ff02::1"), True),
        (solicitation(HOST, OWN, to=OWN) / ICMPv6NDOptSrcLLAddr(lladdr=ASKER), True),
        (solicitation(HOST, OWN) / Padding(bytes(4)), True),
        (solicitation(HOST, OWN, hops=254), False),
        (solicitation(HOST, OWN, code=1), False),
        (solicitation(HOST, OWN, cksum=0x1234), False),
        (solicitation(HOST, OWN) / ENDLESS, False),
        (solicitation(HOST, OWN) / TOO_LONG, False),
        (solicitation(HOST, OWN) / Raw(b"\x0e"), False),
        (solicitation("::", OWN) / ICMPv6NDOptSrcLLAddr(lladdr=ASKER), False),
        (solicitation("::", OWN, to=OWN), False),
        (solicitation("::", OWN, to="ff02::1"), False),
        (solicitation("ff02::5", OWN), False),
        (solicitation(HOST, OWN, to="ff02::1:ff00:7"), False),
        (solicitation(HOST, OWN, to="2001:db8::7"), False),
        (Ether(bytes(solicitation(HOST, OWN))[:-1]), False),
    ],
)
def test_only_valid_solicitations_are_answered(told: Ether, valid: bool) -> None:
    """RFC 4861 section 7.1.1; and those that reach a host by its own addresses and groups."""
    assert (neighbour(told) is not None) == valid


def test_a_group_is_no_target() -> None:
    """RFC 4861 section 7.1.1, even if somebody gave the host such an address."""
    answered = responder.neighbour_answer
    asked = bytes(solicitation(HOST, GROUP))
    assert answered(asked, bytes(6), {*OWN6, inet_pton(AF_INET6, GROUP)}) is None


SILENT = """\
name: nobody home
hosts: {client: {}, mallory: {scripted: true}}
steps:
  - client: {send_packet: [{IP: {dst: mallory}}, {ICMP: {type: echo-request, id: 1}}, {data: anybody there}]}
  - client: {send_packet: [{IPv6: {dst: mallory}}, {ICMPv6EchoRequest: {id: 1}}]}
  - client: {socket: c}
  - client: {settimeout: c, value: 200ms}
  - client: {connect: c, to: "mallory:80", raises: TimeoutError}
  - client: {socket: u, type: SOCK_DGRAM}
  - client: {sendto: u, data: x, to: "mallory:9"}
  - mallory: {sniff_packet: ICMPv6EchoRequest}
  - mallory: {sniff_packet: UDP}
  - mallory: {send_packet: [{IPv6: {dst: client}}, {ICMPv6EchoRequest: {id: 9}}]}
  - mallory: {sniff_packet: ICMPv6EchoReply}
  - mallory: {send_packet: [{IP: {dst: client}}, {ICMP: {type: echo-request, id: 8}}, {data: by hand}]}
  - mallory: {sniff_packet: ICMP.id = 8, as: reply}
  - mallory: {socket: own, type: SOCK_DGRAM}
  - mallory: {sendto: own, data: x, to: "client:9", raises: ENETUNREACH}
expect:
  - flow: icmp
    packets: |
      client  -> mallory  echo-request  "anybody there"
      client  -> mallory  echo-request
      mallory -> client   echo-request
      client  -> mallory  echo-reply
      mallory -> client   echo-request  "by hand"
      client  -> mallory  echo-reply    "by hand"
  - count: {flow: tcp, where: IP.src = mallory, is: 0}
  - count: {flow: any, where: Ether.src = mallory and IP, is: 1}
"""


QUIET = """\
name: no word of its own
hosts: {client: {}, mallory: {scripted: true}}
steps:
  - client: {send_packet: [{Ether: {dst: "02:aa:aa:aa:aa:aa"}}, {ARP: {op: who-has, pdst: mallory}}]}
  - client: {send_packet: [{Ether: {dst: mallory}}, {IPv6: {dst: mallory, hlim: 255}},
      {ICMPv6ND_NS: {tgt: mallory, cksum: 0x1234}}]}
  - sleep: 1100ms
  - client: {send_packet: [{ARP: {op: who-has, pdst: mallory}}]}
  - client: {sniff_packet: ARP.op = 2}
  - client: {send_packet: [{IPv6: {dst: mallory}}, {ICMPv6EchoRequest: {}}]}
  - mallory: {sniff_packet: ICMPv6EchoRequest}
expect:
  - count: {flow: any, where: Ether.src = mallory and IPv6.src = "::", is: 0}
  - count: {flow: ip, where: Ether.src = mallory and IPv6, is: 1}
  - count: {flow: arp, where: Ether.src = mallory, is: 1}
"""
"""A kernel tells which groups it left for up to a second (RFC 3810 section 9.11), two times at least."""


ROUTER = QUIET.replace("scripted: true", "scripted: true, router: true")
"""A kernel that routes joins the group of all routers (RFC 4291 section 2.8), and tells it."""


@pytest.mark.parametrize("scenario", [SILENT, QUIET, ROUTER])
@pytest.mark.parametrize("engine", ["netns", pytest.param("docker", marks=pytest.mark.docker)])
def test_the_kernel_of_a_scripted_host_says_nothing(engine: str, scenario: str, tmp_path: Path) -> None:
    if engine == "docker":
        need_docker()
    played = play_text(scenario, tmp_path, engine)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)
