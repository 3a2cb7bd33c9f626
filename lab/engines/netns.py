"""Hosts that are Linux namespaces: no daemon, no image, no privilege needed, and nothing of them has a name.

The runner's side. The lab itself is a child, `lab.engines.zygote`, that dies with the thread that started it.
Here the plan is made, the child is started and told, and its answers become a `Lab`.
"""

from __future__ import annotations

import array
import atexit
import base64
import contextlib
import json
import os
import re
import resource
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.addressing import Plan, names_and_addresses, plan
from lab.channel import Channel, SocketStream, tail_of
from lab.engine import Interface
from lab.engines import forbidden
from lab.errors import EngineMissing, LabError, Unsupported
from lab.topology import Host, Topology

START_S, UP_S, ANSWER_S, END_S = 20.0, 120.0, 30.0, 20.0
"""How long the child may take to start, to make a lab, to answer and to end."""
ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package `lab`."""
HIDDEN = ("/tmp", "/run", "/var")
"""Folders that hosts have for themselves: `lab.engines.rootfs.PRIVATE`."""
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from lab.engines import zygote;"
    "zygote.main(int(sys.argv[2]), sys.argv[3:])"
)
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", re.ASCII)


class _Child:
    """The child and our end of its control socket. It dies with the thread that made it."""

    def __init__(self) -> None:
        self.rootless = False
        self._entered = False
        self._said = os.memfd_create("said")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", _BOOT, str(ROOT), str(os.getpid()), *kept_folders()],
                _environment(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self._said, 1),
                    (os.POSIX_SPAWN_DUP2, self._said, 2),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
                ],
            )

    def enter(self) -> None:
        """Wait until it has its namespaces; raises EngineMissing where it cannot have them."""
        if self._entered:
            return
        message, _, _ = self.receive(START_S)
        if "failed" in message:
            failed = message["failed"]
            raise forbidden.explain(failed["doing"], failed["errno"], failed["text"])
        self.rootless, self._entered = message["rootless"], True

    def alive(self) -> bool:
        """Whether it still runs."""
        try:
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def ask(self, request: Mapping[str, str], timeout_s: float = ANSWER_S) -> Any:
        """Ask for one thing about a host that is up; returns what it says. Raises LabError."""
        self.send(request)
        message, _, _ = self.receive(timeout_s)
        if "failed" in message:
            raise LabError(f"cannot {request['do']} host {request['host']}: {message['failed']['text']}")
        return message["done"]

    def send(self, request: Mapping[str, str], descriptors: tuple[int, ...] = ()) -> None:
        """Send a request; raises LabError when the child is gone."""
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        except OSError:
            raise self._gone() from None

    def receive(self, timeout_s: float) -> tuple[dict[str, Any], list[int], int]:
        """The next message, its descriptors, and the process id that came with it. Raises LabError."""
        self._control.settimeout(timeout_s)
        space = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(12)
        try:
            data, ancillary, _, _ = self._control.recvmsg(65536, space, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            raise LabError(f"the lab's first process did not answer within {timeout_s:g} s") from None
        except OSError:
            data = b""
        if not data:
            raise self._gone()
        descriptors, pid = array.array("i"), 0
        for _, kind, value in ancillary:
            if kind == socket.SCM_RIGHTS:
                descriptors.frombytes(value)
            elif kind == socket.SCM_CREDENTIALS:
                pid = struct.unpack("=iII", value)[0]
        return json.loads(data), list(descriptors), pid

    def let_go(self) -> None:
        """Have it end, without waiting for that."""
        self._control.close()

    def close(self) -> None:
        """End it and all that it made, and wait until that is done."""
        self.let_go()
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            descriptor = -1
        if descriptor >= 0:
            _wait_or_kill(descriptor)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._said)

    def _gone(self) -> LabError:
        said = tail_of(Path(f"/proc/self/fd/{self._said}")).strip()
        return LabError("the lab's first process is gone" + (f"; its last words: {said}" if said else ""))


def _wait_or_kill(descriptor: int) -> None:
    import select
    import signal

    try:
        polling = select.poll()
        polling.register(descriptor, select.POLLIN)
        if not polling.poll(END_S * 1000):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    """What programs in hosts find in their environment: nothing of the user's."""
    passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/tmp", **passed}


def kept_folders() -> list[str]:
    """Folders of code that hosts must see although they lie where each host has a folder of its own."""
    wanted = {
        str(folder)
        for one in (ROOT, sys.prefix, sys.base_prefix)
        for folder in (Path(one), Path(one).resolve())
    }
    hidden = sorted(one for one in wanted if any(Path(top) in Path(one).parents for top in HIDDEN))
    return [one for one in hidden if not any(Path(other) in Path(one).parents for other in hidden)]


# The plan, as the child reads it


def wire_plan(topology: Topology, planned: Plan) -> dict[str, Any]:
    """The plan for `lab.engines.wiring` and `lab.engines.rootfs`, as JSON: what is, without a reason."""
    number = {network.name: place for place, network in enumerate(topology.networks)}
    return {
        "networks": [{"mtu": network.mtu} for network in topology.networks],
        "hosts": [_host_plan(host, planned, number) for host in topology.hosts],
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
        "router": host.router,
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
    for host in topology.hosts:
        if not _HOST_NAME.fullmatch(host.name):
            raise Unsupported(f"{host.name!r} cannot be the name of a host (RFC 1123, section 2.1)")
        if host.nat is not None:
            raise Unsupported(f"host {host.name}: the netns engine has no address translation yet")
        if host.scripted:
            raise Unsupported(f"host {host.name}: the netns engine has no scripted hosts yet")
        for name in host.limits:
            if not hasattr(resource, "RLIMIT_" + name.upper()):
                raise Unsupported(f"host {host.name}: this kernel has no limit {name!r} (setrlimit(2))")
        for path in host.files:
            if not path.startswith("/") or ".." in path.split("/"):
                raise Unsupported(f"host {host.name}: {path!r} is not an absolute path")


# The lab


class NetnsLab:
    """A lab of namespaces that is up. It can pause and kill hosts.

    Pausing stops all processes of the host, also its agent: calls that wait go on waiting, whatever arrives.
    The host's kernel answers as before, and its capture goes on in the kernel's ring.
    """

    def __init__(self, topology: Topology, planned: Plan, child: _Child) -> None:
        self._topology = topology
        self._planned = planned
        self._child = child
        self._channels: dict[str, Channel] = {}
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

    def kill(self, host: str) -> None:
        self._child.ask({"do": "kill", "host": host})

    def _open(self, logs: Path) -> None:
        """Have the child make it; returns when every agent has said hello."""
        data = os.memfd_create("plan")
        folder = os.open(logs, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with open(data, "wb", closefd=False) as file:
                file.write(json.dumps(wire_plan(self._topology, self._planned)).encode())
            self._child.send({"do": "up"}, (data, folder))
        finally:
            os.close(data)
            os.close(folder)
        while True:
            message, descriptors, pid = self._child.receive(UP_S)
            if "host" not in message:
                break
            self._join(message["host"], descriptors[0], pid, logs)
        if "refused" in message:
            raise Unsupported(message["refused"])
        if "failed" in message:
            raise LabError(f"the lab could not be made: {message['failed']['text']}")
        for channel in self._channels.values():
            channel.hello(UP_S)

    def _join(self, host: str, descriptor: int, pid: int, logs: Path) -> None:
        stream = SocketStream(
            socket.socket(fileno=descriptor),
            logs / f"{host}.stderr",
            lambda: str(self._child.ask({"do": "how", "host": host})),
        )
        self._channels[host] = Channel(host, stream)
        self.pids[host] = pid

    def _close(self) -> None:
        self._child.close()
        for channel in self._channels.values():
            channel.close()


class NetnsEngine:
    """The engine `netns`."""

    name = "netns"

    def __init__(self) -> None:
        self._warm: _Child | None = None
        self._taking = threading.Lock()

    def ready(self) -> LabError | None:
        """None, or why this machine cannot; starts the child that the next `up` will use."""
        try:
            child = self._take()
        except LabError as error:
            return error
        with self._taking:
            spare, self._warm = self._warm, child
        if spare is not None:
            spare.close()
        else:
            atexit.register(self._let_go)
        return None

    def _let_go(self) -> None:
        if self._warm is not None:
            self._warm.let_go()

    @contextmanager
    def up(self, topology: Topology, *, logs: Path) -> Iterator[NetnsLab]:
        """A lab of namespaces. The thread that calls must live as long as the lab does."""
        refuse_what_is_lacking(topology)
        planned = plan(topology, ip6=Path("/proc/net/if_inet6").exists())
        _raise_descriptor_limit(len(topology.hosts))
        child = self._take()
        lab = NetnsLab(topology, planned, child)
        try:
            lab._open(logs)
            yield lab
        finally:
            lab._close()

    def _take(self) -> _Child:
        """The child that is warm, or a new one, once it has its namespaces; raises LabError."""
        with self._taking:
            child, self._warm = self._warm, None
        if child is not None and not child.alive():  # it dies with the thread that started it
            child.close()
            child = None
        if not sys.executable:
            raise EngineMissing("this Python does not know its own program", "Run it by its full path.")
        try:
            child = child or _Child()
        except OSError as error:
            raise EngineMissing(f"cannot start {sys.executable}: {error.strerror}") from None
        try:
            child.enter()
        except LabError:
            child.close()
            raise
        return child


def _raise_descriptor_limit(hosts: int) -> None:
    """Each host costs a descriptor here, and the usual soft limit of 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and soft < 2 * hosts + 256:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


ENGINE = NetnsEngine()
