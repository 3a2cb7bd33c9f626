"""What a topology asks for of addresses, and what of it cannot be had: all of it at once, each with its place."""

from __future__ import annotations

import pytest

from lab.addressing import check, plan
from lab.asked import Unplannable, numbers, size
from lab.topology import Host, Network, Topology


def problems(topology: Topology) -> list[tuple[str, str, int, str, int]]:
    with pytest.raises(Unplannable) as caught:
        check(topology)
    return [(one.message, one.network, one.version, one.host, one.place) for one in caught.value.problems]


def one_network(subnet4: str | None = None, subnet6: str | None = None, **addresses: str) -> Topology:
    """Hosts a, b and c on the network n, each with addresses as one text."""
    hosts = tuple(Host(name, addresses={"n": tuple(addresses.get(name, "").split())}) for name in "abc")
    return Topology(hosts, (Network("n", ("a", "b", "c"), subnet4, subnet6),))


@pytest.mark.parametrize(
    ("topology", "said", "version", "host", "place"),
    [
        (one_network(a="192.0.2.1", b="192.0.2.1"), "192.0.2.1 on network n is host a's as well", 0, "b", 0),
        (one_network(a="192.0.2.1 192.0.2.1"), "host a: 192.0.2.1 is there twice on network n", 0, "a", 1),
        (one_network("192.0.2.0/24", b="198.51.100.1"), "198.51.100.1 is not in 192.0.2.0/24", 0, "b", 0),
        (one_network("192.0.2.0/24", b="192.0.2.0"), "192.0.2.0 is the address of the subnet", 0, "b", 0),
        (one_network("192.0.2.0/24", b="192.0.2.255"), "192.0.2.255 is the broadcast address", 0, "b", 0),
        (one_network(b="192.0.2.255"), "192.0.2.255 is the broadcast address of 192.0.2.0/24", 0, "b", 0),
        (one_network("192.0.2.0/30"), "192.0.2.0/30 is too small for 3 hosts", 4, "", 0),
        (one_network("192.0.2.0"), "192.0.2.0 needs a prefix length, such as 192.0.2.0/24", 4, "", 0),
        (
            one_network(None, "2001:db8::"),
            "2001:db8:: needs a prefix length, such as 2001:db8::/64",
            6,
            "",
            0,
        ),
        (one_network("192.0.2.1/24"), "has host bits set", 4, "", 0),
        (
            one_network(a="192.0.2.1", b="198.51.100.2"),
            "say which one network n has, with `subnet4`",
            0,
            "b",
            0,
        ),
        (one_network(c="2001:db8::1 2001:db9::1"), "say which one network n has, with `subnet6`", 0, "c", 1),
        (one_network(a="here"), "host a on network n: 'here'", 0, "a", 0),
        (one_network(a="224.0.0.5"), "224.0.0.5 cannot be a host's address: it is multicast", 0, "a", 0),
        (one_network(a="127.0.0.1"), "it is loopback", 0, "a", 0),
        (one_network(a="0.0.0.0"), 'it is "this host on this network"', 0, "a", 0),
        (one_network(a="255.255.255.255"), "it is the limited broadcast", 0, "a", 0),
        (one_network(a="::"), "it is the unspecified address", 0, "a", 0),
        (one_network(a="::1"), "it is loopback", 0, "a", 0),
        (
            one_network(a="fe80::1"),
            "it is link-local (RFC 4291, section 2.5.6), which the kernel gives",
            0,
            "a",
            0,
        ),
        (one_network(a="2001:db8::1%eth0"), "2001:db8::1%eth0: a host's address has no zone", 0, "a", 0),
        (one_network(a="ff02::1"), "it is multicast", 0, "a", 0),
        (
            one_network("224.0.0.0/24"),
            "224.0.0.0/24 cannot be the subnet of hosts: it is multicast",
            4,
            "",
            0,
        ),
        (one_network("127.0.5.0/24"), "it is loopback", 4, "", 0),
        (one_network("0.0.0.0/0"), "it holds 0.0.0.0/8, which is", 4, "", 0),
        (one_network(None, "fe80::/64"), "it is link-local", 6, "", 0),
        (one_network(None, "ff02::/64"), "it is multicast", 6, "", 0),
        (one_network(None, "::/0"), "it holds ::/128, which is the unspecified address", 6, "", 0),
    ],
)
def test_what_cannot_be_had_has_its_place(
    topology: Topology, said: str, version: int, host: str, place: int
) -> None:
    (one,) = problems(topology)
    assert said in one[0]
    assert one[1:] == ("n", version, host, place)


def test_all_that_is_wrong_is_told_at_once() -> None:
    hosts = (
        Host("a", addresses={"x": ("192.0.2.1", "127.0.0.1")}),
        Host("b", addresses={"x": ("192.0.2.1",)}),
    )
    networks = (
        Network("x", ("a", "b")),
        Network("y", ("a", "b"), subnet4="192.0.2.128/25", subnet6="ff02::/64"),
    )
    assert [one[1:] for one in problems(Topology(hosts, networks))] == [
        ("x", 0, "a", 1),
        ("x", 0, "b", 0),
        ("y", 6, "", 0),
        ("y", 4, "", 0),
    ]


def test_of_two_subnets_that_overlap_the_later_one_is_wrong() -> None:
    networks = (
        Network("small", ("a",), subnet4="192.0.2.128/25"),
        Network("six", ("a",), subnet6="2001:db8::/32"),
        Network("large", ("a",), subnet4="192.0.2.0/24"),
        Network("last", ("b",)),
    )
    hosts = (Host("a"), Host("b", addresses={"last": ("2001:db8::1", "198.51.100.1")}))
    assert problems(Topology(hosts, networks)) == [
        ("network large: its subnet 192.0.2.0/24 overlaps with 192.0.2.128/25 of network small", "large", 4, "", 0),
        (
            "host b: network last: its subnet 2001:db8::/64 overlaps with 2001:db8::/32 of network six",
            "last", 0, "b", 0,
        ),
    ]  # fmt: skip


def test_addresses_of_a_family_that_a_network_lacks_are_each_told() -> None:
    hosts = (Host("a", addresses={"n": ("2001:db8::1", "192.0.2.1")}),)
    assert problems(Topology(hosts, (Network("n", ("a",), "none", "2001:db8::/64", mtu=1279),))) == [
        ("host a: network n cannot have 192.0.2.1: its subnet4 is none", "n", 0, "a", 1),
        (
            "network n cannot have 2001:db8::/64: its MTU is 1279, and IPv6 needs 1280 (RFC 8200, section 5)",
            "n", 6, "", 0,
        ),
        (
            "host a: network n cannot have 2001:db8::1: its MTU is 1279, and IPv6 needs 1280 (RFC 8200, section 5)",
            "n", 0, "a", 0,
        ),
    ]  # fmt: skip


def test_a_subnet_made_around_one_address_may_be_too_small_for_all_hosts() -> None:
    names = [f"h{number}" for number in range(300)]
    hosts = tuple(Host(name, addresses={"n": ("192.0.2.9",)} if name == "h7" else {}) for name in names)
    ((message, *place),) = problems(Topology(hosts, (Network("n", tuple(names)),)))
    assert message.endswith(
        "192.0.2.0/24 is too small for 300 hosts and their addresses: say a larger one, with `subnet4`"
    )
    assert place == ["n", 0, "h7", 0]


def test_what_can_be_had_is_no_problem() -> None:
    wide = plan(one_network(a="192.0.2.255 192.0.3.0", b="192.0.77.1"))
    assert [end[0].prefix4 for end in wide.interfaces.values()] == [17, 17, 17]
    both = plan(one_network("192.0.2.0/24", a="192.0.2.1 2001:db8::", b="192.0.2.254"))
    assert both.interfaces["a"][0].ip6[0] == "2001:db8::"
    two = Topology((Host("a"), Host("b")), (Network("n", ("a", "b"), "192.0.2.6/31", "2001:db8::/127"),))
    assert [end[0].ip4 + end[0].ip6[:1] for end in plan(two).interfaces.values()] == [
        ("192.0.2.6", "2001:db8::"),
        ("192.0.2.7", "2001:db8::1"),
    ]


@pytest.mark.parametrize("text", ["192.0.2.7/32", "192.0.2.6/31", "192.0.2.4/30", "192.0.2.0/24"])
@pytest.mark.parametrize("version", [4, 6])
def test_the_size_of_a_subnet_is_how_many_numbers_it_has(text: str, version: int) -> None:
    import ipaddress

    bits = 32 - int(text.rpartition("/")[2])
    subnet = ipaddress.ip_network(text if version == 4 else f"2001:db8::/{128 - bits}")
    found = list(numbers(subnet))
    assert len(set(found)) == len(found) == size(subnet)
    assert all(one in subnet for one in found)
