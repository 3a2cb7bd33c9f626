"""The steps of the language, by verb.

A module is imported when one of its verbs is asked for, so that a scenario costs only the steps that it uses;
a test holds this table to the classes there are.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.steps.base import Step

_MODULES: Mapping[str, str] = {
    "sockets": "socket:Socket socketpair:Socketpair bind:Bind listen:Listen accept:Accept connect:Connect "
    "connect_ex:ConnectEx shutdown:Shutdown close:Close detach:Detach dup:Dup getsockname:Getsockname "
    "getpeername:Getpeername fileno:Fileno",
    "data": "send:Send sendall:Sendall sendto:Sendto sendmsg:Sendmsg recv:Recv recvfrom:Recvfrom recv_into:RecvInto "
    "recvmsg:Recvmsg",
    "options": "setsockopt:Setsockopt getsockopt:Getsockopt",
    "modes": "settimeout:Settimeout gettimeout:Gettimeout setblocking:Setblocking getblocking:Getblocking "
    "sleep:SleepStep",
    "files": "makefile:Makefile readline:Readline read:Read write:Write flush:Flush",
    "ready": "poll:Poll select:Select",
    "resolving": "getaddrinfo:Getaddrinfo gethostbyname:Gethostbyname gethostname:Gethostname getfqdn:Getfqdn "
    "getnameinfo:Getnameinfo inet_aton:InetAton inet_ntoa:InetNtoa inet_pton:InetPton inet_ntop:InetNtop htons:Htons "
    "ntohs:Ntohs htonl:Htonl ntohl:Ntohl",
    "programs": "run:RunStep stdout:Stdout stdin:Stdin wait:Wait signal:Signal",
    "packets": "send_packet:SendPacketStep sniff_packet:SniffPacketStep",
    "faults": "fault:Fault heal:Heal",
    "hosts": "pause:Pause resume:Resume kill:Kill restart:Restart link:Link",
    "flow": "state:State returns:Returns until:Until repeat:Repeat include:Include",
}
"""Module -> its verbs with their classes."""

_PLACES: Mapping[str, tuple[str, str]] = {
    verb: (module, name)
    for module, words in _MODULES.items()
    for verb, name in (word.split(":") for word in words.split())
}

RESERVED = frozenset(
    ("sleep", "fault", "heal", "pause", "resume", "kill", "restart", "link", "repeat", "until", "include")
)
"""Verbs of what no host does: no host can have such a name."""


class _Steps(Mapping[str, "type[Step]"]):
    """Verb -> class of its step."""

    def __getitem__(self, verb: str) -> type[Step]:
        module, name = _PLACES[verb]
        found: type[Step] = getattr(importlib.import_module(f"runner.steps.{module}"), name)
        return found

    def __contains__(self, verb: object) -> bool:
        return verb in _PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


STEPS: Mapping[str, type[Step]] = _Steps()
"""Every step of the language; asking for one imports its module."""
