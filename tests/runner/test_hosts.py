"""Hosts and networks in short and long form."""

from __future__ import annotations

from typing import Any

import pytest

from lab.topology import Host, Network, Topology
from runner.hosts import TopologyReader
from runner.model import Surroundings
from runner.reading import MapNode, read_text


def read(text: str) -> tuple[Topology, list[str]]:
    document = read_text(text, "f")
    root = document.root
    assert isinstance(root, MapNode)
    topology = TopologyReader(document, Surroundings()).read(root.get("hosts"), root.get("networks"))
    return topology, [f"{one.line}:{one.column}: {one.message}" for one in document.mistakes]


def test_the_short_form_is_one_network() -> None:
    topology, mistakes = read("hosts: [server, client]")
    assert not mistakes
    assert topology == Topology.simple("server", "client")


def test_the_long_form() -> None:
    topology, mistakes = read(
        """\
hosts:
  gate:
    image: debian
    addresses: {inside: [192.0.2.1, "2001:db8::1"], outside: 198.51.100.1}
    capabilities: [CAP_NET_RAW, net_admin]
    user: nobody
    sysctls: {net.ipv4.tcp_syn_retries: 2, net.ipv4.new?: 1}
    env: {LANG: C}
    files: {/etc/motd: "hi", /bin/x: {hex: "00"}}
    router: true
    nat: outside
    ulimits: {nofile: 64}
  client: {capabilities: []}
  server: {scripted: true}
networks:
  inside: [client, gate]
  outside: {hosts: [gate, server], mtu: 576, subnet4: 198.51.100.0/24}
"""
    )
    assert not mistakes
    gate, client, server = topology.hosts
    assert gate == Host(
        "gate",
        image="debian",
        addresses={"inside": ("192.0.2.1", "2001:db8::1"), "outside": ("198.51.100.1",)},
        capabilities=("NET_RAW", "NET_ADMIN"),
        user="nobody",
        sysctls={"net.ipv4.tcp_syn_retries": "2", "net.ipv4.new?": "1"},
        environment={"LANG": "C"},
        files={"/etc/motd": b"hi", "/bin/x": b"\0"},
        router=True,
        nat="outside",
        limits={"nofile": 64},
    )
    assert client.capabilities == () and server.scripted
    assert topology.networks == (
        Network("inside", ("client", "gate")),
        Network("outside", ("gate", "server"), subnet4="198.51.100.0/24", mtu=576),
    )


def test_a_host_may_say_its_networks_itself() -> None:
    topology, mistakes = read("hosts: {a: {networks: [x]}, b: {networks: [x, y]}, c: {networks: [y]}}")
    assert not mistakes
    assert [(network.name, network.hosts) for network in topology.networks] == [
        ("x", ("a", "b")),
        ("y", ("b", "c")),
    ]


def test_addresses_without_a_network_are_those_of_the_only_one() -> None:
    topology, mistakes = read("hosts: {a: {addresses: [192.0.2.7]}, b: {}}")
    assert not mistakes
    assert topology.host("a").addresses == {"lab": ("192.0.2.7",)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hosts: x", "1:8: hosts are a list of names, or a map"),
        ("hosts: [[a]]", "1:9: a name is wanted here"),
        ("hosts: {a: x}", "1:12: what is said about host a is a map"),
        ("hosts: [until]", "1:9: no host can be called 'until'"),
        ("hosts: {a: {addresses: [192.0.2]}}", "1:25: '192.0.2' is no IP address"),
        ("hosts: {a: {router: yes}}", "1:21: true or false is wanted here"),
        ("hosts: {a: {capabilities: [NET RAW]}}", "1:28: 'NET RAW' is no capability's name"),
        ("hosts: {a: {files: {/x: [1]}}}", "1:25: "),
        ("hosts: {a: {nat: out, router: true}}", "1:9: host a is on no network 'out'"),
        (
            "hosts: {a: {nat: lab}}",
            "1:9: host a rewrites addresses of what it forwards: it needs `router: true` too",
        ),
        ("hosts: {a: {addresses: {out: 192.0.2.1}}}", "1:9: host a is on no network 'out'"),
        ("hosts: [a]\nnetworks: [a]", "2:11: networks are a map"),
        ("hosts: [a]\nnetworks: {x: {hosts: [a], mtu: 10}}", "2:33: an MTU is a number from 68"),
        ("hosts: [a]\nnetworks: {x: {hosts: [a], subnet4: 192.0.2.1/24}}", "2:37: this is no subnet"),
        ("hosts: [a]\nnetworks: {x: {hosts: [a], mut: 10}}", "2:28: network x has no key 'mut'"),
        (
            "hosts: {a: {addresses: [192.0.2.1]}}\nnetworks: {x: [a], y: [a]}",
            "1:9: host a is on several networks",
        ),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    found: Any = read(text)[1]
    assert any(one.startswith(expected) for one in found), found
