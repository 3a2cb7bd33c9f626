"""A host without a stack of its own: what its responder answers, and that its kernel is silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from scapy.all import ARP, IP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6

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


def solicitation(source: str, target: str) -> Ether:
    asked = IPv6(src=source, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt=target)
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


@pytest.mark.parametrize("engine", ["netns", pytest.param("docker", marks=pytest.mark.docker)])
def test_the_kernel_of_a_scripted_host_says_nothing(engine: str, tmp_path: Path) -> None:
    if engine == "docker":
        need_docker()
    played = play_text(SILENT, tmp_path, engine)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)
