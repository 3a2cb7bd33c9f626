"""Who is there and what joins them.

Frozen data, said before anything exists. No addresses that a lab picked live here (see `lab.engine.Interface`)
and nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_NETWORK = "lab"
NO_SUBNET = "none"
"""In place of a subnet: the network has no addresses of that family."""
LEAST_MTU_OF_IP6 = 1280
"""RFC 8200, section 5: a link that carries less has no IPv6."""


@dataclass(frozen=True)
class Network:
    """A link that joins hosts: one broadcast domain.

    `subnet4` and `subnet6` are CIDR texts, NO_SUBNET, or None where the engine picks. `mtu` is in bytes, without the
    14 bytes of the Ethernet header.
    """

    name: str
    hosts: tuple[str, ...]
    subnet4: str | None = None
    subnet6: str | None = None
    mtu: int = 1500


@dataclass(frozen=True)
class Host:
    """One machine of the lab.

    addresses     network name -> addresses (IPv4 or IPv6, without prefix length) it must have there; where a
                  network is missing the engine picks. The first of a family is the host's own address.
    capabilities  Linux capabilities (`NET_RAW`) of the scenario's calls and programs; None: all the engine gives
    user          the user the scenario's calls and programs run as; None: the engine's
    sysctls       `net.ipv4.tcp_syn_retries` -> value; a key that ends in `?` is left out where the kernel lacks it
    environment   environment variables of its programs
    files         path in the host -> contents
    router        forwards between its networks; routes of the others lead through it
    nat           name of the network on whose side its source addresses are rewritten
    scripted      has an address and a MAC but no stack of its own
    limits        `nofile` -> value, as setrlimit(2) names them in small letters
    """

    name: str
    image: str | None = None
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    capabilities: tuple[str, ...] | None = None
    user: str | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    router: bool = False
    nat: str | None = None
    scripted: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Topology:
    """Hosts and the networks that join them, in the order they were written.

    `programs` is a folder of the runner's machine that every host sees read-only as /programs. `unusual` says that
    frames will be sent which a network with rules of its own may drop: to groups, from forged sources, lone fragments.
    `compose` is a compose file of somebody's own, whose services the hosts are; None: the lab makes the hosts.
    """

    hosts: tuple[Host, ...]
    networks: tuple[Network, ...]
    programs: Path | None = None
    unusual: bool = False
    compose: Path | None = None

    def host(self, name: str) -> Host:
        """The host of that name; raises KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def networks_of(self, host: str) -> tuple[Network, ...]:
        """The networks that `host` is on, in order: its interfaces are eth0, eth1, ... in this order."""
        return tuple(network for network in self.networks if host in network.hosts)

    @classmethod
    def simple(cls, *names: str, programs: Path | None = None) -> Topology:
        """Hosts of these names, all on one network called `lab`."""
        return cls(tuple(Host(name) for name in names), (Network(DEFAULT_NETWORK, names),), programs)
