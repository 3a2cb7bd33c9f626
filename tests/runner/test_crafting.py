"""Packets as they are written: what the lab fills in, what is refused, what depends on a packet that was taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.all import IP, Ether, ICMPv6NDOptSrcLLAddr, IPerror, IPerror6, IPv6, conf

from runner import dissect
from runner.crafting import read_layers
from runner.dissect import BuiltLayer, LeftOutError, build_problem, built, machine_fields
from runner.errors import Misplaced, Unmet
from runner.model import Surroundings
from runner.names import unfilled
from runner.reading import read_text, value_of
from runner.values import read_bytes
from tests.play import scope_of, step_of, try_step

SCOPE = scope_of()


def data_of(layers: str) -> bytes:
    """What `client` sends for these layers."""
    asked: Any = next(step_of(f"{{send_packet: {layers}}}").perform(SCOPE))
    assert isinstance(asked.data, bytes)
    return asked.data


def refused(layers: str) -> str:
    """What is wrong with layers when the scenario is read."""
    document = read_text(f"{{send_packet: {layers}}}", "step")
    assert try_step(document) is None
    return document.mistakes[0].message


# --- nothing of the machine ------------------------------------------------------------------------


def test_a_quoted_packet_was_sent_by_whom_the_error_goes_to() -> None:
    quoted = "{ICMP: {type: dest-unreach, code: 3}}, {IPerror: {}}, {UDPerror: {sport: 5, dport: 6}}"
    with_dst = quoted.replace("IPerror: {}", "IPerror: {dst: 203.0.113.1}")
    seen = IP(data_of(f"[{{IP: {{dst: server}}}}, {quoted}]"))[IPerror]
    assert (seen.src, seen.dst) == ("192.0.2.1", "192.0.2.2")
    seen = IP(data_of(f"[{{IP: {{dst: server, src: 198.51.100.9}}}}, {with_dst}]"))[IPerror]
    assert (seen.src, seen.dst) == ("192.0.2.1", "203.0.113.1")


def test_version_6_quotes_in_the_same_way() -> None:
    layers = "[{IPv6: {dst: server}}, {ICMPv6DestUnreach: {code: 4}}, {IPerror6: {}}, {UDPerror: {}}]"
    seen = IPv6(data_of(layers))[IPerror6]
    assert (seen.src, seen.dst) == ("2001:db8::1", "2001:db8::2")


def test_whose_packet_is_quoted_must_be_said_where_nothing_tells() -> None:
    with pytest.raises(Unmet, match="say IPerror.src"):
        data_of("[{IPv6: {dst: server}}, {ICMPv6DestUnreach: {}}, {IPerror: {dst: client}}]")


@pytest.mark.parametrize(
    ("layers", "layer", "field", "expected"),
    [
        ("[{IP: {dst: server}}, {UDP: {}}, {HSRP: {}}, {HSRPmd5: {}}]", "HSRPmd5", "sourceip", "192.0.2.2"),
        ("[{IP: {dst: server, src: 192.0.2.9}}, {UDP: {}}, {HSRP: {}}, {HSRPmd5: {}}]",
         "HSRPmd5", "sourceip", "192.0.2.9"),
        ("[{IPv6: {dst: server}}, {ICMPv6ND_RS: {}}, {ICMPv6NDOptSrcLLAddr: {}}]",
         "ICMPv6NDOptSrcLLAddr", "lladdr", "02:00:00:00:00:02"),
    ],
)  # fmt: skip
def test_other_addresses_of_the_sender_are_the_hosts(
    layers: str, layer: str, field: str, expected: str
) -> None:
    data = data_of(layers)
    if layer == "HSRPmd5":
        assert bytes(map(int, expected.split("."))) in data[28:]
    else:
        assert getattr(IPv6(data)[ICMPv6NDOptSrcLLAddr], field) == expected


def test_an_ipv46_layer_has_the_hosts_address() -> None:
    frame = Ether(data_of("[{Ether: {dst: server}}, {IPv46: {dst: server}}, {UDP: {}}]"))
    assert frame[IP].src == "192.0.2.2"


def test_layers_in_fields_are_filled_too() -> None:
    layers = (
        "[{IPv6: {dst: server}}, {ICMPv6ND_Redirect: {tgt: server, dst: server}}, "
        "{ICMPv6NDOptRedirectedHdr: {pkt: {IPv6: {dst: server}}}}]"
    )
    assert data_of(layers).endswith(bytes(IPv6(src="2001:db8::2", dst="2001:db8::1")))


@pytest.fixture
def trapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Whoever asks scapy's routes or interfaces of the machine is noted."""
    asked: list[str] = []

    class Trap:
        def route(self, *of: Any, **more: Any) -> tuple[str, str, str]:
            asked.append("route")
            return "lo", "198.18.0.1", "0.0.0.0"

    monkeypatch.setattr(conf, "route", Trap())
    monkeypatch.setattr(conf, "route6", Trap())
    yield asked


def test_no_layer_of_scapys_takes_anything_from_the_machine(trapped: list[str]) -> None:
    bytes(IP(dst="192.0.2.1"))
    assert trapped, "the trap works"
    trapped.clear()
    refusing = []
    for name in dissect.layers():
        try:
            built([BuiltLayer(name, {})])
        except LeftOutError:
            refusing.append(name)
        except Exception:  # many layers cannot be built from nothing
            continue
        assert not trapped, f"{name} asks the machine"
    assert {"IP", "IPv6", "IPerror", "IPerror6", "HSRPmd5", "Ether", "ARP"} <= set(refusing)
    assert machine_fields("ARP") == {"hwsrc": "mac", "psrc": "ip4"}


def test_a_layer_in_a_field_is_looked_at_too(trapped: list[str]) -> None:
    inside = BuiltLayer("ICMPv6NDOptRedirectedHdr", {"pkt": BuiltLayer("IPv6", {"dst": "::1"})})
    assert build_problem([inside]) == "src of IPv6 must be said: the lab does not know it"
    assert not trapped


def test_bytes_without_a_lab_must_say_the_quoted_addresses() -> None:
    with pytest.raises(Misplaced, match="in steps only"):
        read_bytes({"packet": [{"IPerror": {"dst": "192.0.2.1"}}]}, Surroundings())


# --- references ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers",
    [
        "[{IP: {dst: server}}, {TCP: {options: [[MSS, $x.TCP.window]]}}]",
        "[{IP: {dst: server, options: [{IPOption_RR: {routers: [$x.IP.src]}}]}}]",
        "[{IP: {dst: server}}, {UDP: {}}, {DNS: {an: [{DNSRR: {rdata: $x.IP.src}}]}}]",
        "[{IPv6: {dst: server}}, {IPv6ExtHdrDestOpt: {options: [{HBHOptUnknown: {optdata: $x.data}}]}}]",
    ],
)
def test_a_reference_may_stand_deep_inside(layers: str) -> None:
    around = Surroundings(hosts=("server", "client"))
    found = read_layers(unfilled(read_raw(layers)), around)
    assert found[0].name in ("IP", "IPv6")


def read_raw(layers: str) -> Any:
    """A list of layers as the file has it."""
    root = read_text(layers, "layers").root
    assert root is not None
    return value_of(root)
