"""Socket options that take a C struct: their parts in a scenario, and the struct they become.

Sources: socket(7), ip(7), ipv6(7), tcp(7), linux/in.h, linux/tcp.h. Options of plain numbers are not here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.commands import InterfaceIndex, Packed
from runner.errors import Misplaced
from runner.model import MisplacedAt, Reader, Surroundings
from runner.scope import Scope
from runner.values import below, read_duration, read_text, read_whole, refuse, refuse_keys


def read_ip4(value: Any, around: Surroundings) -> bytes:
    """An IPv4 address as its four bytes."""
    text = read_text(value, around)
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts):
        raise Misplaced(f"an IPv4 address is wanted here, not {text!r}", length=max(1, len(text)))
    return bytes(map(int, parts))


def read_ip6(value: Any, around: Surroundings) -> bytes:
    """An IPv6 address as its sixteen bytes."""
    import ipaddress

    text = read_text(value, around)
    try:
        return ipaddress.IPv6Address(text).packed
    except ValueError:
        raise Misplaced(f"an IPv6 address is wanted here, not {text!r}", length=max(1, len(text))) from None


@dataclass(frozen=True)
class Struct:
    """An option's struct: its parts, how they are packed, and which struct format it has.

    `pack` gets the parts that were read (None where one was left out), the host and the scope.
    """

    parts: Mapping[str, Reader]
    required: tuple[str, ...]
    pack: Callable[[Mapping[str, Any], str, Scope], Any]
    format: str = ""
    names: tuple[str, ...] = ()

    def read(self, value: Any, around: Surroundings) -> Mapping[str, Any]:
        """The parts; raises Misplaced for a wrong one."""
        if not isinstance(value, dict):
            refuse(value, f"a map of {', '.join(self.parts)}")
        refuse_keys(value, tuple(self.parts))
        for key in self.required:
            if key not in value:
                raise MisplacedAt(
                    (), f"the parts {', '.join(self.required)} are needed, and {key} is missing"
                )
        return {
            key: below(key, reader, value[key], around) if key in value else None
            for key, reader in self.parts.items()
        }

    def unpack(self, data: bytes) -> Any:
        """The parts of what getsockopt gave; numbers beyond what this kernel gave are left out."""
        fitting = struct.calcsize(self.format)
        values = struct.unpack(self.format, data[:fitting].ljust(fitting, b"\0"))
        return dict(zip(self.names, values, strict=True))

    @property
    def size(self) -> int:
        """How many bytes getsockopt is asked for; 0 where it cannot be asked."""
        return struct.calcsize(self.format) if self.format else 0


def interface(name: str | None, host: str, scope: Scope) -> Any:
    """The index of an interface: by its own name, or the name of a network that the host is on; 0 for
    none."""
    if name is None:
        return 0
    for end in scope.interfaces.get(host, ()):
        if end.network == name:
            return InterfaceIndex(end.name)
    return InterfaceIndex(name)


def _membership(parts: Mapping[str, Any], host: str, scope: Scope) -> Packed:
    """struct ip_mreqn of ip(7)."""
    index = interface(parts["interface"], host, scope)
    return Packed("4s4si", (parts.get("group") or bytes(4), parts["address"] or bytes(4), index))


def _membership6(parts: Mapping[str, Any], host: str, scope: Scope) -> Packed:
    """struct ipv6_mreq of ipv6(7)."""
    return Packed("16sI", (parts["group"], interface(parts["interface"], host, scope)))


def _source_membership(parts: Mapping[str, Any], host: str, scope: Scope) -> Packed:
    """struct ip_mreq_source of ip(7)."""
    return Packed("4s4s4s", (parts["group"], parts["address"] or bytes(4), parts["source"]))


_INTERFACE: dict[str, Reader] = {"interface": read_text, "address": read_ip4}
_GROUP = Struct({"group": read_ip4, **_INTERFACE}, ("group",), _membership)
_GROUP6 = Struct({"group": read_ip6, "interface": read_text}, ("group",), _membership6)
_SOURCE = Struct(
    {"group": read_ip4, "source": read_ip4, "address": read_ip4}, ("group", "source"), _source_membership
)

TCP_INFO_PARTS = (
    "state ca_state retransmits probes backoff options wscale flags rto ato snd_mss rcv_mss unacked sacked lost "
    "retrans fackets last_data_sent last_ack_sent last_data_recv last_ack_recv pmtu rcv_ssthresh rtt rttvar "
    "snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"
)
"""struct tcp_info of linux/tcp.h, its names without `tcpi_`, as far as every kernel has it."""

STRUCTS: Mapping[str, Struct] = {
    "SO_LINGER": Struct(
        {"onoff": read_whole, "linger": read_whole},
        ("onoff", "linger"),
        lambda parts, host, scope: Packed("ii", (parts["onoff"], parts["linger"])),
        "ii",
        ("onoff", "linger"),
    ),
    "SO_PEERCRED": Struct(
        {}, (), lambda parts, host, scope: Packed("3i", (0, 0, 0)), "3i", ("pid", "uid", "gid")
    ),
    "TCP_INFO": Struct(
        {}, (), lambda parts, host, scope: Packed("", ()), "8B24I", tuple(TCP_INFO_PARTS.split())
    ),
    "IP_ADD_MEMBERSHIP": _GROUP,
    "IP_DROP_MEMBERSHIP": _GROUP,
    "IP_ADD_SOURCE_MEMBERSHIP": _SOURCE,
    "IP_DROP_SOURCE_MEMBERSHIP": _SOURCE,
    "IP_MULTICAST_IF": Struct(_INTERFACE, (), _membership),
    "IPV6_JOIN_GROUP": _GROUP6,
    "IPV6_LEAVE_GROUP": _GROUP6,
    "IPV6_ADD_MEMBERSHIP": _GROUP6,
    "IPV6_DROP_MEMBERSHIP": _GROUP6,
    "IPV6_MULTICAST_IF": Struct(
        {"interface": read_text},
        ("interface",),
        lambda parts, host, scope: interface(parts["interface"], host, scope),
    ),
    "SO_BINDTOIFINDEX": Struct(
        {"interface": read_text},
        ("interface",),
        lambda parts, host, scope: interface(parts["interface"], host, scope),
    ),
}
TIMES = ("SO_RCVTIMEO", "SO_SNDTIMEO")
"""Options that take a struct timeval: a duration in a scenario."""
TEXTS = ("SO_BINDTODEVICE", "TCP_CONGESTION", "TCP_ULP")
"""Options that take a text."""


def timeval(ns: int) -> Packed:
    """struct timeval of a duration in nanoseconds."""
    return Packed("ll", (ns // 1_000_000_000, ns % 1_000_000_000 // 1000))


def read_timeval(value: Any, around: Surroundings) -> int:
    """A duration; `0s` means no timeout at all (socket(7))."""
    return read_duration(value, around)
