"""What a topology asks for of addresses and subnets, and all of it that cannot be had.

Nothing is picked here, that is `lab.addressing`'s; nothing does I/O.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.errors import LabError
from lab.topology import LEAST_MTU_OF_IP6, NO_SUBNET, Host, Network, Topology

MAX_HOSTS = 1023
"""Ports of one bridge: BR_MAX_PORTS in net/bridge/br_private.h."""

Subnet = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_NOT_FOR_HOSTS = (
    (IPv4Network("0.0.0.0/8"), '"this host on this network" (RFC 6890, section 2.2.2)'),
    (IPv4Network("127.0.0.0/8"), "loopback (RFC 6890, section 2.2.2)"),
    (IPv4Network("224.0.0.0/4"), "multicast (RFC 5771)"),
    (IPv4Network("255.255.255.255/32"), "the limited broadcast (RFC 919, section 7)"),
    (IPv6Network("::/128"), "the unspecified address (RFC 4291, section 2.5.2)"),
    (IPv6Network("::1/128"), "loopback (RFC 4291, section 2.5.3)"),
    (
        IPv6Network("fe80::/10"),
        "link-local (RFC 4291, section 2.5.6), which the kernel gives to every link itself",
    ),
    (IPv6Network("ff00::/8"), "multicast (RFC 4291, section 2.7)"),
)
_FIRST_TRIED = {4: 24, 6: 64}
_WIDEST_MADE = {4: 16, 6: 48}
"""Prefix lengths of subnets that are made around addresses: the first that is tried, and the last."""


@dataclass(frozen=True)
class Problem:
    """Something that is asked for and cannot be had; `message` names host or network.

    It is about the address number `place` of `host` on `network`; without a host about the network's subnet of the
    family `version` (4 or 6), and with version 0 about the network as a whole.
    """

    message: str
    network: str
    version: int = 0
    host: str = ""
    place: int = 0


class Unplannable(LabError):
    """What a topology asks for of addresses cannot be had: all `problems` at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(one.message for one in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Asked:
    """What is asked for: (network, version) -> subnet, (network, host) -> addresses; what is missing is free.

    A subnet is said, or made around the addresses that are said.
    """

    subnets: Mapping[tuple[str, int], Subnet]
    addresses: Mapping[tuple[str, str], tuple[Address, ...]]


def asked(topology: Topology) -> Asked:
    """All that a topology asks for; raises Unplannable where some of it cannot be had."""
    reading = _Reading(topology)
    for network in topology.networks:
        reading.read(network)
    reading.compare_subnets()
    if reading.problems:
        raise Unplannable(reading.problems)
    addresses: dict[tuple[str, str], tuple[Address, ...]] = {}
    for end in reading.ends:
        addresses[end.network, end.host] = (*addresses.get((end.network, end.host), ()), end.address)
    return Asked({key: one.subnet for key, one in reading.subnets.items()}, addresses)


def has(network: Network, version: int) -> bool:
    """Whether a network has addresses of a family."""
    return not _lack(network, version)


def size(subnet: Subnet) -> int:
    """How many hosts a subnet has addresses for, as `numbers` counts them."""
    if subnet.num_addresses <= 2:
        return subnet.num_addresses
    return subnet.num_addresses - (2 if subnet.version == 4 else 1)


def numbers(subnet: Subnet) -> Iterator[Address]:
    """Addresses for hosts, lowest first: not the subnet's own, nor an IPv4 subnet's broadcast address.

    A subnet of two has no such addresses (RFC 3021; RFC 6164 for IPv6).
    """
    first = int(subnet.network_address) + (subnet.num_addresses > 2)
    kind = type(subnet.network_address)
    return (kind(number) for number in range(first, first + size(subnet)))


def _lack(network: Network, version: int) -> str:
    """Why a network has no addresses of a family; empty where it has."""
    if _said(network, version) == NO_SUBNET:
        return f"its subnet{version} is {NO_SUBNET}"
    if version == 6 and network.mtu < LEAST_MTU_OF_IP6:
        return f"its MTU is {network.mtu}, and IPv6 needs {LEAST_MTU_OF_IP6} (RFC 8200, section 5)"
    return ""


def _said(network: Network, version: int) -> str | None:
    return network.subnet4 if version == 4 else network.subnet6


@dataclass(frozen=True)
class _End:
    """One address that is asked for."""

    network: str
    host: str
    place: int
    address: Address

    def problem(self, message: str) -> Problem:
        return Problem(f"host {self.host}: {message}", self.network, host=self.host, place=self.place)


@dataclass(frozen=True)
class _Part:
    """One subnet that is asked for; `around` is the address that it was made around, where nobody said it."""

    subnet: Subnet
    network: str
    around: _End | None = None

    def problem(self, message: str) -> Problem:
        if self.around is not None:
            return self.around.problem(f"network {self.network}: {message}")
        return Problem(f"network {self.network}: {message}", self.network, self.subnet.version)


class _Reading:
    """Reads what networks and hosts ask for, one network after the other; problems are kept."""

    def __init__(self, topology: Topology) -> None:
        self._hosts: dict[str, Host] = {host.name: host for host in topology.hosts}
        self._order = {network.name: number for number, network in enumerate(topology.networks)}
        self.ends: list[_End] = []
        self.subnets: dict[tuple[str, int], _Part] = {}
        self.problems: list[Problem] = []

    def read(self, network: Network) -> None:
        """One network with its hosts' addresses."""
        if len(network.hosts) > MAX_HOSTS:
            message = f"network {network.name} has more hosts than the {MAX_HOSTS} ports of a bridge"
            self.problems.append(Problem(message, network.name))
        ends = [end for host in network.hosts for end in self._ends(network.name, host)]
        self.ends += ends
        for version in (4, 6):
            self._read_family(network, version, [end for end in ends if end.address.version == version])

    def _ends(self, network: str, host: str) -> Iterator[_End]:
        for place, text in enumerate(self._hosts[host].addresses.get(network, ())):
            end = self._end(network, host, place, text)
            if end is not None:
                yield end

    def _end(self, network: str, host: str, place: int, text: str) -> _End | None:
        try:
            end = _End(network, host, place, ipaddress.ip_address(text))
        except ValueError as error:
            message = f"host {host} on network {network}: {error}"
            self.problems.append(Problem(message, network, host=host, place=place))
            return None
        kind = next((kind for block, kind in _NOT_FOR_HOSTS if end.address in block), "")
        if kind:
            self.problems.append(end.problem(f"{text} cannot be a host's address: it is {kind}"))
        elif getattr(end.address, "scope_id", None):
            self.problems.append(end.problem(f"{text}: a host's address has no zone (RFC 4007, section 11)"))
        else:
            return end
        return None

    def _read_family(self, network: Network, version: int, ends: Sequence[_End]) -> None:
        lack, text = _lack(network, version), _said(network, version)
        if lack:
            if text not in (None, NO_SUBNET):
                message = f"network {network.name} cannot have {text}: {lack}"
                self.problems.append(Problem(message, network.name, version))
            message = f"network {network.name} cannot have {{}}: {lack}"
            self.problems += [end.problem(message.format(end.address)) for end in ends]
            return
        part = self._around(network, ends) if text is None else self._given(network, version, text)
        if part is not None:
            self.subnets[network.name, version] = part
            self._check_ends(part, ends)
            self._check_room(network, part, ends)

    def _given(self, network: Network, version: int, text: str) -> _Part | None:
        """The subnet that a network says; None where it is none that hosts can have."""
        kind = IPv4Network if version == 4 else IPv6Network
        try:
            part = _Part(kind(text), network.name)
        except ValueError as error:
            message = f"network {network.name}: {text!r} is no subnet: {error}"
            self.problems.append(Problem(message, network.name, version))
            return None
        taken = next((one for one in _NOT_FOR_HOSTS if _overlap(one[0], part.subnet)), None)
        if "/" not in text:
            longest = _FIRST_TRIED[version]
            self.problems.append(part.problem(f"{text} needs a prefix length, such as {text}/{longest}"))
        elif taken is not None:
            block, used = taken
            within = "is" if part.subnet.prefixlen >= block.prefixlen else f"holds {block}, which is"
            self.problems.append(part.problem(f"{text} cannot be the subnet of hosts: it {within} {used}"))
        else:
            return part
        return None

    def _around(self, network: Network, ends: Sequence[_End]) -> _Part | None:
        """The smallest subnet of those usual that all addresses are in; None where there are no addresses, or no such
        subnet."""
        if not ends:
            return None
        first, version = ends[0], ends[0].address.version
        subnet: Subnet = ipaddress.ip_network((first.address, _FIRST_TRIED[version]), strict=False)
        for end in ends:
            while end.address not in subnet and subnet.prefixlen > _WIDEST_MADE[version]:
                subnet = subnet.supernet()
            if end.address not in subnet:
                message = f"{end.address} and {first.address} of host {first.host} have no subnet in common"
                message += f": say which one network {network.name} has, with `subnet{version}`"
                self.problems.append(end.problem(message))
                return None
        return _Part(subnet, network.name, first)

    def _check_ends(self, part: _Part, ends: Sequence[_End]) -> None:
        """Addresses that are not in the subnet, or stand for more than a host, or are there twice."""
        subnet, owners = part.subnet, dict[Address, str]()
        two = subnet.version == 4 and subnet.num_addresses > 2
        for end in ends:
            address, owner = end.address, owners.get(end.address)
            if address not in subnet:
                self.problems.append(end.problem(f"{address} is not in {subnet} of network {end.network}"))
            elif two and address == subnet.network_address:
                self.problems.append(end.problem(f"{address} is the address of the subnet {subnet} itself"))
            elif two and address == subnet.broadcast_address:
                message = f"{address} is the broadcast address of {subnet} (RFC 919, section 7)"
                self.problems.append(end.problem(message))
            elif owner == end.host:
                self.problems.append(end.problem(f"{address} is there twice on network {end.network}"))
            elif owner is not None:
                message = f"{address} on network {end.network} is host {owner}'s as well"
                self.problems.append(end.problem(message))
            owners.setdefault(address, end.host)

    def _check_room(self, network: Network, part: _Part, ends: Sequence[_End]) -> None:
        """Whether the hosts that ask for none find an address left in the subnet."""
        hosts, taken = set(network.hosts), {end.address for end in ends if end.address in part.subnet}
        if len(hosts - {end.host for end in ends}) > size(part.subnet) - len(taken):
            message = f"{part.subnet} is too small for {len(hosts)} hosts"
            if part.around is not None:
                message += f" and their addresses: say a larger one, with `subnet{part.subnet.version}`"
            self.problems.append(part.problem(message))

    def compare_subnets(self) -> None:
        """Subnets that overlap with another network's; of two that do, the one that comes later is wrong."""
        ordered = sorted(
            self.subnets.values(),
            key=lambda one: (one.subnet.version, int(one.subnet.network_address), one.subnet.prefixlen),
        )
        outer: _Part | None = None
        found: list[tuple[_Part, _Part]] = []
        for part in ordered:
            if outer is not None and _overlap(outer.subnet, part.subnet):
                found.append((outer, part))
            else:
                outer = part
        for pair in found:
            first, later = sorted(pair, key=lambda one: self._order[one.network])
            message = f"its subnet {later.subnet} overlaps with {first.subnet} of network {first.network}"
            self.problems.append(later.problem(message))


def _overlap(one: Subnet, other: Subnet) -> bool:
    """Whether two subnets have an address in common: then one of them is inside of the other."""
    return one.version == other.version and (one.network_address in other or other.network_address in one)
