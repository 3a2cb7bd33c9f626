"""Playbooks of send_packet and sniff_packet: what is sent for what is written, and which packet is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, Raw

from runner.commands import SendPacket, SniffPacket
from runner.crafting import read_layers
from runner.errors import Misplaced, Unmet
from runner.headers import decode
from runner.model import Surroundings
from runner.names import Reference, look_up
from runner.packets import Packet
from runner.reading import read_text
from runner.scope import Scope
from runner.steps.base import Step
from runner.values import read_bytes
from tests.needing import need_docker
from tests.play import gave, interface, play, raised, scope_of, step_of, try_step
from tests.playing import play_text

SCOPE = scope_of()


def sent(text: str, scope: Scope = SCOPE) -> SendPacket:
    """The command of one send_packet step."""
    asked: Any = next(step_of(text).perform(scope))
    assert isinstance(asked, SendPacket)
    return asked


def packet(frame: Any) -> Packet:
    """A received packet of scapy's layers."""
    data = bytes(frame)
    return Packet(0, 0, "client", "eth0", "lab", "in", data, decode(data))


def test_an_ip_packet_goes_to_its_address_with_the_senders_source() -> None:
    asked = sent(
        "{send_packet: [{IP: {dst: server, ttl: 1}}, {ICMP: {type: echo-request, id: 7}}, {data: hello}]}"
    )
    assert (asked.host, asked.level, asked.to) == ("client", "ip4", "192.0.2.1")
    expected = IP(src="192.0.2.2", dst="192.0.2.1", ttl=1) / ICMP(type=8, id=7) / Raw(b"hello")
    assert asked.data == bytes(expected)
    assert asked.text == 'IP / ICMP echo-request / "hello"'


def test_version_6_has_its_own_addresses() -> None:
    asked = sent("{send_packet: [{IPv6: {dst: server}}, {UDP: {sport: 1, dport: 2}}, {data: x}]}")
    expected = IPv6(src="2001:db8::2", dst="2001:db8::1") / UDP(sport=1, dport=2) / Raw(b"x")
    assert (asked.level, asked.to, asked.data) == ("ip6", "2001:db8::1", bytes(expected))


def test_layers_stand_in_the_fields_of_asn_1_too() -> None:
    """SNMP (RFC 3416) is written in ASN.1: a choice of requests, and in each a sequence of variables."""
    variable = "{SNMPvarbind: {oid: 1.3.6.1.2.1.1.5.0}}"
    asked = sent(
        "{send_packet: [{IP: {dst: server}}, {UDP: {sport: 1, dport: 161}}, "
        f"{{SNMP: {{community: open, PDU: {{SNMPget: {{id: 1, varbindlist: [{variable}]}}}}}}}}]}}"
    )
    # RFC 3416 section 3: version 2c, "open", get-request { 1, 0, 0, { { sysName.0, NULL } } }
    told = "302402010104046f70656ea019020101020100020100300e300c06082b060102010105000500"
    assert asked.data[28:] == bytes.fromhex(told)


def test_a_frame_gets_the_macs_of_its_ends() -> None:
    asked = sent("{send_packet: [{Ether: {}}, {IP: {dst: server, chksum: 0x1234}}, {UDP: {}}]}")
    frame = Ether(asked.data)
    assert (asked.level, asked.to) == ("frame", "eth0")
    assert (frame.src, frame.dst) == ("02:00:00:00:00:02", "02:00:00:00:00:01")
    assert frame[IP].chksum == 0x1234


@pytest.mark.parametrize(
    ("dst", "mac"),
    [
        ("224.1.2.3", "01:00:5e:01:02:03"),
        ("239.129.2.3", "01:00:5e:01:02:03"),
        ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
        ("192.0.2.255", "ff:ff:ff:ff:ff:ff"),
    ],
)
def test_groups_and_everybody_have_macs_of_their_own(dst: str, mac: str) -> None:
    frame = Ether(sent(f"{{send_packet: [{{Ether: {{}}}}, {{IP: {{dst: {dst}}}}}]}}").data)
    assert frame.dst == mac


def test_arp_stands_in_a_frame_and_knows_who_asks() -> None:
    asked = Ether(sent("{send_packet: [{ARP: {op: who-has, pdst: server}}]}").data)
    assert (asked.dst, asked[ARP].hwsrc, asked[ARP].psrc) == (
        "ff:ff:ff:ff:ff:ff",
        "02:00:00:00:00:02",
        "192.0.2.2",
    )
    told = Ether(sent("{send_packet: [{ARP: {op: is-at, pdst: server, psrc: 192.0.2.9}}]}").data)
    assert (told.dst, told[ARP].hwdst, told[ARP].psrc) == (
        "02:00:00:00:00:01",
        "02:00:00:00:00:01",
        "192.0.2.9",
    )


def test_a_host_without_a_stack_sends_frames_only() -> None:
    scripted = replace(SCOPE, scripted=frozenset({"client"}))
    asked = sent("{send_packet: [{IP: {dst: server}}, {TCP: {flags: S, seq: 1000}}]}", scripted)
    frame = Ether(asked.data)
    assert asked.level == "frame" and frame.dst == "02:00:00:00:00:01" and frame[TCP].seq == 1000


def test_fragments_and_checksums_stay_as_they_are_said() -> None:
    text = (
        "{send_packet: [{IP: {dst: server, flags: MF, frag: 3, id: 5}}, {TCP: {flags: SA, chksum: 0xdead}}]}"
    )
    seen = IP(sent(text).data)
    assert (seen.flags, seen.frag, seen.id) == ("MF", 3, 5)
    assert sent(text).data[20 + 16 : 20 + 18] == b"\xde\xad"
    assert sent(text).data[20 + 13] == 0x12


def test_what_an_icmp_error_quotes_has_addresses_too() -> None:
    text = (
        "{send_packet: [{IP: {dst: server}}, {ICMP: {type: dest-unreach, code: 3}}, "
        "{IP: {src: server, dst: client}}, {UDP: {sport: 1, dport: 2}}]}"
    )
    data = sent(text).data
    assert IP(data[28:]).src == "192.0.2.1" and IP(data[28:]).dst == "192.0.2.2"


def test_tcp_options_are_lists() -> None:
    written = "[[MSS, 1460], [SAckOK], [NOP], [WScale, 7]]"
    text = f"{{send_packet: [{{IP: {{dst: server}}}}, {{TCP: {{flags: S, options: {written}}}}}]}}"
    options = IP(sent(text).data)[TCP].options
    assert options[:4] == [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ("[{IP: {dst: server, chksum: 1}}]", "begin with Ether"),
        ("[{Ether: {}}, {IP: {dst: 192.0.2.77}}]", "nobody on network lab has the address"),
        ("[{Ether: {}}, {IP: {dst: 198.51.100.7}}]", "is on no network of host client"),
        ("[{Ether: {}}, {data: x}]", "say Ether.dst"),
    ],
)
def test_what_the_lab_does_not_know_must_be_said(layers: str, reason: str) -> None:
    with pytest.raises(Unmet, match=reason):
        sent(f"{{send_packet: {layers}}}")


@pytest.mark.parametrize(
    ("layers", "message", "meant"),
    [
        ("[{IPP: {dst: server}}]", "there is no layer 'IPP'", "IP"),
        ("[{IP: {dst: server, tttl: 1}}]", "IP has no field 'tttl'", "ttl"),
        ("[{IP: {dst: sever}}]", "there is no host 'sever'", "server"),
        ("[{IP: {dst: www.example.com}}]", "an IPv4 address or the name of a host", ""),
        ("[{IP: {ttl: 1}}]", "IP needs a dst", ""),
        ("[{IP: {dst: server, ttl: 256}}]", "ttl has 8 bits", ""),
        ("[{IP: {dst: server}}, {TCP: {flags: SX}}]", "not 'X'", ""),
        ("[{IP: {dst: server}}, {ICMP: {type: echo-reqest}}]", "is no value of type", "echo-request"),
        ("[{TCP: {dport: 1}}]", "the first layer is one of", ""),
        ("[]", "a list of layers", ""),
    ],
)
def test_mistakes_are_found_when_the_scenario_is_read(layers: str, message: str, meant: str) -> None:
    document = read_text(f"{{send_packet: {layers}}}", "step")
    assert try_step(document) is None
    assert message in document.mistakes[0].message
    assert document.mistakes[0].suggestion == meant


def test_send_packet_may_be_refused() -> None:
    step = step_of("{send_packet: [{IP: {dst: server}}], raises: EPERM}")
    asked: Any = next(step.perform(SCOPE))
    play(step, SCOPE, (asked, raised("PermissionError", "EPERM")))
    with pytest.raises(Unmet, match="expected it to raise EPERM"):
        play(step, SCOPE, (asked, gave()))


def sniffed(step: Step) -> SniffPacket:
    """The command of a sniff_packet step."""
    asked: Any = next(step.perform(SCOPE))
    assert isinstance(asked, SniffPacket)
    return asked


def test_sniff_packet_wants_all_conditions_and_knows_hosts() -> None:
    asked = sniffed(
        step_of('{sniff_packet: "TCP.flags = SA and IP.src = server and TCP.dport = 4000", as: synack}')
    )
    right = (
        Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=80, dport=4000, flags="SA", seq=2**32 - 1)
    )
    assert asked.matches(packet(right))
    for changed in (TCP(dport=4001, flags="SA"), TCP(dport=4000, flags="S")):
        assert not asked.matches(packet(Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / changed))
    assert not asked.matches(packet(Ether() / IP(src="192.0.2.9") / TCP(dport=4000, flags="SA")))


def test_a_taken_packet_has_every_field_and_its_payload() -> None:
    taken = packet(Ether() / IP(src="192.0.2.1", ttl=9) / TCP(flags="SA", seq=2**32 - 1) / Raw(b"data"))
    scope = replace(SCOPE, values={"synack": taken})

    def part(*parts: str, plus: int = 0) -> Any:
        return look_up(scope, Reference("synack", parts, plus, 0, 0, 0))

    assert part("TCP", "seq") == 2**32 - 1
    assert part("IP", "src") == "192.0.2.1"
    assert part("TCP", "flags") == "SA"
    assert part("data") == b"data"
    assert part("TCP", "seq", plus=1) == 0 and part("IP", "ttl", plus=250) == 259


def test_sequence_numbers_go_round() -> None:
    layers = read_layers([{"TCP": {"ack": 2**32, "seq": 2**32 + 5}}], Surroundings())
    assert layers[0].fields == {"ack": 0, "seq": 5}


def test_a_packet_that_does_not_come_is_said() -> None:
    step = step_of("{sniff_packet: TCP.flags = SA, takes: 0s..200ms}")
    performance = step.perform(SCOPE)
    next(performance)
    with pytest.raises(Unmet, match="no packet with TCP.flags=SA came within 0.2 s"):
        performance.send(raised("TimeoutError"))


def test_relative_numbers_are_refused_where_no_connection_is_known() -> None:
    document = read_text("{sniff_packet: seq = 1}", "step")
    assert try_step(document) is None
    assert document.mistakes[0].suggestion == "TCP.seq"


def test_two_networks_each_have_their_own_end() -> None:
    outside = replace(
        interface("client", 2, "outside", "eth1"), ip4=("198.51.100.2",), mac="02:00:00:00:01:02"
    )
    far = replace(interface("far", 3, "outside"), ip4=("198.51.100.3",))
    scope = Scope(
        {"server": (interface("server", 1),), "client": (interface("client", 2), outside), "far": (far,)}
    )
    document = read_text("{send_packet: [{Ether: {}}, {IP: {dst: 198.51.100.3}}]}", "step")
    step = try_step(document)
    assert step is not None
    asked: Any = next(step.perform(scope))
    assert asked.to == "eth1" and Ether(asked.data).src == "02:00:00:00:01:02"
    assert IP(asked.data[14:]).src == "198.51.100.2"


PLAYED = """\
name: asked and answered
hosts: [server, client]
steps:
  - client: {send_packet: [{IP: {dst: server}}, {ICMP: {type: echo-request, id: 7, seq: 1}}, {data: first}]}
  - client: {send_packet: [{IP: {dst: server}}, {ICMP: {type: echo-request, id: 7, seq: 2}}, {data: second}]}
  - sleep: 50ms
  - client: {sniff_packet: ICMP, as: one}
  - client: {sniff_packet: ICMP.type = echo-reply, as: two}
  - client:
      send_packet:
        - IP: {dst: $one.IP.src}
        - ICMP: {type: echo-request, id: $two.ICMP.id+1, seq: 3}
        - data: $two.data
  - client: {sniff_packet: ICMP.id = 8, takes: 0s..2s}
expect:
  - flow: icmp
    packets: |
      client -> server  echo-request  "first"
      client <- server  echo-reply    "first"   ICMP.seq=1
      client -> server  echo-request  "second"
      client <- server  echo-reply    "second"  ICMP.seq=2
      client -> server  echo-request  "second"  ICMP.id=8
      client <- server  echo-reply    "second"
"""


@pytest.mark.parametrize("engine", ["netns", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_packet_is_taken_once_and_in_order_on_real_hosts(engine: str, tmp_path: Path) -> None:
    if engine == "docker":
        need_docker()
    played = play_text(PLAYED, tmp_path, engine)
    assert played.judgement.verdict == "pass", played.judgement


def test_a_packet_that_never_comes_fails_the_step_on_a_real_host(tmp_path: Path) -> None:
    played = play_text(
        "name: nothing\nhosts: [server, client]\nsteps:\n"
        "  - client: {sniff_packet: TCP.flags = SA, takes: 0s..100ms}\n",
        tmp_path,
    )
    assert played.judgement.verdict == "fail"
    assert "no packet with TCP.flags=SA came within 0.1 s" in played.reason


AS_BYTES = """\
name: a packet as bytes
hosts: [server, client]
steps:
  - client: {socket: r, type: SOCK_RAW, proto: IPPROTO_RAW}
  - client:
      sendto: r
      data: {join: [{packet: [{IP: {dst: server, len: 29}}, {UDP: {sport: 5, dport: 6, len: 9}}]}, x]}
      to: server
  - server: {sniff_packet: UDP.sport = 5, as: seen}
  - client: {send_packet: [{IP: {dst: $seen.IP.dst}}, {UDP: {sport: 7, dport: 6}}, {data: $seen.data}]}
expect:
  - count: {flow: udp, where: IP.src = client and UDP.sport = 5 and len = 1, at: server, is: 1}
  - count: {flow: udp, where: IP.src = client and UDP.sport = 7 and len = 1, at: server, is: 1}
"""


def test_a_packet_may_be_bytes_of_a_call_with_the_hosts_own_addresses(tmp_path: Path) -> None:
    played = play_text(AS_BYTES, tmp_path)
    assert played.judgement.verdict == "pass", (played.steps("failed"), played.judgement)


def test_bytes_without_a_lab_must_say_all_addresses() -> None:
    icmp = {"packet": [{"ICMP": {"type": "echo-request"}}]}
    assert read_bytes(icmp, Surroundings()) == bytes(ICMP(type=8))
    with pytest.raises(Misplaced, match="in steps only"):
        read_bytes({"packet": [{"IP": {"dst": "192.0.2.1"}}]}, Surroundings())
    with pytest.raises(Misplaced, match="no layer 'ICPM'"):
        read_bytes({"packet": [{"ICPM": {}}]}, Surroundings(is_step=True))
