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
    return topology, [
        f"{one.line}:{one.column}: {one.message}" + (f" ({one.suggestion})" if one.suggestion else "")
        for one in document.mistakes
    ]


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
        (
            "hosts: {a: {capabilities: [NET RAW]}}",
            "1:28: there is no capability 'NET RAW' (capabilities(7)) (NET_RAW)",
        ),
        ("hosts: {a: {files: {/x: [1]}}}", "1:25: "),
        ("hosts: {a: {nat: out, router: true}}", "1:18: host a is on no network 'out'"),
        (
            "hosts: {a: {nat: lab}}",
            "1:18: host a rewrites addresses of what it forwards: it needs `router: true` too",
        ),
        ("hosts: {a: {addresses: {out: 192.0.2.1}}}", "1:25: host a is on no network 'out'"),
        ("hosts: [a]\nnetworks: [a]", "2:11: networks are a map"),
        ("hosts: [a]\nnetworks: {x: {hosts: [a], mtu: 10}}", "2:33: an MTU is a number from 68"),
        (
            "hosts: [a]\nnetworks: {x: {hosts: [a], subnet4: 192.0.2.1/24}}",
            "2:37: network x: '192.0.2.1/24' is no subnet",
        ),
        ("hosts: [a]\nnetworks: {x: {hosts: [a], mut: 10}}", "2:28: network x has no key 'mut'"),
        (
            "hosts: {a: {addresses: [192.0.2.1]}}\nnetworks: {x: [a], y: [a]}",
            "1:24: host a is on several networks",
        ),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    found: Any = read(text)[1]
    assert any(one.startswith(expected) for one in found), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "hosts: {a: {capabilities: [NET_RAWW]}}",
            "1:28: there is no capability 'NET_RAWW' (capabilities(7)) (NET_RAW)",
        ),
        (
            "hosts: {a: {capabilities: [NO_SUCH_THING]}}",
            "1:28: there is no capability 'NO_SUCH_THING' (capabilities(7))",
        ),
        ("hosts: {a: {ulimits: {nofiles: 64}}}", "1:23: there is no limit 'nofiles' (getrlimit(2)) (nofile)"),
        (
            "hosts: {a: {ulimits: {nofile: -5}}}",
            "1:31: a limit is a number from 0, or -1 for none, not -5 (getrlimit(2))",
        ),
        ("hosts: {a: {ulimits: {nofile: few}}}", "1:31: a whole number is wanted here, not 'few'"),
        (
            "hosts: {a: {sysctls: {net.ipv4.tcp_syn_retries: banana}}}",
            "1:49: this sysctl is a number, not 'banana'",
        ),
        ("hosts: {a: {sysctls: {net.ipv4.ip_forward?: on}}}", "1:45: this sysctl is a number, not 'on'"),
        (
            "hosts: {a: {sysctls: {net.ipv6.conf.all.hop_limit: 1 2}}}",
            "1:52: this sysctl is a number, not '1 2'",
        ),
        (
            "hosts: {a: {files: {relative/x: hello}}}",
            "1:21: a file of a host has an absolute path, not 'relative/x' (/relative/x)",
        ),
        (
            "hosts: {a: {files: {/tmp/../x: hello}}}",
            "1:21: a file of a host has the path of a file, without `..`, not '/tmp/../x'",
        ),
        (
            "hosts: {a: {files: {/tmp/: x}}}",
            "1:21: a file of a host has the path of a file, without `..`, not '/tmp/'",
        ),
        (
            "hosts: [Localhost]",
            "1:9: no host can be called 'Localhost': every host calls itself so (RFC 6761, section 6.3)",
        ),
        ("hosts: {a: {networks: [n, n]}}", "1:27: host a is on network n already"),
        ("hosts: [a, b]\nnetworks: {n: [a, b, a]}", "2:22: host a is on network n already"),
        ("hosts: [a, b]\nnetworks: {n: [], m: [a, b]}", "2:12: no host is on network n"),
        ("hosts: [a, b]\nnetworks: {n: {mtu: 500}, m: [a, b]}", "2:12: no host is on network n"),
        (
            "hosts: [a]\nnetworks: {n: {hosts: [a], mtu: big}}",
            "2:33: a whole number is wanted here, not 'big'",
        ),
        (
            "hosts: {a: {addresses: {n: 192.0.2.1}}, b: {}}\nnetworks: {n: {host: [a, b]}}",
            "2:16: network n has no key 'host' (its keys: hosts, mtu, subnet4, subnet6) (hosts)",
        ),
        (
            "hosts: {a: {networks: [n], user: [x]}, b: {}}\nnetworks: {n: {mtu: 500}, m: [b]}",
            "1:34: a text is wanted here, not a list",
        ),
        ("hosts: {a: {networks: [none]}}\nnetworks: {one: [a]}", "1:24: there is no network 'none' (one)"),
    ],
)
def test_the_only_mistake(text: str, expected: str) -> None:
    """It is told at its place, and nothing that follows from it."""
    assert read(text)[1] == [expected]


@pytest.mark.parametrize(
    "said",
    [
        "capabilities: [cap_net_raw, CHECKPOINT_RESTORE]",
        "ulimits: {nofile: 64, core: -1, rttime: 0}",
        "sysctls: {net.ipv4.tcp_rmem: 4096 131072 6291456, net.ipv4.tcp_congestion_control: cubic}",
        "sysctls: {net.ipv4.ip_local_port_range: 1 2, net.ipv4.tcp_fin_timeout: 0x10, net.core.default_qdisc: fq}",
        "sysctls: {net.ipv6.conf.all.stable_secret: '::1', net.mptcp.scheduler: default}",
        "files: {/etc/x..y: z}",
    ],
)
def test_what_may_be_said_of_a_host(said: str) -> None:
    assert not read(f"hosts: {{a: {{{said}}}}}")[1]


PLAN = """\
hosts:
  a: {addresses: {n: [192.0.2.1, 127.0.0.1], m: "fe80::1"}}
  b: {addresses: {n: 192.0.2.1, m: 198.51.100.1}}
  c: {networks: [own], addresses: [203.0.113.255]}
networks:
  n: [a, b]
  m: {hosts: [a, b], subnet4: 203.0.113.0/30}
  o: {hosts: [a, b], subnet4: 192.0.2.0/24, subnet6: ff02::/64}
  own: {hosts: [c], mtu: 576}
"""


def test_all_mistakes_of_the_plan_are_told_at_their_places() -> None:
    assert [one.partition(" (RFC")[0] for one in read(PLAN)[1]] == [
        "2:34: host a: 127.0.0.1 cannot be a host's address: it is loopback",
        "3:22: host b: 192.0.2.1 on network n is host a's as well",
        "2:49: host a: fe80::1 cannot be a host's address: it is link-local",
        "3:36: host b: 198.51.100.1 is not in 203.0.113.0/30 of network m",
        "8:54: network o: ff02::/64 cannot be the subnet of hosts: it is multicast",
        "4:36: host c: 203.0.113.255 is the broadcast address of 203.0.113.0/24",
        "8:31: network o: its subnet 192.0.2.0/24 overlaps with 192.0.2.0/24 of network n",
        "4:36: host c: network own: its subnet 203.0.113.0/24 overlaps with 203.0.113.0/30 of network m",
    ]


def test_a_network_that_could_not_be_read_asks_for_no_addresses() -> None:
    hosts = "hosts: {a: {addresses: 192.0.2.1}, b: {addresses: 198.51.100.1}}"
    assert read(f"{hosts}\nnetworks: {{n: {{hosts: [a, b], mtu: x, subnet4: 0/0}}}}")[1] == [
        "2:36: a whole number is wanted here, not 'x'"
    ]


def test_more_networks_than_a_byte_has_numbers_for() -> None:
    written = "\n".join(f"  n{number}: [a, b]" for number in range(1000))
    topology, mistakes = read(f"hosts: [a, b]\nnetworks:\n{written}\n")
    assert not mistakes and len(topology.networks) == 1000
    assert read(f"hosts: [a, b]\nnetworks:\n{written}\n  more: [a, b]\n")[1] == [
        "1003:3: a scenario has at most 1,000 networks"
    ]
