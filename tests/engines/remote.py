"""A host of a lab as tests use it: calls by name, programs, and what was captured."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import Any

from lab import agent, ring
from lab.capture import Frame
from lab.channel import Channel, Message
from lab.engine import Interface, Lab

WAIT_S = 10.0
_numbers = itertools.count(1)

FAMILIES = {4: {"constant": "AF_INET"}, 6: {"constant": "AF_INET6"}}
KINDS = {"tcp": {"constant": "SOCK_STREAM"}, "udp": {"constant": "SOCK_DGRAM"}}
REUSE = [{"constant": "SOL_SOCKET"}, {"constant": "SO_REUSEADDR"}, 1]


@dataclass
class Remote:
    """One host of a lab."""

    lab: Lab
    host: str

    @property
    def channel(self) -> Channel:
        return self.lab.agent(self.host)

    @property
    def end(self) -> Interface:
        """Its first interface."""
        return self.lab.interfaces(self.host)[0]

    def address(self, version: int) -> str:
        return (self.end.ip4 if version == 4 else self.end.ip6)[0]

    def post(self, method: str, *arguments: Any, on: str | None = None, **rest: Any) -> int:
        """Begin a call: a method where `on` is given, else a function of the module `socket`."""
        where = {"function": method} if on is None else {"on": on, "method": method}
        return self.channel.post(
            {"do": "call", **where, "arguments": [_plain(one) for one in arguments], **rest}
        )

    def reply(self, method: str, *arguments: Any, on: str | None = None, **rest: Any) -> Message:
        return self.channel.wait(self.post(method, *arguments, on=on, **rest), WAIT_S)

    def call(self, method: str, *arguments: Any, on: str | None = None, **rest: Any) -> Any:
        """The decoded value of a call that must succeed."""
        reply = self.reply(method, *arguments, on=on, **rest)
        assert "value" in reply, reply
        return agent.decode(reply["value"])

    def socket(self, kind: str, version: int = 4) -> str:
        """Make a socket; returns the name it has in the host."""
        name = f"socket {next(_numbers)}"
        self.call("socket", FAMILIES[version], KINDS[kind], makes=name)
        return name

    def bound(self, kind: str, version: int = 4) -> tuple[str, list[Any]]:
        """A socket bound to any port of the host's own address, and that address."""
        name = self.socket(kind, version)
        self.call("bind", [self.address(version), 0], on=name)
        return name, self.call("getsockname", on=name)

    def listener(self, version: int = 4) -> tuple[str, list[Any]]:
        name, address = self.bound("tcp", version)
        self.call("listen", on=name)
        return name, address

    def connect_to(self, other: Remote, version: int = 4) -> tuple[str, str]:
        """A TCP connection to another host: the names of the two ends, ours first."""
        listening, address = other.listener(version)
        ours, theirs = self.socket("tcp", version), f"accepted {next(_numbers)}"
        self.call("connect", address[:2], on=ours)
        other.call("accept", on=listening, makes=theirs)
        return ours, theirs

    def run(self, *argv: str) -> tuple[str, int]:
        """Run a program to its end: what it printed, and its exit status."""
        name = f"program {next(_numbers)}"
        self.channel.ask(WAIT_S, do="run", argv=list(argv), makes=name)
        said = self.call("read_until", b"\0", on=name).decode()
        return said, self.call("wait", on=name)["exit"]

    def text_of(self, path: str) -> str:
        """The contents of a file as the host sees it."""
        said, status = self.run("cat", path)
        assert status == 0, f"{self.host} cannot read {path}"
        return said

    def begin_capture(self) -> None:
        """Offloads off, capture on."""
        self.channel.ask(WAIT_S, do="offload")
        self.channel.ask(WAIT_S, do="capture", ring=4 << 20)

    def frames(self) -> list[Frame]:
        """What was captured since the last time."""
        found: list[Frame] = []
        while True:
            value = self.channel.ask(WAIT_S, do="frames")
            names = {int(index): name for index, name in value["interfaces"].items()}
            for block in value["blocks"]:
                found += ring.frames_of(base64.b64decode(block), self.host, names)
            if not value["more"]:
                return found


def _plain(argument: Any) -> Any:
    return agent.encode(argument) if isinstance(argument, bytes) else argument
