"""A pure plan of containers and networks: from a topology to what Docker's API is told.

No I/O and no Docker here: what is taken on the machine and a source of random numbers are given.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

from lab.addressing import Plan, Route, plan
from lab.container import (
    CAPABILITIES,
    CPU_PERIOD_US,
    CPU_QUOTA_US,
    IMAGE,
    LIMITS,
    MEMORY_BYTES,
    MORE_CAPABILITIES,
    MTU_OPTION,
    PROCESSES,
    PROGRAMS,
    RESOLVER,
    RESOLVER_OPTIONS,
    ROUTER_SYSCTLS,
    SYSCTLS,
    WITHOUT_BRIDGE_ADDRESS,
    WORK_FOLDER,
)
from lab.engine import Interface
from lab.engines import guest
from lab.errors import LabError, Unsupported
from lab.topology import Host, Network, Topology

Subnet = IPv4Network | IPv6Network
_PRIVATE = ipaddress.ip_network((10 << 24, 8))
"""RFC 1918; Docker itself picks from others of its ranges as long as it has any."""
_HOSTS_OF_24 = 250


@dataclass(frozen=True)
class Layout:
    """A topology with every subnet chosen, its plan, and the run's name, which all made for it bears."""

    topology: Topology
    plan: Plan
    run: str
    labels: Mapping[str, str]

    def network_name(self, network: str) -> str:
        """What Docker knows a network as."""
        return f"socket-lab-{self.run}-{network}"

    def container_name(self, host: str) -> str:
        """What Docker knows a host as."""
        return f"socket-lab-{self.run}-{host}"


def layout(topology: Topology, run: str, labels: Mapping[str, str], taken: Sequence[Subnet]) -> Layout:
    """Choose subnets that nobody has; the run's name decides where the search begins.

    Raises Unsupported for what this engine cannot make, LabError where the addresses asked for cannot be had.
    """
    for host in topology.hosts:
        _refuse(host)
    source = random.Random(run)
    occupied = list(taken)
    networks = []
    for network in topology.networks:
        chosen = _chosen(topology, network, source, occupied)
        occupied.extend(ipaddress.ip_network(one) for one in (chosen.subnet4, chosen.subnet6) if one)
        networks.append(chosen)
    whole = replace(topology, networks=tuple(networks))
    return Layout(whole, plan(whole), run, labels)


def _refuse(host: Host) -> None:
    if host.nat:
        what = "source addresses rewritten (nat)"
        raise Unsupported(f"the docker engine cannot make a host with {what}: {host.name}")
    capabilities(host)


def _chosen(topology: Topology, network: Network, source: random.Random, taken: Sequence[Subnet]) -> Network:
    """The network with subnets, unless the topology says which, or says addresses that they follow from."""
    asked = [text for host in network.hosts for text in topology.host(host).addresses.get(network.name, ())]
    subnet4, subnet6 = network.subnet4, network.subnet6
    if subnet4 is None and not any(":" not in text for text in asked):
        subnet4 = str(_free4(source, len(network.hosts), taken))
    if subnet6 is None and not any(":" in text for text in asked):
        subnet6 = str(_unique_local(source))
    return replace(network, subnet4=subnet4, subnet6=subnet6)


def _free4(source: random.Random, hosts: int, taken: Sequence[Subnet]) -> IPv4Network:
    length = 24 if hosts <= _HOSTS_OF_24 else 20
    start = int(_PRIVATE.network_address)
    for _ in range(1000):
        one = IPv4Network((start | source.getrandbits(length - 8) << 32 - length, length))
        if not any(isinstance(other, IPv4Network) and other.overlaps(one) for other in taken):
            return one
    raise LabError(
        "no private subnet is free on this machine", "Remove Docker networks: docker network prune."
    )


def _unique_local(source: random.Random) -> IPv6Network:
    """A prefix of 64 bits with a random global identifier of 40, RFC 4193, section 3.2.2."""
    return IPv6Network((0xFD << 120 | source.getrandbits(40) << 80 | 1 << 64, 64))


# Networks -------------------------------------------------------------------------------------------


def network_arguments(made: Layout, network: Network) -> dict[str, Any]:
    """The arguments of the SDK's `create_network`.

    Internal, so that nothing leads out of it. Where there are routers that cannot be: an internal network
    drops what comes from another one. Then no host has a default route, and the machine no address there.
    """
    routed = any(host.router for host in made.topology.hosts)
    options = {**WITHOUT_BRIDGE_ADDRESS, MTU_OPTION: str(network.mtu)}
    if routed:
        options["com.docker.network.bridge.enable_ip_masquerade"] = "false"
    return {
        "name": made.network_name(network.name),
        "driver": "bridge",
        "internal": not routed,
        "enable_ipv6": True,
        "options": options,
        "labels": dict(made.labels),
        "ipam": {"Driver": "default", "Config": [_pool(made, network, 4), _pool(made, network, 6)]},
    }


def _pool(made: Layout, network: Network, version: int) -> dict[str, str]:
    """A subnet, and the address that Docker keeps for itself: the highest that no host has."""
    ends = [end for own in made.plan.interfaces.values() for end in own if end.network == network.name]
    had = {ipaddress.ip_address(text) for end in ends for text in (end.ip4 if version == 4 else end.ip6)}
    first = ends[0] if ends else None
    text = network.subnet4 if version == 4 else network.subnet6
    if first is not None:
        text = f"{first.ip4[0]}/{first.prefix4}" if version == 4 else f"{first.ip6[0]}/{first.prefix6}"
    subnet = ipaddress.ip_network(str(text), strict=False)
    last = int(subnet.broadcast_address)
    kind = type(subnet.network_address)
    for number in range(last - 1, max(int(subnet.network_address), last - 2000), -1):
        if kind(number) not in had:
            return {"Subnet": str(subnet), "Gateway": str(kind(number))}
    raise Unsupported(
        f"network {network.name}: {subnet} has no room for the address that Docker keeps for itself"
    )


# Containers -----------------------------------------------------------------------------------------


def container_config(made: Layout, host: Host, sysctls: Mapping[str, str]) -> dict[str, Any]:
    """The body of the API's request for a container: it runs the agent, and is removed when that ends."""
    return {
        "Image": host.image or IMAGE,
        "Hostname": host.name,
        "User": "0:0",
        "WorkingDir": WORK_FOLDER,
        "Entrypoint": ["python3", "-I", "-S", "-c", guest.READER],
        "Cmd": [],
        "Labels": dict(made.labels),
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": True,
        "StdinOnce": True,
        **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr"), True),
        "HostConfig": _host_config(made, host, sysctls),
        "NetworkingConfig": {
            "EndpointsConfig": {
                made.network_name(end.network): endpoint(end) for end in made.plan.interfaces[host.name][:1]
            }
        },
    }


def _host_config(made: Layout, host: Host, sysctls: Mapping[str, str]) -> dict[str, Any]:
    ends = made.plan.interfaces[host.name]
    limits = {**LIMITS, **host.limits}
    return {
        "AutoRemove": True,
        "Init": True,
        "NetworkMode": made.network_name(ends[0].network) if ends else "none",
        "CapDrop": ["ALL"],
        "CapAdd": list(capabilities(host)),
        "SecurityOpt": ["no-new-privileges"],
        "Memory": MEMORY_BYTES,
        "MemorySwap": MEMORY_BYTES,
        "CpuPeriod": CPU_PERIOD_US,
        "CpuQuota": CPU_QUOTA_US,
        "PidsLimit": PROCESSES,
        "Sysctls": dict(sysctls),
        "Dns": [RESOLVER],
        "DnsOptions": list(RESOLVER_OPTIONS),
        "ExtraHosts": extra_hosts(made.plan.interfaces),
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in limits.items()],
        "Mounts": [_programs(made.topology)],
        "LogConfig": {"Type": "none"},  # else Docker writes the whole protocol to a file
    }


def _programs(topology: Topology) -> dict[str, Any]:
    if topology.programs is None:
        return {"Type": "tmpfs", "Target": PROGRAMS, "ReadOnly": True}
    return {"Type": "bind", "Source": str(topology.programs.resolve()), "Target": PROGRAMS, "ReadOnly": True}


def capabilities(host: Host) -> tuple[str, ...]:
    """What a host's processes may have; raises Unsupported for what no container of a lab is given."""
    asked = {name.upper().removeprefix("CAP_") for name in host.capabilities or ()}
    more = sorted(asked - set(CAPABILITIES))
    for name in more:
        if name not in MORE_CAPABILITIES:
            raise Unsupported(f"the docker engine gives no host the capability {name}: {host.name}")
    return (*CAPABILITIES, *more)


def sysctls(host: Host) -> dict[str, str]:
    """The sysctls of a host, keys without `?`; what it asks for itself comes last."""
    own = {key.removesuffix("?"): value for key, value in host.sysctls.items()}
    return {**SYSCTLS, **(ROUTER_SYSCTLS if host.router else {}), **own}


def extra_hosts(interfaces: Mapping[str, Iterable[Interface]]) -> list[str]:
    """Lines for every host's /etc/hosts, as Docker wants them: every name with every address."""
    return [
        f"{host}:{address}"
        for host, ends in interfaces.items()
        for end in ends
        for address in (*end.ip4, *_global(end))
    ]


def endpoint(end: Interface) -> dict[str, Any]:
    """The API's EndpointSettings of one end: its first addresses, as Docker gives one of a family."""
    config = {"IPv4Address": end.ip4[0]}
    if _global(end):
        config["IPv6Address"] = _global(end)[0]
    return {"IPAMConfig": config, "Aliases": [end.host]}


def connection(end: Interface) -> dict[str, Any]:
    """The same as arguments of the SDK's `connect_container_to_network`."""
    own6 = _global(end)
    return {"aliases": [end.host], "ipv4_address": end.ip4[0], "ipv6_address": own6[0] if own6 else None}


def guest_settings(made: Layout, host: str) -> dict[str, Any]:
    """What the guest program does in a host before the agent begins."""
    ends: tuple[Interface, ...] = made.plan.interfaces[host]
    more = [
        [own[0], f"{address}/{prefix}"]
        for end in ends
        for own, prefix in ((end.ip4, end.prefix4), (_global(end), end.prefix6))
        for address in own[1:]
    ]
    routes: tuple[Route, ...] = made.plan.routes[host]
    ways = [[route.destination, route.gateway] for route in routes]
    return guest.settings(ends[0].ip4[0] if ends else None, more, ways, False)


def _global(end: Interface) -> tuple[str, ...]:
    """The IPv6 addresses but for the link-local one, which the kernel makes."""
    return tuple(text for text in end.ip6 if not IPv6Network(("fe80::", 10)).supernet_of(IPv6Network(text)))


# What the hosts really have -------------------------------------------------------------------------


def real_interfaces(planned: Sequence[Interface], seen: Iterable[Mapping[str, Any]]) -> tuple[Interface, ...]:
    """The planned ends with the names, MACs, MTUs and link-local addresses that the host says it has.

    `seen` is the value of the agent's request `interfaces`. Raises LabError where an end is missing.
    """
    told = list(seen)
    return tuple(_real(end, told) for end in planned)


def _real(end: Interface, told: Sequence[Mapping[str, Any]]) -> Interface:
    for one in told:
        if end.ip4[0] in (text.partition("/")[0] for text in one["ip4"]):
            mine = _global(end)
            seen6 = [text.partition("/")[0] for text in one["ip6"]]
            ip6 = (*mine, *(text for text in seen6 if text not in mine))
            return replace(end, name=one["name"], mac=one["mac"], mtu=one["mtu"], ip6=ip6)
    raise LabError(f"host {end.host} has no interface on network {end.network}: {end.ip4[0]} is missing")


def taken_subnets(networks: Iterable[Mapping[str, Any]], routes: str) -> list[Subnet]:
    """Subnets in use: of Docker's networks as its API lists them, and in the text of /proc/net/route."""
    found: list[Subnet] = []
    for network in networks:
        for pool in (network.get("IPAM") or {}).get("Config") or ():
            if pool.get("Subnet"):
                found.append(ipaddress.ip_network(pool["Subnet"], strict=False))
    for line in routes.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[7] != "00000000":
            destination, mask = (int.from_bytes(bytes.fromhex(words[place]), "little") for place in (1, 7))
            found.append(IPv4Network((str(IPv4Address(destination)), str(IPv4Address(mask))), strict=False))
    return found
