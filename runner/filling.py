"""What the author of a packet leaves out, from the lab: addresses of its sender, MACs of the next hop, and how it
is sent.

A function of layers and scope; bytes are `runner.crafting`'s affair, sending the stage's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.engine import Interface
from runner.errors import Unmet
from runner.field_kinds import field_kind
from runner.layers import IP_LAYERS, Layer, left_out, resolved
from runner.scope import Scope

Level = Literal["ip4", "ip6", "frame"]
BROADCAST = "ff:ff:ff:ff:ff:ff"
_KERNEL_WRITES = ("len", "chksum")
"""Fields of IPv4 that the kernel always writes itself under IP_HDRINCL (raw(7))."""
_KERNEL_REPLACES = {"src": "0.0.0.0", "id": 0}
"""Values of others that it replaces by its own (raw(7))."""
_IS_AT = (2, "is-at")
_QUOTED = {"IPerror": "IP", "IPerror6": "IPv6"}
"""scapy's layers of what an ICMP error quotes, and those that carry the error."""
_CARRIERS = {"ip4": "IP", "ip6": "IPv6"}


@dataclass(frozen=True)
class Sending:
    """A packet that lacks no address. `to` is its destination at IP level, the interface for a frame."""

    layers: tuple[Layer, ...]
    level: Level
    to: str


def sending(layers: Sequence[Layer], host: str, scope: Scope, network: str | None = None) -> Sending:
    """How `host` sends these layers, the first of which is IP, IPv6, Ether, Dot3 or ARP.

    A host without a stack of its own sends all as frames. Raises Unmet where the lab has no such address.
    """
    at_ip = layers[0].name in IP_LAYERS and host not in scope.scripted
    if layers[0].name in (*IP_LAYERS, "ARP") and not at_ip:
        layers = (Layer("Ether", {}), *layers)
    whole = filled(layers, host, scope, network)
    if not at_ip:
        return Sending(whole, "frame", _end(whole, host, scope, network).name)
    for _, problem in kernel_writes(layers[0]):
        raise Unmet(problem)
    outer = whole[0]
    to = str(outer.fields["dst"])
    if outer.name == "IP":
        return Sending(whole, "ip4", to)
    scoped = ipaddress.ip_address(to).is_link_local or ipaddress.ip_address(to).is_multicast
    name = _end(whole, host, scope, network).name
    return Sending(whole, "ip6", f"{to}%{name}" if scoped else to)


def kernel_writes(layer: Layer) -> Iterator[tuple[str, str]]:
    """Fields of the first layer, and a sentence for each, that the kernel would not send as they are said (raw(7))."""
    for name, value in layer.fields.items() if layer.name == "IP" else ():
        if name in _KERNEL_WRITES:
            yield name, f"the kernel writes IP.{name} itself (raw(7)): begin with Ether to send another"
        elif name in _KERNEL_REPLACES and value == _KERNEL_REPLACES[name]:
            yield (
                name,
                f"the kernel sends its own for IP.{name}={value} (raw(7)): begin with Ether to send it",
            )


def filled(layers: Sequence[Layer], host: str, scope: Scope, network: str | None = None) -> tuple[Layer, ...]:
    """The layers with hosts' names resolved, and what the lab knows of what is left out."""

    def address_of(sort: str, name: str) -> str:
        return _address(sort, name, host, scope)

    return _filled([resolved(layer, address_of) for layer in layers], (), host, scope, network)


def _filled(
    said: Sequence[Layer], around: Sequence[Layer], host: str, scope: Scope, network: str | None
) -> tuple[Layer, ...]:
    """Layers on top of each other, inside of those `around`: from the innermost on, then what depends on outer ones."""
    inner: list[Layer] = []
    for layer in reversed(said):
        inner.insert(0, _filled_one(layer, inner, host, scope, network))
    found: list[Layer] = []
    for layer in inner:
        outer = (*around, *found)
        whole = _quoting(layer, outer)
        end = _end([*outer, whole, *inner], host, scope, network) if left_out(whole) else None
        whole = whole if end is None else _of_sender(whole, outer, end)
        held = {
            name: _filled_field(value, (*outer, whole), host, scope, network)
            for name, value in whole.fields.items()
        }
        found.append(whole.with_fields(**held))
    return tuple(found)


def _filled_field(value: Any, around: Sequence[Layer], host: str, scope: Scope, network: str | None) -> Any:
    """A layer that stands in a field of another, or several of them; what else stands there stays."""
    match value:
        case Layer():
            return _filled([value], around, host, scope, network)[0]
        case list():
            return [_filled_field(one, around, host, scope, network) for one in value]
        case _:
            return value


def _quoting(layer: Layer, outer: Sequence[Layer]) -> Layer:
    """What an ICMP error quotes was sent by whom the error goes to, to whom it comes from (RFC 792, RFC 4443)."""
    quoted = _QUOTED.get(layer.name)
    carrier = next((one for one in reversed(outer) if one.name == quoted), None)
    if quoted is None:
        return layer
    if carrier is None:
        missing = [name for name in ("src", "dst") if name not in layer.fields]
        if missing:
            names = " and ".join(f"{layer.name}.{name}" for name in missing)
            raise Unmet(f"whose packet is quoted cannot be told without {quoted} around it: say {names}")
        return layer
    return layer.with_fields(**{"src": carrier.fields["dst"], "dst": carrier.fields["src"], **layer.fields})


def _of_sender(layer: Layer, outer: Sequence[Layer], end: Interface) -> Layer:
    """Addresses of whoever sends the layer (`HSRPmd5.sourceip`): of the IP that carries it, else the host's own."""
    found = {}
    for name, sort in left_out(layer).items():
        carrier = next((one for one in reversed(outer) if one.name == _CARRIERS.get(sort)), None)
        own = {"ip4": end.ip4, "ip6": end.ip6, "mac": (end.mac,)}[sort]
        if name == "dst" or not (carrier or own):
            raise Unmet(f"{layer.name}.{name} cannot be told: say it")
        found[name] = carrier.fields["src"] if carrier else own[0]
    return layer.with_fields(**found)


def _filled_one(layer: Layer, inner: Sequence[Layer], host: str, scope: Scope, network: str | None) -> Layer:
    """One layer; those inside of it are filled already."""
    match layer.name:
        case "IP" | "IPv6" | "IPv46" if "src" not in layer.fields:
            end = _end([layer], host, scope, network)
            own = end.ip6 if layer.name == "IPv6" else end.ip4
            if not own:
                raise Unmet(f"host {host} has no address for {layer.name} on network {end.network}")
            return layer.with_fields(src=own[0])
        case "Ether" | "Dot3":
            end = _end(inner, host, scope, network)
            dst = layer.fields.get("dst") or _next_hop(inner, end, host, scope)
            return layer.with_fields(src=layer.fields.get("src", end.mac), dst=dst)
        case "ARP":
            end = _end([layer], host, scope, network)
            missing = [name for name in ("hwsrc", "psrc") if name not in layer.fields]
            more: dict[str, Any] = {name: _of_form(name, layer, end) for name in missing}
            if layer.fields.get("op") in _IS_AT and "pdst" in layer.fields:
                more["hwdst"] = _owner(str(layer.fields["pdst"]), end, scope) or "00:00:00:00:00:00"
            return layer.with_fields(**{**more, **layer.fields})
    return layer


def _of_form(name: str, layer: Layer, end: Interface) -> Any:
    """The host's own address in the form that ARP's other fields ask for (RFC 826: hardware and protocol type)."""
    match field_kind("ARP", name, layer.fields).sort:
        case "mac":
            return end.mac
        case "ip4":
            return end.ip4[0] if end.ip4 else "0.0.0.0"
        case "ip6":
            return end.ip6[0] if end.ip6 else "::"
        case _ if name == "hwsrc":
            return bytes.fromhex(end.mac.replace(":", ""))
        case _:
            raise Unmet("the protocol of this ARP is none of which the lab knows addresses: say ARP.psrc")


def _end(layers: Sequence[Layer], host: str, scope: Scope, network: str | None) -> Interface:
    """The end of the host that layers go out of: on the network that is said, or of their target, or its first."""
    ends = scope.interfaces[host]
    if network is not None:
        ends = tuple(end for end in ends if end.network == network)
        if not ends:
            raise Unmet(f"host {host} is on no network {network}")
    if not ends:
        raise Unmet(f"host {host} is on no network")
    for layer in layers:
        target = layer.fields.get("pdst" if layer.name == "ARP" else "dst")
        if layer.name in (*IP_LAYERS, "ARP") and isinstance(target, str):
            return next((end for end in ends if _is_near(target, end)), ends[0])
    return ends[0]


def _is_near(address: str, end: Interface) -> bool:
    """Whether an address is on the link of that end."""
    wanted = ipaddress.ip_address(address)
    own, prefix = (end.ip4, end.prefix4) if wanted.version == 4 else (end.ip6, end.prefix6)
    return any(wanted in ipaddress.ip_network(f"{one}/{prefix}", strict=False) for one in own)


def _next_hop(inner: Sequence[Layer], end: Interface, host: str, scope: Scope) -> str:
    """The MAC that a frame goes to; raises Unmet where only its author can know it."""
    first = inner[0] if inner else None
    if first is not None and first.name == "ARP":
        known = first.fields.get("hwdst") if first.fields.get("op") in _IS_AT else None
        return str(known) if known else BROADCAST
    if first is None or first.name not in IP_LAYERS:
        raise Unmet("where this frame goes cannot be told: say Ether.dst")
    to = str(first.fields["dst"])
    group = _group(to, end)
    if group:
        return group
    if _is_near(to, end):
        mac = _owner(to, end, scope)
        if mac is None:
            raise Unmet(f"nobody on network {end.network} has the address {to}: say Ether.dst")
        return mac
    return _router(to, end, host, scope)


def _group(to: str, end: Interface) -> str | None:
    """The MAC of a group: RFC 1112 section 6.4, RFC 2464 section 7; broadcast as RFC 919 section 7 has it."""
    address = ipaddress.ip_address(to)
    if address.is_multicast:
        low = address.packed[-3:] if address.version == 4 else address.packed[-4:]
        data = bytes((1, 0, 0x5E, low[0] & 0x7F, *low[1:])) if address.version == 4 else b"\x33\x33" + low
        return data.hex(":")
    if address.version == 6:
        return None
    everybody = {
        str(ipaddress.ip_network(f"{own}/{end.prefix4}", strict=False).broadcast_address) for own in end.ip4
    }
    return BROADCAST if to in everybody | {"255.255.255.255"} else None


def _owner(address: str, end: Interface, scope: Scope) -> str | None:
    """The MAC of who has an address on that end's network; None where nobody has."""
    for ends in scope.interfaces.values():
        for other in ends:
            if other.network == end.network and address in (*other.ip4, *other.ip6):
                return other.mac
    return None


def _router(to: str, end: Interface, host: str, scope: Scope) -> str:
    """The MAC of the one other host of the network that is on others too."""
    found = [
        other.mac
        for name, ends in scope.interfaces.items()
        for other in ends
        if name != host and other.network == end.network and len(ends) > 1
    ]
    if len(found) != 1:
        raise Unmet(f"{to} is on no network of host {host}: say Ether.dst, the MAC of the next hop")
    return found[0]


def _address(sort: str, name: str, host: str, scope: Scope) -> str:
    """The address of a host as `host` should use it; for a MAC that of the network that both are on."""
    if name not in scope.interfaces:
        raise Unmet(f"there is no host {name!r}")
    if sort == "mac":
        near = scope.networks_of(host)
        ends = sorted(scope.interfaces[name], key=lambda end: end.network not in near)
        if not ends:
            raise Unmet(f"host {name} is on no network")
        return ends[0].mac
    try:
        return scope.address(name, "AF_INET6" if sort == "ip6" else "AF_INET", host)
    except LookupError as error:
        raise Unmet(str(error)) from None
