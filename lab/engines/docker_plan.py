"""A pure plan of a lab of containers: from a topology to what Docker's API, the switch and the hosts are told.

No I/O and no Docker here. Docker's networks are not used: their rules drop what a lab is to show, and they lead to
the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Network
from typing import Any

from lab.addressing import Plan, many_neighbours, plan
from lab.container import (
    CAPABILITIES,
    CPU_PERIOD_US,
    CPU_QUOTA_US,
    IMAGE,
    LIMITS,
    MEMORY_BYTES,
    MORE_CAPABILITIES,
    PROCESSES,
    PROGRAMS,
    QUIET_SYSCTLS,
    RESOLVER,
    RESOLVER_OPTIONS,
    ROUTER_SYSCTLS,
    SWITCH_FOLDER,
    SYSCTLS,
    WORK_FOLDER,
)
from lab.engine import Interface
from lab.engines import guest
from lab.errors import LabError, Unsupported
from lab.topology import Host, Topology

SWITCH_SOCKET = f"{SWITCH_FOLDER}/socket"
_OF_A_LINK = re.compile(r"^(net\.ipv[46]\.(?:conf|neigh))\.eth[0-9]+\.")


@dataclass(frozen=True)
class Layout:
    """A topology with its plan, and the run's name, which all made for it bears."""

    topology: Topology
    plan: Plan
    run: str
    labels: Mapping[str, str]

    @property
    def switch_name(self) -> str:
        """What Docker knows the switch as."""
        return f"socket-lab-{self.run}"

    def container_name(self, host: str) -> str:
        """What Docker knows a host as."""
        return f"socket-lab-{self.run}-{host}"


def layout(topology: Topology, run: str, labels: Mapping[str, str], *, ip6: bool = True) -> Layout:
    """Plan a topology; the same one always gets the same addresses, as no network of the machine is used.

    Raises Unsupported for what this engine cannot make, LabError where the addresses asked for cannot be had.
    """
    for host in topology.hosts:
        capabilities(host)
    return Layout(topology, plan(topology, ip6=ip6), run, labels)


# The switch -----------------------------------------------------------------------------------------


def switch_config(made: Layout, sysctls: Mapping[str, str]) -> dict[str, Any]:
    """The body of the API's request for the switch: a container as hosts are, but with a folder to share."""
    host = _host_config(made, Host(made.switch_name), sysctls)
    return {
        **agents_container(made.labels, IMAGE),
        "Volumes": {SWITCH_FOLDER: {}},
        "HostConfig": {**host, "CapAdd": ["NET_ADMIN"], "ExtraHosts": [], "Mounts": []},
    }


def switch_request(made: Layout) -> dict[str, Any]:
    """What the switch is asked to make (`lab.engines.switch`)."""
    number = {network.name: place for place, network in enumerate(made.topology.networks)}
    return {
        "do": "make",
        "socket": SWITCH_SOCKET,
        "networks": [{"mtu": network.mtu} for network in made.topology.networks],
        "hosts": {
            host: [
                {"network": number[end.network], "name": end.name, "mac": end.mac, "mtu": end.mtu}
                for end in ends
            ]
            for host, ends in made.plan.interfaces.items()
        },
    }


# Containers -----------------------------------------------------------------------------------------


def container_config(made: Layout, host: Host, sysctls: Mapping[str, str]) -> dict[str, Any]:
    """The body of the API's request for a host: it runs the agent, and is removed when that ends."""
    host_config = _host_config(made, host, sysctls)
    if made.plan.interfaces[host.name]:
        host_config["VolumesFrom"] = [f"{made.switch_name}:ro"]
    return {
        **agents_container(made.labels, host.image or IMAGE),
        "Hostname": host.name,
        "HostConfig": host_config,
    }


def agents_container(labels: Mapping[str, str], image: str) -> dict[str, Any]:
    """What every container of a run is: an agent at the end of an attached stream."""
    return {
        "Image": image,
        "User": "0:0",
        "WorkingDir": WORK_FOLDER,
        "Entrypoint": ["python3", "-I", "-S", "-c", guest.READER],
        "Cmd": [],
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": True,
        "StdinOnce": True,
        **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr"), True),
    }


def _host_config(made: Layout, host: Host, sysctls: Mapping[str, str]) -> dict[str, Any]:
    limits = {**LIMITS, **host.limits}
    return {
        "AutoRemove": True,
        "Init": True,
        "NetworkMode": "none",  # links come from the switch: no network of Docker's, so no way to the machine
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
        "Mounts": [programs(made.topology)],
        "LogConfig": {"Type": "none"},  # else Docker writes the whole protocol to a file
    }


def programs(topology: Topology) -> dict[str, Any]:
    """The mount of /programs: the folder beside the scenario, or an empty one."""
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
    """The sysctls of a host, keys without `?`; what it asks for itself comes last.

    They are set before the host has its links, so those of a link are said of all links to come. Raises Unsupported
    where the links of a host would need different values.
    """
    own = {key.removesuffix("?"): value for key, value in host.sysctls.items()}
    routing = ROUTER_SYSCTLS if host.router and not host.scripted else {}
    return {**SYSCTLS, **QUIET_SYSCTLS, **routing, **_of_all_links(host, own)}


def _of_all_links(host: Host, own: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in own.items():
        general = _OF_A_LINK.sub(r"\1.default.", key)
        if found.setdefault(general, value) != value:
            raise Unsupported(
                f"host {host.name}: the docker engine gives all links of a host the same settings: {general}"
            )
    return found


def needed_sysctls(host: Host) -> frozenset[str]:
    """Those that the host asks for and does not call optional, by the names that `sysctls` gives them."""
    return frozenset(_OF_A_LINK.sub(r"\1.default.", key) for key in host.sysctls if not key.endswith("?"))


def extra_hosts(interfaces: Mapping[str, Iterable[Interface]]) -> list[str]:
    """Lines for every host's /etc/hosts, as Docker wants them: every name with every address."""
    return [
        f"{host}:{address}"
        for host, ends in interfaces.items()
        for end in ends
        for address in (*end.ip4, *_global(end))
    ]


def guest_settings(made: Layout, host: str) -> dict[str, Any]:
    """What the guest program does in a host before the agent begins."""
    ends: tuple[Interface, ...] = made.plan.interfaces[host]
    ways = [[route.destination, route.gateway] for route in made.plan.routes[host]]
    links = [
        {"name": end.name, "addresses": _with_prefixes(end), "neighbours": neighbours(made, end)}
        for end in ends
    ]
    switch = {"socket_path": SWITCH_SOCKET, "host": host, "links": links} if ends else None
    return guest.settings(first=_first(ends[0]) if ends else None, routes=ways, switch=switch)


def _with_prefixes(end: Interface) -> list[str]:
    six = [(text, end.prefix6 if text in _global(end) else 64) for text in end.ip6]
    return [f"{text}/{prefix}" for text, prefix in (*((text, end.prefix4) for text in end.ip4), *six)]


def neighbours(made: Layout, own: Interface) -> list[list[str]]:
    """[address, MAC] of all others on a network, where there are so many hosts that they should not ask."""
    if not many_neighbours(made.topology):
        return []
    others = [end for ends in made.plan.interfaces.values() for end in ends if end.network == own.network]
    return [[text, end.mac] for end in others if end.host != own.host for text in (*end.ip4, *end.ip6)]


def _first(end: Interface) -> str:
    """An address by which an end is known; every network has one family at least."""
    return (*end.ip4, *end.ip6)[0]


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
        if _first(end) in (text.partition("/")[0] for text in (*one["ip4"], *one["ip6"])):
            mine = _global(end)
            seen6 = [text.partition("/")[0] for text in one["ip6"]]
            ip6 = (*mine, *(text for text in seen6 if text not in mine))
            return replace(end, name=one["name"], mac=one["mac"], mtu=one["mtu"], ip6=ip6)
    raise LabError(f"host {end.host} has no interface on network {end.network}: {_first(end)} is missing")
