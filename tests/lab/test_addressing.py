"""The plan of a lab: addresses that fit, and routes that lead where they should, for any topology."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.addressing import Plan, link_local, names_and_addresses, plan
from lab.errors import LabError
from lab.topology import NO_SUBNET, Host, Network, Topology


def test_two_hosts_have_the_addresses_one_would_write_by_hand() -> None:
    ends = plan(Topology.simple("server", "client")).interfaces
    assert [(end.name, end.ip4, end.mac) for end in (*ends["server"], *ends["client"])] == [
        ("eth0", ("10.0.0.1",), "02:00:00:00:00:01"),
        ("eth0", ("10.0.0.2",), "02:00:00:00:00:02"),
    ]
    assert ends["client"][0].ip6 == ("fd00:1::2", "fe80::ff:fe00:2")
    assert (ends["client"][0].prefix4, ends["client"][0].prefix6) == (24, 64)


def test_link_local_is_the_modified_eui_64_of_the_mac() -> None:
    assert link_local("34:56:78:9a:bc:de") == "fe80::3656:78ff:fe9a:bcde"  # as RFC 4291, appendix A, makes it


def test_addresses_and_subnets_that_are_asked_for_are_kept() -> None:
    topology = Topology(
        (Host("a", addresses={"lab": ("192.0.2.9", "2001:db8::9")}), Host("b"), Host("c")),
        (Network("lab", ("b", "a")), Network("own", ("b", "c"), subnet4="198.51.100.0/30")),
    )
    ends = plan(topology).interfaces
    assert ends["a"][0].ip4 == ("192.0.2.9",)
    assert ends["a"][0].ip6[0] == "2001:db8::9"
    assert ends["b"][0].ip4 == ("192.0.2.1",)
    assert ends["b"][1].ip4 == ("198.51.100.1",)
    assert ends["c"][0].prefix4 == 30


@pytest.mark.parametrize(
    ("network", "addresses", "said"),
    [
        (
            Network("lab", ("a", "b"), subnet4="192.0.2.0/24"),
            {"lab": ("198.51.100.1",)},
            "is not in 192.0.2.0/24",
        ),
        (Network("lab", ("a", "b"), subnet4="192.0.2.0/32"), {}, "too small for 2 hosts"),
        (Network("lab", ("a", "b"), subnet4="192.0.2/24"), {}, "192.0.2/24"),
        (Network("lab", ("a", "b")), {"lab": ("here",)}, "host a on network lab: 'here'"),
        (Network("lab", tuple(f"h{number}" for number in range(1024))), {}, "1023 ports"),
    ],
)
def test_what_cannot_be_had_is_said(
    network: Network, addresses: dict[str, tuple[str, ...]], said: str
) -> None:
    hosts = (Host("a", addresses=addresses), *(Host(name) for name in network.hosts if name != "a"))
    with pytest.raises(LabError, match=said):
        plan(Topology(hosts, (network,)))


def test_overlapping_subnets_and_twice_the_same_address_are_refused() -> None:
    hosts = (Host("a", addresses={"x": ("192.0.2.1",)}), Host("b", addresses={"x": ("192.0.2.1",)}))
    with pytest.raises(LabError, match="is host a's as well"):
        plan(Topology(hosts, (Network("x", ("a", "b")),)))
    networks = (Network("x", ("a",), subnet4="192.0.2.0/24"), Network("y", ("b",), subnet4="192.0.2.128/25"))
    with pytest.raises(LabError, match="overlaps"):
        plan(Topology((Host("a"), Host("b")), networks))


def test_many_hosts_share_one_network() -> None:
    ends = plan(Topology.simple(*(f"h{number}" for number in range(600)))).interfaces
    assert len({end[0].ip4 for end in ends.values()}) == len({end[0].mac for end in ends.values()}) == 600
    assert ends["h599"][0].prefix4 == 16


def test_a_chain_of_hundreds_of_networks_is_planned_at_once() -> None:
    """More networks than a byte has numbers for; and routes, which once took minutes for so many."""
    numbers = range(600)
    hosts = tuple(Host(f"h{number}", router=True) for number in (*numbers, 600))
    networks = tuple(Network(f"n{number}", (f"h{number}", f"h{number + 1}")) for number in numbers)
    began = time.monotonic()
    planned = plan(Topology(hosts, networks))
    assert time.monotonic() - began < 60
    ends = list(chain(*planned.interfaces.values()))
    assert len({end.mac for end in ends}) == len({end.ip4 for end in ends}) == len(ends) == 1200
    assert planned.interfaces["h300"][1].mac == "02:00:01:2c:00:01"
    assert [len(planned.routes[name]) for name in ("h0", "h300", "h600")] == [2 * 599, 2 * 598, 2 * 599]


def test_a_network_for_which_no_private_subnet_is_left_is_told() -> None:
    networks = (
        Network("x", ("a",), subnet4="10.0.0.0/8"),
        Network("y", ("a",), subnet4="172.16.0.0/12"),
        Network("six", ("a",), subnet4=NO_SUBNET),
    )
    assert plan(Topology((Host("a"),), networks)).interfaces["a"][2].ip4 == ()
    with pytest.raises(LabError, match="network z: no private subnet is left for it: say `subnet4`"):
        plan(Topology((Host("a"),), (*networks, Network("z", ("a",)))))


def test_names_leave_out_link_local_addresses() -> None:
    text = names_and_addresses(plan(Topology.simple("server")).interfaces)
    assert "10.0.0.1 server\n" in text
    assert "fd00:1::1 server\n" in text
    assert "fe80" not in text


def test_without_ip6_there_is_none() -> None:
    planned = plan(Topology.simple("a", "b"), ip6=False)
    assert [end.ip6 for end in chain(*planned.interfaces.values())] == [(), ()]


CHAIN = Topology(
    (Host("left"), Host("gate", router=True), Host("door", router=True), Host("right")),
    (Network("in", ("left", "gate")), Network("mid", ("gate", "door")), Network("out", ("door", "right"))),
)


def test_routes_lead_through_routers() -> None:
    planned = plan(CHAIN)
    assert [
        (route.destination, route.gateway) for route in planned.routes["left"] if "." in route.gateway
    ] == [
        ("10.0.1.0/24", "10.0.0.2"),
        ("10.0.2.0/24", "10.0.0.2"),
    ]
    assert [(route.gateway, route.interface) for route in planned.routes["gate"]] == [
        ("10.0.1.2", "eth1"),
        ("fd00:2::2", "eth1"),
    ]


def test_hosts_that_are_no_routers_lead_nowhere() -> None:
    hosts = tuple(replace(host, router=False) for host in CHAIN.hosts)
    assert not any(plan(Topology(hosts, CHAIN.networks)).routes.values())


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Any hosts on any networks."""
    hosts = [Host(f"h{number}", router=draw(st.booleans())) for number in range(draw(st.integers(1, 7)))]
    names = [host.name for host in hosts]
    members = st.lists(st.sampled_from(names), min_size=1, unique=True)
    networks = [Network(f"n{number}", tuple(draw(members))) for number in range(draw(st.integers(1, 5)))]
    return Topology(tuple(hosts), tuple(networks))


def hops(topology: Topology, planned: Plan, host: str, target: str) -> int | None:
    """Routers on the way to a network when every host follows its own routes; None where one has none."""
    for hop in range(len(topology.hosts) + 1):
        if target in (end.network for end in planned.interfaces[host]):
            return hop
        subnet = next(
            ipaddress.ip_network((end.ip4[0], end.prefix4), strict=False)
            for end in chain(*planned.interfaces.values())
            if end.network == target
        )
        route = next((one for one in planned.routes[host] if one.destination == str(subnet)), None)
        if route is None:
            assert hop == 0, "a router on the way does not know further"
            return None
        networks = {end.network for end in planned.interfaces[host] if end.name == route.interface}
        host = next(
            end.host
            for end in chain(*planned.interfaces.values())
            if route.gateway in end.ip4 and end.network in networks
        )
        assert topology.host(host).router
    raise AssertionError("the routes go in a circle")


def fewest(topology: Topology, host: str, target: str) -> int | None:
    """The same by trying everything."""
    reached, edge, number = set(), {network.name for network in topology.networks_of(host)}, 0
    while edge:
        if target in edge:
            return number
        reached |= edge
        through = [one.name for one in topology.hosts if one.router and edge & _networks(topology, one.name)]
        edge = set(chain(*(_networks(topology, name) for name in through))) - reached
        number += 1
    return None


def _networks(topology: Topology, host: str) -> set[str]:
    return {network.name for network in topology.networks_of(host)}


@given(topologies())
def test_any_topology_has_distinct_addresses_and_shortest_routes(topology: Topology) -> None:
    planned = plan(topology)
    ends = list(chain(*planned.interfaces.values()))
    assert (
        len({end.ip4 for end in ends})
        == len({end.ip6 for end in ends})
        == len({end.mac for end in ends})
        == len(ends)
    )
    for host in topology.hosts:
        for network in topology.networks:
            assert hops(topology, planned, host.name, network.name) == fewest(
                topology, host.name, network.name
            )


def test_a_router_that_translates_addresses_leads_out_only() -> None:
    hosts = (Host("client"), Host("gate", router=True, nat="out"), Host("server"))
    networks = (Network("in", ("client", "gate")), Network("out", ("gate", "server")))
    planned = plan(Topology(hosts, networks))
    assert {route.interface for route in planned.routes["client"]} == {"eth0"} and planned.routes["client"]
    assert planned.routes["server"] == ()


def test_of_two_ways_in_the_one_that_does_not_translate_is_taken() -> None:
    hosts = (Host("client"), Host("gate", router=True, nat="out"), Host("door", router=True), Host("server"))
    networks = (Network("in", ("client", "gate", "door")), Network("out", ("gate", "door", "server")))
    planned = plan(Topology(hosts, networks))
    door = {address for end in planned.interfaces["door"] for address in (*end.ip4, *end.ip6)}
    assert planned.routes["server"] and all(route.gateway in door for route in planned.routes["server"])


def test_a_link_with_a_small_mtu_has_no_ip6() -> None:
    hosts = (Host("a"), Host("b"))
    small = plan(Topology(hosts, (Network("n", ("a", "b"), mtu=1279),)))
    assert [end.ip6 for end in small.interfaces["a"]] == [()]
    assert plan(Topology(hosts, (Network("n", ("a", "b"), mtu=1280),))).interfaces["a"][0].ip6
    with pytest.raises(LabError, match="MTU is 576"):
        plan(Topology(hosts, (Network("n", ("a", "b"), subnet6="2001:db8::/64", mtu=576),)))


def test_a_network_may_have_one_family_only() -> None:
    hosts = (Host("a"), Host("gate", router=True), Host("b"))
    networks = (
        Network("m", ("a", "gate"), subnet4=NO_SUBNET),
        Network("n", ("gate", "b"), subnet6=NO_SUBNET),
    )
    made = plan(Topology(hosts, networks))
    a, b = made.interfaces["a"][0], made.interfaces["b"][0]
    assert (a.ip4, bool(a.ip6)) == ((), True)
    assert (bool(b.ip4), b.ip6) == (True, ())
    assert made.routes["a"] == made.routes["b"] == ()  # no family leads from one to the other
