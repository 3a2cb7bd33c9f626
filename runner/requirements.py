"""What a scenario says it `requires` of engine and kernel, and whether it is there: else it is skipped with the reason.

Asked in the hosts of a lab that is up. Nothing is made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.engine import Lab
from lab.errors import Unsupported
from runner.errors import Misplaced
from runner.model import Surroundings
from runner.reading import suggestion
from runner.values import read_text

_SOCKETS: Mapping[str, tuple[str, str | int, str | int]] = {
    "tipc": ("AF_TIPC", "SOCK_RDM", 0),
    "sctp": ("AF_INET", "SOCK_STREAM", "IPPROTO_SCTP"),
    "mptcp": ("AF_INET", "SOCK_STREAM", 262),
    "udplite": ("AF_INET", "SOCK_DGRAM", 136),
    "vsock": ("AF_VSOCK", "SOCK_STREAM", 0),
    "can": ("AF_CAN", "SOCK_RAW", 1),
    "rds": ("AF_RDS", "SOCK_SEQPACKET", 0),
}
"""Name of a protocol -> the socket that only a kernel with it can make."""
OF_NETWORKS = ("forged-source", "multicast", "broadcast", "fragments")
"""What can be required of networks: that they pass it. The labs made for a run do; the compose lab does not, and is not
taken then.
"""
_FIND = 'PATH=$PATH:/usr/sbin:/sbin; command -v "$0"'
"""POSIX's way to ask whether there is a program (XCU, command), also where only root's PATH has servers."""
PACKAGES: Mapping[str, str] = {
    "bird": "bird2",
    "cc": "gcc libc6-dev",
    "dnsmasq": "dnsmasq-base",
    "snmpd": "snmpd",
}
"""A program of the scenarios -> Debian's packages that have it; on Ubuntu they have the same names."""


_NOT = "no "
"""Before `kernel NAME`: that the kernel does not have it, for scenarios that show what it says then."""


def read_requirement(value: Any, around: Surroundings) -> str:
    """One requirement: what networks pass (`OF_NETWORKS`), `program NAME`, `kernel NAME` or `no kernel NAME`."""
    text = read_text(value, around)
    without = _NOT if text.startswith(f"{_NOT}kernel") else ""
    kind, _, name = text.removeprefix(without).partition(" ")
    if text in OF_NETWORKS or (kind == "program" and name.strip()) or (kind == "kernel" and name in _SOCKETS):
        return text
    if kind == "kernel":
        message = f"what the kernel is asked for is one of {', '.join(_SOCKETS)}"
        near = suggestion(name, _SOCKETS)
        raise Misplaced(
            message, length=max(1, len(text)), suggestion=f"{without}kernel {near}" if near else ""
        )
    message = f"what can be required is {', '.join(OF_NETWORKS)}, program NAME, kernel NAME or no kernel NAME"
    raise Misplaced(message, length=max(1, len(text)), suggestion=suggestion(text, OF_NETWORKS))


def check_hosts(requires: Sequence[str], lab: Lab) -> None:
    """Raise Unsupported where the kernel of a lab, or all of its hosts, lack what is required."""
    hosts = [host.name for host in lab.topology.hosts]
    for one in requires:
        kind, _, name = one.removeprefix(_NOT).partition(" ")
        unwanted = one.startswith(_NOT)
        if kind == "kernel" and _makes(lab, hosts[0], name) == unwanted:
            raise Unsupported(f"the kernel has {'' if unwanted else 'no '}{name}")
        if kind == "program" and not any([_has_program(lab, host, name) for host in hosts]):
            hint = f" (on Debian and Ubuntu: apt-get install {PACKAGES[name]})" if name in PACKAGES else ""
            raise Unsupported(f"no host has the program {name}{hint}")


def _makes(lab: Lab, host: str, name: str) -> bool:
    """Whether a host can make that protocol's socket."""
    arguments = [{"constant": one} if isinstance(one, str) else one for one in _SOCKETS[name]]
    channel, kept = lab.agent(host), f"required {name}"
    reply = channel.wait(
        channel.post({"do": "call", "function": "socket", "arguments": arguments, "makes": kept}), 5.0
    )
    if "error" in reply:
        return False
    channel.ask(do="call", on=kept, method="close")
    return True


def _has_program(lab: Lab, host: str, name: str) -> bool:
    """Whether a host finds that program in its PATH, by asking its shell."""
    channel, kept = lab.agent(host), f"required {name}"
    channel.ask(do="run", argv=["/bin/sh", "-c", _FIND, name], makes=kept)
    ended: Any = channel.ask(do="call", on=kept, method="wait")
    return bool(ended == {"exit": 0})
