"""Steps that send packets as they are written, and take packets as they were received: send_packet, sniff_packet.

Layers and fields are scapy's; raw(7), packet(7). What is left out the lab's addresses fill (`runner.filling`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from runner import conditions
from runner.commands import Command, Performance, SendPacket, SniffPacket
from runner.conditions import Condition
from runner.crafting import build, check_whole, read_layers
from runner.errors import Blind, Misplaced, Unmet
from runner.filling import kernel_writes, sending
from runner.layers import FRAME_LAYERS, IP_LAYERS, Layer, text_of
from runner.model import MisplacedAt, Reads, Surroundings
from runner.names import Unfilled
from runner.packets import Packet, Transmission
from runner.reading import suggestion
from runner.scope import Scope
from runner.steps.base import CallStep, ThingKind, TimedStep
from runner.steps.naming_hosts import known_hosts
from runner.values import LAYERS_SCHEMA, TEXT_SCHEMA, Name, read_text
from runner.wire import owners_of


def read_sent(value: Any, around: Surroundings) -> tuple[Layer, ...]:
    """Layers that a host can send: the first is IP's, or a frame's."""
    layers = read_layers(value, around)
    first = layers[0].name
    if first not in (*IP_LAYERS, *FRAME_LAYERS):
        known = ", ".join((*IP_LAYERS, *FRAME_LAYERS))
        raise MisplacedAt((0,), f"the first layer is one of {known}, not {first}")
    if around.host in around.hosts and around.host not in around.scripted:
        for name, problem in kernel_writes(layers[0]):
            raise MisplacedAt((0, first, name), problem)
    check_whole(layers)
    return layers


def read_network(value: Any, around: Surroundings) -> str:
    """A network that the host is on."""
    name = read_text(value, around)
    if around.networks and name not in around.networks:
        near = suggestion(name, around.networks)
        raise Misplaced(f"there is no network {name!r}", length=max(1, len(name)), suggestion=near)
    if around.host in around.hosts and around.host not in around.networks.get(name, around.host):
        own = [one for one, hosts in around.networks.items() if around.host in hosts]
        raise Misplaced(
            f"host {around.host} is on no network {name} (but {', '.join(own)})", length=max(1, len(name))
        )
    return name


SentLayers: TypeAlias = Annotated[tuple[Layer, ...], Reads(read_sent, LAYERS_SCHEMA)]


class SendPacketStep(CallStep):
    """Send a packet made of layers (raw(7), packet(7)).

    send_packet  the layers by scapy's names, from the outermost: [{IP: {dst: server}}, {ICMP: {type: echo-request}},
                 {data: hello}]; begins with IP or IPv6 (IP_HDRINCL: the kernel writes IP's len and chksum, and
                 its own for src 0.0.0.0 and id 0), or with Ether or ARP (a whole frame, nothing is changed)
    net          the network, where it does not follow from the destination
    """

    verb: ClassVar[str] = "send_packet"
    makes: ClassVar[Mapping[str, ThingKind]] = {}
    send_packet: SentLayers
    net: Annotated[str | None, Reads(read_network, TEXT_SCHEMA)] = None

    def command(self, scope: Scope) -> Command:
        """The packet with its addresses; raises Unmet where the lab has none for it."""
        sent = sending(self.send_packet, self.here(), scope, self.net)
        try:
            data = build(sent.layers)
        except Misplaced as wrong:
            raise Unmet(wrong.message) from None
        return SendPacket(self.here(), sent.level, data, sent.to, text_of(self.send_packet))

    def text(self) -> str:
        """`send_packet IP / ICMP echo-request / "hello"`."""
        return f"send_packet {text_of(self.send_packet)}"


def read_conditions(value: Any, around: Surroundings) -> tuple[Condition, ...]:
    """Conditions on one packet alone: `seq` and `ack`, which are relative, belong to a recorded connection."""
    if isinstance(value, Unfilled):
        return ()
    text = read_text(value, around)
    found = conditions.parse(text)
    for one in found:
        if one.field in ("seq", "ack"):
            message = f"{one.field} is relative to a connection: here it is TCP.{one.field}, as on the wire"
            raise Misplaced(message, column=one.column, length=3, suggestion=f"TCP.{one.field}")
    known_hosts(found, around)
    return found


class SniffPacketStep(TimedStep):
    """Take the host's first packet that meets conditions, of those received after the last one it took.

    sniff_packet  the conditions: LAYER, or FIELD OP VALUE, joined by `and`: TCP.flags = SA and TCP.dport = 4000
    as            the packet's name; it has every field ($synack.TCP.seq, as on the wire) and its payload ($synack.data)
    takes         how long it may take to come
    """

    verb: ClassVar[str] = "sniff_packet"
    sniff_packet: Annotated[tuple[Condition, ...], Reads(read_conditions, {"type": "string"})]
    as_: Annotated[Name | None, Field(alias="as")] = None

    def perform(self, scope: Scope) -> Performance:
        """Wait for it; its value is the packet."""
        owners = owners_of([end for ends in scope.interfaces.values() for end in ends])

        def owner(address: str) -> str:
            return owners.get(address, address)

        def matches(packet: Packet) -> bool:
            seen = Transmission(packet, (packet,), "", "", False)
            try:
                return all(conditions.holds(one, seen, owner) for one in self.sniff_packet)
            except Blind as blind:
                raise Unmet(str(blind)) from None

        outcome = yield SniffPacket(self.here(), matches, self._wanted())
        if outcome.failure is not None:
            raise Unmet(f"no packet with {self._wanted()} came within {self.limit_ns / 1e9:g} s")
        self.check_time(outcome.began_ns, outcome.ended_ns)
        return outcome.value

    def _wanted(self) -> str:
        return " and ".join(map(str, self.sniff_packet))

    def text(self) -> str:
        """`sniff_packet TCP.flags=SA as synack`."""
        return f"sniff_packet {self._wanted()}" + (f" as {self.as_}" if self.as_ else "")
