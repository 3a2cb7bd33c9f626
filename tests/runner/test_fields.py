"""Fields by scapy's names: what is read without scapy is what scapy says, and the rest scapy says itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether

from runner import dissect, fields
from runner.headers import decode
from runner.packets import Packet
from tests.runner.scapy_frames import frames


def packet_of(data: bytes) -> Packet:
    return Packet(1, 0, "client", "eth0", "lab", "out", data, decode(data))


COMMON = [(layer, name) for layer, names in fields._COMMON.items() for name in names]


@given(data=frames)
def test_common_fields_are_scapys(data: bytes) -> None:
    packet = packet_of(data)
    for layer in fields._COMMON:
        assert fields.has_layer(packet, layer) == dissect.has_layer(data, 1, layer), layer
    for layer, name in [*COMMON, ("ICMP", "id"), ("ICMP", "seq")]:
        assert fields.value(packet, f"{layer}.{name}") == dissect.value(data, 1, layer, name), (
            f"{layer}.{name}"
        )


def test_flags_are_letters_and_names() -> None:
    packet = packet_of(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", flags="DF+MF") / TCP(flags="SAEC")))
    assert fields.value(packet, "TCP.flags") == "SAEC"
    assert fields.value(packet, "IP.flags") == "MF+DF"


def test_what_the_packet_has_not_is_none() -> None:
    packet = packet_of(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2)))
    assert fields.value(packet, "TCP.flags") is None
    assert fields.value(packet, "DNS.id") is None
    assert not fields.has_layer(packet, "TCP")
    assert not fields.has_layer(packet, "NoSuchLayer")


def test_any_layer_that_scapy_has() -> None:
    query = (
        IP(src="10.0.0.1", dst="10.0.0.2")
        / UDP(sport=5000, dport=53)
        / DNS(id=7, qd=DNSQR(qname="a.example"))
    )
    packet = packet_of(bytes(Ether() / query))
    assert fields.has_layer(packet, "DNS")
    assert fields.value(packet, "DNS.id") == 7
    assert fields.value(packet, "DNSQR.qname") == b"a.example."
    assert fields.value(packet, "DNS.rd") == 1
    echo = packet_of(bytes(Ether() / IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(id=9)))
    assert fields.value(echo, "ICMPv6EchoRequest.id") == 9


def test_a_layer_inside_a_tunnel_is_found() -> None:
    tunnel = IPv6(src="fd00::1", dst="fd00::2") / IP(src="10.9.9.9", dst="10.0.0.2", ttl=3)
    packet = packet_of(bytes(Ether() / tunnel))
    assert fields.has_layer(packet, "IP")
    assert fields.value(packet, "IP.ttl") == 3


@pytest.mark.parametrize(
    "name", ["TCP", "TCP.flags", "ICMP.id", "DNS.qd", "DNS", "IGMP.type", "IGMPv3.type", "Raw.load"]
)
def test_names_that_are_known(name: str) -> None:
    assert fields.known(name) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TPC.flags", "did you mean 'TCP'?"),
        ("tcp.flags", "did you mean 'TCP'?"),
        ("TCP.flag", "did you mean TCP.flags?"),
        ("DNS.idd", "did you mean DNS.id?"),
        ("UDP.banana", "its fields are sport, dport, len, chksum"),
        ("Nonsense", "there is no layer 'Nonsense'"),
    ],
)
def test_names_that_are_not_known_say_what_was_meant(name: str, said: str) -> None:
    assert said in (fields.known(name) or "")


CHECKED = {
    "IP": IP(src="10.0.0.1", dst="10.0.0.2", options=[]) / UDP(sport=1, dport=2) / b"odd",
    "TCP": IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="A") / b"hello",
    "UDP": IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=5, dport=6) / b"hello",
    "ICMP": IP(src="10.0.0.1", dst="10.0.0.2") / ICMP() / b"abc",
    "ICMPv6": IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(data=b"abc"),
}


@pytest.mark.parametrize("layer", CHECKED)
def test_checksums(layer: str) -> None:
    good = bytes(Ether() / CHECKED[layer])
    assert not fields.checksum_is_bad(packet_of(good), layer)
    at = 24 if layer == "IP" else len(good) - 1  # a byte that it covers
    bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
    assert fields.checksum_is_bad(packet_of(bad), layer)


def test_a_udp_checksum_may_be_left_out_in_ipv4_only() -> None:
    four = packet_of(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(chksum=0) / b"x"))
    six = packet_of(bytes(Ether() / IPv6(src="fd00::1", dst="fd00::2") / UDP(chksum=0) / b"x"))
    assert not fields.checksum_is_bad(four, "UDP")
    assert fields.checksum_is_bad(six, "UDP")


def test_the_checksum_of_what_is_not_there_is_not_bad() -> None:
    packet = packet_of(bytes(Ether() / ARP()))
    assert not any(fields.checksum_is_bad(packet, layer) for layer in fields.layers_with_checksums())
    part = packet_of(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / UDP(chksum=9) / b"x"))
    assert not fields.checksum_is_bad(part, "UDP")


def test_hostile_bytes_never_get_an_exception_out_of_scapy() -> None:
    data = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(dport=53) / (b"\xc0\x0c" * 40))
    assert fields.value(packet_of(data), "DNS.qd") is None or fields.has_layer(packet_of(data), "DNS")
    assert dissect.anatomy(data)[0].name == "Ether"


def test_common_fields_do_not_load_scapy() -> None:
    code = (
        "import sys; from runner import fields\n"
        "from runner.headers import decode; from runner.packets import Packet\n"
        "data = bytes.fromhex('020000000002020000000001080045000014000100004006000001020304050607080a')\n"
        "packet = Packet(1, 0, 'a', 'eth0', 'lab', 'out', data, decode(data))\n"
        "assert fields.value(packet, 'IP.ttl') == 64 and fields.known('TCP.flags') is None\n"
        "assert not [name for name in sys.modules if name.startswith('scapy')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
