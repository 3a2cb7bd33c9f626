"""A pure plan of a lab: names, addresses and MACs of every host's interfaces, and routes between networks.

Nothing here does I/O. An engine that picks addresses itself uses `routes` alone, with the interfaces it made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import count, islice

from lab.engine import Interface
from lab.errors import LabError
from lab.topology import LEAST_MTU_OF_IP6, NO_SUBNET, Host, Network, Topology

MAX_HOSTS = 1023
"""Ports of one bridge: BR_MAX_PORTS in net/bridge/br_private.h."""

MANY = 20
"""From so many hosts on every host knows every neighbour for good: the kernel has one neighbour table for the
whole machine, of 1024 entries (net.ipv4.neigh.default.gc_thresh3), and permanent ones do not count."""
TOO_MANY = 256
"""From so many hosts on that would be more entries than is worth it: they grow with the square."""

_Subnet = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address
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

    `ip6` false: no IPv6 anywhere. Raises LabError where the addresses that are asked for cannot be had.
    """
    subnets = _subnets(topology)
    ends: dict[str, list[Interface]] = {host.name: [] for host in topology.hosts}
    for number, network in enumerate(topology.networks):
        if len(network.hosts) > MAX_HOSTS:
            raise LabError(f"network {network.name} has more hosts than the {MAX_HOSTS} ports of a bridge")
        subnet4, subnet6 = subnets[network.name]
        has4, has6 = (_has(topology, network, version) for version in (4, 6))
        addresses4 = _addresses(topology, network, subnet4) if has4 else {}
        addresses6 = _addresses(topology, network, subnet6) if has6 and ip6 else {}
        for place, host in enumerate(network.hosts, 1):
            mac = f"02:00:00:{number:02x}:{place >> 8:02x}:{place & 255:02x}"
            ends[host].append(
                Interface(
                    host=host,
                    network=network.name,
                    name=f"eth{len(ends[host])}",
                    mac=mac,
                    ip4=addresses4.get(host, ()),
                    ip6=(*addresses6[host], link_local(mac)) if addresses6 else (),
                    prefix4=subnet4.prefixlen,
                    prefix6=subnet6.prefixlen,
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


# Subnets


def _subnets(topology: Topology) -> dict[str, tuple[IPv4Network, IPv6Network]]:
    """Network name -> its subnets; those that are asked for come first, so that none is picked twice."""
    asked4 = {network.name: _asked(topology, network, 4) for network in topology.networks}
    asked6 = {network.name: _asked(topology, network, 6) for network in topology.networks}
    taken: list[_Subnet] = []
    for network in topology.networks:
        for subnet in (asked4[network.name], asked6[network.name]):
            if subnet is None:
                continue
            rival = next((other for other in taken if _overlap(other, subnet)), None)
            if rival is not None:
                raise LabError(f"network {network.name}: its subnet {subnet} overlaps with another's {rival}")
            taken.append(subnet)
    found: dict[str, tuple[IPv4Network, IPv6Network]] = {}
    for network in topology.networks:
        subnet4 = asked4[network.name] or _free(_candidates4(len(network.hosts)), taken)
        subnet6 = asked6[network.name] or _free(_candidates6(), taken)
        assert isinstance(subnet4, IPv4Network) and isinstance(subnet6, IPv6Network)
        found[network.name] = (subnet4, subnet6)
    return found


def _has(topology: Topology, network: Network, version: int) -> bool:
    """Whether a network has a family; raises LabError where addresses of one that it lacks are asked for."""
    text = network.subnet4 if version == 4 else network.subnet6
    lacks = ""
    if text == NO_SUBNET:
        lacks = f"its subnet{version} is {NO_SUBNET}"
    elif version == 6 and network.mtu < LEAST_MTU_OF_IP6:
        lacks = f"its MTU is {network.mtu}, and IPv6 needs {LEAST_MTU_OF_IP6} (RFC 8200, section 5)"
    wanted = [
        str(one) for host in network.hosts for one in _own(topology, network, host) if one.version == version
    ]
    if text not in (None, NO_SUBNET):
        wanted.append(str(text))
    if lacks and wanted:
        raise LabError(f"network {network.name} cannot have {wanted[0]}: {lacks}")
    return not lacks


def _asked(topology: Topology, network: Network, version: int) -> _Subnet | None:
    """The subnet that the topology says, or else one around the addresses that it says."""
    text = network.subnet4 if version == 4 else network.subnet6
    if text not in (None, NO_SUBNET):
        try:
            return ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise LabError(f"network {network.name}: {error}") from None
    addresses = [
        address
        for host in network.hosts
        for address in _own(topology, network, host)
        if address.version == version and not address.is_link_local
    ]
    if not addresses:
        return None
    subnet = ipaddress.ip_network((addresses[0], 24 if version == 4 else 64), strict=False)
    while not all(address in subnet for address in addresses):
        subnet = subnet.supernet()
    return subnet


def _overlap(one: _Subnet, other: _Subnet) -> bool:
    return one.version == other.version and (one.network_address in other or other.network_address in one)


def _candidates4(hosts: int) -> Iterator[_Subnet]:
    if hosts <= 254:
        for third in range(256):
            yield IPv4Network((f"10.0.{third}.0", 24))
    for second in range(1, 256):
        yield IPv4Network((f"10.{second}.0.0", 16))


def _candidates6() -> Iterator[_Subnet]:
    for number in count(1):
        yield IPv6Network((f"fd00:{number:x}::", 64))


def _free(candidates: Iterator[_Subnet], taken: list[_Subnet]) -> _Subnet:
    for one in candidates:
        if not any(_overlap(one, other) for other in taken):
            taken.append(one)
            return one
    raise LabError("there are more networks than private subnets for them")


# Addresses


def _own(topology: Topology, network: Network, host: str) -> list[_Address]:
    """The addresses that the topology asks for on one end."""
    try:
        return [ipaddress.ip_address(text) for text in topology.host(host).addresses.get(network.name, ())]
    except ValueError as error:
        raise LabError(f"host {host} on network {network.name}: {error}") from None


def _addresses(topology: Topology, network: Network, subnet: _Subnet) -> dict[str, tuple[str, ...]]:
    """Host name -> its addresses of the subnet's family: as asked for, else the next that nobody has."""
    asked = {
        host: [one for one in _own(topology, network, host) if one.version == subnet.version]
        for host in network.hosts
    }
    taken: set[_Address] = set()
    for host, addresses in asked.items():
        for address in addresses:
            if address not in subnet:
                raise LabError(f"host {host}: {address} is not in {subnet} of network {network.name}")
            if address in taken:
                raise LabError(f"host {host}: {address} on network {network.name} is another host's as well")
            taken.add(address)
    free = (one for one in _numbers(subnet) if one not in taken)
    found: dict[str, tuple[str, ...]] = {}
    for host in network.hosts:
        own = asked[host] or list(islice(free, 1))
        if not own:
            raise LabError(f"network {network.name}: {subnet} is too small for {len(network.hosts)} hosts")
        found[host] = tuple(str(address) for address in own)
    return found


def _numbers(subnet: _Subnet) -> Iterator[_Address]:
    """Addresses for hosts, lowest first: not the subnet's own, nor an IPv4 subnet's broadcast address."""
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    ends = 2 if isinstance(subnet, IPv4Network) and subnet.prefixlen < 31 else 0
    kind = type(subnet.network_address)
    for number in range(first + (1 if last > first + 1 else 0), last + (0 if ends else 1)):
        yield kind(number)


# Routes


def routes(topology: Topology, interfaces: Ends) -> dict[str, tuple[Route, ...]]:
    """Host name -> routes to every network it is not on, each a shortest path through routers.

    A router that translates addresses leads out only: nobody outside has a way to what is behind it.

    Of several shortest paths the one whose router comes first in the topology is taken: plans do not vary.
    """
    found: dict[str, list[Route]] = {host.name: [] for host in topology.hosts}
    routers = [host for host in topology.hosts if host.router]
    for target in topology.networks:
        distances = _distances(topology, routers, target.name)
        for host in topology.hosts:
            ends = interfaces[host.name]
            if all(end.network != target.name for end in ends):
                found[host.name].extend(_way(host.name, ends, target.name, routers, interfaces, distances))
    return {host: tuple(ways) for host, ways in found.items()}


def _distances(topology: Topology, routers: list[Host], target: str) -> dict[str, int]:
    """Network name -> how many routers lie between it and the target; missing where none leads there."""
    distances = {target: 0}
    edge = [target]
    while edge:
        reached = []
        for router in routers:
            names = [network.name for network in topology.networks_of(router.name)]
            for name in names:
                leads = name != router.nat and any(one in edge for one in names)
                if leads and name not in distances and name not in reached:
                    reached.append(name)
        for name in reached:
            distances[name] = distances[edge[0]] + 1
        edge = reached
    return distances


def _way(
    host: str,
    ends: tuple[Interface, ...],
    target: str,
    routers: list[Host],
    interfaces: Ends,
    distances: Mapping[str, int],
) -> list[Route]:
    """The routes of one host to one network: one for each address family, or none."""
    reachable = [end for end in ends if end.network in distances]
    if not reachable:
        return []
    end = min(reachable, key=lambda end: distances[end.network])
    nearer = distances[end.network] - 1
    for router in routers:
        at_end = [one for one in interfaces[router.name] if one.network == end.network]
        leads = any(distances.get(one.network) == nearer for one in interfaces[router.name])
        if router.name != host and router.nat != end.network and at_end and leads:
            return list(_families(end.name, at_end[0], _subnets_of(target, interfaces)))
    return []


def _subnets_of(network: str, interfaces: Ends) -> tuple[str, str]:
    """The IPv4 and IPv6 subnets of a network as CIDR texts, as interfaces on it have them; empty for none."""
    for ends in interfaces.values():
        for end in ends:
            if end.network == network:
                four = str(IPv4Network((end.ip4[0], end.prefix4), strict=False)) if end.ip4 else ""
                six = str(IPv6Network((end.ip6[0], end.prefix6), strict=False)) if end.ip6 else ""
                return four, six
    return "", ""


def _families(name: str, gateway: Interface, subnets: tuple[str, str]) -> Iterator[Route]:
    for subnet, addresses in zip(subnets, (gateway.ip4, gateway.ip6), strict=True):
        if subnet and addresses:
            yield Route(subnet, addresses[0], name)
