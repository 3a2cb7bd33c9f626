"""A pure plan of a lab: names, addresses and MACs of every host's interfaces, and routes between networks.

Nothing here does I/O. An engine that picks addresses itself uses `routes` alone, with the interfaces it made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from itertools import chain, islice

from lab.asked import Asked, Problem, Subnet, Unplannable, asked, has, numbers
from lab.engine import Interface
from lab.topology import Network, Topology

MANY = 20
"""From so many hosts on every host knows every neighbour for good: the kernel has one neighbour table for the
whole machine, of 1024 entries (net.ipv4.neigh.default.gc_thresh3), and permanent ones do not count."""
TOO_MANY = 256
"""From so many hosts on that would be more entries than is worth it: they grow with the square."""

Ends = Mapping[str, tuple[Interface, ...]]
"""Host name -> its interfaces in the order of its networks."""


@dataclass(frozen=True)
class Route:
    """A way to a network that a host is not on; `destination` is CIDR text, `interface` one of the host's."""

    destination: str
    gateway: str
    interface: str


@dataclass(frozen=True)
class Plan:
    """Host name -> its interfaces in order, and host name -> its routes."""

    interfaces: Ends
    routes: Mapping[str, tuple[Route, ...]]


def plan(topology: Topology, *, ip6: bool = True) -> Plan:
    """Choose all that the topology leaves open; the same topology always gives the same plan.

    `ip6` false: no IPv6 anywhere. Raises Unplannable where what is asked for of addresses cannot be had.
    """
    wanted = asked(topology)
    subnets = _subnets(topology, wanted)
    ends: dict[str, list[Interface]] = {host.name: [] for host in topology.hosts}
    for number, network in enumerate(topology.networks):
        subnet4, subnet6 = subnets.get((network.name, 4)), subnets.get((network.name, 6))
        addresses4 = _addresses(network, subnet4, wanted) if subnet4 and has(network, 4) else {}
        addresses6 = _addresses(network, subnet6, wanted) if subnet6 and has(network, 6) and ip6 else {}
        for place, host in enumerate(network.hosts, 1):
            mac = bytes([2, 0, *number.to_bytes(2), *place.to_bytes(2)]).hex(":")
            ends[host].append(
                Interface(
                    host=host,
                    network=network.name,
                    name=f"eth{len(ends[host])}",
                    mac=mac,
                    ip4=addresses4.get(host, ()),
                    ip6=(*addresses6[host], link_local(mac)) if addresses6 else (),
                    prefix4=subnet4.prefixlen if subnet4 else 0,
                    prefix6=subnet6.prefixlen if subnet6 else 0,
                    mtu=network.mtu,
                )
            )
    interfaces = {host: tuple(own) for host, own in ends.items()}
    return Plan(interfaces, routes(topology, interfaces))


def many_neighbours(topology: Topology) -> bool:
    """Whether every host is to know its neighbours for good, so that none asks for another's MAC (ARP, RFC 826)."""
    return MANY <= len(topology.hosts) < TOO_MANY


def link_local(mac: str) -> str:
    """The link-local address that goes with a MAC: the modified EUI-64 of RFC 4291, appendix A."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + identifier))


def names_and_addresses(interfaces: Mapping[str, Iterable[Interface]]) -> str:
    """The text of /etc/hosts, hosts(5): every host's name with each of its addresses but link-local ones."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for host, ends in interfaces.items():
        for end in ends:
            usable = (text for text in (*end.ip4, *end.ip6) if not ipaddress.ip_address(text).is_link_local)
            lines.extend(f"{address} {host}" for address in usable)
    return "\n".join(lines) + "\n"


# Subnets and addresses


def check(topology: Topology) -> None:
    """Raise Unplannable where no plan can be made of a topology: with all that is wrong about its addresses."""
    _subnets(topology, asked(topology))


def _subnets(topology: Topology, wanted: Asked) -> dict[tuple[str, int], Subnet]:
    """(Network name, version) -> subnet; those that are asked for come first, so that none is picked twice."""
    found = dict(wanted.subnets)
    free = _Free(found.values())
    problems = []
    for network in topology.networks:
        for version in (4, 6):
            subnet = found.get((network.name, version)) or free.pick(version, len(network.hosts))
            if subnet is not None:
                found[network.name, version] = subnet
            elif has(network, version):
                message = f"network {network.name}: no private subnet is left for it: say `subnet{version}`"
                problems.append(Problem(message, network.name))
    if problems:
        raise Unplannable(problems)
    return found


class _Free:
    """Private subnets (RFC 1918, RFC 4193) that nobody has, each picked once."""

    def __init__(self, taken: Iterable[Subnet]) -> None:
        self._taken = {4: list[tuple[int, int]](), 6: list[tuple[int, int]]()}
        for one in taken:
            self._taken[one.version].append(_span(one))
        self._left = {
            kind: iter(candidates)
            for kind, candidates in (
                ("4", _candidates4()),
                ("large", _candidates4(large=True)),
                ("6", _candidates6()),
            )
        }

    def pick(self, version: int, hosts: int) -> Subnet | None:
        """The next one that has room for so many hosts; None where none is left."""
        taken = self._taken[version]
        for one in self._left["large" if version == 4 and hosts > 254 else str(version)]:
            first, last = _span(one)
            if not any(begin <= last and first <= end for begin, end in taken):
                taken.append((first, last))
                return one
        return None


def _span(subnet: Subnet) -> tuple[int, int]:
    return int(subnet.network_address), int(subnet.broadcast_address)


def _candidates4(large: bool = False) -> Iterator[Subnet]:
    if not large:
        for third in range(256):
            yield IPv4Network((f"10.0.{third}.0", 24))
    for second in range(1, 256):
        yield IPv4Network((f"10.{second}.0.0", 16))
    yield from IPv4Network("172.16.0.0/12").subnets(new_prefix=16 if large else 24)


def _candidates6() -> Iterator[Subnet]:
    for number in range(1, 1 << 16):
        yield IPv6Network((f"fd00:{number:x}::", 64))


def _addresses(network: Network, subnet: Subnet, wanted: Asked) -> dict[str, tuple[str, ...]]:
    """Host name -> its addresses of the subnet's family: as asked for, else the next that nobody has."""
    own = {
        host: [one for one in wanted.addresses.get((network.name, host), ()) if one.version == subnet.version]
        for host in network.hosts
    }
    taken = {address for addresses in own.values() for address in addresses}
    free = (one for one in numbers(subnet) if one not in taken)
    return {host: tuple(map(str, own[host] or islice(free, 1))) for host in network.hosts}


# Routes


def routes(topology: Topology, interfaces: Ends) -> dict[str, tuple[Route, ...]]:
    """Host name -> routes to every network it is not on, each a shortest path through routers.

    A router that translates addresses leads out only: nobody outside has a way to what is behind it.

    Of several shortest paths the one whose router comes first in the topology is taken: plans do not vary.
    """
    found: dict[str, list[Route]] = {host.name: [] for host in topology.hosts}
    routers = _routers(topology)
    subnets = _subnets_seen(interfaces)
    for target in topology.networks:
        distances = _distances(routers, target.name)
        for host in topology.hosts:
            ends = interfaces[host.name]
            if all(end.network != target.name for end in ends):
                way = _way(host.name, ends, routers, distances)
                if way is not None:
                    own, router = way
                    gateway = next(one for one in interfaces[router] if one.network == own.network)
                    found[host.name].extend(_families(own.name, gateway, subnets.get(target.name, ("", ""))))
    return {host: tuple(ways) for host, ways in found.items()}


@dataclass(frozen=True)
class _Router:
    """A router: the networks that it is on, and the one on whose side it translates addresses."""

    name: str
    networks: frozenset[str]
    nat: str | None


_Routers = Mapping[str, Sequence[_Router]]
"""Network name -> the routers that are on it, in the order of the topology."""


def _routers(topology: Topology) -> _Routers:
    on: dict[str, set[str]] = {host.name: set() for host in topology.hosts}
    for network in topology.networks:
        for name in network.hosts:
            on[name].add(network.name)
    found: dict[str, list[_Router]] = {network.name: [] for network in topology.networks}
    for host in topology.hosts:
        for name in on[host.name] if host.router else ():
            found[name].append(_Router(host.name, frozenset(on[host.name]), host.nat))
    return found


def _distances(routers: _Routers, target: str) -> dict[str, int]:
    """Network name -> how many routers lie between it and the target; missing where none leads there."""
    distances = {target: 0}
    edge = [target]
    while edge:
        near = {router.name: router for network in edge for router in routers[network]}
        names = {name for router in near.values() for name in router.networks if name != router.nat}
        reached = [name for name in names if name not in distances]
        for name in reached:
            distances[name] = distances[edge[0]] + 1
        edge = reached
    return distances


def _way(
    host: str, ends: Sequence[Interface], routers: _Routers, distances: Mapping[str, int]
) -> tuple[Interface, str] | None:
    """The interface of a host that leads to a network at these distances, and the next router; None for no way."""
    reachable = [end for end in ends if end.network in distances]
    if not reachable:
        return None
    end = min(reachable, key=lambda end: distances[end.network])
    nearer = distances[end.network] - 1
    for router in routers[end.network]:
        leads = any(distances.get(network) == nearer for network in router.networks)
        if router.name != host and router.nat != end.network and leads:
            return end, router.name
    return None


def _subnets_seen(interfaces: Ends) -> dict[str, tuple[str, str]]:
    """Network name -> its IPv4 and IPv6 subnets as CIDR texts, as interfaces on it have them; empty for none."""
    found: dict[str, tuple[str, str]] = {}
    for end in chain.from_iterable(interfaces.values()):
        if end.network not in found:
            four = str(IPv4Network((end.ip4[0], end.prefix4), strict=False)) if end.ip4 else ""
            six = str(IPv6Network((end.ip6[0], end.prefix6), strict=False)) if end.ip6 else ""
            found[end.network] = four, six
    return found


def _families(name: str, gateway: Interface, subnets: tuple[str, str]) -> Iterator[Route]:
    for subnet, addresses in zip(subnets, (gateway.ip4, gateway.ip6), strict=True):
        if subnet and addresses:
            yield Route(subnet, addresses[0], name)
