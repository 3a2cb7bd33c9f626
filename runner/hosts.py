"""The hosts and networks of a scenario, in short and long form, as a `lab.topology.Topology`.

Only what is written is read here; which addresses the rest gets is the engine's affair.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from lab import addressing
from lab.asked import Problem, Unplannable
from lab.topology import DEFAULT_NETWORK, NO_SUBNET, Host, Network, Topology
from runner.errors import Misplaced
from runner.host_settings import read_capability, read_files, read_limits, read_sysctls
from runner.model import Model, Reads, Surroundings, find, read_model
from runner.reading import AnyNode, Document, ListNode, MapNode, Node, Text, suggestion, value_of
from runner.steps import RESERVED
from runner.values import TEXT_SCHEMA, WHOLE_SCHEMA, Texts, Truth, Whole, list_of, map_of, read_text
from runner.values import Text as TextValue

HOST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
"""What the name of a host or network looks like: a label of DNS (RFC 1123 section 2.1), or one with `_`."""
MOST_HOSTS = 1000
"""Hosts of a scenario, and networks: what depends on all pairs of them must stay quick."""
OWN_NAMES = ("localhost", "ip6-localhost", "ip6-loopback")
"""Names that every host has for itself in /etc/hosts (hosts(5); RFC 6761 section 6.3)."""


def read_addresses(value: Any, around: Surroundings) -> Mapping[str, tuple[str, ...]]:
    """Network -> addresses; a list where the host is on one network only (its key is empty then)."""
    if isinstance(value, dict):
        return map_of(list_of(_read_ip, single=True))(value, around)
    return {"": list_of(_read_ip, single=True)(value, around)}


def _read_ip(value: Any, around: Surroundings) -> str:
    import ipaddress

    text = read_text(value, around)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Misplaced(f"{text!r} is no IP address", length=max(1, len(text))) from None


def _texts_schema(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": dict(values)}


TextMap: TypeAlias = Annotated[Mapping[str, str], Reads(map_of(read_text), _texts_schema(TEXT_SCHEMA))]


class HostMap(Model):
    """A host's long form.

    image         the image of its container
    networks      the networks it is on; all where nothing is said and `networks` does not say it
    addresses     its addresses, as a list, or for each network a list; the first of a family is its own
    capabilities  Linux capabilities of its calls and programs (NET_RAW); all the engine gives where nothing is said
    user          the user of its calls and programs
    sysctls       kernel settings (net.ipv4.tcp_syn_retries: 2); with ? at the end of a key it may be missing
    env           environment variables of its programs
    files         files of the host: path and contents
    router        true: it forwards between its networks
    nat           the network on whose side it rewrites source addresses: what is there sees its address only
    scripted      true: it has addresses but no stack of its own
    ulimits       limits as setrlimit(2) names them, in small letters: {nofile: 64}; -1 for none
    """

    image: TextValue | None = None
    networks: Texts | None = None
    addresses: Annotated[
        Mapping[str, tuple[str, ...]],
        Reads(read_addresses, {"type": ["object", "array", "string"]}),
    ] = Field(default_factory=dict)
    capabilities: Annotated[
        tuple[str, ...] | None,
        Reads(list_of(read_capability), {"type": "array", "items": {"type": "string"}}),
    ] = None
    user: TextValue | None = None
    sysctls: Annotated[Mapping[str, str], Reads(read_sysctls, _texts_schema(TEXT_SCHEMA))] = Field(
        default_factory=dict
    )
    env: TextMap = Field(default_factory=dict)
    files: Annotated[
        Mapping[str, bytes], Reads(read_files, _texts_schema({"$ref": "#/definitions/bytes"}))
    ] = Field(default_factory=dict)
    router: Truth = False
    nat: TextValue | None = None
    scripted: Truth = False
    ulimits: Annotated[Mapping[str, int], Reads(read_limits, _texts_schema(WHOLE_SCHEMA))] = Field(
        default_factory=dict
    )


class NetworkMap(Model):
    """A network's long form.

    hosts    the hosts that it joins
    mtu      how many bytes a packet may have on it, 1500 where nothing is said
    subnet4  its IPv4 addresses (192.0.2.0/24), or none: a network of IPv6 only; the engine picks where nothing is said
    subnet6  its IPv6 addresses (2001:db8::/64), or none; the engine picks where nothing is said. With an MTU below 1280
             there is no IPv6 (RFC 8200)
    """

    hosts: Texts = ()
    mtu: Whole = 1500
    subnet4: TextValue | None = None
    subnet6: TextValue | None = None


@dataclass(frozen=True)
class WrittenHost:
    """A host as it is written: its name, the node of what is said about it (None for nothing), and that as read;
    `is_read` is false where it could not be, and nothing more is to be told of it."""

    key: Text
    node: AnyNode | None
    said: HostMap
    is_read: bool

    def at(self, *path: str | int) -> Node:
        """The value that a path leads to; the host's name where there is no such."""
        return self.key if self.node is None else find(self.node, path)[1]

    def key_at(self, *path: str | int) -> Node:
        """The key (or entry) that a path leads to; the host's name where there is no such."""
        return self.key if self.node is None else find(self.node, path)[0]


@dataclass(frozen=True)
class WrittenNetwork:
    """A network as it is written, in the same way."""

    key: Text
    node: AnyNode
    said: NetworkMap
    is_read: bool


class TopologyReader:
    """Reads `hosts` and `networks` of one document; mistakes go to the document."""

    def __init__(self, document: Document, surroundings: Surroundings) -> None:
        self._document = document
        self._surroundings = surroundings
        self._hosts: dict[str, WrittenHost] = {}
        self._networks: dict[str, WrittenNetwork] = {}

    def read(self, hosts: AnyNode | None, networks: AnyNode | None) -> Topology:
        """Who is there and what joins them, without programs."""
        if hosts is not None:
            self._read_hosts(hosts)
        before = len(self._document.mistakes)
        if networks is not None:
            self._read_networks(networks)
        made = tuple(self._network(name) for name in self._network_names())
        self._check(made, all_read=len(self._document.mistakes) == before)
        topology = Topology(tuple(self._host(name, made) for name in self._hosts), made)
        self._check_plan(topology)
        return topology

    def _check(self, made: Sequence[Network], all_read: bool) -> None:
        """What only hosts and networks together show; `all_read`: networks could all be read."""
        hosts_read = all(host.is_read for host in self._hosts.values())
        for name, host in self._hosts.items():
            if not host.is_read:
                continue
            on = [network.name for network in made if name in network.hosts]
            if not on and all_read:
                self._document.mistake(host.key, f"host {name} is on no network")
            self._check_host(host, on, all_read)
        for network in made:
            written = self._networks.get(network.name)
            if written is not None and written.is_read and not network.hosts and hosts_read:
                self._document.mistake(written.key, f"no host is on network {network.name}")

    def _check_plan(self, topology: Topology) -> None:
        """Addresses and subnets that cannot be had; networks that could not be read ask for none."""
        read = [
            one
            for one in topology.networks
            if one.name not in self._networks or self._networks[one.name].is_read
        ]
        try:
            addressing.check(replace(topology, networks=tuple(read)))
        except Unplannable as wrong:
            for problem in wrong.problems:
                self._document.mistake(self._place(problem), problem.message)

    def _place(self, problem: Problem) -> Node:
        """Where that is written which cannot be had."""
        if problem.host:
            host = self._hosts[problem.host]
            inside = () if "" in host.said.addresses else (problem.network,)
            return host.at("addresses", *inside, problem.place)
        network = self._networks.get(problem.network)
        if network is None:
            return next(iter(self._hosts.values())).key
        node = network.node.get(f"subnet{problem.version}") if isinstance(network.node, MapNode) else None
        return node or network.key

    def _read_hosts(self, node: AnyNode) -> None:
        for key, value in self._entries(node, "hosts"):
            if len(self._hosts) >= MOST_HOSTS:
                self._document.mistake(key, f"a scenario has at most {MOST_HOSTS:,} hosts")
                return
            name = key.text
            if not HOST_NAME.fullmatch(name):
                self._document.mistake(key, f"{name!r} is no name for a host: letters, digits, - and _")
            elif name in RESERVED:
                self._document.mistake(key, f"no host can be called {name!r}: it is what a step does")
            elif name in self._hosts:
                self._document.mistake(key, f"host {name} is there twice")
            else:
                self._hosts[name] = self._read_host(key, value)
        if not self._hosts and not self._document.mistakes:
            self._document.mistake(node, "there is no host")

    def _read_host(self, key: Text, value: AnyNode | None) -> WrittenHost:
        if key.text.lower() in OWN_NAMES:
            message = (
                f"no host can be called {key.text!r}: every host calls itself so (RFC 6761, section 6.3)"
            )
            self._document.mistake(key, message)
        one = self._model(HostMap, value, key, f"host {key.text}")
        return WrittenHost(key, value, one or HostMap.model_construct(), is_read=one is not None)

    def _read_networks(self, node: AnyNode) -> None:
        if not isinstance(node, MapNode):
            self._document.mistake(node, "networks are a map: each network's name and its hosts")
            return
        for key, value in node.pairs:
            if len(self._networks) >= MOST_HOSTS:
                self._document.mistake(key, f"a scenario has at most {MOST_HOSTS:,} networks")
                return
            if not HOST_NAME.fullmatch(key.text):
                self._document.mistake(
                    key, f"{key.text!r} is no name for a network: letters, digits, - and _"
                )
                continue
            self._networks[key.text] = self._read_network(key, value)

    def _read_network(self, key: Text, value: AnyNode) -> WrittenNetwork:
        before = len(self._document.mistakes)
        members = self._members(key.text, value)
        if isinstance(value, ListNode):
            one = NetworkMap.model_construct(hosts=members)
        else:
            found = self._model(NetworkMap, value, key, f"network {key.text}")
            one = (found or NetworkMap.model_construct()).model_copy(update={"hosts": members})
            if found is not None:
                self._check_network(value, one)
        return WrittenNetwork(key, value, one, is_read=len(self._document.mistakes) == before)

    def _members(self, network: str, value: AnyNode) -> tuple[str, ...]:
        """The hosts that a network says are on it; those that cannot be are left out, as mistakes."""
        node = value.get("hosts") if isinstance(value, MapNode) else value
        found: dict[str, None] = {}
        for one in node.items if isinstance(node, ListNode) else ():
            if not isinstance(one, Text):
                self._document.mistake(one, "the name of a host is wanted here")
            elif one.text not in self._hosts:
                near = suggestion(one.text, self._hosts)
                self._document.mistake(one, f"there is no host {one.text!r}", suggest=near)
            elif one.text in found:
                self._document.mistake(one, f"host {one.text} is on network {network} already")
            else:
                found[one.text] = None
        return tuple(found)

    def _check_network(self, node: AnyNode, one: NetworkMap) -> None:
        said = node.get("mtu") if isinstance(node, MapNode) else None
        if not 68 <= one.mtu <= 65535:
            self._document.mistake(said or node, "an MTU is a number from 68 (RFC 791) to 65535")
        if one.subnet4 == one.subnet6 == NO_SUBNET:
            self._document.mistake(node, "a network without any addresses is none: leave out one of them")

    def _entries(self, node: AnyNode, what: str) -> Iterator[tuple[Text, AnyNode | None]]:
        """Names with what is said about each; nothing in the short form."""
        if isinstance(node, MapNode):
            yield from node.pairs
        elif isinstance(node, ListNode):
            for item in node.items:
                if isinstance(item, Text):
                    yield item, None
                else:
                    self._document.mistake(
                        item, "a name is wanted here (more is said in a map: `server: {..}`)"
                    )
        else:
            self._document.mistake(node, f"{what} are a list of names, or a map")

    def _model(self, kind: Any, value: AnyNode | None, key: Text, called: str) -> Any:
        if value is None:
            return kind.model_construct()
        if not isinstance(value, MapNode):
            self._document.mistake(value, f"what is said about {called} is a map")
            return None
        return read_model(
            kind, value, value_of(value), self._document, self._surroundings, at=key, called=called
        )

    def _network_names(self) -> list[str]:
        said = [name for one in self._hosts.values() for name in one.said.networks or ()]
        names = list(dict.fromkeys([*self._networks, *said]))
        return names or [DEFAULT_NETWORK]

    def _network(self, name: str) -> Network:
        one = self._networks[name].said if name in self._networks else NetworkMap.model_construct()
        members = dict.fromkeys(one.hosts)
        for host, written in self._hosts.items():
            own = written.said.networks
            if name in (own or ()) or (own is None and not self._networks):
                members[host] = None
        return Network(name, tuple(members), one.subnet4, one.subnet6, one.mtu)

    def _check_host(self, host: WrittenHost, on: Sequence[str], all_read: bool) -> None:
        """Networks that a host names: all that it says must be there, and it on them."""
        name, one = host.key.text, host.said
        for place, network in enumerate(one.networks or ()):
            where = host.at("networks", place)
            if self._networks and network not in self._networks:
                near = suggestion(network, self._networks)
                self._document.mistake(where, f"there is no network {network!r}", suggest=near)
            elif network in (one.networks or ())[:place]:
                self._document.mistake(where, f"host {name} is on network {network} already")
        said = [(network, host.key_at("addresses", network)) for network in one.addresses if network]
        for network, where in [*said, *([(one.nat, host.at("nat"))] if one.nat is not None else [])]:
            if network not in on and all_read:
                message = f"host {name} is on no network {network!r}"
                self._document.mistake(where, message, suggest=suggestion(network, on))
        if "" in one.addresses and len(on) > 1:
            message = f"host {name} is on several networks: its addresses need their names"
            self._document.mistake(host.at("addresses"), message)
        if one.nat is not None and not one.router:
            message = f"host {name} rewrites addresses of what it forwards: it needs `router: true` too"
            self._document.mistake(host.at("nat"), message)

    def _host(self, name: str, networks: tuple[Network, ...]) -> Host:
        one = self._hosts[name].said
        first = next((network.name for network in networks if name in network.hosts), DEFAULT_NETWORK)
        return Host(
            name,
            image=one.image,
            addresses={network or first: addresses for network, addresses in one.addresses.items()},
            capabilities=one.capabilities,
            user=one.user,
            sysctls=dict(one.sysctls),
            environment=dict(one.env),
            files=dict(one.files),
            router=one.router,
            nat=one.nat,
            scripted=one.scripted,
            limits=dict(one.ulimits),
        )
