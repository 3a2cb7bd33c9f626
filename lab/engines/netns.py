"""Hosts that are Linux namespaces: no daemon, no image, no privilege needed, and nothing of them has a name.

The runner's side. The lab itself is a child, `lab.engines.zygote`, that dies with the thread that started it.
Here the plan is made, the child is started and told, and its answers become a `Lab`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import resource
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.addressing import Plan, many_neighbours, names_and_addresses, plan
from lab.channel import Channel, SocketStream
from lab.engine import Interface
from lab.engines.child import Child, ChildGone, collect
from lab.errors import EngineMissing, LabError, Unsupported
from lab.topology import Host, Topology

UP_S = 120.0
"""How long the child may take to make a lab, and each of its agents to say hello."""
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", re.ASCII)


# The plan, as the child reads it


def wire_plan(topology: Topology, planned: Plan) -> dict[str, Any]:
    """The plan for `lab.engines.wiring` and `lab.engines.rootfs`, as JSON: what is, without a reason."""
    number = {network.name: place for place, network in enumerate(topology.networks)}
    return {
        "networks": [{"mtu": network.mtu} for network in topology.networks],
        "hosts": [_host_plan(host, planned, number) for host in topology.hosts],
        "neighbours": many_neighbours(topology),
        "programs": None if topology.programs is None else os.path.realpath(topology.programs),
        "texts": {
            "/etc/hosts": names_and_addresses(planned.interfaces),
            "/etc/resolv.conf": "",
            "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        },
    }


def _host_plan(host: Host, planned: Plan, number: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": host.name,
        "router": host.router and not host.scripted,  # it would tell that it joined the group of all routers
        "interfaces": [_end_plan(end, number[end.network]) for end in planned.interfaces[host.name]],
        "routes": [vars(route) for route in planned.routes[host.name]],
        "sysctls": dict(host.sysctls),
        "limits": dict(host.limits),
        "files": {path: base64.b64encode(contents).decode() for path, contents in host.files.items()},
    }


def _end_plan(end: Interface, network: int) -> dict[str, Any]:
    six = [[address, 64 if address.startswith("fe80:") else end.prefix6] for address in end.ip6]
    return {
        "network": network,
        "name": end.name,
        "mac": end.mac,
        "mtu": end.mtu,
        "addresses": [[address, end.prefix4] for address in end.ip4] + six,
    }


def refuse_what_is_lacking(topology: Topology) -> None:
    """Raises Unsupported for what this engine cannot give, before anything is made."""
    if topology.compose is not None:
        raise Unsupported(f"its hosts are the services of {topology.compose.name}: they need Docker")
    for host in topology.hosts:
        if not _HOST_NAME.fullmatch(host.name):
            raise Unsupported(f"{host.name!r} cannot be the name of a host (RFC 1123, section 2.1)")
        for name in host.limits:
            if not hasattr(resource, "RLIMIT_" + name.upper()):
                raise Unsupported(f"host {host.name}: this kernel has no limit {name!r} (setrlimit(2))")
        for name in host.capabilities or ():
            from lab.engines.zygote import KEPT_CAPABILITIES  # late: it brings ctypes along

            if name.upper().removeprefix("CAP_") not in KEPT_CAPABILITIES:
                raise Unsupported(f"the netns engine gives no host the capability {name}: {host.name}")
        for path in host.files:
            if not path.startswith("/") or ".." in path.split("/"):
                raise Unsupported(f"host {host.name}: {path!r} is not an absolute path")


def refuse_other_users(topology: Topology) -> None:
    """Raises Unsupported for a user other than the only one that a lab without root has (user_namespaces(7))."""
    for host in topology.hosts:
        if host.user not in (None, "root", "0"):
            raise Unsupported(
                f"host {host.name}: nothing can run as user {host.user} in a lab made without root",
                "Play it as root, or with --engine docker.",
            )


# The lab


class NetnsLab:
    """A lab of namespaces that is up. It can pause and kill hosts.

    Pausing stops all processes of the host, also its agent: calls that wait go on waiting, whatever arrives.
    The host's kernel answers as before, and its capture goes on in the kernel's ring.
    """

    def __init__(self, topology: Topology, planned: Plan, child: Child) -> None:
        self._topology = topology
        self._planned = planned
        self._child = child
        self._channels: dict[str, Channel] = {}
        self._streams: dict[str, SocketStream] = {}
        self._logs = Path()
        self.pids: dict[str, int] = {}
        """Process id of each host's first process, as this process sees it."""

    @property
    def topology(self) -> Topology:
        return self._topology

    def agent(self, host: str) -> Channel:
        return self._channels[host]

    def interfaces(self, host: str) -> tuple[Interface, ...]:
        return self._planned.interfaces[host]

    def facts(self) -> Mapping[str, str]:
        return {
            "engine": "netns",
            "kernel": os.uname().release,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "rootless": "yes" if self._child.rootless else "no",
        }

    def pause(self, host: str) -> None:
        self._child.ask({"do": "pause", "host": host})

    def resume(self, host: str) -> None:
        self._child.ask({"do": "resume", "host": host})

    def cut(self, host: str) -> None:
        self._child.ask({"do": "cut", "host": host})

    def kill(self, host: str) -> None:
        self._child.ask({"do": "kill", "host": host})

    def restart(self, host: str) -> None:
        self._channels[host].close()
        self._child.send({"do": "restart", "host": host})
        self._join_all(self._logs, f"host {host} could not be started again")
        self._channels[host].hello(UP_S)

    def join(self, host: str) -> None:
        self._child.ask({"do": "join", "host": host})

    def _open(self, logs: Path) -> None:
        """Have the child make it; returns when every agent has said hello."""
        if self._child.rootless:
            refuse_other_users(self._topology)
        data = os.memfd_create("plan")
        folder = os.open(logs, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with open(data, "wb", closefd=False) as file:
                file.write(json.dumps(wire_plan(self._topology, self._planned)).encode())
            self._child.send({"do": "up"}, (data, folder))
        finally:
            os.close(data)
            os.close(folder)
        self._logs = logs
        self._join_all(logs, "the lab could not be made")
        for channel in self._channels.values():
            channel.hello(UP_S)

    def _join_all(self, logs: Path, problem: str) -> None:
        """Take the agents that the child hands over, up to its answer; raises LabError."""
        while True:
            message, descriptors, pid = self._child.receive(UP_S)
            if "host" not in message:
                break
            self._join(message["host"], descriptors[0], pid, logs)
        if "refused" in message:
            raise Unsupported(message["refused"])
        if "failed" in message:
            raise LabError(f"{problem}: {message['failed']['text']}")

    def _join(self, host: str, descriptor: int, pid: int, logs: Path) -> None:
        stream = SocketStream(
            socket.socket(fileno=descriptor),
            logs / f"{host}.stderr",
            lambda: self._how(host),
        )
        self._streams[host] = stream
        self._channels[host] = Channel(host, stream)
        self.pids[host] = pid

    def _how(self, host: str) -> str:
        """How a host ended."""
        try:
            return str(self._child.ask({"do": "how", "host": host}))
        except LabError as error:
            return error.what

    def _close(self) -> None:
        for host, stream in self._streams.items():
            if stream.has_said_too_much():
                with contextlib.suppress(LabError):
                    self.kill(host)  # so that it says no more while its file is shortened
        self._child.end()
        for channel in self._channels.values():
            channel.close()


class NetnsEngine:
    """The engine `netns`."""

    name = "netns"

    def __init__(self) -> None:
        self._warm: Child | None = None
        self._taking = threading.Lock()

    def warm(self) -> None:
        """Start the child that the next `up` will use and do not wait for it: it wakes while others work."""
        with self._taking:
            if self._warm is None and sys.executable:
                with contextlib.suppress(OSError):  # `ready` will say it
                    self._warm = Child()

    def ready(self) -> LabError | None:
        """None, or why this machine cannot; starts the child that the next `up` will use."""
        try:
            child = self._take()
        except LabError as error:
            return error
        with self._taking:
            spare, self._warm = self._warm, child
        if spare is not None:
            spare.end()
        return None

    @contextmanager
    def up(self, topology: Topology, *, logs: Path) -> Iterator[NetnsLab]:
        """A lab of namespaces. The thread that calls must live as long as the lab does."""
        refuse_what_is_lacking(topology)
        planned = plan(topology, ip6=Path("/proc/net/if_inet6").exists())
        _raise_descriptor_limit(len(topology.hosts))
        lab = self._made(topology, planned, logs)
        try:
            yield lab
        finally:
            lab._close()

    def _made(self, topology: Topology, planned: Plan, logs: Path) -> NetnsLab:
        """A lab that is up. A warm child may be dying when it is taken, which shows only now: then a new one is."""
        was_warm = self._warm is not None
        lab = NetnsLab(topology, planned, self._take())
        try:
            lab._open(logs)
        except BaseException as error:
            lab._close()
            if was_warm and isinstance(error, ChildGone) and not lab.pids:
                return self._made(topology, planned, logs)
            raise
        return lab

    def _take(self) -> Child:
        """The child that is warm, or a new one, once it has its namespaces; raises LabError."""
        collect()
        with self._taking:
            child, self._warm = self._warm, None
        if child is not None and not child.alive():  # it dies with the thread that started it
            child.end()
            child = None
        if not sys.executable:
            raise EngineMissing("this Python does not know its own program", "Run it by its full path.")
        try:
            child = child or Child()
        except OSError as error:
            raise EngineMissing(f"cannot start {sys.executable}: {error.strerror}") from None
        try:
            child.enter()
        except LabError:
            child.end()
            raise
        return child


def _raise_descriptor_limit(hosts: int) -> None:
    """Each host costs a descriptor here, and the usual soft limit of 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and soft < 2 * hosts + 256:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


ENGINE = NetnsEngine()
