"""`runner watch`: what the hosts of a lab that is up send, as it happens.

An agent of its own goes into every host, through `runner shell`, so that it works with every engine and no run
is disturbed. Gathers and names packets; how they are drawn is `runner.report.watched`'s affair.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from lab import agent, ring
from lab.capture import Frame
from lab.channel import Channel, SocketStream
from lab.engine import Interface
from lab.errors import HostGone, LabError
from runner import wire
from runner.headers import decode
from runner.packets import Packet, Transmission
from runner.sequence import RelativeNumbers

PERIOD_S = 0.05
"""How often hosts are asked for what they have captured: so much, and the way there, is a picture behind."""
RING_BYTES = 4 << 20
START_S = 20.0
_READER = """
import os
def exactly(length):
    parts = []
    while length:
        part = os.read(0, length)
        if not part:
            os._exit(0)
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
exec(compile(exactly(int(exactly(8))), "agent.py", "exec"), {"__name__": "__main__"})
"""


@dataclass
class _Watched:
    """One host: its agent, the process that leads there, and its ends once they are known."""

    channel: Channel
    process: subprocess.Popen[bytes]
    interfaces: tuple[Interface, ...] = ()


@dataclass
class Watch:
    """The hosts that are watched; a context manager. `gone` are those that went away meanwhile."""

    names: Sequence[str]
    gone: list[str] = field(default_factory=list)
    _hosts: dict[str, _Watched] = field(default_factory=dict)
    _numbers: RelativeNumbers = field(default_factory=RelativeNumbers)
    _count: int = 0

    def __enter__(self) -> Watch:
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Start all agents side by side, then their captures; raises LabError where one cannot."""
        for name in self.names:
            self._hosts[name] = _started(name)
        for one in self._hosts.values():
            one.channel.hello(START_S)
        for name, one in self._hosts.items():
            one.channel.ask(do="capture", ring=RING_BYTES)
            one.interfaces = tuple(_interface(name, end) for end in one.channel.ask(do="interfaces"))
        ends = [end for one in self._hosts.values() for end in one.interfaces]
        self._owners = wire.owners_of(ends)
        self._macs = {end.mac for end in ends}

    def close(self) -> None:
        """Take the agents out of the hosts."""
        for one in self._hosts.values():
            with contextlib.suppress(LabError):
                one.channel.post({"do": "quit"})
            one.channel.close()
        for one in self._hosts.values():
            try:
                one.process.wait(2)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        self._hosts.clear()

    def owner(self, address: str) -> str:
        """The host that has an address, else the address."""
        return self._owners.get(address) or self._owners.get(wire.canonical(address), address)

    def packets(self) -> Iterator[Transmission]:
        """What was sent, each frame once, until every host is gone; waits for more."""
        while self._hosts:
            began = time.monotonic()
            yield from self.fetch()
            time.sleep(max(0.0, PERIOD_S - (time.monotonic() - began)))

    def fetch(self) -> list[Transmission]:
        """What was sent since the last time, in order, without waiting for more."""
        found = [packet for name in list(self._hosts) for packet in self._fetch(name)]
        return [self._transmission(one) for one in sorted(found, key=lambda packet: packet.time_ns)]

    def _fetch(self, name: str) -> Iterator[Packet]:
        """What a host has sent, and what came to it from outside the lab, since it was asked last."""
        one, more = self._hosts[name], True
        while more:
            try:
                value = one.channel.ask(do="frames")
            except HostGone:
                self.gone.append(name)
                del self._hosts[name]
                one.channel.close()
                one.process.wait()
                return
            names = {int(index): end for index, end in value["interfaces"].items()}
            for block in value["blocks"]:
                yield from self._sent(name, ring.frames_of(_bytes(block), name, names))
            more = bool(value["more"])

    def _sent(self, name: str, frames: Iterator[Frame]) -> Iterator[Packet]:
        for frame in frames:
            header = decode(frame.data, frame.link)
            if frame.direction == "in" and header.source_mac in self._macs:
                continue
            self._count += 1
            yield Packet(
                self._count, frame.time_ns, name, frame.interface, "", frame.direction, frame.data, header
            )

    def _transmission(self, packet: Packet) -> Transmission:
        header = packet.header
        ends = (header.src, header.dst) if header.version else (header.source_mac, header.target_mac)
        source, target = (self.owner(one) for one in ends)
        return Transmission(packet, (), source, target, False, *self._numbers.of(packet))


def _bytes(block: str) -> bytes:
    import base64

    return base64.b64decode(block)


def _started(name: str) -> _Watched:
    """An agent in a host, through `runner shell`; it ends when its input does."""
    ours, theirs = socket.socketpair()
    with theirs:
        words = [sys.executable, "-m", "runner", "shell", name, "--", "python3", "-I", "-S", "-c", _READER]
        process = subprocess.Popen(
            words,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    source = Path(agent.__file__).read_bytes()
    stream = SocketStream(ours)
    with contextlib.suppress(OSError):  # the process has ended: hello says so
        stream.send(b"%08d" % len(source) + source)
    return _Watched(Channel(name, stream), process)


def _interface(host: str, end: dict[str, Any]) -> Interface:
    """One end of a host as its agent tells it; the network's name is not known in a host."""
    ip4, ip6 = (tuple(address.partition("/")[0] for address in end[family]) for family in ("ip4", "ip6"))
    return Interface(host, "", end["name"], end["mac"], ip4, ip6, 0, 0, end["mtu"])
