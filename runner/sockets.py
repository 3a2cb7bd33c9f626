"""What the calls of a run say about its sockets: where each lives and every pair of addresses it had over
time.

Reads call records only; addresses that only packets can tell are `runner.evidence`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runner.history import CallRecord
from runner.wire import canonical

Endpoint = tuple[str, int]
"""An IP address as text and a port."""

_WILDCARDS = frozenset({"0.0.0.0", "::"})


class AddressPair(NamedTuple):
    """The ends of a socket at one time, from its own side; `peer` is None while it is not connected."""

    local: Endpoint
    peer: Endpoint | None


@dataclass(frozen=True)
class SocketFacts:
    """What is known about one socket.

    `family` and `type` are constants by name. `pairs` holds every pair of addresses it had, in order, without
    those of no port. `born_ns` is when it was made (0 for one that accept made: its connection is older);
    `closed_ns` when close returned, or None. `accepted` says that accept made it.
    """

    name: str
    host: str
    family: str
    type: str
    pairs: tuple[AddressPair, ...]
    born_ns: int = 0
    closed_ns: int | None = None
    accepted: bool = False

    @property
    def has_ports(self) -> bool:
        """Whether packets can be told to be this socket's by its ports: not for raw and packet sockets."""
        return self.type not in ("SOCK_RAW", "SOCK_PACKET") and self.family in ("AF_INET", "AF_INET6")


def is_wildcard(address: str) -> bool:
    """Whether a local address stands for all addresses of its host."""
    return address in _WILDCARDS


def endpoint(address: Any) -> Endpoint | None:
    """An address of a call record as IP and port; None for other families and for port 0."""
    if not isinstance(address, list) or len(address) not in (2, 4):
        return None
    host, port = address[:2]
    if not isinstance(host, str) or not isinstance(port, int) or port == 0:
        return None
    return canonical(host), port


@dataclass
class _Growing:
    host: str
    family: str = ""
    type: str = ""
    pairs: dict[AddressPair, None] = field(default_factory=dict)
    born_ns: int = 0
    closed_ns: int | None = None
    accepted: bool = False

    def add(self, local: Any, peer: Any) -> None:
        near = endpoint(local)
        if near is not None:
            self.pairs[AddressPair(near, endpoint(peer))] = None


def sockets_of(calls: Iterable[CallRecord]) -> dict[str, SocketFacts]:
    """Every socket that the calls made or used, by name."""
    growing: dict[str, _Growing] = {}
    for call in sorted(calls, key=lambda call: call.began_ns):
        for name in call.object.split(",") if call.object else ():
            if call.family:
                one = growing.setdefault(name, _Growing(call.host, born_ns=call.began_ns))
                one.family, one.type = call.family, call.type or ""
                one.add(call.local, call.peer)
        if call.object in growing and call.name == "close" and call.failure is None:
            growing[call.object].closed_ns = call.ended_ns
        if call.made and call.name != "makefile":
            made = growing.setdefault(call.made, _Growing(call.host))
            made.family, made.type = made.family or call.family or "", made.type or call.type or ""
            made.accepted = call.name == "accept"
            made.born_ns = 0
            made.add(call.made_local, call.made_peer)
    return {
        name: SocketFacts(
            name, one.host, one.family, one.type, tuple(one.pairs), one.born_ns, one.closed_ns, one.accepted
        )
        for name, one in growing.items()
    }
