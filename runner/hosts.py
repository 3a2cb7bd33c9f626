"""The hosts and networks of a scenario, in short and long form, as a `lab.topology.Topology`.

Only what is written is read here; which addresses the rest gets is the engine's affair.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from lab.topology import DEFAULT_NETWORK, LEAST_MTU_OF_IP6, NO_SUBNET, Host, Network, Topology
from runner.errors import Misplaced
from runner.model import Model, Reads, Surroundings, read_model
from runner.reading import AnyNode, Document, ListNode, MapNode, Text, suggestion, value_of
from runner.steps import RESERVED
from runner.values import (
    TEXT_SCHEMA,
    WHOLE_SCHEMA,
    Texts,
    Truth,
    Whole,
    list_of,
    map_of,
    read_bytes,
    read_text,
    read_whole,
)
from runner.values import Text as TextValue

HOST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
MOST_HOSTS = 1000
"""Hosts of a scenario, and networks: what depends on all pairs of them must stay quick."""
"""What the name of a host or network looks like: a label of DNS (RFC 1123 section 2.1), or one with `_`."""


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


def read_capability(value: Any, around: Surroundings) -> str:
    """A Linux capability (capabilities(7)), with or without `CAP_`."""
    text = read_text(value, around).upper().removeprefix("CAP_")
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", text):
        raise Misplaced(f"{text!r} is no capability's name", length=max(1, len(text)))
    return text


def read_limits(value: Any, around: Surroundings) -> Mapping[str, int]:
    """Limit -> value, as setrlimit(2) names them without `RLIMIT_`, in small letters."""
    return map_of(read_whole)(value, around)


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
    ulimits       limits as setrlimit(2) names them, in small letters: {nofile: 64}
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
    sysctls: TextMap = Field(default_factory=dict)
    env: TextMap = Field(default_factory=dict)
    files: Annotated[
        Mapping[str, bytes], Reads(map_of(read_bytes), _texts_schema({"$ref": "#/definitions/bytes"}))
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


class TopologyReader:
    """Reads `hosts` and `networks` of one document; mistakes go to the document."""

    def __init__(self, document: Document, surroundings: Surroundings) -> None:
        self._document = document
        self._surroundings = surroundings
        self._hosts: dict[str, tuple[Text, HostMap]] = {}
        self._networks: dict[str, tuple[Text, NetworkMap]] = {}

    def read(self, hosts: AnyNode | None, networks: AnyNode | None) -> Topology:
        """Who is there and what joins them, without programs."""
        if hosts is not None:
            self._read_hosts(hosts)
        if networks is not None:
            self._read_networks(networks)
        made = tuple(self._network(name) for name in self._network_names())
        for name, (key, one) in self._hosts.items():
            if made and not any(name in network.hosts for network in made):
                self._document.mistake(key, f"host {name} is on no network")
            self._check_host(key, one, made)
        return Topology(tuple(self._host(name, made) for name in self._hosts), made)

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
                one = self._model(HostMap, value, key, f"host {name}")
                self._hosts[name] = key, one or HostMap.model_construct()
        if not self._hosts and not self._document.mistakes:
            self._document.mistake(node, "there is no host")

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
            self._check_members(value)
            if isinstance(value, ListNode):
                hosts = tuple(one.text for one in value.items if isinstance(one, Text))
                self._networks[key.text] = key, NetworkMap.model_construct(hosts=hosts)
            else:
                one = self._model(NetworkMap, value, key, f"network {key.text}")
                self._networks[key.text] = key, one or NetworkMap.model_construct()
                self._check_network(value, one)

    def _check_members(self, value: AnyNode) -> None:
        members = value.get("hosts") if isinstance(value, MapNode) else value
        for one in members.items if isinstance(members, ListNode) else ():
            if not isinstance(one, Text):
                self._document.mistake(one, "the name of a host is wanted here")
            elif one.text not in self._hosts:
                near = suggestion(one.text, self._hosts)
                self._document.mistake(one, f"there is no host {one.text!r}", suggest=near)

    def _check_network(self, node: AnyNode, one: NetworkMap | None) -> None:
        import ipaddress

        if one is None or not isinstance(node, MapNode):
            return
        if not 68 <= one.mtu <= 65535:
            said = node.get("mtu") or node
            self._document.mistake(said, "an MTU is a number from 68 (RFC 791) to 65535")
        for name, kind in (("subnet4", ipaddress.IPv4Network), ("subnet6", ipaddress.IPv6Network)):
            value = node.get(name)
            if isinstance(value, Text) and value.text != NO_SUBNET:
                try:
                    kind(value.text)
                except ValueError as error:
                    self._document.mistake(value, f"this is no subnet: {error}")
        if one.subnet4 == one.subnet6 == NO_SUBNET:
            self._document.mistake(node, "a network without any addresses is none: leave out one of them")
        six = node.get("subnet6")
        if six is not None and one.subnet6 != NO_SUBNET and one.mtu < LEAST_MTU_OF_IP6:
            message = (
                f"IPv6 needs an MTU of {LEAST_MTU_OF_IP6} (RFC 8200, section 5), this network's is {one.mtu}"
            )
            self._document.mistake(six, message)

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
        said = [name for _, one in self._hosts.values() for name in one.networks or ()]
        names = list(dict.fromkeys([*self._networks, *said]))
        return names or [DEFAULT_NETWORK]

    def _network(self, name: str) -> Network:
        one = self._networks[name][1] if name in self._networks else NetworkMap.model_construct()
        members = dict.fromkeys(one.hosts)
        for host, (_, said) in self._hosts.items():
            everywhere = not self._networks and said.networks is None
            if everywhere or name in (said.networks or ()):
                members[host] = None
        return Network(name, tuple(members), one.subnet4, one.subnet6, one.mtu)

    def _check_host(self, key: Text, one: HostMap, networks: tuple[Network, ...]) -> None:
        on = [network.name for network in networks if key.text in network.hosts]
        for name in one.networks or ():
            if self._networks and name not in self._networks:
                self._document.mistake(
                    key, f"there is no network {name!r}", suggest=suggestion(name, self._networks)
                )
        for name in one.addresses:
            if name and name not in on:
                self._document.mistake(
                    key, f"host {key.text} is on no network {name!r}", suggest=suggestion(name, on)
                )
            elif not name and len(on) > 1:
                self._document.mistake(
                    key, f"host {key.text} is on several networks: its addresses need their names"
                )
        if one.nat is not None and one.nat not in on:
            self._document.mistake(
                key, f"host {key.text} is on no network {one.nat!r}", suggest=suggestion(one.nat, on)
            )
        if one.nat is not None and not one.router:
            message = f"host {key.text} rewrites addresses of what it forwards: it needs `router: true` too"
            self._document.mistake(key, message)

    def _host(self, name: str, networks: tuple[Network, ...]) -> Host:
        one = self._hosts[name][1]
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
